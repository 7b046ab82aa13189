"""BUDGET_EXCEEDED: more rows, or deeper joins, than the model may have (REQ-F-TRV-006)."""

from __future__ import annotations

from collections.abc import Iterator

from cdme_adapter.validation.estimate import join_depth
from cdme_adapter.validation.rules.skew import heaviest
from cdme_adapter.validation.view import CannotTell, ModelView, Said


def check(view: ModelView) -> Iterator[Said]:
    """A declared budget against the estimate."""
    budget = view.node.config.budget
    if budget is None:
        return
    if view.analysis is None:
        yield CannotTell("its rows cannot be estimated")
        return
    if budget.join_depth is not None:
        depth = join_depth(view.analysis)
        if depth > budget.join_depth:
            yield view.found(
                "BUDGET_EXCEEDED",
                "error",
                f"{depth} joins lie on top of each other; the budget allows {budget.join_depth}",
                "materialize a part of it as a model of its own, or raise budget.join_depth",
                1,
            )
    rows = view.estimates.get(view.node.id)
    if budget.rows is None:
        return
    if rows is None:
        yield CannotTell("no row counts are known from which its rows could be estimated")
    elif rows > budget.rows:
        skew = heaviest(view)
        yield view.found(
            "BUDGET_EXCEEDED",
            "error",
            f"about {rows:,} rows are expected; the budget allows {budget.rows:,}"
            + (f"; {skew}" if skew else ""),
            "join on a key, filter before joining, or raise budget.rows",
            1,
        )
