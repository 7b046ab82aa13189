"""The list of packages, and nothing else; all metadata is in pyproject.toml.

It stands here because two packages come from folders of another name, which setuptools cannot
combine with automatic discovery, and a list by hand would silently leave out new packages:

* dbt imports an adapter as ``dbt.adapters.<type>``: that is ``cdme_adapter/dbt_plugin``;
* the macros and materializations an adapter ships are ``dbt.include.<type>``: that is
  ``dbt_cdme/materializations``.

``dbt``, ``dbt.adapters`` and ``dbt.include`` belong to others and get no ``__init__`` from us.
"""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["cdme_adapter*"], exclude=["cdme_adapter.dbt_plugin*"]),
        "dbt.adapters.cdme",
        "dbt.include.cdme",
    ],
    package_dir={
        "dbt.adapters.cdme": "cdme_adapter/dbt_plugin",
        "dbt.include.cdme": "dbt_cdme/materializations",
    },
)
