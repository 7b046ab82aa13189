"""HAVING: every group is kept in a stage with a flag per conjunct, the outer query removes.

One evaluation yields the groups that stay and the evidence on those that go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.accounting import Kind
from cdme_adapter.capture.plan import Clause
from cdme_adapter.capture.rules.lookups import CONJUNCT
from cdme_adapter.capture.rules.shape import has_aggregate, is_volatile, projects_window
from cdme_adapter.capture.rules.split import alias_hidden, move_order, outer_over
from cdme_adapter.capture.rules.subquery import nested_queries, predicate_kind, settle_guards
from cdme_adapter.capture.scope import Env, Scope
from cdme_adapter.capture.sqltext import (
    as_written,
    conjuncts,
    first_line,
    keep_shown,
    not_understood,
    touch,
)
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
        if part == "having":
            conjunct = _settle_aliases(planner, conjunct, select)
        found = predicate_kind(conjunct)
        if found is not None:
            keep_shown(conjunct)
            if found[1] is Role.GUARD:
                settle_guards(planner, conjunct, env)
            for query in nested_queries(conjunct):
                query.meta[CONJUNCT] = True
        flag = planner.hidden("f")
        planner.flags[flag] = Clause(kind, as_written(conjunct), planner.origin, first_line(conjunct))
        inner.append("expressions", alias_hidden(conjunct, flag))
        flags.append(flag)
    outer = outer_over(inner, flags + keys, flags)
    outer.set("order", order)
    return planner.query(outer, env)


def _settle_aliases(planner: Planner, conjunct: exp.Expr, select: exp.Select) -> exp.Expr:
    """A conjunct of HAVING that means the same in the SELECT list, where columns go before aliases.

    In HAVING an alias goes before a column, but for the columns grouped by and inside of aggregates.
    """
    keep_shown(conjunct)
    aliases = {item.alias.lower(): item.this for item in select.expressions if isinstance(item, exp.Alias)}
    for column in list(conjunct.find_all(exp.Column)):
        name = column.name.lower()
        target = aliases.get(name) if not column.table else None
        if (
            target is None
            or name in _group_columns(planner, select)
            or _in_aggregate(planner, column, conjunct)
        ):
            continue
        if _is_nested(column, conjunct) or _is_more(planner, target):
            if name in {c.name.lower() for c in target.find_all(exp.Column)}:
                raise not_understood(f"the alias {column.name} hides a column that it is made of", column)
            continue
        touch(column)
        value = exp.Paren(this=target.copy())
        if column is conjunct:
            value.meta.update(conjunct.meta)
            conjunct = value
        column.replace(value)
    return conjunct


def _is_nested(column: exp.Expr, conjunct: exp.Expr) -> bool:
    part: exp.Expr | None = column
    while part is not None and part is not conjunct:
        part = part.parent
        if isinstance(part, exp.Query):
            return True
    return False


def _is_more(planner: Planner, target: exp.Expr) -> bool:
    """Whether an expression cannot be written twice."""
    return is_volatile(target, planner.catalog) or bool(nested_queries(target))


def _in_aggregate(planner: Planner, column: exp.Column, conjunct: exp.Expr) -> bool:
    part: exp.Expr | None = column
    while part is not None and part is not conjunct:
        part = part.parent
        if isinstance(part, exp.Anonymous) and planner.catalog.is_aggregate(str(part.this)):
            return True
        if isinstance(part, exp.AggFunc) or (
            isinstance(part, exp.Func) and planner.catalog.is_aggregate(part.sql_name().lower())
        ):
            return True
    return False


def _group_columns(planner: Planner, select: exp.Select) -> set[str]:
    """The columns grouped by, as such."""
    group = select.args.get("group")
    if group is None:
        return set()
    items = [item.unalias() for item in select.expressions]
    keys = list(group.expressions)
    if group.args.get("all"):
        keys = [item for item in items if not has_aggregate(item, planner.catalog)]
    named = [k for k in keys if isinstance(k, exp.Literal) and k.name.isdigit()]
    keys += [items[int(k.name) - 1] for k in named if 0 < int(k.name) <= len(items)]
    sets = list(group.find_all(exp.Rollup, exp.Cube, exp.GroupingSets))
    keys += [column for part in sets for column in part.find_all(exp.Column)]
    return {key.name.lower() for key in keys if isinstance(key, exp.Column)}


def split_having(planner: Planner, select: exp.Select, env: Env) -> Scope | None:
    """The rule for HAVING without window functions beside it."""
    if not select.args.get("having") or projects_window(select):
        return None
    return split_flags(planner, select, env, "having", Kind.HAVING)
