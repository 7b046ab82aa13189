"""HAVING: every group is kept in a stage with a flag per conjunct, the outer query removes.

One evaluation yields the groups that stay and the evidence on those that go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.accounting import Kind
from cdme_adapter.capture.plan import Clause
from cdme_adapter.capture.rules.lookups import CONJUNCT
from cdme_adapter.capture.rules.shape import projects_window
from cdme_adapter.capture.rules.split import alias_hidden, move_order, outer_over
from cdme_adapter.capture.rules.subquery import nested_queries, predicate_kind, settle_subqueries
from cdme_adapter.capture.scope import Env, Scope
from cdme_adapter.capture.sqltext import as_written, conjuncts, first_line, keep_shown, not_understood
from cdme_adapter.provenance import Role

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner


def split_flags(planner: Planner, select: exp.Select, env: Env, part: str, kind: Kind) -> Scope:
    """Split ``part`` (having or qualify) off into flags of an inner query."""
    inner = select.copy()
    condition = inner.args[part].this
    inner.set(part, None)
    flags: list[str] = []
    order, keys = move_order(planner, inner)
    for conjunct in conjuncts(condition):
        _refuse_ambiguous_alias(conjunct, select)
        found = predicate_kind(conjunct)
        if found is not None:
            keep_shown(conjunct)
            if found[1] is Role.GUARD:
                settle_subqueries(planner, conjunct, env, Role.GUARD)
            for query in nested_queries(conjunct):
                query.meta[CONJUNCT] = True
        flag = planner.hidden("f")
        planner.flags[flag] = Clause(kind, as_written(conjunct), planner.origin, first_line(conjunct))
        inner.append("expressions", alias_hidden(conjunct, flag))
        flags.append(flag)
    outer = outer_over(inner, flags + keys, flags)
    outer.set("order", order)
    return planner.query(outer, env)


def _refuse_ambiguous_alias(conjunct: exp.Expr, select: exp.Select) -> None:
    """An alias that hides a column may mean one thing in HAVING and another in the SELECT list."""
    aliases = {item.alias.lower(): item.this for item in select.expressions if isinstance(item, exp.Alias)}
    for column in conjunct.find_all(exp.Column):
        target = aliases.get(column.name.lower()) if not column.table else None
        if target is None or isinstance(target, exp.Column):
            continue
        inside = {c.name.lower() for c in target.find_all(exp.Column)}
        if column.name.lower() in inside:
            raise not_understood(f"the alias {column.name} hides a column that it is made of", column)


def split_having(planner: Planner, select: exp.Select, env: Env) -> Scope | None:
    """The rule for HAVING without window functions beside it."""
    if not select.args.get("having") or projects_window(select):
        return None
    return split_flags(planner, select, env, "having", Kind.HAVING)
