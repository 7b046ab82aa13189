"""Sorting: ORDER BY keys, their direction, and where NULL goes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp


def comparison(ordered: Sequence[exp.Ordered]) -> Callable[[Sequence[Any], Sequence[Any]], int]:
    """A three-way comparison of two lists of key values."""
    directions = [(bool(o.args.get("desc")), bool(o.args.get("nulls_first"))) for o in ordered]

    def compare(left: Sequence[Any], right: Sequence[Any]) -> int:
        for (descending, nulls_first), a, b in zip(directions, left, right, strict=True):
            if a is None or b is None:
                if a is None and b is None:
                    continue
                return -1 if (a is None) == nulls_first else 1
            if a != b:
                return -1 if (a < b) != descending else 1
        return 0

    return compare


def sorted_places(keys: Sequence[Sequence[Any]], ordered: Sequence[exp.Ordered]) -> list[int]:
    """The places of the rows in sorted order; equal keys keep their order.

    >>> from sqlglot import parse_one
    >>> by = parse_one("SELECT 1 ORDER BY a DESC", read="duckdb").args["order"].expressions
    >>> sorted_places([[1], [None], [2]], by)
    [2, 0, 1]
    """
    compare = comparison(ordered)
    places: list[int] = list(range(len(keys)))

    def by(left: int, right: int) -> int:
        return compare(keys[left], keys[right])

    return sorted(places, key=functools.cmp_to_key(by))
