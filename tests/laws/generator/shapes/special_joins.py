"""SEMI, ANTI, ASOF, NATURAL and POSITIONAL joins, and joins in parentheses."""

from __future__ import annotations

from tests.laws.generator.expressions import predicate, where
from tests.laws.generator.maker import Maker, Query, Scope, scope_of
from tests.laws.generator.schema import Col
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


def neighbours_later(make: Maker, depth: int) -> Query:
    """ASOF or POSITIONAL in parentheses, after a comma, or in another branch of a UNION ALL."""
    first, left, right = make.source(depth), make.base(keyed=True), make.base(keyed=True)
    if make.chance(40):
        met = f"{left.sql} POSITIONAL JOIN {right.sql}"
    else:
        words = make.pick(["ASOF JOIN", "ASOF LEFT JOIN"])
        met = f"{left.sql} {words} {right.sql} ON {left.alias}.k >= {right.alias}.k"
    scope = scope_of(first, left, right)
    link = equality(make, scope_of(first), scope_of(left))
    form = make.number(0, 2)
    if form == 0:
        return projected(make, scope, f"{first.sql} JOIN ({met}) ON {link}", where(make, scope))
    if form == 1:
        return projected(make, scope, f"{first.sql}, {met}", where(make, scope))
    met = met.replace(left.sql, f"{first.sql} JOIN {left.sql} ON {link}", 1)
    if "POSITIONAL" in met:
        met = f"{left.sql} POSITIONAL JOIN {right.sql}"
        scope = scope_of(left, right)
    made = f"SELECT {left.alias}.k AS k FROM {met}{where(make, scope)}"
    return Query(f"SELECT {left.alias}.k AS k FROM {left.sql} UNION ALL {made}", (Col("k", "int"),))


def chance_join(make: Maker, depth: int) -> Query:
    """A join whose ON calls a volatile function, or a comma join whose WHERE does; always TRUE."""
    left, right = make.source(depth), make.source(0)
    scope = scope_of(left, right)
    link = equality(make, scope_of(left), scope_of(right))
    if make.chance(50):
        words = make.pick(["JOIN", "LEFT JOIN", "RIGHT JOIN"])
        sql = f"{left.sql} {words} {right.sql} ON {link} AND random() < 2"
        return projected(make, scope, sql, where(make, scope))
    rest = f" WHERE {link} AND random() < 2 AND {predicate(make, scope, 0)}"
    return projected(make, scope, f"{left.sql}, {right.sql}", rest)


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
