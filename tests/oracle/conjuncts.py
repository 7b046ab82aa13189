"""WHERE, HAVING and QUALIFY: one conjunct after the other, each a clause of its own."""

from __future__ import annotations

from sqlglot import exp

from tests.oracle import subquery
from tests.oracle.context import Context
from tests.oracle.evaluate import evaluate
from tests.oracle.model import Column, Edge, Row


def split(node: exp.Expr) -> list[exp.Expr]:
    """The top-level conjuncts in written order.

    >>> from sqlglot import parse_one
    >>> [c.sql() for c in split(parse_one("a AND (b AND c) AND (d OR e)"))]
    ['a', 'b', 'c', '(d OR e)']
    """
    bare = node
    while isinstance(bare, exp.Paren):
        bare = bare.this
    if isinstance(bare, exp.And):
        return [*split(bare.this), *split(bare.expression)]
    return [node]


def kind_of(clause: str, conjunct: exp.Expr) -> str:
    """The kind of the reason that this conjunct of WHERE, HAVING or QUALIFY is."""
    asked = subquery.predicate(conjunct)
    if clause != "where" or asked is None:
        return clause
    return "anti_join" if asked.guard else "semi_join"


def keep(
    context: Context,
    clause: str,
    conjuncts: list[tuple[exp.Expr, exp.Expr]],
    columns: list[Column],
    rows: list[Row],
) -> tuple[list[Row], frozenset[Edge]]:
    """The tuples that pass every conjunct; the others leave evidence at the first they fail.

    Each conjunct comes as (as written, ready to evaluate over ``columns``).
    """
    edges: frozenset[Edge] = frozenset()
    for written, ready in conjuncts:
        place = context.clause((clause, id(written)), kind_of(clause, written), written.sql("duckdb"))
        asked = subquery.predicate(ready)
        if asked is not None:
            found = subquery.conjunct(context, asked, columns, rows)
            values, provs, added = found.values, found.provs, found.edges
        else:
            result = evaluate(context, ready, columns, rows)
            values, provs, added = result.values, result.provs, result.edges
        edges |= added
        kept = []
        for row, value, prov in zip(rows, values, provs, strict=True):
            if value is not None and bool(value):
                kept.append(Row(row.values, row.prov | prov))
            else:
                context.fail(place, row.prov, ["null" if value is None else "false"])
        rows = kept
    return rows, edges
