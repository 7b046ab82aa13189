"""Volatile conjuncts of WHERE: evaluated once, where they stand, and their value carried as a flag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.accounting import Kind
from cdme_adapter.capture.plan import Clause
from cdme_adapter.capture.rules.joins import one_tree
from cdme_adapter.capture.rules.once import evaluated_once, refuse_if_unknown
from cdme_adapter.capture.rules.shape import is_volatile
from cdme_adapter.capture.rules.subquery import nested_queries
from cdme_adapter.capture.rules.where import check_where
from cdme_adapter.capture.scope import Env, FromGroup
from cdme_adapter.capture.sqltext import as_written, conjuncts, first_line, not_understood, text

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner


def settle_volatile(
    planner: Planner, select: exp.Select, groups: list[FromGroup], env: Env
) -> list[FromGroup]:
    """The FROM of a SELECT whose WHERE holds volatile conjuncts; those become flags in ``select``.

    Nothing but the FROM was planned in the node under construction. The conjuncts before the first
    volatile one filter the rows that it is evaluated for.
    """
    where = select.args.get("where")
    parts = conjuncts(where.this) if where is not None else []
    found = [place for place, part in enumerate(parts) if is_volatile(part, planner.catalog)]
    if where is None or not found:
        return groups
    first = parts[found[0]]
    if not groups or any(nested_queries(parts[place]) for place in found):
        raise not_understood(f"a volatile function in WHERE: {as_written(first)}", first)
    refuse_if_unknown(tuple(groups), select, first)
    before = parts[: found[0]]
    if before:
        check_where(planner, exp.Where(this=exp.and_(*before, copy=False)), groups, env)
    condition = " AND ".join(f"({text(part)})" for part in before)
    flags: dict[str, str] = {}
    kept: list[exp.Expr] = []
    for place, part in enumerate(parts[found[0] :], start=found[0]):
        if place not in found:
            kept.append(part)
            continue
        flag = planner.hidden("f")
        flags[flag] = text(part)
        planner.flags[flag] = Clause(Kind.WHERE, as_written(part), planner.origin, first_line(part))
        kept.append(exp.column(flag))
    select.set("where", exp.Where(this=exp.and_(*kept, copy=False)))
    return [evaluated_once(planner, one_tree(groups), condition, flags)]
