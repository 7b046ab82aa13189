"""A dbt project as it was before CDME: no package, none of its tests. What comparisons start from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

GENERATED = shutil.ignore_patterns("target", "dbt_packages", "logs", "package-lock.yml")


def without_cdme(project: Path, copy: Path) -> Path:
    """Copy a project without packages.yml and without the generic tests of ``dbt_cdme``."""
    shutil.copytree(project, copy, ignore=GENERATED)
    (copy / "packages.yml").unlink()
    # What plain dbt-duckdb cannot build: the file holds lines that do not parse.
    shutil.rmtree(copy / "models" / "corrections", ignore_errors=True)
    for file in copy.glob("models/**/*.yml"):
        file.write_text(yaml.safe_dump(_stripped(yaml.safe_load(file.read_text()))))
    return copy


def _stripped(value: Any) -> Any:
    """The same YAML value without tests named ``dbt_cdme.…``."""
    if isinstance(value, dict):
        return {name: _stripped(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_stripped(item) for item in value if not str(item).startswith("dbt_cdme.")]
    return value
