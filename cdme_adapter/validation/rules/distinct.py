"""DISTINCT_HIDES_FANOUT: DISTINCT removes copies that a join has made."""

from __future__ import annotations

from collections.abc import Iterator

from cdme_adapter.validation.predicates import attrs
from cdme_adapter.validation.source import join_line
from cdme_adapter.validation.view import ModelView, Said


def check(view: ModelView) -> Iterator[Said]:
    """SELECT DISTINCT over a join that repeats every source whose columns are shown."""
    if view.analysis is None:
        return
    for facts in view.analysis.selects:
        distinct = facts.select.args.get("distinct")
        if distinct is None or distinct.args.get("on") is not None or facts.grouped:
            continue
        shown = {a for p in facts.select.expressions for a, _ in attrs(p)}
        repeated = [facts.repeats(alias) for alias in sorted(shown)]
        if not repeated or not all(r for r, _ in repeated):
            continue
        culprits = [by for _, by in repeated if by is not None and by.alias not in shown]
        if culprits:
            by = culprits[0]
            yield view.found(
                "DISTINCT_HIDES_FANOUT",
                "warn",
                f"DISTINCT removes the copies that the join with {by.alias} makes",
                f"test {by.alias} with EXISTS, or reduce it to one row per key before joining",
                join_line(by),
            )
