"""MONOID_AVERAGE and MONOID_DISTINCT: aggregates of aggregates that do not compose.

An average of averages is not the average, and distinct counts do not add up (REQ-F-LDM-004).
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdme_adapter.validation.predicates import attrs, walk
from cdme_adapter.validation.relations import Measure
from cdme_adapter.validation.select_facts import SelectFacts
from cdme_adapter.validation.types import short
from cdme_adapter.validation.view import ModelView, Said


def check(view: ModelView) -> Iterator[Said]:
    """Every AVG and SUM over the output of an aggregate, however far up it was made."""
    if view.analysis is None:
        return
    for facts in view.analysis.selects:
        for projection in [*facts.select.expressions, facts.select.args.get("having")]:
            if projection is None:
                continue
            windows = [w.this for w in walk(projection, exp.Window, into=True)]
            for node in [*facts.aggregates(projection), *windows]:
                for measure in _measures(facts, node):
                    yield from _judge(view, node, measure)


def _measures(facts: SelectFacts, node: exp.Expr) -> Iterator[Measure]:
    for alias, name in sorted(attrs(node)):
        source = facts.sources.get(alias)
        column = source.relation.column(name) if source else None
        if column is not None and column.measure is not None:
            yield column.measure


def _judge(view: ModelView, node: exp.Expr, measure: Measure) -> Iterator[Said]:
    per = f"per ({', '.join(measure.grain)})" if measure.grain else "over everything"
    if isinstance(node, exp.Avg) and measure.kind in ("avg", "ratio"):
        yield view.found(
            "MONOID_AVERAGE",
            "warn",
            f"{short(node)} averages a column that is itself an {measure.kind} {per}",
            "carry the sum and the count, and divide once at the end",
            node,
        )
    if isinstance(node, exp.Sum) and measure.kind == "count_distinct":
        yield view.found(
            "MONOID_DISTINCT",
            "warn",
            f"{short(node)} adds up distinct counts made {per}: what is in two groups counts twice",
            "count the distinct values once, at the grain that is wanted",
            node,
        )
    if isinstance(node, exp.Sum) and measure.kind in ("avg", "ratio"):
        yield view.found(
            "MONOID_AVERAGE",
            "warn",
            f"{short(node)} adds up a column that is an {measure.kind} {per}",
            "carry the sum and the count, and divide once at the end",
            node,
        )
