"""Python models in their model's transaction, on its own connection.

dbt-duckdb runs the model on the thread's connection in autocommit, and writes what is not a DuckDB
relation through another cursor: neither could be rolled back with the account. Here the code is
dbt-duckdb's own, and only the cursor is another (docs/decisions/0016-python-models.md).
"""

from __future__ import annotations

from typing import Any

from dbt.adapters.duckdb.environments import Environment
from dbt.adapters.duckdb.environments.local import LocalEnvironment

NESTED = ("cannot start a transaction within a transaction", "that has already modified database")
"""What DuckDB says to code that opens a transaction itself, or writes to another database."""


class _Same:
    """The model's connection in place of the second cursor."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def register(self, name: str, data: Any) -> Any:
        """Register a result; one that streams from this very connection is read to its end first."""
        read_all = getattr(data, "read_all", None)
        return self._connection.register(name, read_all() if read_all else data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def runs_here(environment: Environment) -> bool:
    """Whether python models of this environment run in this process."""
    return isinstance(environment, LocalEnvironment)


def run_here(environment: Environment, connection: Any, identifier: str, code: str) -> None:
    """Run a python model and write its table, all on ``connection``."""

    class OneConnection(type(environment)):  # type: ignore[misc]
        @classmethod
        def initialize_cursor(cls, creds: Any, cursor: Any, *others: Any, **more: Any) -> Any:
            cursor.close()
            return _Same(connection)

    def load(name: str) -> Any:
        return connection.query(f"select * from {name}")

    OneConnection.run_python_job(connection, load, identifier, code, environment.creds)
