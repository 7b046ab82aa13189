"""ROLLUP, CUBE and GROUPING SETS."""

from __future__ import annotations

from tests.laws.generator.expressions import aggregate, where
from tests.laws.generator.maker import Maker, Query, scope_of
from tests.laws.generator.shapes.group import having


def grouping_sets(make: Maker, depth: int) -> Query:
    """Aggregates over several groupings at once."""
    source = make.source(depth)
    scope = scope_of(source)
    keys = [(ref, kind) for ref, kind in scope.refs if kind != "list"]
    if not keys:
        keys = [("1", "int")]
    first = make.pick(keys)
    second = make.pick(keys)
    calls = [aggregate(make, scope)]
    if make.chance(40) and "." in first[0]:
        make.uses("grouping()")
        calls.append((f"grouping({first[0]})", "int"))
    listed, cols = make.output([first, second, *calls])
    a, b = first[0], second[0]
    by = make.pick(
        [
            f"ROLLUP ({a}, {b})",
            f"CUBE ({a}, {b})",
            f"GROUPING SETS (({a}), ({b}), ())",
            f"GROUPING SETS (({a}, {b}), ({a}))",
            f"{a}, ROLLUP ({b})",
        ]
    )
    if "." not in a or a == b:
        by = a if "." in a else "ALL"
    tail = having(make, scope, [])
    return Query(f"SELECT {listed} FROM {source.sql}{where(make, scope)} GROUP BY {by}{tail}", cols)
