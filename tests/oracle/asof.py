"""ASOF JOIN: of all partners the nearest one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from tests.oracle.context import Context
from tests.oracle.evaluate import evaluate
from tests.oracle.joinclause import Condition
from tests.oracle.model import OracleError, Relation
from tests.oracle.names import slot_of

if TYPE_CHECKING:
    from tests.oracle.join import Candidate


def choose(
    context: Context,
    condition: Condition,
    left: Relation,
    right: Relation,
    candidates: list[Candidate],
) -> list[Candidate]:
    """Keep the truth of the nearest partner of each left tuple, deny it to the others."""
    rows = [c.row for c in candidates]
    columns = [*left.columns, *right.columns]
    operand, largest = _nearness(condition, right)
    values = evaluate(context, operand, columns, rows).values
    best: dict[int, int] = {}
    for n, candidate in enumerate(candidates):
        if not candidate.truth:
            continue
        held = best.get(candidate.left)
        better = held is None or (values[n] > values[held] if largest else values[n] < values[held])
        if better:
            best[candidate.left] = n
    chosen = set(best.values())
    return [c if not c.truth or n in chosen else replace(c, truth=False) for n, c in enumerate(candidates)]


def _nearness(condition: Condition, right: Relation) -> tuple[exp.Expr, bool]:
    """The right operand of the inequality, and whether the largest is nearest."""
    for conjunct in condition.conjuncts:
        while isinstance(conjunct, exp.Paren):
            conjunct = conjunct.this
        if isinstance(conjunct, exp.GT | exp.GTE | exp.LT | exp.LTE):
            ours_first = all(slot_of(right.columns, c) is None for c in conjunct.this.find_all(exp.Column))
            largest = isinstance(conjunct, exp.GT | exp.GTE) == ours_first
            return (conjunct.expression if ours_first else conjunct.this), largest
    raise OracleError("ASOF without an inequality")
