"""Where dbt finds the dbt project that the adapter ships (imported as ``dbt.include.cdme``)."""

from pathlib import Path

PACKAGE_PATH = str(Path(__file__).parent)
