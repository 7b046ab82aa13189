"""DISTINCT (every tuple of the group is behind it) and DISTINCT ON (the first is, the others lose)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from tests.oracle.context import Context
from tests.oracle.model import Relation, Row, frozen, union
from tests.oracle.order import sorted_places


def grouped(rows: Sequence[Row]) -> dict[Any, list[int]]:
    """The places of the tuples by equal values, NULL equal to NULL."""
    groups: dict[Any, list[int]] = {}
    for place, row in enumerate(rows):
        groups.setdefault(frozen(row.values), []).append(place)
    return groups


def distinct(relation: Relation) -> Relation:
    """One tuple for each group of equal ones."""
    groups = grouped(relation.rows).values()
    rows = [Row(relation.rows[g[0]].values, union(relation.rows[i].prov for i in g)) for g in groups]
    keys = [relation.keys[g[0]] for g in groups] if relation.keys else []
    return Relation(relation.columns, rows, relation.edges, keys)


def distinct_on(
    context: Context,
    relation: Relation,
    on: list[tuple[Any, ...]],
    ordered: list[exp.Ordered],
    node: exp.Expr,
) -> Relation:
    """The first tuple of each group; ``on`` holds the group of each tuple."""
    clause = context.clause(("distinct_on", id(node)), "distinct_on", node.sql("duckdb"))
    places = sorted_places(relation.keys, ordered) if ordered else range(len(relation.rows))
    seen: set[Any] = set()
    kept = []
    for place in places:
        key = frozen(on[place])
        if key in seen:
            context.fail(clause, relation.rows[place].prov, ["rank"])
        else:
            kept.append(place)
        seen.add(key)
    rows = [relation.rows[place] for place in kept]
    keys = [relation.keys[place] for place in kept] if relation.keys else []
    return Relation(relation.columns, rows, relation.edges, keys)
