"""GROUP BY and global aggregates: all records of a group are witnesses of its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.plan import Port
from cdme_adapter.capture.rules.select import Prepared
from cdme_adapter.capture.rules.shape import is_grouped
from cdme_adapter.capture.scope import Env, Scope
from cdme_adapter.errors import UnsupportedConstruct

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner


def lists(ports: tuple[Port, ...]) -> tuple[tuple[Port, ...], list[str]]:
    """The ports of a grouping over ``ports``, and the aggregates that fill them."""
    aggregates = [
        f"list({p.column}) FILTER (WHERE {p.column} IS NOT NULL) AS {p.column}" for p in ports
    ]
    return tuple(Port(p.column, p.target, many=True) for p in ports), aggregates


def plan_group(planner: Planner, select: exp.Select, env: Env) -> Scope | None:
    """A grouping SELECT without HAVING and QUALIFY, which other rules have split off."""
    if not is_grouped(select, planner.catalog):
        return None
    if select.args.get("having") or select.args.get("qualify"):
        raise UnsupportedConstruct("HAVING beside window functions")
    prepared = Prepared(planner, select, env)
    ports, aggregates = lists(prepared.ports)
    return Scope(prepared.sql(aggregates), prepared.columns(), ports)
