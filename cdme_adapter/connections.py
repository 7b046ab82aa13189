"""Connections of the cdme adapter: dbt-duckdb's own, shared with the class they belong to.

dbt-duckdb keeps its environment in the class attribute ``DuckDBConnectionManager._ENV``, and parts
of it (python models, plugins) read that attribute on the base class by name. A subclass that opened
connections itself would set its own copy, and python models would fail with "environment requested
before creation!". So whatever reads or sets the environment runs on the base class.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dbt.adapters.contracts.connection import Connection
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.environments import Environment
from dbt.adapters.exceptions import FailedToConnectError
from dbt_common.exceptions import DbtRuntimeError

from cdme_adapter.errors import held


class CdmeConnectionManager(DuckDBConnectionManager):
    """The connection manager of ``type: cdme``; holds no environment of its own."""

    TYPE = "cdme"

    @classmethod
    def env(cls) -> Environment:
        """The one environment of the process."""
        return DuckDBConnectionManager.env()

    @classmethod
    def open(cls, connection: Connection) -> Connection:
        """Open a connection in the shared environment; a lock that another process holds is explained."""
        try:
            return DuckDBConnectionManager.open(connection)
        except Exception as error:
            if "set lock on file" not in str(error):
                raise
            raise FailedToConnectError(str(held(connection.credentials.path, error))) from error

    @classmethod
    def close(cls, connection: Connection) -> Connection:
        """Close a connection of the shared environment."""
        return DuckDBConnectionManager.close(connection)

    @classmethod
    def close_all_connections(cls) -> None:
        """Forget the shared environment."""
        DuckDBConnectionManager.close_all_connections()

    _journals = threading.local()
    redacted: Callable[[str], str] | None = None
    """Of a project with personal columns: takes values out of the engine's messages, for dbt logs them."""

    @contextmanager
    def exception_handler(self, sql: str, connection_name: str = "master") -> Iterator[None]:
        """dbt-duckdb's own, whose messages and log quote no values of a project with personal columns."""
        hide = self.redacted
        if hide is None:
            with super().exception_handler(sql, connection_name):
                yield
            return
        try:
            with super().exception_handler(sql, connection_name):
                try:
                    yield
                except Exception as error:
                    raise DbtRuntimeError(hide(str(error))) from None
        except DbtRuntimeError:
            self.rollback_if_open()
            raise

    def begin(self) -> Any:
        """Open a transaction and begin to note what is executed in it."""
        self._journals.statements = []
        return super().begin()

    def add_query(
        self, sql: str, auto_begin: bool = True, bindings: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Execute a statement and note it, if a transaction is open."""
        result = super().add_query(sql, auto_begin, bindings, *args, **kwargs)
        if self.get_thread_connection().transaction_open:
            self.journal().append((sql, bindings))
        return result

    def journal(self) -> list[tuple[str, Any]]:
        """What this thread has executed since it opened its transaction, to be done again after a
        capture that failed was rolled back."""
        statements: list[tuple[str, Any]] = getattr(self._journals, "statements", [])
        self._journals.statements = statements
        return statements
