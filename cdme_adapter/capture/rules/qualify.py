"""QUALIFY: every row is kept in a stage with a flag per conjunct, the outer query removes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.accounting import Kind
from cdme_adapter.capture.rules.having import split_flags
from cdme_adapter.capture.scope import Env, Scope

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner


def split_qualify(planner: Planner, select: exp.Select, env: Env) -> Scope | None:
    """The rule for QUALIFY."""
    if not select.args.get("qualify"):
        return None
    return split_flags(planner, select, env, "qualify", Kind.QUALIFY)
