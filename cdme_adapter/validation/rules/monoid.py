"""MONOID_AVERAGE and MONOID_DISTINCT: aggregates of aggregates that do not compose.

An average of averages is not the average, and distinct counts do not add up (REQ-F-LDM-004).
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdme_adapter.validation.dependencies import Attr
from cdme_adapter.validation.predicates import COMPARISONS, attrs, children, plain, walk
from cdme_adapter.validation.relations import Measure
from cdme_adapter.validation.select_facts import SelectFacts
from cdme_adapter.validation.types import short
from cdme_adapter.validation.view import ModelView, Said

_DECIDES = (*COMPARISONS, exp.Is, exp.And, exp.Or, exp.Not, exp.Query)


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


def check_empty(view: ModelView) -> Iterator[Said]:
    """MONOID_EMPTY: a sum over no rows is NULL and not 0, the identity (REQ-F-LDM-005)."""
    for facts, node in _sums(view, exp.Sum):
        if node.find_ancestor(exp.Coalesce) is not None:
            continue
        padded = [a for a, _ in sorted(attrs(node)) if a in facts.sources and facts.sources[a].padded]
        whole = not facts.group and not facts.select.args.get("group")
        if padded:
            why = f"no row of {padded[0]} matches"
        elif whole:
            why = "there are no rows"
        else:
            continue
        yield view.found(
            "MONOID_EMPTY",
            "info",
            f"{short(node)} is NULL, not 0, where {why}",
            f"write coalesce({short(node)}, 0) if nothing means zero",
            node,
        )


def check_floats(view: ModelView) -> Iterator[Said]:
    """FLOAT_SUM: adding doubles is not associative, so the order of rows shows in the last digits."""
    for facts, node in _sums(view, exp.Sum, exp.Avg):
        if view.typer.of(facts, node.this) in ("DOUBLE", "FLOAT"):
            yield view.found(
                "FLOAT_SUM",
                "info",
                f"{short(node)} adds up doubles: its last digits depend on the order of the rows",
                "cast to DECIMAL, or use fsum() and favg()",
                node,
            )


def _sums(view: ModelView, *kinds: type[exp.Expr]) -> Iterator[tuple[SelectFacts, exp.Expr]]:
    """Aggregates of these kinds that group rows, each with its SELECT."""
    for facts in view.analysis.selects if view.analysis else []:
        for projection in [*facts.select.expressions, facts.select.args.get("having")]:
            for node in facts.aggregates(projection) if projection is not None else []:
                if isinstance(node, kinds):
                    yield facts, node


def _measures(facts: SelectFacts, node: exp.Expr) -> Iterator[Measure]:
    for alias, name in sorted(_added(node)):
        source = facts.sources.get(alias)
        column = source.relation.column(name) if source else None
        if column is not None and column.measure is not None:
            yield column.measure


def _added(node: exp.Expr) -> set[Attr]:
    """The attributes whose values go into an aggregate; what only decides, in CASE or FILTER, does not."""
    if isinstance(node, _DECIDES):
        return set()
    if isinstance(node, exp.Column):
        found = plain(node)
        return {found} if found else set()
    if isinstance(node, exp.Filter):
        return _added(node.this)
    if isinstance(node, exp.Case):
        parts = [branch.args["true"] for branch in node.args["ifs"]] + [node.args.get("default")]
    elif isinstance(node, exp.If):
        parts = [node.args.get("true"), node.args.get("false")]
    else:
        parts = list(children(node))
    return {found for part in parts if part is not None for found in _added(part)}


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
