"""Builds that break the contract on purpose: the harness must catch each of them.

They stand between CDME and DuckDB and look at the text of statements, so that they need not know how
CDME is made: only that its tables are called ``store_*`` and its ledger ``store_ledger``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_INSERT = re.compile(r"\s*INSERT INTO (\S*\bcdme\"?\.\"?store_\w+)\s+(SELECT.*)", re.I | re.S)
_KEPT = re.compile("store_(ledger|generations|runs|keys|filtered)")
"""Of numbers alone, too, or not to be asked twice; every other table of numbers is a map."""


def _wrap(change: Callable[[Callable[..., Any], Any, str, Any], Any]) -> None:
    from dbt.adapters.duckdb.environments.local import DuckDBCursorWrapper

    real = DuckDBCursorWrapper.execute

    def execute(self: Any, sql: str, bindings: Any = None) -> Any:
        return change(real, self, sql, bindings)

    DuckDBCursorWrapper.execute = execute


def ledger_outside() -> None:
    """The ledger is written by another connection, committed at once."""

    def change(real: Callable[..., Any], self: Any, sql: str, bindings: Any) -> Any:
        if sql.lstrip().startswith("INSERT INTO") and "store_ledger" in sql:
            return self._cursor.cursor().execute(sql)
        return real(self, sql, bindings)

    _wrap(change)


def reverse_join_after() -> None:
    """The maps are written after the model's COMMIT."""
    late: list[tuple[str, list[Any]]] = []

    def change(real: Callable[..., Any], self: Any, sql: str, bindings: Any) -> Any:
        found = _INSERT.match(sql)
        rows = real(self, found[2]).fetchall() if found and _KEPT.search(found[1]) is None else []
        if found and rows and all(isinstance(value, int) for row in rows for value in row):
            late.append((found[1], rows))
            return real(self, "SELECT 1 WHERE FALSE")
        result = real(self, sql, bindings)
        if sql.strip().upper() == "COMMIT":
            while late:
                table, rows = late.pop()
                values = ", ".join(f"({', '.join(map(str, row))})" for row in rows)
                self.execute(f"INSERT INTO {table} VALUES {values}")
        return result

    _wrap(change)


def no_transaction() -> None:
    """BEGIN, COMMIT and ROLLBACK do nothing: what was executed stays."""

    def change(real: Callable[..., Any], self: Any, sql: str, bindings: Any) -> Any:
        if sql.strip().upper() in ("BEGIN", "BEGIN TRANSACTION", "COMMIT", "ROLLBACK"):
            sql, bindings = "SELECT 1", None
        return real(self, sql, bindings)

    _wrap(change)


SABOTAGES = {"ledger": ledger_outside, "reverse_join": reverse_join_after, "rollback": no_transaction}
