"""GROUP BY with HAVING, and the global aggregate."""

from __future__ import annotations

from tests.laws.generator.expressions import aggregate, predicate, scalar, where
from tests.laws.generator.maker import Maker, Query, Scope, all_columns, scope_of


def group(make: Maker, depth: int) -> Query:
    """SELECT keys, aggregates GROUP BY keys HAVING conjuncts."""
    source = make.source(depth)
    scope = scope_of(source)
    keys = [(ref, kind) for ref, kind in make.some(scope.refs) if kind != "list"][:2]
    if not keys or make.chance(15):
        keys.append((scalar(make, scope, "int"), "int"))
    calls = [aggregate(make, scope) for _ in range(make.number(1, 2))]
    if make.chance(10):
        calls = []
    listed, cols = make.output([*keys, *calls])
    by = ", ".join(_written(make, n, sql) for n, (sql, _) in enumerate(keys))
    if make.chance(15):
        make.uses("group by all")
        by = "ALL"
        if not calls:
            by = ", ".join(str(n + 1) for n in range(len(keys)))
    filtered = where(make, scope)
    after = having(make, scope, keys)
    sql = f"SELECT {listed} FROM {source.sql}{filtered} GROUP BY {by}{after}"
    return Query(sql, cols, tuple(c.name for c in cols[: len(keys)]))


def _written(make: Maker, place: int, sql: str) -> str:
    """A grouping key: as an expression or by its place."""
    literal = not any(ch.isalpha() for ch in sql)
    return str(place + 1) if literal or make.chance(20) else sql


def having(make: Maker, scope: Scope, keys: list[tuple[str, str]]) -> str:
    """Nought to two conjuncts over aggregates and keys."""
    parts = []
    for _ in range(make.pick([0, 0, 1, 1, 2])):
        call = make.pick(
            ["count(*)", f"sum({scalar(make, scope, 'int', 0)})", f"max({scalar(make, scope, 'int', 0)})"]
        )
        parts.append(f"{call} {make.pick(['>', '>=', '<', '<>'])} {make.number(0, 3)}")
    plain = [
        (ref, kind)
        for ref, kind in keys
        if ref.replace(".", "").replace("_", "").isalnum() and kind != "list" and "." in ref
    ]
    if plain and make.chance(15):
        parts.append(predicate(make, Scope(tuple(plain)), 0))
    if parts:
        make.uses("having")
    return f" HAVING {' AND '.join(parts)}" if parts else ""


def global_aggregate(make: Maker, depth: int) -> Query:
    """Aggregates over everything: one row, also over nothing."""
    source = make.source(depth)
    scope = scope_of(source)
    listed, cols = make.output([aggregate(make, scope) for _ in range(make.number(1, 2))])
    after = ""
    if make.chance(20):
        after = having(make, scope, [])
    sql = f"SELECT {listed} FROM {source.sql}{where(make, scope)}{after}"
    return Query(sql, cols, all_columns(cols))
