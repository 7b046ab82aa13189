"""DISTINCT and DISTINCT ON."""

from __future__ import annotations

from tests.laws.generator.expressions import where
from tests.laws.generator.maker import Maker, Query, all_columns, scope_of
from tests.laws.generator.shapes.limit import total_order
from tests.laws.generator.shapes.window import call


def distinct(make: Maker, depth: int) -> Query:
    """SELECT DISTINCT a few columns."""
    source = make.source(depth)
    scope = scope_of(source)
    listed, cols = make.output(make.some(scope.refs)[:2])
    sql = f"SELECT DISTINCT {listed} FROM {source.sql}{where(make, scope)}"
    return Query(sql, cols, all_columns(cols))


def distinct_on(make: Maker, depth: int) -> Query:
    """SELECT DISTINCT ON with an order that leaves no choice."""
    source = make.source(depth, keyed=True)
    scope = scope_of(source)
    on = [ref for ref, _ in make.some(scope.refs)[:2]]
    parts = list(scope.refs)
    if make.chance(25):
        make.uses("distinct on beside a window")
        parts.append((call(make, scope), "int"))
        if parts[-1][0].startswith(("percent_rank", "cume_dist")):
            parts.pop()
    listed, cols = make.output(parts)
    order = ", ".join([*on, total_order(make, scope)])
    sql = (
        f"SELECT DISTINCT ON ({', '.join(on)}) {listed} FROM {source.sql}"
        f"{where(make, scope)} ORDER BY {order}"
    )
    names = {ref: col.name for (ref, _), col in zip(scope.refs, cols, strict=False)}
    return Query(sql, cols, tuple(names[ref] for ref in scope.key or ()))
