"""Joins: inner, outer, cross, comma, self; ON with several conjuncts; USING."""

from __future__ import annotations

from tests.laws.generator.expressions import COMPARISONS, predicate, scalar, where
from tests.laws.generator.maker import Maker, Query, Scope, Source, scope_of
from tests.laws.generator.shapes.project import projected

KINDS = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", ","]


def join(make: Maker, depth: int) -> Query:
    """Two or three FROM items joined; an ON reads the items since the last comma."""
    sources = [make.source(depth)]
    sql = sources[0].sql
    near = [sources[0]]
    for _ in range(2 if make.chance(30) else 1):
        kind = make.pick(KINDS)
        right = make.source(make.number(0, max(depth - 1, 0)) if depth else 0)
        make.uses("comma join" if kind == "," else kind.lower())
        condition = ""
        if kind in (",", "CROSS JOIN"):
            sql += f"{'' if kind == ',' else ' '}{kind} {right.sql}"
        else:
            condition = on(make, scope_of(*near), scope_of(right), outer=kind == "FULL JOIN")
            sql += f" {kind} {right.sql} ON {condition}"
        sources.append(right)
        near = [right] if kind == "," else [*near, right]
    scope = scope_of(*sources)
    rest = where(make, scope)
    if not rest and "comma join" in make.constructs and make.chance(60):
        rest = f" WHERE {equality(make, scope_of(*sources[:-1]), scope_of(sources[-1]))}"
    return projected(make, scope, sql, rest)


def equality(make: Maker, left: Scope, right: Scope) -> str:
    """An equality of the two sides."""
    kinds = [k for k in ("int", "text", "date") if left.of(k) and right.of(k)]
    if not kinds:
        return f"{scalar(make, left, 'int', 0)} = {scalar(make, right, 'int', 0)}"
    kind = make.pick(kinds)
    return f"{make.pick(left.of(kind))} = {make.pick(right.of(kind))}"


def on(make: Maker, left: Scope, right: Scope, outer: bool = False) -> str:
    """Conjuncts of an ON: an equality, maybe a range, maybe one side alone."""
    parts = [equality(make, left, right)]
    form = make.number(0, 9)
    if form in (6, 7) and left.of("int") and right.of("int"):
        make.uses("range condition")
        comparison = make.pick(COMPARISONS[2:])
        parts.append(f"{make.pick(left.of('int'))} {comparison} {make.pick(right.of('int'))}")
    if form in (7, 8):
        make.uses("one-sided condition")
        parts.append(predicate(make, make.pick([left, right]), 0))
    if form == 5 and not outer and make.menu.scalars and left.of("int"):
        make.uses("scalar subquery in on")
        parts.append(f"{make.pick(left.of('int'))} <= {_plain_scalar(make)}")
    if form == 9 and not outer and left.of("int") and right.of("int"):
        make.uses("range condition")
        comparison = make.pick(COMPARISONS[2:])
        return f"{make.pick(left.of('int'))} {comparison} {make.pick(right.of('int'))}"
    return " AND ".join(parts)


def _plain_scalar(make: Maker) -> str:
    """A scalar subquery that speaks of nothing outside."""
    source = make.base()
    scope = scope_of(source)
    return (
        f"(SELECT {make.pick(['max', 'min', 'count'])}({scalar(make, scope, 'int', 0)}) FROM {source.sql})"
    )


def join_using(make: Maker, depth: int) -> Query:
    """A join on common columns."""
    left, right = make.source(depth), make.base()
    theirs = {c.name: c.kind for c in right.cols}
    common = [c for c in left.cols if theirs.get(c.name) == c.kind and c.kind != "list"]
    if not common:
        return projected(make, scope_of(left), left.sql, "")
    chosen = make.some(common)[:2]
    kind = make.pick(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
    names = ", ".join(c.name for c in chosen)
    shared = {c.name for c in chosen}
    sides = [_without(left, shared), _without(right, shared)]
    scope = scope_of(*sides)
    scope = Scope((*((c.name, c.kind) for c in chosen), *scope.refs))
    return projected(make, scope, f"{left.sql} {kind} {right.sql} USING ({names})", where(make, scope))


def _without(source: Source, names: set[str]) -> Source:
    cols = tuple(c for c in source.cols if c.name not in names)
    return Source(source.sql, source.alias, cols, None)
