"""What dbt finds under ``dbt.adapters.cdme``: the adapter's plugin object.

``dependencies`` makes dbt look for macros under ``cdme__``, then ``duckdb__``, then ``default__``.
"""

from dbt.adapters.base import AdapterPlugin
from dbt.include import cdme as internal_project

from cdme_adapter.adapter import CdmeAdapter
from cdme_adapter.connections import CdmeConnectionManager
from cdme_adapter.credentials import CdmeCredentials

__all__ = ["CdmeAdapter", "CdmeConnectionManager", "CdmeCredentials", "Plugin"]

Plugin = AdapterPlugin(
    adapter=CdmeAdapter,
    credentials=CdmeCredentials,
    include_path=internal_project.PACKAGE_PATH,
    dependencies=["duckdb"],
    project_name="dbt_cdme_internal",
)
