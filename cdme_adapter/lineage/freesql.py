"""``sql``: one SELECT of the user's over tables and lineage views, with values as JSON has them."""

from __future__ import annotations

from typing import Any

from cdme_adapter.errors import QuestionError
from cdme_adapter.lineage.context import DEFAULT_LIMIT, Context
from cdme_adapter.lineage.relations import check_select
from cdme_adapter.lineage.values import Column


def run_sql(ctx: Context, query: str, limit: int = DEFAULT_LIMIT) -> dict[str, Any]:
    """The rows of a query; ``count`` is of all of them."""
    import duckdb

    inner = query.strip().rstrip(";")
    try:
        check_select(ctx.store.con, inner)
        described = ctx.store.rows(f"DESCRIBE {inner}")
        columns = [Column(row[0], str(row[1])) for row in described]
        names = [f"c{at}" for at in range(len(columns))]
        given = [Column(name, c.type) for name, c in zip(names, columns, strict=True)]
        selected = ", ".join(column.sql("q") for column in given)
        origin = f"({inner}\n) AS q({', '.join(names)})"
        cut = f" LIMIT {limit}" if limit else ""
        rows = ctx.store.rows(f"SELECT {selected} FROM {origin}{cut}")
        count = int(ctx.store.rows(f"SELECT count(*) FROM {origin}")[0][0])
    except duckdb.Error as error:
        raise QuestionError(str(error).split("\n\n")[0], code="BAD_SQL") from error
    return {
        "columns": [{"name": c.name, "type": c.type} for c in columns],
        "count": count,
        "truncated": count > len(rows),
        "rows": [[c.plain(value) for c, value in zip(given, row, strict=True)] for row in rows],
    }
