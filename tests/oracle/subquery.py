"""Subqueries in expressions: scalar, IN, EXISTS, ANY and ALL; as a value, or as a whole conjunct.

As a value (SELECT list, under OR or CASE) they are indirect. As a conjunct of its own IN, EXISTS and
ANY are semi-joins (indirect: the matching records), NOT IN, NOT EXISTS and ALL are guards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from tests.oracle import evaluate as expressions
from tests.oracle.context import Context, entering
from tests.oracle.model import (
    GUARD,
    INDIRECT,
    NOTHING,
    Column,
    Edge,
    OracleError,
    Prov,
    Relation,
    Row,
    frozen,
    union,
)
from tests.oracle.names import Outer

COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
NEGATED = {
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
    exp.GT: exp.LTE,
    exp.LTE: exp.GT,
    exp.LT: exp.GTE,
    exp.GTE: exp.LT,
}


@dataclass
class Found:
    """Per outer tuple the value of a subquery and what it adds to the derivation."""

    values: list[Any]
    type: str
    provs: list[Prov]
    edges: frozenset[Edge]


@dataclass(frozen=True)
class Predicate:
    """A predicate subquery: EXISTS (no operands) or a quantified comparison."""

    body: exp.Expr
    operands: tuple[exp.Expr, ...] = ()
    comparison: type[exp.Expr] = exp.EQ
    every: bool = False
    negated: bool = False

    @property
    def guard(self) -> bool:
        """Whether, as a whole conjunct, it asks for the absence of records."""
        return self.negated != self.every


def is_subquery(node: exp.Expr) -> bool:
    """Whether this node is replaced as a whole by its value."""
    return isinstance(node, exp.Subquery | exp.Exists) or predicate(node) is not None


def predicate(node: exp.Expr) -> Predicate | None:
    """The node read as a predicate subquery, or None.

    >>> from sqlglot import parse_one
    >>> predicate(parse_one("NOT (a IN (SELECT b FROM t))")).guard
    True
    """
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Not):
        inner = predicate(node.this)
        return replace(inner, negated=not inner.negated) if inner else None
    if isinstance(node, exp.Exists):
        return Predicate(node.this)
    if isinstance(node, exp.In) and node.args.get("query") is not None:
        return Predicate(node.args["query"], _operands(node.this))
    if isinstance(node, COMPARISONS) and isinstance(node.expression, exp.Any | exp.All):
        if not isinstance(node.expression.this.unnest(), exp.Query):
            return None  # of a list: an expression like any other
        every = isinstance(node.expression, exp.All)
        return Predicate(node.expression.this, _operands(node.this), type(node), every)
    return None


def _operands(left: exp.Expr) -> tuple[exp.Expr, ...]:
    """The left side of a comparison with a subquery: one value or a row of them."""
    while isinstance(left, exp.Paren):
        left = left.this
    if isinstance(left, exp.Tuple) or (isinstance(left, exp.Anonymous) and left.name.lower() == "row"):
        return tuple(left.expressions)
    return (left,)


def _bodies(
    context: Context, body: exp.Expr, columns: list[Column], rows: Sequence[Row], role: str
) -> tuple[list[Relation], frozenset[Edge]]:
    """The subquery's result for each outer tuple, evaluated once per distinct correlation value."""
    memo: dict[Any, Relation] = {}
    touched: set[int] = set()
    results = []
    nulls = Row(tuple(None for _ in columns))
    edges: frozenset[Edge] = frozenset()
    for row in [nulls, *rows]:
        key = frozen([row.values[slot] for slot in sorted(touched)]) if memo else None
        if row is nulls or key not in memo:
            outer = Outer(columns, row, context.outer)
            relation = entering(context.inside(role, outer).run(body), role)
            touched = outer.touched
            key = frozen([row.values[slot] for slot in sorted(touched)])
            memo[key] = relation
            edges |= relation.edges
        results.append(memo[key])
    return results[1:], edges


def value(context: Context, node: exp.Expr, columns: list[Column], rows: Sequence[Row]) -> Found:
    """The subquery's value where it is not a conjunct of its own: always indirect."""
    asked = predicate(node)
    if asked is None:
        return _scalar(context, node, columns, rows)
    values, matches, bodies, operands, edges = _judge(context, asked, columns, rows, INDIRECT)
    provs = []
    for verdict, matching, body, mine in zip(values, matches, bodies, operands, strict=True):
        required = union(matching) if verdict is True and not asked.negated else NOTHING
        provs.append(required.entered() | union(r.prov for r in body.rows).optional() | mine)
    return Found(values, "BOOLEAN", provs, edges)


def conjunct(context: Context, asked: Predicate, columns: list[Column], rows: Sequence[Row]) -> Found:
    """A predicate subquery that is a conjunct of its own: semi-join or guard."""
    role = GUARD if asked.guard else INDIRECT
    values, matches, _, operands, edges = _judge(context, asked, columns, rows, role)
    found = [NOTHING if asked.guard else union(m).entered() for m in matches]
    provs = [one | mine for one, mine in zip(found, operands, strict=True)]
    return Found(values, "BOOLEAN", provs, edges)


def _scalar(context: Context, node: exp.Expr, columns: list[Column], rows: Sequence[Row]) -> Found:
    bodies, edges = _bodies(context, node.this, columns, rows, INDIRECT)
    kind = _type(context, node.this, columns)
    values, provs = [], []
    for body in bodies:
        if len(body.rows) > 1:
            raise OracleError("a scalar subquery with several rows")
        values.append(body.rows[0].values[0] if body.rows else None)
        provs.append(body.rows[0].prov.entered() if body.rows else NOTHING)
    return Found(values, kind, provs, edges)


def _type(context: Context, body: exp.Expr, columns: list[Column]) -> str:
    outer = Outer(columns, Row(tuple(None for _ in columns)), context.outer)
    return context.inside(INDIRECT, outer).run(body).columns[0].type


def _judge(
    context: Context, asked: Predicate, columns: list[Column], rows: Sequence[Row], role: str
) -> tuple[list[Any], list[list[Prov]], list[Relation], list[Prov], frozenset[Edge]]:
    """Per outer tuple: the truth value, the derivations of the matching subquery rows, all rows.

    And the derivations of the operands, which may be scalar subqueries: values like any other.
    """
    bodies, edges = _bodies(context, asked.body, columns, rows, role)
    operands = [expressions.evaluate(context, o, columns, rows) for o in asked.operands]
    provs = [union(each) for each in zip(*(o.provs for o in operands), strict=True)]
    edges |= frozenset().union(*(o.edges for o in operands))
    values, matches = [], []
    for index, body in enumerate(bodies):
        if not asked.operands:
            truths: list[Any] = [True] * len(body.rows)
        else:
            left = [(o.values[index], o.type) for o in operands]
            truths = _compare(context, asked, left, body)
        found = _every(truths) if asked.every else _some(truths)
        values.append(found if found is None or not asked.negated else not found)
        wanted = not (asked.every and asked.negated)
        matches.append([r.prov for r, t in zip(body.rows, truths, strict=True) if t is wanted])
    return values, matches, bodies, provs or [NOTHING] * len(rows), edges


def _compare(context: Context, asked: Predicate, left: list[tuple[Any, str]], body: Relation) -> list[Any]:
    """The comparison with each row of the subquery, three-valued."""
    scalars = context.session.scalars
    truths: list[Any] = [True] * len(body.rows)
    for place, (operand, kind) in enumerate(left):
        sql = asked.comparison(this=exp.column("x"), expression=exp.column("y")).sql("duckdb")
        pairs = [(operand, row.values[place]) for row in body.rows]
        found = scalars.values(sql, [("x", kind), ("y", body.columns[place].type)], pairs)
        truths = [_both(a, b) for a, b in zip(truths, found, strict=True)]
    return truths


def _both(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _some(truths: list[Any]) -> bool | None:
    return True if True in truths else (None if None in truths else False)


def _every(truths: list[Any]) -> bool | None:
    return False if False in truths else (None if None in truths else True)
