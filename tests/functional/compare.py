"""What a database holds, for comparing a cdme run with a plain one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

from tests.functional.project import Project, Rows

_CATALOG = {
    "tables": "schema_name, table_name, comment, has_primary_key, sql",
    "views": "schema_name, view_name, comment, sql",
    "columns": "schema_name, table_name, column_index, column_name, data_type, is_nullable, "
               "column_default, comment",
    "constraints": "schema_name, table_name, constraint_type, constraint_text, "
                   "constraint_column_names",
    "indexes": "schema_name, table_name, is_unique, expressions",
    "sequences": "schema_name, sequence_name",
    "types": "schema_name, type_name",
    "functions": "schema_name, function_name",
    "schemas": "schema_name",
}  # fmt: skip
_MARKED_INTERNAL = frozenset({"tables", "views", "columns", "types", "functions", "schemas"})


@dataclass(frozen=True)
class Snapshot:
    """Rows by (schema, table) in their physical order, and catalog entries by kind."""

    rows: dict[tuple[str, str], list[str]]
    catalog: dict[str, Rows]


def exact(value: Any) -> str:
    """A value with its type and every digit: -0.0 is not 0.0, nan is itself."""
    if isinstance(value, float):
        return f"float {value.hex()}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{exact(k)}: {exact(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(exact(v) for v in value) + "]"
    return f"{type(value).__name__} {value!r}"


def snapshot(project: Project) -> Snapshot:
    """Everything in a project's database outside the schema ``cdme``."""
    with project.connect() as con:
        catalog = {name: _catalog(con, name, columns) for name, columns in _CATALOG.items()}
        names = [row[:2] for row in (*catalog["tables"], *catalog["views"])]
        rows = {
            (schema, name): [
                exact(row) for row in con.execute(f'SELECT * FROM "{schema}"."{name}"').fetchall()
            ]
            for schema, name in names
        }
    return Snapshot(rows, catalog)


def _catalog(con: duckdb.DuckDBPyConnection, name: str, columns: str) -> Rows:
    mine = "NOT internal AND " if name in _MARKED_INTERNAL else ""
    return con.execute(
        f"SELECT {columns} FROM duckdb_{name}() WHERE {mine}schema_name <> 'cdme'"
        " AND database_name = current_database() ORDER BY ALL"
    ).fetchall()
