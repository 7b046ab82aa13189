"""Splitting a SELECT in two: an inner part that is materialised and an outer part that removes rows.

What ORDER BY and the removing conditions need from inside becomes hidden columns of the inner part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.plan import HIDDEN
from cdme_adapter.capture.sqltext import not_understood, render, with_text

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner


def alias_hidden(expression: exp.Expr, name: str) -> exp.Expr:
    """``(expression) AS name``."""
    return exp.alias_(exp.paren(expression.copy(), copy=False), name, copy=False)


def outer_over(inner: exp.Select, hidden: list[str], flags: list[str]) -> exp.Select:
    """SELECT * EXCLUDE (hidden) FROM (inner) WHERE flags."""
    star = exp.Star(except_=[exp.column(name) for name in hidden]) if hidden else exp.Star()
    derived = exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(f"{HIDDEN}inner")))
    outer = exp.Select(expressions=[star]).from_(derived, copy=False)
    if flags:
        outer = outer.where(*(exp.column(flag) for flag in flags), copy=False)
    return outer


def is_all(by: exp.Expr) -> bool:
    """Whether this is the ALL of ORDER BY ALL."""
    return render(by).strip().upper() == "ALL"


def move_order(planner: Planner, inner: exp.Select) -> tuple[exp.Order | None, list[str]]:
    """Take ORDER BY off ``inner``; the order for the outer query and its hidden keys.

    Names of output columns, ordinals and ALL mean the same outside; anything else is computed
    inside, where its columns are, as a hidden key.
    """
    order = inner.args.get("order")
    if order is None:
        return None, []
    inner.set("order", None)
    names = {item.alias_or_name.lower() for item in inner.expressions if item.alias_or_name}
    keys: list[str] = []
    moved = order.copy()
    for ordered in list(moved.expressions):
        by = ordered.this
        plain = isinstance(by, exp.Column) and not by.table
        if isinstance(by, exp.Literal) or is_all(by) or (plain and by.name.lower() in names):
            continue
        key = planner.hidden("k")
        inner.append("expressions", alias_hidden(by, key))
        keys.append(key)
        direction = render(ordered)[len(render(by)) :]
        ordered.replace(with_text(exp.Ordered(this=exp.column(key)), key + direction))
    return moved, keys


def order_outside(select: exp.Select, order: exp.Order) -> exp.Order:
    """ORDER BY of a SELECT DISTINCT, as ordinals or output names that hold outside it."""
    items = select.expressions
    moved = order.copy()
    for ordered in list(moved.expressions):
        by = ordered.this
        if isinstance(by, exp.Literal) or is_all(by):
            continue
        if isinstance(by, exp.Column) and not by.table:
            continue
        wanted = render(by)
        for place, item in enumerate(items, start=1):
            if render(item.unalias()) == wanted:
                direction = render(ordered)[len(wanted) :]
                ordered.replace(
                    with_text(exp.Ordered(this=exp.Literal.number(place)), f"{place}{direction}")
                )
                break
        else:
            raise not_understood(f"ORDER BY {wanted} of a SELECT DISTINCT", by)
    return moved
