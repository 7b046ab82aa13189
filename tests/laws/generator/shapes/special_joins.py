"""SEMI, ANTI, ASOF, NATURAL and POSITIONAL joins, and joins in parentheses."""

from __future__ import annotations

from tests.laws.generator.expressions import where
from tests.laws.generator.maker import Maker, Query, Scope, scope_of
from tests.laws.generator.shapes.join import equality, on
from tests.laws.generator.shapes.project import projected


def semi_join(make: Maker, depth: int) -> Query:
    """SEMI JOIN: the left rows that have a partner."""
    return _filtering(make, depth, "SEMI JOIN")


def anti_join(make: Maker, depth: int) -> Query:
    """ANTI JOIN: the left rows that have none."""
    return _filtering(make, depth, "ANTI JOIN")


def _filtering(make: Maker, depth: int, words: str) -> Query:
    left, right = make.source(depth), make.source(make.number(0, min(depth, 1)))
    condition = on(make, scope_of(left), scope_of(right))
    scope = scope_of(left)
    sql = f"{left.sql} {words} {right.sql} ON {condition}"
    return projected(make, scope, sql, where(make, scope))


def asof_join(make: Maker, depth: int) -> Query:
    """ASOF JOIN with a table that has one row for each value: no ties."""
    left, right = make.source(depth), make.base(keyed=True)
    ours = scope_of(left)
    if not ours.of("int"):
        return projected(make, ours, left.sql, "")
    words = make.pick(["ASOF JOIN", "ASOF LEFT JOIN"])
    comparison = make.pick([">=", ">", "<=", "<"])
    near = f"{make.pick(ours.of('int'))} {comparison} {right.alias}.k"
    condition = f"{equality(make, ours, scope_of(right))} AND {near}" if make.chance(50) else near
    scope = scope_of(left, right)
    sql = f"{left.sql} {words} {right.sql} ON {condition}"
    return projected(make, scope, sql, where(make, scope))


def positional_join(make: Maker, depth: int) -> Query:
    """POSITIONAL JOIN of two base tables, whose rows have an order."""
    left, right = make.base(), make.base()
    scope = scope_of(left, right)
    return projected(make, scope, f"{left.sql} POSITIONAL JOIN {right.sql}", where(make, scope))


def natural_join(make: Maker, depth: int) -> Query:
    """NATURAL JOIN of two base tables: every common column."""
    left, right = make.base(keyed=True), make.base(keyed=True)
    words = make.pick(["NATURAL JOIN", "NATURAL LEFT JOIN"])
    kinds = {c.name: c.kind for c in right.cols}
    common = [c for c in left.cols if c.name in kinds]
    if any(kinds[c.name] != c.kind or c.kind == "list" for c in common):
        return projected(make, scope_of(left), left.sql, "")
    scope = Scope(tuple((c.name, c.kind) for c in common))
    return projected(make, scope, f"{left.sql} {words} {right.sql}", where(make, scope))


def nested_join(make: Maker, depth: int) -> Query:
    """A join whose right side is a join in parentheses."""
    left, middle, right = make.source(depth), make.source(0), make.source(0)
    words = [make.pick(["JOIN", "LEFT JOIN", "FULL JOIN"]) for _ in range(2)]
    inner = on(make, scope_of(middle), scope_of(right), outer=words[1] == "FULL JOIN")
    outer = on(make, scope_of(left), scope_of(middle, right), outer=words[0] == "FULL JOIN")
    scope = scope_of(left, middle, right)
    sql = f"{left.sql} {words[0]} ({middle.sql} {words[1]} {right.sql} ON {inner}) ON {outer}"
    return projected(make, scope, sql, where(make, scope))
