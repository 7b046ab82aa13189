"""SELECT DISTINCT: all records of equal rows are witnesses of the one that stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.plan import HIDDEN
from cdme_adapter.capture.rules.group import lists
from cdme_adapter.capture.rules.select import Prepared
from cdme_adapter.capture.rules.shape import is_distinct, is_grouped, projects_window
from cdme_adapter.capture.rules.split import order_outside, outer_over
from cdme_adapter.capture.rules.unnest import check_unnest
from cdme_adapter.capture.scope import Env, Scope
from cdme_adapter.capture.sqltext import text

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner


def split_distinct(planner: Planner, select: exp.Select, env: Env) -> Scope | None:
    """DISTINCT over groups or windows becomes a DISTINCT over their stage."""
    inside = is_grouped(select, planner.catalog) or projects_window(select)
    if not is_distinct(select) or not (inside or select.args.get("qualify")):
        return None
    inner = select.copy()
    inner.set("distinct", None)
    order = inner.args.get("order")
    inner.set("order", None)
    outer = outer_over(inner, [], [])
    outer.set("distinct", exp.Distinct())
    outer.set("order", order_outside(select, order) if order is not None else None)
    return planner.query(outer, env)


def plan_distinct(planner: Planner, select: exp.Select, env: Env) -> Scope | None:
    """DISTINCT over a plain SELECT: a grouping by every column."""
    if not is_distinct(select):
        return None
    bare = select.copy()
    bare.set("distinct", None)
    order = bare.args.get("order")
    bare.set("order", None)
    prepared = Prepared(planner, bare, env)
    tail = f" {text(order_outside(select, order)).strip()}" if order is not None else ""
    if not prepared.ports:
        return Scope(prepared.sql([], "SELECT DISTINCT") + tail, prepared.columns(), ())
    sql = prepared.sql(prepared.items())
    check_unnest(planner, prepared.select, prepared.from_where, sql, prepared.ports)
    return grouped_by_all(sql, prepared, tail)


def grouped_by_all(sql: str, prepared: Prepared | Scope, tail: str = "") -> Scope:
    """``sql`` grouped by its user columns; its ports become lists."""
    ports, aggregates = lists(prepared.ports)
    names = ", ".join(port.column for port in ports)
    columns = prepared.columns() if isinstance(prepared, Prepared) else prepared.columns
    grouped = (
        f"SELECT * EXCLUDE ({names}), {', '.join(aggregates)} "
        f"FROM ({sql}) AS {HIDDEN}rows GROUP BY ALL{tail}"
    )
    return Scope(grouped, columns, ports)
