"""A scratch DuckDB in memory with empty tables of the right types, to bind SQL against.

That DuckDB binds a query is necessary, not sufficient; what it says when it does not bind is turned
into CDME's codes here. Nothing of the user's is opened: the warehouse was read into a Catalog.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from cdme_adapter.validation.catalog import canonical
from cdme_adapter.validation.relations import Column, Relation


@dataclass(frozen=True)
class BindError:
    """Why a query does not bind: code, what is missing, the nearest real names, line from 1."""

    code: str
    message: str
    missing: str | None = None
    nearest: tuple[str, ...] = ()
    line: int | None = None


_PATTERNS: tuple[tuple[str, str], ...] = (
    (r'Table with name "?(?P<x>.+?)"? does not exist', "UNKNOWN_RELATION"),
    (r'Referenced column "?(?P<x>[^"\s]+)"? (was )?not found', "UNKNOWN_COLUMN"),
    (r'does not have a column named "(?P<x>[^"]+)"', "UNKNOWN_COLUMN"),
    (r'Referenced table "(?P<x>[^"]+)" not found', "UNKNOWN_RELATION"),
    (r'[Cc]olumn "(?P<x>[^"]+)" does not exist', "UNKNOWN_COLUMN"),
    (r'Column "(?P<x>[^"]+)" in (EXCLUDE|REPLACE|RENAME) list not found', "UNKNOWN_COLUMN"),
    (r"Function with name \"?(?P<x>\w+)\"? does not exist", "UNKNOWN_FUNCTION"),
    (r"Function with name \"?(?P<x>\w+)\"? is not in the catalog", "UNKNOWN_FUNCTION"),
    (r'Ambiguous reference to (column name|table) "(?P<x>[^"]+)"', "AMBIGUOUS_COLUMN"),
    (r"Cannot (compare|mix) values of type (?P<x>.*)", "TYPE_MISMATCH"),
    (r"No function matches the given name and argument types '(?P<x>.*?)'", "TYPE_MISMATCH"),
    (r"(same number of result columns)(?P<x>)", "TYPE_MISMATCH"),
    (r"(Cannot|Unimplemented type for) cast(?P<x>.*)", "TYPE_MISMATCH"),
    (r"Could not (convert|choose a best candidate)(?P<x>.*)", "TYPE_MISMATCH"),
    (r'column "(?P<x>[^"]+)" must appear in the GROUP BY', "GRAIN_MIXED"),
    (r"[Tt]ype with name (?P<x>\S+) does not exist", "TYPE_MISMATCH"),
)


def explain(error: Exception) -> BindError:
    """DuckDB's complaint as a code with its facts.

    >>> explain(Exception('Binder Error: Referenced column "a" not found in FROM clause!')).missing
    'a'
    """
    text = str(error)
    line_match = re.search(r"^LINE (\d+):", text, re.MULTILINE)
    line = int(line_match[1]) if line_match else None
    head = text.split("\n\nLINE ")[0].strip()
    if isinstance(error, (duckdb.IOException, duckdb.HTTPException)):
        return BindError("CANNOT_BIND", head, line=line)
    for pattern, code in _PATTERNS:
        found = re.search(pattern, head)
        if found:
            near = re.search(r"(?:Candidate (?:bindings|tables):? ?:?|Did you mean) (.*)", head)
            names = tuple(re.findall(r'"([^"]+)"', near[1])) if near else ()
            return BindError(code, head.split("\n")[0], found["x"] or None, names, line)
    if isinstance(error, (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)):
        return BindError("COMPILE_ERROR", head.split("\n")[0], line=line)
    if isinstance(error, duckdb.ConversionException):
        return BindError("TYPE_MISMATCH", head.split("\n")[0], line=line)
    return BindError("CANNOT_BIND", head.split("\n")[0], line=line)


class Scratch:
    """The scratch database; use as a context manager."""

    def __init__(self, directory: str | None = None, macros: Iterable[str] = ()) -> None:
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("SET autoinstall_known_extensions = false; SET threads = 1")
        self._places: set[tuple[str, str]] = set()
        if directory:
            escaped = directory.replace("'", "''")
            self._connection.execute(f"SET file_search_path = '{escaped}'")
        self._macros = list(macros)
        self._types: dict[str, str | None] = {}

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def use(self, database: str, schema: str) -> None:
        """Where unqualified names are looked for, and where the user's macros live."""
        if not database:
            return
        self._place(database, schema)
        self._connection.execute(f"USE {quote(database)}.{quote(schema)}")
        for macro in self._macros:
            try:
                self._connection.execute(macro)
            except duckdb.Error:
                # A macro over tables that do not exist yet: calls to it cannot be judged.
                continue

    def _place(self, database: str, schema: str) -> None:
        if (database, schema) in self._places:
            return
        if not any(d == database for d, _ in self._places):
            attached = {
                str(row[0]).lower()
                for row in self._connection.execute(
                    "SELECT database_name FROM duckdb_databases()"
                ).fetchall()
            }
            if database not in attached:
                self._connection.execute(f"ATTACH ':memory:' AS {quote(database)}")
        self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(database)}.{quote(schema)}")
        self._places.add((database, schema))

    def add(self, relation: Relation) -> bool:
        """Create the empty table of a relation; False if its columns or types are not known."""
        if relation.opaque or not relation.columns:
            return False
        database, schema, name = relation.name.split(".", 2)
        self._place(database, schema)
        listed = ", ".join(f"{quote(c.name)} {c.type or 'VARCHAR'}" for c in relation.columns)
        table = f"{quote(database)}.{quote(schema)}.{quote(name)}"
        try:
            self._connection.execute(f"CREATE OR REPLACE TABLE {table} ({listed})")
        except duckdb.Error:
            return False
        return True

    def describe(self, sql: str) -> list[Column]:
        """Names and types of a query's columns; raises duckdb.Error."""
        statements = self._connection.extract_statements("DESCRIBE " + sql.strip().rstrip(";"))
        if len(statements) != 1:
            raise duckdb.ParserException(f"Parser Error: {len(statements)} statements, not one query")
        rows = self._connection.execute(statements[0]).fetchall()
        return [Column(str(row[0]), str(row[1])) for row in rows]

    def bind(self, sql: str) -> list[Column] | BindError:
        """The columns of a query, or why there are none."""
        text = sql.strip()
        skipped = sql[: len(sql) - len(sql.lstrip())].count("\n")
        try:
            return self.describe(text)
        except duckdb.Error as error:
            found = explain(error)
            line = found.line + skipped if found.line else None
            return BindError(found.code, found.message, found.missing, found.nearest, line)

    def type_of(self, expression: str, sources: str) -> str | None:
        """The type of an expression over stub sources, or None if DuckDB cannot tell."""
        text = f"SELECT {expression}" + (f" FROM {sources}" if sources else "")
        if text not in self._types:
            found = self.types_of(text)
            self._types[text] = found[0] if found else None
        return self._types[text]

    def types_of(self, select: str) -> list[str] | None:
        """The types of a SELECT's columns, or None: bound and never run, faster than DESCRIBE."""
        try:
            return [str(kind) for kind in self._connection.sql(select).types]
        except duckdb.Error:
            return None

    def tables(self, sql: str, database: str, schema: str) -> list[str]:
        """Canonical names of the tables that a query names, by DuckDB's own reading of its syntax."""
        try:
            row = self._connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
        except duckdb.Error:
            return []
        return list(dict.fromkeys(_tables(json.loads(row[0]) if row else None, database, schema)))

    def holds(self, condition: str) -> bool:
        """Whether a condition over constants is TRUE; False too if it cannot be evaluated."""
        try:
            row = self._connection.execute(f"SELECT {condition}").fetchone()
        except duckdb.Error:
            return False
        return bool(row and row[0])

    def functions(self) -> frozenset[str]:
        """Names of all functions."""
        rows = self._connection.execute(
            "SELECT DISTINCT lower(function_name) FROM duckdb_functions()"
        ).fetchall()
        return frozenset(str(row[0]) for row in rows)


def _tables(node: Any, database: str, schema: str) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("type") == "BASE_TABLE":
            yield canonical(
                node.get("catalog_name") or database, node.get("schema_name") or schema, node["table_name"]
            )
        node = list(node.values())
    for part in node if isinstance(node, list) else ():
        yield from _tables(part, database, schema)


def quote(name: str) -> str:
    """An identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'
