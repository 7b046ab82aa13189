"""LIMIT with OFFSET, and LIMIT with a percentage."""

from __future__ import annotations

from tests.laws.generator.maker import Maker, Query, scope_of
from tests.laws.generator.shapes.limit import total_order


def offset(make: Maker, depth: int) -> Query:
    """Rows after the first few: what was skipped decides too."""
    source = make.source(depth, keyed=True)
    scope = scope_of(source)
    listed, cols = make.output(list(scope.refs))
    names = {ref: col.name for (ref, _), col in zip(scope.refs, cols, strict=True)}
    tail = make.pick(
        [
            f"LIMIT {make.number(0, 3)} OFFSET {make.number(0, 3)}",
            f"OFFSET {make.number(0, 3)}",
            "LIMIT 50 PERCENT",
            "LIMIT 30%",
        ]
    )
    sql = f"SELECT {listed} FROM {source.sql} ORDER BY {total_order(make, scope)} {tail}"
    return Query(sql, cols, tuple(names[ref] for ref in scope.key or ()))
