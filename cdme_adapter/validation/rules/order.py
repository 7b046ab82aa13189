"""ORDER_DEPENDENT: aggregates and window functions whose answer depends on an order not given.

REQ-F-LDM-005, REQ-F-TRV-005.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdme_adapter.validation.predicates import attrs
from cdme_adapter.validation.select_facts import SelectFacts
from cdme_adapter.validation.types import short
from cdme_adapter.validation.view import ModelView, Said

_AGGREGATES = (exp.First, exp.Last, exp.AnyValue, exp.ArrayAgg, exp.GroupConcat, exp.JSONArrayAgg)
_NAMES = ("json_group_array", "json_group_object", "arbitrary", "string_agg", "list")
_WINDOWS = (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue, exp.First, exp.Last)


def check(view: ModelView) -> Iterator[Said]:
    """Order-dependent functions without their ORDER BY."""
    if view.analysis is None:
        return
    for facts in view.analysis.selects:
        for projection in [*facts.select.expressions, facts.select.args.get("having")]:
            for node in facts.aggregates(projection) if projection is not None else []:
                if _depends(node) and not _ordered(node) and not _fixed(facts, node):
                    yield _finding(view, node, "add ORDER BY inside the call")
    for _, window in view.analysis.walk(exp.Window):
        inner = window.this
        while isinstance(inner, (exp.IgnoreNulls, exp.RespectNulls)):
            inner = inner.this
        if isinstance(inner, _WINDOWS) and window.args.get("order") is None:
            yield _finding(view, window, "add ORDER BY to the window")


def _depends(node: exp.Expr) -> bool:
    named = isinstance(node, exp.Anonymous) and node.name.lower() in _NAMES
    return isinstance(node, _AGGREGATES) or named


def _ordered(node: exp.Expr) -> bool:
    return node.find(exp.Order) is not None or isinstance(node.parent, exp.WithinGroup)


def _fixed(facts: SelectFacts, node: exp.Expr) -> bool:
    """Whether all rows of a group have the same value here, so that any of them will do."""
    if isinstance(node, (exp.ArrayAgg, exp.GroupConcat, exp.JSONArrayAgg, exp.Anonymous)):
        return False
    group = {a for g in facts.group for a in attrs(g)}
    return attrs(node) <= facts.strict.closure(group)


def _finding(view: ModelView, node: exp.Expr, remedy: str) -> Said:
    return view.found(
        "ORDER_DEPENDENT",
        "warn",
        f"{short(node)} takes rows in whatever order they come",
        remedy,
        node,
    )
