"""Small questions about expressions: conjuncts, columns, aggregates, what rejects NULLs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from sqlglot import exp

from cdme_adapter.validation.dependencies import Attr

Kind = TypeVar("Kind", bound=exp.Expr)
ADDITIVE = (exp.Sum, exp.Count, exp.CountIf, exp.Avg, exp.ApproxDistinct)
_AGGREGATES_BY_NAME = frozenset(
    {
        "histogram",
        "product",
        "fsum",
        "sumkahan",
        "kahan_sum",
        "favg",
        "geomean",
        "json_group_array",
        "json_group_object",
        "bitstring_agg",
        "bit_and",
        "bit_or",
        "bit_xor",
        "entropy",
        "kurtosis",
        "skewness",
        "mad",
        "reservoir_quantile",
        "approx_quantile",
        "approx_top_k",
        "list_agg",
        "regr_slope",
        "regr_intercept",
        "regr_r2",
        "regr_count",
        "min_by",
        "max_by",
        "arg_min_null",
        "arg_max_null",
        "first_value",
        "last_value",
        "string_agg",
        "arbitrary",
    }
)
_NULL_SAFE = (exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Coalesce, exp.Case, exp.If, exp.Or)


def conjuncts(condition: exp.Expr | None) -> Iterator[exp.Expr]:
    """The top-level AND parts of a condition."""
    if condition is None:
        return
    stack = [condition]
    while stack:
        current = stack.pop()
        if isinstance(current, (exp.Where, exp.Having, exp.Qualify, exp.Paren)):
            stack.append(current.this)
        elif isinstance(current, exp.And):
            stack += [current.expression, current.this]
        else:
            yield current


def bare(expression: exp.Expr | None) -> exp.Expr | None:
    """Without alias, parentheses and IGNORE NULLS."""
    while isinstance(expression, (exp.Alias, exp.Paren, exp.IgnoreNulls, exp.RespectNulls)):
        expression = expression.this
    return expression


def attr(expression: exp.Expr | None) -> Attr | None:
    """The attribute that a plain column stands for, seen through casts that lose nothing."""
    expression = bare(expression)
    while isinstance(expression, (exp.Cast, exp.Paren)) and _keeps(expression):
        expression = bare(expression.this)
    return plain(expression)


def plain(expression: exp.Expr | None) -> Attr | None:
    """The attribute of a plain column, not through a cast."""
    expression = bare(expression)
    if isinstance(expression, exp.Column) and not isinstance(expression.this, exp.Star):
        return expression.table.lower(), expression.name.lower()
    return None


def _keeps(expression: exp.Expr) -> bool:
    if isinstance(expression, exp.Paren):
        return True
    kinds = (exp.DataType.Type.TEXT, exp.DataType.Type.VARCHAR, *exp.DataType.INTEGER_TYPES)
    to = expression.args.get("to")
    return isinstance(to, exp.DataType) and to.this in kinds


def attrs(expression: exp.Expr) -> set[Attr]:
    """All attributes in an expression, not those inside a subquery."""
    found = set()
    for column in walk(expression, exp.Column):
        if not isinstance(column.this, exp.Star):
            found.add((column.text("table").lower(), column.name.lower()))
    return found


# Nothing beneath these is ever looked for: two thirds of a tree.
_LEAVES = (exp.Column, exp.Identifier, exp.Literal, exp.DataType)


def walk(expression: exp.Expr, *kinds: type[Kind], into: bool = False) -> Iterator[Kind]:
    """Nodes of these kinds, in order; subqueries are entered only with ``into``."""
    stack: list[exp.Expr] = [expression]
    while stack:
        node = stack.pop()
        if isinstance(node, kinds):
            yield node
        entered = into or node is expression or not isinstance(node, exp.Query)
        if entered and not isinstance(node, _LEAVES):
            stack += children(node)[::-1]


def children(node: exp.Expr) -> list[exp.Expr]:
    """The nodes right below one, in order."""
    found: list[exp.Expr] = []
    for value in node.args.values():
        if isinstance(value, exp.Expr):
            found.append(value)
        elif isinstance(value, list):
            found += [v for v in value if isinstance(v, exp.Expr)]
    return found


def is_aggregate(node: exp.Expr) -> bool:
    """Whether this very node is an aggregate function (it may still stand under OVER)."""
    if isinstance(node, (exp.AggFunc, exp.ApproxDistinct)):
        return not isinstance(node, (exp.RowNumber, exp.Lag, exp.Lead))
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in _AGGREGATES_BY_NAME
    return False


def aggregates(expression: exp.Expr) -> list[exp.Expr]:
    """The aggregates that group rows here, those under OVER and in subqueries not counted."""
    found: list[exp.Expr] = []

    def visit(node: exp.Expr) -> None:
        if isinstance(node, exp.Query):
            return
        if isinstance(node, exp.Window):
            for part in (*node.args.get("partition_by", []), node.args.get("order")):
                if isinstance(part, exp.Expr):
                    visit(part)
            inner = node.this
            for child in children(inner) if isinstance(inner, exp.Expr) else ():
                visit(child)
            return
        if is_aggregate(node):
            found.append(node)
            return
        if not isinstance(node, _LEAVES):
            for child in children(node):
                visit(child)

    visit(expression)
    return found


def rejects_null(condition: exp.Expr) -> set[Attr]:
    """Attributes that cannot be NULL where this conjunct is TRUE."""
    if isinstance(condition, exp.Not):
        inner = bare(condition.this)
        if isinstance(inner, exp.Is):
            return attrs(inner.this) if plain(inner.this) else set()
        return rejects_null(inner) if isinstance(inner, COMPARISONS) else set()
    if isinstance(condition, exp.Or):
        return rejects_null(condition.this) & rejects_null(condition.expression)
    if isinstance(condition, exp.Column):
        found = plain(condition)
        return {found} if found else set()
    if not isinstance(condition, COMPARISONS):
        return set()
    strict = set()
    sides = [condition.this, *([condition.expression] if condition.args.get("expression") else [])]
    sides += [condition.args[k] for k in ("low", "high") if condition.args.get(k)]
    for side in sides:
        if isinstance(side, exp.Expr) and not any(walk(side, *_NULL_SAFE)):
            strict |= attrs(side)
    return strict


COMPARISONS = (
    exp.EQ,
    exp.NEQ,
    exp.GT,
    exp.GTE,
    exp.LT,
    exp.LTE,
    exp.Between,
    exp.In,
    exp.Like,
    exp.ILike,
    exp.RegexpLike,
)


def constant(expression: exp.Expr | None) -> bool:
    """Whether it has one value for all rows: no column, no subquery."""
    expression = bare(expression)
    return expression is not None and not any(walk(expression, exp.Column, exp.Query))


def line_of(node: exp.Expr | None) -> int | None:
    """The first line on which something of this node was written."""
    if node is None:
        return None
    lines = [part.meta["line"] for part in node.walk() if part._meta and "line" in part._meta]
    if lines:
        return int(min(lines))
    # Some nodes, CURRENT_TIMESTAMP for one, carry no position: what they stand in does. The first word
    # of that is as good as its least line, and a parent may hold the whole of a long query.
    parent = node.parent
    while parent is not None:
        found = next(
            (p.meta["line"] for p in parent.walk(bfs=False) if p._meta and "line" in p._meta), None
        )
        if found is not None:
            return int(found)
        parent = parent.parent
    return None
