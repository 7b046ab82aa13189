"""ORDER BY … LIMIT, in an order that leaves no choice (but for a small share of ties)."""

from __future__ import annotations

from tests.laws.generator.expressions import where
from tests.laws.generator.maker import Maker, Query, Scope, scope_of


def total_order(make: Maker, scope: Scope) -> str:
    """ORDER BY items: maybe a column, then the key."""
    items = [ref for ref, _ in make.some(scope.refs)[:1]] if make.chance(60) else []
    items = [i for i in items if dict(scope.refs)[i] != "list"]
    directions = ["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]
    return ", ".join(f"{item}{make.pick(directions)}" for item in [*items, *(scope.key or ())])


def limit(make: Maker, depth: int) -> Query:
    """The first few rows."""
    source = make.source(depth, keyed=True)
    scope = scope_of(source)
    parts = [(ref, kind) for ref, kind in scope.refs]
    listed, cols = make.output(parts)
    names = {ref: col.name for (ref, _), col in zip(scope.refs, cols, strict=True)}
    order = total_order(make, scope)
    if make.chance(4):
        make.uses("tied limit")
        make.tied = True
        order = make.pick([ref for ref, kind in scope.refs if kind != "list"] or ["1"])
    elif make.chance(12):
        make.uses("window in order by")
        groups = [ref for ref, kind in scope.refs if kind != "list"]
        order = f"count(*) OVER (PARTITION BY {make.pick(groups)}), {order}"
    sql = (
        f"SELECT {listed} FROM {source.sql}{where(make, scope)} ORDER BY {order} LIMIT {make.number(0, 4)}"
    )
    return Query(sql, cols, tuple(names[ref] for ref in scope.key or ()))
