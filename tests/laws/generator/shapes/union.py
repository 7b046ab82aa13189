"""UNION ALL and UNION of branches with the same kinds of columns."""

from __future__ import annotations

from tests.laws.generator.expressions import scalar, where
from tests.laws.generator.maker import Maker, Query, all_columns, scope_of


def branches(make: Maker, depth: int, count: int, plain: bool = False) -> tuple[list[str], Query]:
    """So many SELECTs with the same kinds of columns; the first one names them."""
    kinds = make.pick([["int"], ["int", "int"], ["int", "text"]])
    first, parts = None, []
    for n in range(count):
        nested = depth if n == 0 else make.number(0, depth)
        source = make.base(keyed=True) if plain else make.source(nested)
        scope = scope_of(source)
        listed, cols = make.output([(scalar(make, scope, kind), kind) for kind in kinds])
        parts.append(f"SELECT {listed} FROM {source.sql}{where(make, scope)}")
        first = first or Query(parts[0], cols)
    assert first is not None
    return parts, first


def union_all(make: Maker, depth: int) -> Query:
    """Two or three branches, duplicates kept."""
    parts, first = branches(make, depth, 3 if make.chance(20) else 2)
    return Query(" UNION ALL ".join(parts), first.cols)


def union(make: Maker, depth: int) -> Query:
    """Two branches, duplicates merged."""
    parts, first = branches(make, depth, 2)
    return Query(" UNION ".join(parts), first.cols, all_columns(first.cols))
