"""Projection and filter."""

from __future__ import annotations

from dataclasses import replace

from tests.laws.generator.expressions import scalar, where
from tests.laws.generator.maker import Maker, Query, Scope, scope_of


def project(make: Maker, depth: int) -> Query:
    """SELECT expressions FROM one item WHERE conjuncts."""
    source = make.source(depth)
    scope = scope_of(source)
    if make.chance(15):
        make.uses("star")
        return Query(f"SELECT * FROM {source.sql}{where(make, scope)}", source.cols, source.key)
    return projected(make, scope, source.sql, where(make, scope))


def projected(make: Maker, scope: Scope, source: str, rest: str) -> Query:
    """A SELECT list over a scope: often the key, some columns, an expression or two."""
    parts, key = kept_key(make, scope)
    parts += [(ref, kind) for ref, kind in make.some(scope.refs) if len(parts) < 5][:3]
    for _ in range(make.number(0, 1)):
        kind = make.pick(["int", "text"])
        parts.append((scalar(make, replace(scope, rich=True), kind), kind))
    listed, cols = make.output(parts)
    names = tuple(col.name for col in cols[: len(key)]) if key else None
    return Query(f"SELECT {listed} FROM {source}{rest}", cols, names)


def kept_key(make: Maker, scope: Scope) -> tuple[list[tuple[str, str]], tuple[str, ...] | None]:
    """The columns of the key as output parts, if there is one and chance keeps it."""
    if scope.key is None or len(scope.key) > 4 or make.chance(20):
        return [], None
    kinds = dict(scope.refs)
    return [(ref, kinds[ref]) for ref in scope.key], scope.key
