"""A model's original SQL as dbt compiled it, and the views that it reads: what replay runs.

Never what capture made of it. The text must be the one that the run executed: its hash is in the
store.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from cdme_adapter.lineage.context import Context
from cdme_adapter.project import Node
from cdme_adapter.store.reader import literal, quote

_VIEW = re.compile(r"^\s*CREATE\s+.*?VIEW\s+(?P<head>.*?)\s+AS\s+(?P<body>.*?);?\s*$", re.S | re.I)


@dataclass(frozen=True)
class View:
    """A view to make again: where it stands, its column list and its query."""

    database: str
    schema: str
    name: str
    columns: str
    query: str

    @property
    def statement(self) -> str:
        """The DDL."""
        where = ".".join(quote(part) for part in (self.database, self.schema, self.name))
        return f"CREATE VIEW {where} {self.columns} AS {self.query}"


def original_sql(ctx: Context, model: str, run_id: str) -> tuple[str | None, str]:
    """The SQL that a run executed for a model; else None and why."""
    node = ctx.manifest.nodes.get(model)
    if node is None:
        return None, "the manifest does not have the model"
    if node.type not in ("model", "snapshot"):
        return None, f"a {node.type} has no SQL of its own"
    if str(node.raw.get("language") or "sql") != "sql":
        return None, "it is not a SQL model"
    found = node.compiled
    if not found and (node.raw.get("config") or {}).get("incremental_strategy") == "microbatch":
        return None, "not_replayable: dbt compiles a microbatch model batch by batch, and keeps no text"
    if not found:
        return None, "its compiled SQL is not at hand (run `dbt compile`)"
    rows = ctx.store.rows(
        f"SELECT sql_hash FROM {ctx.store.table('store_nodes')} AS n"
        f" WHERE run_id = {literal(run_id)} AND node = {literal(model)}"
    )
    kept = {str(row[0]) for row in rows if row[0]}
    for text in found:
        if not kept or hashlib.sha256(text.encode()).hexdigest() in kept:
            return text, ""
    return None, "its compiled SQL is no longer what the run executed"


def views_beneath(ctx: Context, model: str) -> list[View]:
    """The views that a model reads, through other views too, each after what it reads."""
    stored = _stored_views(ctx)
    found: dict[str, View] = {}
    seen: set[str] = set()

    def visit(name: str) -> None:
        node = ctx.manifest.nodes.get(name)
        if node is None or name in seen:
            return
        seen.add(name)
        if name == model or not node.stored or _place(node) in stored:
            for parent in node.parents:
                visit(parent)
        if name != model and node.materialized != "ephemeral":
            view = stored.get(_place(node))
            if view is not None:
                found[name] = view

    visit(model)
    return list(found.values())


def _place(node: Node) -> tuple[str, str, str]:
    return node.database.lower(), node.schema.lower(), node.identifier.lower()


def _stored_views(ctx: Context) -> dict[tuple[str, str, str], View]:
    views = {}
    for database, schema, name, sql in ctx.store.rows(
        "SELECT database_name, schema_name, view_name, sql FROM duckdb_views()"
        " WHERE NOT internal AND schema_name <> 'cdme'"
    ):
        match = _VIEW.match(sql or "")
        if match:
            head = match["head"]
            columns = head[head.index("(") :] if head.endswith(")") else ""
            place = (database.lower(), schema.lower(), name.lower())
            views[place] = View(database, schema, name, columns, match["body"])
    return views


def user_macros(ctx: Context) -> list[str]:
    """The DDL of the user's macros, for what the SQL may call."""
    rows = ctx.store.rows(
        "SELECT database_name, schema_name, function_name, function_type, parameters,"
        " macro_definition FROM duckdb_functions()"
        " WHERE NOT internal AND function_type IN ('macro', 'table_macro')"
    )
    made = []
    for database, schema, name, kind, parameters, body in rows:
        where = ".".join(quote(part) for part in (database, schema, name))
        given = ", ".join(quote(parameter) for parameter in parameters)
        table = "TABLE " if kind == "table_macro" else ""
        made.append(f"CREATE MACRO {where}({given}) AS {table}{body}")
    return made


def macro_names(ctx: Context) -> set[str]:
    """The macros that a query may call, DuckDB's own among them, in lower case."""
    rows = ctx.store.rows(
        "SELECT lower(function_name) FROM duckdb_functions() WHERE function_type = 'macro'"
    )
    return {str(name) for (name,) in rows}
