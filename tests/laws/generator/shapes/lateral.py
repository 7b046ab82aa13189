"""LATERAL subqueries and UNNEST, in FROM and in the SELECT list."""

from __future__ import annotations

from tests.laws.generator.expressions import predicate, scalar, where
from tests.laws.generator.maker import Maker, Query, Source, scope_of
from tests.laws.generator.schema import Col
from tests.laws.generator.shapes.join import equality
from tests.laws.generator.shapes.project import kept_key, projected
from tests.laws.generator.shapes.window import call

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
    forms = [
        ", {}unnest({}) AS {}",
        " CROSS JOIN {}unnest({}) AS {}",
        " LEFT JOIN {}unnest({}) AS {} ON true",
    ]
    column = make.pick([alias, "x"])
    right = Source("", alias, (Col(column, "int"),))
    if column == alias:
        make.uses("unnest under one name")
    shown = alias if column == alias else f"{alias}(x)"
    form = make.pick(forms).format(make.pick(["", "LATERAL "]), values, shown)
    scope = scope_of(left, right)
    return projected(make, scope, left.sql + form, where(make, scope))


def behind_commas(make: Maker, depth: int) -> Query:
    """Joins behind a comma, which bind before it, beside UNNEST, which looks left over it."""
    first, third = make.source(depth), make.source(0)
    alias = make.fresh("q")
    right = Source("", alias, (Col("x", "int"),))
    side = make.pick(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
    if make.chance(50):
        second = make.source(0)
        link = equality(make, scope_of(second), scope_of(third))
        sql = f"{first.sql}, {second.sql} {side} {third.sql} ON {link}"
        sql += f", unnest({_list(make, first)}) AS {alias}(x)"
        scope = scope_of(first, second, third, right)
    else:
        # Which clause lost a record of an inner join here, where nothing stands before the comma, is a
        # matter of taste: the capture reads from left to right.
        side = make.pick(["RIGHT JOIN", "FULL JOIN"])
        link = equality(make, scope_of(right), scope_of(third))
        sql = f"{first.sql}, unnest([1, 2, 0]) AS {alias}(x) {side} {third.sql} ON {link}"
        scope = scope_of(first, right, third)
    return projected(make, scope, sql, where(make, scope))


def unnest_select(make: Maker, depth: int) -> Query:
    """UNNEST in the SELECT list."""
    source = make.source(depth)
    scope = scope_of(source)
    parts, _ = kept_key(make, scope)
    parts = [*parts, *make.some(scope.refs)[:2], (f"unnest({_list(make, source)})", "int")]
    listed, cols = make.output(parts)
    return Query(f"SELECT {listed} FROM {source.sql}{where(make, scope)}", cols)


def unnest_beside(make: Maker, depth: int) -> Query:
    """UNNEST in the SELECT list beside groups or windows, or grouped by."""
    source = make.source(depth, keyed=make.chance(50))
    scope = scope_of(source)
    u, n = make.fresh("u"), make.fresh("n")
    elements, rest = f"unnest({_list(make, source)})", where(make, scope)
    plain = [ref for ref, kind in scope.refs if kind != "list"]
    form = make.number(0, 2)
    cols = (Col(u, "int"), Col(n, "int"))
    if form == 0:
        make.uses("unnest grouped by")
        by = make.pick(["1", u])
        sql = f"SELECT {elements} AS {u}, count(*) AS {n} FROM {source.sql}{rest} GROUP BY {by}"
        return Query(sql + make.pick(["", " HAVING count(*) > 1"]), cols, (u,))
    if form == 1 and plain:
        make.uses("unnest of a group")
        sql = f"SELECT unnest(list({scalar(make, scope, 'int', 0)})) AS {u}, count(*) AS {n}"
        return Query(f"{sql} FROM {source.sql}{rest} GROUP BY {make.pick(plain)}", cols)
    make.uses("unnest beside a window")
    function = call(make, scope)
    if function.startswith(("percent_rank", "cume_dist")):
        function = "count(*) OVER ()"
    return Query(f"SELECT {elements} AS {u}, {function} AS {n} FROM {source.sql}{rest}", cols)


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
