"""TYPE_MISMATCH: sides of a comparison, and branches of one value, of different families.

Joins, comparisons, IN, BETWEEN, CASE, COALESCE and set operations (REQ-F-AIA-001).
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdme_adapter.validation.predicates import line_of
from cdme_adapter.validation.select_facts import SelectFacts
from cdme_adapter.validation.set_facts import SetFacts
from cdme_adapter.validation.types import apart, clash, short
from cdme_adapter.validation.view import ModelView, Said

_COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_UNIFIED = (exp.Case, exp.If, exp.Coalesce, exp.Greatest, exp.Least, exp.Nullif)


def check(view: ModelView) -> Iterator[Said]:
    """Each place at which two families meet."""
    if view.analysis is None:
        return
    for facts, node in view.analysis.walk(*_COMPARED, exp.Between, exp.In):
        for one, other in _pairs(node):
            why = clash(view.typer, facts, one, other)
            if why:
                yield view.found(
                    "TYPE_MISMATCH",
                    "error",
                    f"{short(node)} compares different types: {why}",
                    "cast one side explicitly, or compare the column that was meant",
                    node,
                )
                break
    for facts, node in view.analysis.walk(*_UNIFIED):
        yield from _unify(view, facts, node)
    for found in view.analysis.sets:
        yield from _columns(view, found)


def _pairs(node: exp.Expr) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    if isinstance(node, exp.Between):
        yield node.this, node.args["low"]
        yield node.this, node.args["high"]
    elif isinstance(node, exp.In):
        for item in node.expressions:
            yield node.this, item
    else:
        yield node.this, node.expression


def _values(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.Case):
        listed = [branch.args.get("true") for branch in node.args.get("ifs") or []]
        listed.append(node.args.get("default"))
    elif isinstance(node, exp.If):
        if isinstance(node.parent, exp.Case):
            return []
        listed = [node.args.get("true"), node.args.get("false")]
    elif isinstance(node, exp.Nullif):
        listed = [node.this, node.expression]
    else:
        listed = [node.this, *node.expressions]
    return [v for v in listed if isinstance(v, exp.Expr)]


def _unify(view: ModelView, facts: SelectFacts, node: exp.Expr) -> Iterator[Said]:
    values = _values(node)
    for value in values[1:]:
        why = clash(view.typer, facts, values[0], value)
        if why:
            yield view.found(
                "TYPE_MISMATCH",
                "error",
                f"{type(node).__name__.upper()} yields different types: {why}",
                "cast the branches to one type",
                value,
            )
            return


def _columns(view: ModelView, found: SetFacts) -> Iterator[Said]:
    left, right = found.branches
    for one, other in zip(left.columns, right.columns, strict=False):
        literals = (one.literal or "", other.literal or "")
        if any(text == "NULL" or text.startswith("'") for text in literals):
            continue
        if apart(one.type, other.type):
            yield view.found(
                "TYPE_MISMATCH",
                "error",
                f"{type(found.node).__name__.upper()} puts {other.name} ({other.type}) under "
                f"{one.name} ({one.type})",
                "list the columns of both sides in the same order, or cast",
                line_of(found.node.expression),
            )
