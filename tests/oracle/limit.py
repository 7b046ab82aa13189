"""ORDER BY, LIMIT and OFFSET: the survivors stay as they are, the rest fail the limit."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from tests.oracle.context import Context
from tests.oracle.evaluate import evaluate
from tests.oracle.model import OracleError, Relation, Row, others, union
from tests.oracle.order import sorted_places


def limited(context: Context, relation: Relation, node: exp.Expr) -> Relation:
    """Sort by the keys of the relation, then apply the LIMIT and OFFSET of ``node``."""
    order = node.args.get("order")
    if order is not None:
        places = sorted_places(relation.keys, order.expressions)
        rows = [relation.rows[place] for place in places]
        relation = Relation(relation.columns, rows, relation.edges)
    limit, offset = node.args.get("limit"), node.args.get("offset")
    if limit is None and offset is None:
        return relation
    return _cut(context, relation, node, limit, offset)


def _cut(
    context: Context,
    relation: Relation,
    node: exp.Expr,
    limit: exp.Expr | None,
    offset: exp.Expr | None,
) -> Relation:
    text = " ".join(part.sql("duckdb").strip() for part in (limit, offset) if part is not None)
    clause = context.clause(("limit", id(node)), "limit", text)
    options = limit.args.get("limit_options") if limit is not None else None
    percent = bool(options is not None and options.args.get("percent"))
    if options is not None and options.args.get("with_ties"):
        raise OracleError("WITH TIES")
    skipped = int(_number(context, offset.expression)) if offset is not None else 0
    count = len(relation.rows)
    if limit is not None:
        wanted = _number(context, limit.expression)
        if wanted is not None:
            count = int(count * wanted / 100) if percent else int(wanted)
    rows, edges = relation.rows, relation.edges
    survivors = rows[skipped : skipped + count]
    for row in [*rows[:skipped], *rows[skipped + count :]]:
        context.fail(clause, row.prov, ["rank"])
    if offset is not None or percent:
        everything = union(row.prov for row in rows).entered()
        survivors = [Row(row.values, row.prov | everything) for row in survivors]
        edges |= others(edges)
    return Relation(relation.columns, survivors, edges)


def _number(context: Context, node: exp.Expr) -> Any:
    return evaluate(context, node, [], [Row(())]).values[0]
