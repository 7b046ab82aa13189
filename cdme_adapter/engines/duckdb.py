"""DuckDB: its catalog and its parser's word on a query."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from cdme_adapter.capture.catalog import Macro
from cdme_adapter.capture.plan import RelationInfo
from cdme_adapter.capture.sqltext import parse, render
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.macros import Macros
from cdme_adapter.engines.rows import literal
from cdme_adapter.errors import UnsupportedConstruct


class DuckDbCatalog:
    """The planner's catalog over a connection (see :class:`cdme_adapter.capture.catalog.Catalog`)."""

    def __init__(
        self,
        execute: Execute,
        identify: Callable[[str, str, str], str],
        view_texts: Mapping[str, str] | None = None,
    ) -> None:
        """``view_texts`` are the SELECTs of views, by id, as the run that made them wrote them."""
        self._execute = execute
        self._identify = identify
        self._view_texts = view_texts or {}
        self._relations: dict[tuple[str, str, str], RelationInfo | None] = {}
        self._functions: dict[str, tuple[bool, bool, bool]] | None = None

    def relation(self, database: str, schema: str, name: str) -> RelationInfo | None:
        """The table or view of that name; missing parts are the connection's own."""
        key = (database.lower(), schema.lower(), name.lower())
        if key not in self._relations:
            self._relations[key] = self._look_up(*key)
        return self._relations[key]

    def _look_up(self, database: str, schema: str, name: str) -> RelationInfo | None:
        if not schema and database:
            database, schema = "", database
        where = f"lower(table_name) = {literal(name)}"
        where += f" AND lower(schema_name) = {literal(schema) if schema else 'current_schema()'}"
        where += f" AND lower(database_name) = {literal(database) if database else 'current_database()'}"
        found = self._execute(
            "SELECT database_name, schema_name, table_name, list(column_name ORDER BY column_index)"
            f" FROM duckdb_columns() WHERE {where} GROUP BY ALL"
        )
        if len(found) != 1:
            return None
        db, sch, table, columns = found[0]
        views = self._execute(
            "SELECT sql FROM duckdb_views() WHERE "
            f"database_name = {literal(db)} AND schema_name = {literal(sch)}"
            f" AND view_name = {literal(table)}"
        )
        sizes = self._execute(
            f"SELECT estimated_size FROM duckdb_tables() WHERE database_name = {literal(db)}"
            f" AND schema_name = {literal(sch)} AND table_name = {literal(table)}"
        )
        ident = self._identify(db, sch, table)
        view_sql = self._view_texts.get(ident, views[0][0]) if views else None
        return RelationInfo(
            ident, db, sch, table, tuple(columns), view_sql, rows=sizes[0][0] if sizes else 0
        )

    @property
    def words(self) -> list[str]:
        """The column names and view texts of every relation that was looked up."""
        found = [info for info in self._relations.values() if info]
        return [word for info in found for word in (*info.columns, info.view_sql or "")]

    @property
    def looked_at(self) -> list[RelationInfo]:
        """The views that were looked up."""
        return [info for info in self._relations.values() if info and info.view_sql]

    @property
    def views(self) -> dict[str, str]:
        """The SELECTs of the views that were looked up, by id."""
        return {info.id: info.view_sql or "" for info in self.looked_at}

    def remember(self, views: Iterable[RelationInfo]) -> None:
        """Take views for looked up: of a plan that was made before."""
        for info in views:
            self._relations[info.database.lower(), info.schema.lower(), info.name.lower()] = info

    def is_aggregate(self, function: str) -> bool:
        """Whether DuckDB knows an aggregate of that name."""
        return self._function(function)[0] or self._macros.aggregates(function.lower())

    def is_volatile(self, function: str) -> bool:
        """Whether DuckDB calls the function volatile; what it does not know is."""
        return self._function(function)[1] or (
            self._function(function)[2] and self._macros.varies(function.lower())
        )

    def is_macro(self, function: str) -> bool:
        """Whether a user's macro of that name is more than an expression of its arguments."""
        return self._function(function)[2] and not self._macros.is_plain(function.lower())

    def macros(self, function: str) -> list[Macro]:
        """The forms of a user's macro."""
        if not self._function(function)[2]:
            return []
        return self._macros.found.get(function.lower(), [])

    @cached_property
    def _macros(self) -> Macros:
        found: dict[str, list[Macro]] = {}
        for name, parameters, body, kind in self._execute(
            "SELECT lower(function_name), parameters, macro_definition, function_type FROM"
            " duckdb_functions() WHERE function_type IN ('macro', 'table_macro') AND NOT internal"
        ):
            macro = Macro(tuple(parameters or ()), str(body), kind == "table_macro")
            found.setdefault(name, []).append(macro)
        return Macros(found, lambda name: self._function(name)[0], lambda name: self._function(name)[1])

    def keeps_order(self) -> bool:
        """DuckDB does, unless ``preserve_insertion_order`` was switched off."""
        return bool(self._execute("SELECT current_setting('preserve_insertion_order')")[0][0])

    def _function(self, name: str) -> tuple[bool, bool, bool]:
        if self._functions is None:
            rows = self._execute(
                "SELECT lower(function_name), bool_or(function_type = 'aggregate'),"
                " bool_or(coalesce(stability, '') = 'VOLATILE'),"
                " bool_or(function_type IN ('macro', 'table_macro') AND NOT internal)"
                " FROM duckdb_functions() GROUP BY 1"
            )
            self._functions = {row[0]: (row[1], row[2], row[3]) for row in rows}
        return self._functions.get(name.lower(), (False, False, False))


def _shape(node: Any) -> Any:
    """A serialised syntax tree without places and without the case of type names."""
    if isinstance(node, dict):
        return {
            key: value.lower() if key == "type_name" and isinstance(value, str) else _shape(value)
            for key, value in node.items()
            if not key.startswith("query_location")
        }
    if isinstance(node, list):
        return [_shape(item) for item in node]
    return node


def prove_round_trip(execute: Execute, sql: str) -> None:
    """Raise UnsupportedConstruct unless sqlglot's reading of ``sql`` means what DuckDB reads.

    DuckDB's own syntax tree of the text and of the re-print must be equal.
    """
    printed = render(parse(sql))
    trees = []
    for text in (sql, printed):
        row = execute(f"SELECT json_serialize_sql({literal(text.strip().rstrip(';'))})")[0][0]
        tree = json.loads(row)
        if tree.get("error"):
            raise UnsupportedConstruct(f"DuckDB cannot serialise it: {tree.get('error_message')}")
        trees.append(_shape(tree))
    if trees[0] != trees[1]:
        raise UnsupportedConstruct("sqlglot's reading of the SQL differs from DuckDB's")
