"""INTERSECT and EXCEPT, with and without ALL; UNION BY NAME."""

from __future__ import annotations

from tests.laws.generator.maker import Maker, Query, all_columns
from tests.laws.generator.shapes.union import branches


def intersect(make: Maker, depth: int) -> Query:
    """What both branches have."""
    parts, first = branches(make, depth, 2)
    return Query(" INTERSECT ".join(parts), first.cols, all_columns(first.cols))


def except_(make: Maker, depth: int) -> Query:
    """What the right branch has not."""
    parts, first = branches(make, depth, 2)
    return Query(" EXCEPT ".join(parts), first.cols, all_columns(first.cols))


def all_(make: Maker, depth: int) -> Query:
    """EXCEPT ALL and INTERSECT ALL, over base tables: the first so many by ordinal remain."""
    operator = make.pick(["EXCEPT ALL", "INTERSECT ALL"])
    make.uses(operator.lower())
    parts, first = branches(make, 0, 2, plain=True)
    return Query(f" {operator} ".join(parts), first.cols)


def by_name(make: Maker, depth: int) -> Query:
    """UNION ALL BY NAME of two tables with the columns in another order."""
    left, right = make.base(keyed=True), make.base(keyed=True)
    words = make.pick(["UNION ALL BY NAME", "UNION BY NAME"])
    parts = [
        f"SELECT {left.alias}.a AS a, {left.alias}.b AS b FROM {left.sql}",
        f"SELECT {right.alias}.b AS b, {right.alias}.a AS a, {right.alias}.k AS c FROM {right.sql}",
    ]
    columns = [*left.cols[1:3], right.cols[0]]
    cols = tuple(type(c)(n, c.kind) for n, c in zip("abc", columns, strict=True))
    return Query(f" {words} ".join(parts), cols)
