"""Rows that have the same witnesses share one set of them: row → set, set → witnesses.

A cross product under GROUP BY gives each of its groups all rows of the other side, and a subquery
asked with many values may find the same rows for all of them. Stored pair by pair that would be the
product (docs/concepts.md, Size).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cdme_adapter.engines.base import Execute

WORTH = 2
"""What is shared must be smaller than the pairs by this factor."""


@dataclass(frozen=True)
class Sets:
    """The two maps, each a relation of (o, i), and their sizes."""

    to: str
    outputs: int
    of: str
    held: int


def shared_sets(execute: Execute, new: Callable[[str], str], pairs: str, count: int) -> Sets | None:
    """``pairs`` of (o, i), ``count`` of them, as shared sets; None where they are no smaller.

    ``new`` materialises a SELECT and gives its name.
    """
    outputs, inputs = execute(f"SELECT count(DISTINCT o), count(DISTINCT i) FROM {pairs}")[0]
    if count <= WORTH * (outputs + inputs):
        return None
    sets = new(
        "SELECT row_number() OVER () - 1 AS s, held, outputs FROM (SELECT held, list(o) AS outputs FROM"
        f" (SELECT o, list_sort(list(i)) AS held FROM {pairs} GROUP BY o) GROUP BY held)"
    )
    held = int(execute(f"SELECT coalesce(sum(len(held)), 0) FROM {sets}")[0][0])
    if WORTH * (outputs + held) > count:
        return None
    to = f"(SELECT unnest(outputs) AS o, s AS i FROM {sets})"
    return Sets(to, int(outputs), f"(SELECT s AS o, unnest(held) AS i FROM {sets})", held)
