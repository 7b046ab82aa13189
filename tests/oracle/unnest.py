"""UNNEST in the SELECT list: a tuple for each element; an empty or NULL list filters its parent."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from tests.oracle.context import Context
from tests.oracle.evaluate import evaluate, extend
from tests.oracle.model import Column, Relation, Row
from tests.oracle.names import transform
from tests.oracle.source import element_type, zip_longest

Rewrite = Callable[[exp.Expr], exp.Expr]


def calls(node: exp.Expr) -> list[exp.Expr]:
    """The UNNEST calls of an expression, not those of its subqueries."""
    found: list[exp.Expr] = []

    def visit(part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.Explode | exp.Unnest):
            found.append(part)
            return exp.null()
        return part

    transform(node, visit)
    return found


def expanded(
    context: Context, relation: Relation, expressions: list[exp.Expr], select: exp.Expr
) -> tuple[Relation, Rewrite | None]:
    """The tuples multiplied by their lists, and how expressions read in the result."""
    found = {call.sql("duckdb"): call for node in expressions for call in calls(node)}
    if not found:
        return relation, None
    clause = context.clause(("unnest", id(select)), "unnest", "; ".join(found))
    rows, columns, edges = relation.rows, list(relation.columns), relation.edges
    lists = []
    for number, call in enumerate(found.values()):
        argument = call.expressions[0] if isinstance(call, exp.Unnest) else call.this
        result = evaluate(context, argument, relation.columns, rows)
        rows = extend(rows, result.provs)
        edges |= result.edges
        lists.append(result.values)
        columns.append(Column(f"u{number}_", None, element_type(result.type)))
    made: list[Row] = []
    for place, row in enumerate(rows):
        elements = zip_longest([values[place] for values in lists])
        made.extend(Row(row.values + element, row.prov) for element in elements)
        if not elements:
            context.fail(clause, row.prov, ["no_match"])
    names = {sql: f"u{number}_" for number, sql in enumerate(found)}

    def visit(part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.Explode | exp.Unnest):
            return exp.column(names[part.sql("duckdb")])
        return part

    return Relation(columns, made, edges), lambda node: transform(node, visit)
