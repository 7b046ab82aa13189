"""Scalar and aggregate expressions on literal values, through DuckDB, one expression at a time.

The oracle leaves the arithmetic to DuckDB and keeps everything relational (which rows meet, which
survive, which group together) to itself.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import duckdb

from tests.oracle.macros import SCALAR
from tests.oracle.model import OracleError, frozen

Inputs = Sequence[tuple[str, str]]
"""(placeholder name, type) of each value an expression reads."""


def literal(value: Any, kind: str) -> str:
    """A typed SQL literal.

    >>> literal(None, "INTEGER"), literal("o'k", "VARCHAR"), literal([1, None], "INTEGER[]")
    ('CAST(NULL AS INTEGER)', "CAST('o''k' AS VARCHAR)", 'CAST([1, NULL] AS INTEGER[])')
    """
    return f"CAST({_bare(value)} AS {kind})"


def _bare(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal | datetime.date | datetime.time):
        return f"'{value!r}'" if isinstance(value, float) else f"'{value}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_bare(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"'{k}': {_bare(v)}" for k, v in value.items()) + "}"
    raise OracleError(f"no literal for {value!r}")


class Scalars:
    """Evaluates expressions whose columns have been replaced by placeholders; remembers results."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(config={"threads": 1})
        for name, (parameter, body) in SCALAR.items():
            self.connection.execute(f"CREATE MACRO {name}({parameter}) AS {body}")
        self._types: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], dict[Any, Any]] = {}

    def type_of(self, sql: str, inputs: Inputs) -> str:
        """The type DuckDB gives to an expression over inputs of these types."""
        key = (sql, tuple(inputs))
        if key not in self._types:
            columns = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in inputs)
            source = f" FROM (SELECT {columns}) AS v" if columns else ""
            self._types[key] = self._describe(f"SELECT {sql}{source} LIMIT 0")[0]
        return self._types[key]

    def _describe(self, query: str) -> list[str]:
        described = self.connection.execute(query).description or []
        return ["INTEGER" if str(d[1]) in ('"NULL"', "NULL") else str(d[1]) for d in described]

    def values(
        self, sql: str, inputs: Inputs, rows: Sequence[tuple[Any, ...]], trying: bool = False
    ) -> list[Any]:
        """The expression on each tuple of input values; ``trying`` turns an error into NULL."""
        known = self._known.setdefault((sql, tuple(inputs)), {})
        wanted = {frozen(row): row for row in rows if frozen(row) not in known}
        if wanted:
            try:
                found = self._run(sql, inputs, list(wanted.values()))
            except duckdb.Error:
                found = [self._one(sql, inputs, row, trying) for row in wanted.values()]
            known.update(zip(wanted, found, strict=True))
        return [known[frozen(row)] for row in rows]

    def _one(self, sql: str, inputs: Inputs, row: tuple[Any, ...], trying: bool) -> Any:
        try:
            return self._run(sql, inputs, [row])[0]
        except duckdb.Error:
            if trying:
                return None
            raise

    def _run(self, sql: str, inputs: Inputs, rows: list[tuple[Any, ...]]) -> list[Any]:
        if not inputs:
            return [self.connection.execute(f"SELECT {sql}").fetchall()[0][0]] * len(rows)
        source = _rows(inputs, [((i,), row) for i, row in enumerate(rows)], ["i_"])
        query = f"SELECT {sql} FROM {source} ORDER BY i_"
        return [row[0] for row in self.connection.execute(query).fetchall()]

    def aggregates(
        self, sql: str, inputs: Inputs, groups: Sequence[Sequence[tuple[Any, ...]]]
    ) -> list[Any]:
        """The aggregate over each group of input tuples, in their order."""
        if not groups:
            return []
        rows = [((g, o), row) for g, group in enumerate(groups) for o, row in enumerate(group)]
        found: dict[int, Any] = {}
        if rows:
            source = _rows(inputs, rows, ["g_", "o_"])
            query = f"SELECT g_, {sql} FROM (FROM {source} ORDER BY g_, o_) AS w GROUP BY g_"
            found = dict(self.connection.execute(query).fetchall())
        if len(found) < len(groups):
            source = _rows(inputs, [((0, 0), tuple(None for _ in inputs))], ["g_", "o_"])
            empty = self.connection.execute(f"SELECT {sql} FROM {source} WHERE g_ > 0").fetchall()
            return [found[g] if g in found else empty[0][0] for g in range(len(groups))]
        return [found[g] for g in range(len(groups))]

    def common_type(self, left: str, right: str) -> str:
        """The type that a set operation gives to columns of these two types."""
        if left == right:
            return left
        query = f"SELECT CAST(NULL AS {left}) AS c UNION ALL SELECT CAST(NULL AS {right})"
        return self._describe(query)[0]


def _rows(
    inputs: Inputs, rows: Sequence[tuple[tuple[int, ...], tuple[Any, ...]]], numbers: list[str]
) -> str:
    """A VALUES list with leading integer columns."""
    kinds = [kind for _, kind in inputs]
    body = ", ".join(
        "(" + ", ".join([*map(str, head), *map(literal, row, kinds)]) + ")" for head, row in rows
    )
    return f"(VALUES {body}) AS v({', '.join([*numbers, *(name for name, _ in inputs)])})"
