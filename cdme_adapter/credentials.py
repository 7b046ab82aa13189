"""The profile of ``type: cdme``: every option of dbt-duckdb, under another name."""

from __future__ import annotations

from dataclasses import dataclass

from dbt.adapters.duckdb.credentials import DuckDBCredentials


@dataclass
class CdmeCredentials(DuckDBCredentials):
    """dbt-duckdb's credentials; only the type differs."""

    @property
    def type(self) -> str:
        """The adapter type that users write in profiles.yml."""
        return "cdme"
