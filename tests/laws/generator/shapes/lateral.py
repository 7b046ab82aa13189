"""LATERAL subqueries and UNNEST, in FROM and in the SELECT list."""

from __future__ import annotations

from tests.laws.generator.expressions import predicate, scalar, where
from tests.laws.generator.maker import Maker, Query, Source, scope_of
from tests.laws.generator.schema import Col
from tests.laws.generator.shapes.join import equality
from tests.laws.generator.shapes.project import kept_key, projected

JOINS = [
    ", LATERAL {} AS {}",
    " CROSS JOIN LATERAL {} AS {}",
    " JOIN LATERAL {} AS {} ON true",
    " LEFT JOIN LATERAL {} AS {} ON true",
]


def lateral(make: Maker, depth: int) -> Query:
    """A correlated FROM item."""
    left, inner = make.source(depth), make.source(0)
    alias = make.fresh("q")
    shape = scope_of(inner)
    link = equality(make, shape, scope_of(left))
    more = f" AND {predicate(make, shape, 0)}" if make.chance(30) else ""
    number = scalar(make, shape, "int", 0)
    value = f"max({number})" if make.chance(30) else number
    item = f"(SELECT {value} AS x FROM {inner.sql} WHERE {link}{more})"
    right = Source("", alias, (Col("x", "int"),))
    scope = scope_of(left, right)
    sql = left.sql + make.pick(JOINS).format(item, alias)
    return projected(make, scope, sql, where(make, scope))


def unnest_from(make: Maker, depth: int) -> Query:
    """UNNEST of a list of the left item, in FROM."""
    left = make.source(depth)
    values = _list(make, left)
    alias = make.fresh("q")
    right = Source("", alias, (Col("x", "int"),))
    form = make.pick(
        [
            ", unnest({}) AS {}(x)",
            " CROSS JOIN unnest({}) AS {}(x)",
            " LEFT JOIN unnest({}) AS {}(x) ON true",
        ]
    )
    scope = scope_of(left, right)
    return projected(make, scope, left.sql + form.format(values, alias), where(make, scope))


def unnest_select(make: Maker, depth: int) -> Query:
    """UNNEST in the SELECT list."""
    source = make.source(depth)
    scope = scope_of(source)
    parts, _ = kept_key(make, scope)
    parts = [*parts, *make.some(scope.refs)[:2], (f"unnest({_list(make, source)})", "int")]
    listed, cols = make.output(parts)
    return Query(f"SELECT {listed} FROM {source.sql}{where(make, scope)}", cols)


def _list(make: Maker, source: Source) -> str:
    scope = scope_of(source)
    if scope.of("list"):
        return make.pick(scope.of("list"))
    number = scalar(make, scope, "int", 0)
    condition = predicate(make, scope, 0)
    return make.pick(
        [
            f"CASE WHEN {condition} THEN [{number}, 1] ELSE [] END",
            f"CASE WHEN {condition} THEN [{number}] END",
            f"[{number}, {number}]",
        ]
    )
