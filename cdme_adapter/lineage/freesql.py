"""``sql``: one SELECT of the user's over tables and lineage views, with values as JSON has them.

Joins and predicates see the values as they are; a column of the result that holds personal values, or
something made of them, is masked. Where a query cannot be followed, all of its columns are.
"""

from __future__ import annotations

import difflib
import re
from typing import Any

from cdme_adapter.errors import QuestionError
from cdme_adapter.lineage.context import DEFAULT_LIMIT, Context
from cdme_adapter.lineage.relations import check_select
from cdme_adapter.lineage.values import MASK, Column
from cdme_adapter.store.reader import literal, quote

_BY_NAME = re.compile(r"\b(query|query_table|sql_auto_complete|\w+_scan|scan_\w+)\s*\(", re.I)
"""Functions that read relations which the text does not name."""
_NO_TABLE = re.compile(r'Table with name "?([^"\s]+)"? does not exist')
_COLUMNS = re.compile(r'Candidate (?:bindings|tables):[ :]*((?:"[^"]+"(?:, )?)+)')
"""The names, never values, that the engine finds nearest."""


def run_sql(ctx: Context, query: str, limit: int = DEFAULT_LIMIT) -> dict[str, Any]:
    """The rows of a query; ``count`` is of all of them, ``masked`` the columns that are not shown."""
    import duckdb

    inner = query.strip().rstrip(";")
    try:
        check_select(ctx.store.con, inner)
        columns = _described(ctx, inner)
        hidden = personal_columns(ctx, inner, len(columns))
        names = [f"c{at}" for at in range(len(columns))]
        given = [Column(name, c.type) for name, c in zip(names, columns, strict=True)]
        selected = ", ".join(
            _mask(column.name) if at in hidden else column.sql("q") for at, column in enumerate(given)
        )
        origin = f"({inner}\n) AS q({', '.join(names)})"
        cut = f" LIMIT {limit}" if limit else ""
        rows = ctx.store.rows(f"SELECT {selected} FROM {origin}{cut}")
        count = int(ctx.store.rows(f"SELECT count(*) FROM {origin}")[0][0])
    except duckdb.Error as error:
        personal = ctx.masking.anything
        said = ctx.masking.message(error) if personal else str(error).splitlines()[0]
        remedy = _nearest(ctx, str(error))
        raise QuestionError(said, code="BAD_SQL", remedy=remedy) from error
    return {
        "columns": [{"name": c.name, "type": c.type} for c in columns],
        "count": count,
        "truncated": count > len(rows),
        "masked": [columns[at].name for at in sorted(hidden)],
        "rows": [
            [value if at in hidden else c.plain(value)
             for at, (c, value) in enumerate(zip(given, row, strict=True))]
            for row in rows
        ],
    }  # fmt: skip


def _nearest(ctx: Context, message: str) -> str:
    """The real names nearest to one that the engine does not know; "" where it says something else."""
    names: list[str] = []
    if table := _NO_TABLE.search(message):
        known = ctx.store.rows(
            "SELECT table_name FROM duckdb_tables()"
            " WHERE NOT internal AND NOT starts_with(table_name, '__cdme')"
            " UNION SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1"
        )
        wanted = table[1].split(".")[-1].lower()
        names = difflib.get_close_matches(wanted, [str(row[0]) for row in known], n=2)
    elif columns := _COLUMNS.search(message):
        names = re.findall(r'"([^"]+)"', columns[1])
    return f"did you mean {' or '.join(names)}?" if names else ""


def masked_query(ctx: Context, query: str) -> str:
    """The same SELECT, its personal columns masked (as text); itself where it has none.

    Raises QuestionError where it is not one SELECT.
    """
    inner = query.strip().rstrip(";")
    check_select(ctx.store.con, inner)
    if not ctx.masking.anything:
        return inner
    columns = _described(ctx, inner)
    hidden = personal_columns(ctx, inner, len(columns))
    if not hidden:
        return inner
    selected = ", ".join(
        f"{_mask(f'c{at}') if at in hidden else f'q.c{at}'} AS {quote(column.name)}"
        for at, column in enumerate(columns)
    )
    return f"SELECT {selected} FROM ({inner}\n) AS q({', '.join(f'c{at}' for at in range(len(columns)))})"


def _described(ctx: Context, inner: str) -> list[Column]:
    return [Column(row[0], str(row[1])) for row in ctx.store.rows(f"DESCRIBE {inner}")]


def _mask(name: str) -> str:
    return f"CASE WHEN q.{name} IS NOT NULL THEN {literal(MASK)} END"


def personal_columns(ctx: Context, query: str, count: int) -> frozenset[int]:
    """Which of the ``count`` columns of a query hold personal values, by place; all where none can tell."""
    if not ctx.masking.anything:
        return frozenset()
    from cdme_adapter.column_lineage import NotUnderstood, derived_columns

    everything = frozenset(range(count))
    if _BY_NAME.search(query):
        return everything
    relations = ctx.masking.relations() | _strangers(ctx)
    try:
        found = derived_columns(query, relations)
    except NotUnderstood:
        text = query.lower()
        named = any(hit and place[2] in text for place, (_, hit) in relations.items())
        return everything if named else frozenset()
    if len(found) != count:
        return everything
    return frozenset(at for at, (_, hit) in enumerate(found) if hit)


def _strangers(ctx: Context) -> dict[tuple[str, str, str], tuple[list[str], frozenset[str]]]:
    """Views that are not the project's: they may show anything, so all of their columns are followed;
    of those of the schema cdme none, in which no personal value stands."""
    known = ctx.masking.relations()
    found: dict[tuple[str, str, str], tuple[list[str], frozenset[str]]] = {}
    for database, schema, name, columns in ctx.store.rows(
        "SELECT database_name, schema_name, view_name, list(column_name ORDER BY column_index)"
        " FROM duckdb_views() v JOIN duckdb_columns() c USING (database_name, schema_name)"
        " WHERE c.table_name = view_name AND NOT v.internal GROUP BY ALL"
    ):
        place = (database.lower(), schema.lower(), name.lower())
        if place not in known:
            named = [column.lower() for column in columns]
            found[place] = (named, frozenset(named if place[1] != "cdme" else ()))
    return found
