"""The profile of ``type: cdme``: every option of dbt-duckdb, under another name."""

from __future__ import annotations

from dataclasses import dataclass

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt_common.exceptions import DbtRuntimeError

from cdme_adapter.errors import ConfigError

_SCHEMA = "cdme"


@dataclass
class CdmeCredentials(DuckDBCredentials):
    """dbt-duckdb's credentials; only the type differs, and one name is taken.

    Raises DbtRuntimeError where a database is called as the schema of the account is: DuckDB could
    not tell ``cdme.ledger`` in the one from ``cdme.ledger`` in the other.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [str(self.database)]
        for attached in self.attach or ():
            names.append(attached.alias or self.path_derived_database_name(attached.path))
        if _SCHEMA in map(str.lower, names):
            error = ConfigError(
                f'a database of the profile is called "{_SCHEMA}", as the schema is that the account is '
                "kept in",
                remedy="name the file otherwise (warehouse.duckdb), or attach it under another alias",
            )
            raise DbtRuntimeError(str(error))

    @property
    def type(self) -> str:
        """The adapter type that users write in profiles.yml."""
        return "cdme"
