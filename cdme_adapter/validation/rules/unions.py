"""UNION_DEDUPLICATES and UNION_SWAPPED: a UNION that drops rows or crosses its columns."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdme_adapter.validation.predicates import line_of
from cdme_adapter.validation.relations import Relation
from cdme_adapter.validation.view import ModelView, Said


def check(view: ModelView) -> Iterator[Said]:
    """Each UNION."""
    if view.analysis is None:
        return
    for found in view.analysis.sets:
        if not isinstance(found.node, exp.Union):
            continue
        if found.node.args.get("distinct"):
            listing = len(found.branches[0].columns) <= 2
            yield view.found(
                "UNION_DEDUPLICATES",
                "info" if listing else "warn",
                "UNION drops every row that equals another, also within one branch",
                "write UNION ALL, or SELECT DISTINCT where that is meant",
                line_of(found.node.expression),
            )
        swapped = _swapped(found.branches[0], found.branches[1])
        if swapped and not found.node.args.get("by_name"):
            yield view.found(
                "UNION_SWAPPED",
                "warn",
                f"the branches list {swapped[0]} and {swapped[1]} in different places, and a UNION "
                f"goes by position",
                "list the columns in one order, or write UNION ALL BY NAME",
                line_of(found.node.expression),
            )


def _swapped(left: Relation, right: Relation) -> tuple[str, str] | None:
    names = [c.name.lower() for c in left.columns]
    others = [c.name.lower() for c in right.columns]
    if sorted(names) != sorted(others) or len(set(names)) != len(names):
        return None
    wrong = [a for a, b in zip(names, others, strict=True) if a != b]
    return (wrong[0], wrong[1]) if len(wrong) > 1 else None
