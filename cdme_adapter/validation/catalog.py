"""The warehouse as a value: relations with columns, types, keys and statistics, and functions.

Loaded through any ``execute`` that runs a SELECT and returns its rows; nothing is ever written
(REQ-F-AIA-003).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cdme_adapter.validation.relations import Column, Nulls, Relation, minimal
from cdme_adapter.validation.weights import Weights, counted, even

Execute = Callable[[str], Sequence[Sequence[Any]]]


@dataclass(frozen=True)
class Catalog:
    """Relations by ``database.schema.name`` in lower case, and what functions the user made."""

    relations: Mapping[str, Relation] = field(default_factory=dict)
    macros: tuple[str, ...] = ()
    """CREATE MACRO statements that make the user's macros again."""
    functions: frozenset[str] = frozenset()
    """Names of functions that are not DuckDB's own."""
    execute: Execute | None = None
    statistics: bool = False
    """Whether a relation's statistics are read when it is first asked for."""
    native: frozenset[str] = frozenset()
    """The databases that are DuckDB's own: their tables are cheap to read."""
    _sharp: dict[str, Relation] = field(default_factory=dict)
    asked: dict[tuple[str, tuple[str, ...]], None] = field(default_factory=dict)
    """The keys of which the distributions were asked for since this was last emptied."""
    _weights: dict[tuple[str, tuple[str, ...]], Weights | None] = field(default_factory=dict)

    def relation(self, name: str) -> Relation | None:
        """The stored relation of that canonical name, with statistics where they are wanted."""
        name = name.lower()
        known = self.relations.get(name)
        if known is None or not known.rows or not self.statistics or self.execute is None:
            return known
        if name not in self._sharp:
            columns = _with_statistics(self.execute, name, list(known.columns))
            self._sharp[name] = replace(known, columns=tuple(columns))
        return self._sharp[name]

    def weights(self, name: str, key: Sequence[str]) -> Weights | None:
        """How often each value of a key occurs, given as SQL of a stored table; None where it is not known.

        Only DuckDB's own tables are read, and a large one only in part (:mod:`weights`).
        """
        found = self.relation(name)
        wanted = (name, tuple(key))
        if found is None or not found.rows or not self.statistics or self.execute is None:
            return None
        if name.split(".", 1)[0] not in self.native:
            return None
        self.asked[wanted] = None
        if wanted not in self._weights:
            self._weights[wanted] = self._count(self.execute, found, wanted[1])
        return self._weights[wanted]

    def _count(self, execute: Execute, found: Relation, key: tuple[str, ...]) -> Weights | None:
        rows = found.rows or 0
        distinct = (
            {_quote(c.name): c.distinct for c in found.columns}.get(key[0]) if len(key) == 1 else None
        )
        if distinct is not None and distinct >= 0.9 * rows:
            return even(rows, distinct)
        table = ".".join(_quote(part) for part in found.name.split(".", 2))
        try:
            return counted(
                execute, table, key, rows, distinct=distinct, by_rowid=found.column("rowid") is None
            )
        except Exception:
            # A table as it was built may have other columns, and a cast may fail: it is estimated without.
            return None


def canonical(database: str | None, schema: str | None, name: str) -> str:
    """How this package names a stored relation.

    >>> canonical("Db", "main", "Orders")
    'db.main.orders'
    """
    return f"{database or ''}.{schema or ''}.{name}".lower()


def load_catalog(execute: Execute, *, statistics: bool = True) -> Catalog:
    """Read a DuckDB's catalog; ``statistics`` adds row counts, NULLs and distinct values."""
    columns: dict[str, list[Column]] = {}
    for database, schema, table, column, data_type, nullable in execute(
        "SELECT database_name, schema_name, table_name, column_name, data_type, is_nullable "
        "FROM duckdb_columns() WHERE NOT internal AND schema_name <> 'cdme' "
        "ORDER BY 1, 2, 3, column_index"
    ):
        nulls = Nulls.UNKNOWN if nullable else Nulls.NEVER
        columns.setdefault(canonical(database, schema, table), []).append(
            Column(column, str(data_type), nulls)
        )
    keys: dict[str, list[frozenset[str]]] = {}
    for database, schema, table, listed in execute(
        "SELECT database_name, schema_name, table_name, constraint_column_names "
        "FROM duckdb_constraints() WHERE constraint_type IN ('PRIMARY KEY', 'UNIQUE')"
    ):
        keys.setdefault(canonical(database, schema, table), []).append(
            frozenset(str(c).lower() for c in listed)
        )
    rows = _row_counts(execute) if statistics else {}
    relations = {}
    for name, listed in columns.items():
        found = minimal(keys.get(name, []))
        relations[name] = Relation(name, tuple(listed), found, bool(found), rows.get(name))
    macros, functions = _functions(execute)
    native = execute("SELECT database_name FROM duckdb_databases() WHERE type = 'duckdb'")
    names = frozenset(str(row[0]).lower() for row in native)
    return Catalog(relations, macros, functions, execute, statistics, names)


def _row_counts(execute: Execute) -> dict[str, int]:
    return {
        canonical(database, schema, table): int(count)
        for database, schema, table, count in execute(
            "SELECT database_name, schema_name, table_name, estimated_size FROM duckdb_tables() "
            "WHERE NOT internal"
        )
    }


def _with_statistics(execute: Execute, name: str, columns: list[Column]) -> list[Column]:
    table = ".".join(_quote(part) for part in name.split("."))
    wanted = ", ".join(f"stats({_quote(c.name)})" for c in columns)
    try:
        found = execute(f"SELECT {wanted} FROM {table} LIMIT 1")
    except Exception:
        # Statistics only sharpen estimates; a relation without them is judged without them.
        return columns
    if not found:
        return columns
    return [_sharpen(column, stats) for column, stats in zip(columns, found[0], strict=True)]


def _sharpen(column: Column, stats: Any) -> Column:
    if not isinstance(stats, Mapping):
        return column
    nulls = column.nulls
    if stats.get("has_null") is False:
        nulls = Nulls.NEVER
    elif stats.get("has_null") is True and nulls is Nulls.UNKNOWN:
        nulls = Nulls.SOME
    distinct = stats.get("approx_unique")
    return Column(column.name, column.type, nulls, distinct=int(distinct) if distinct is not None else None)


def _functions(execute: Execute) -> tuple[tuple[str, ...], frozenset[str]]:
    macros: list[str] = []
    names: set[str] = set()
    for name, kind, parameters, definition in execute(
        "SELECT function_name, function_type, parameters, macro_definition "
        "FROM duckdb_functions() WHERE NOT internal"
    ):
        names.add(str(name).lower())
        if kind in ("macro", "table_macro") and definition:
            table = "TABLE " if kind == "table_macro" else ""
            listed = ", ".join(_quote(p) for p in parameters or [])
            macros.append(f"CREATE OR REPLACE MACRO {_quote(name)}({listed}) AS {table}{definition}")
    return tuple(macros), frozenset(names)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
