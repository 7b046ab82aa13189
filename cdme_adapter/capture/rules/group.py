"""GROUP BY and global aggregates: all records of a group are witnesses of its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.accounting import Kind
from cdme_adapter.capture.plan import Port, StepCheck
from cdme_adapter.capture.rules.select import Prepared
from cdme_adapter.capture.rules.shape import has_window, is_grouped, is_volatile
from cdme_adapter.capture.rules.unnest import unnests
from cdme_adapter.capture.scope import Env, Scope
from cdme_adapter.capture.sqltext import as_written, conjuncts, not_understood, quote, text

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner


def lists(ports: tuple[Port, ...]) -> tuple[tuple[Port, ...], list[str]]:
    """The ports of a grouping over ``ports``, and the aggregates that fill them."""
    aggregates = [f"list({p.column}) FILTER (WHERE {p.column} IS NOT NULL) AS {p.column}" for p in ports]
    return tuple(Port(p.column, p.target, many=True) for p in ports), aggregates


def plan_group(planner: Planner, select: exp.Select, env: Env) -> Scope | None:
    """A grouping SELECT; QUALIFY, and HAVING without windows beside it, were split off before."""
    if not is_grouped(select, planner.catalog):
        return None
    if unnests(select):
        raise not_understood("UNNEST in the SELECT list of a grouping", unnests(select)[0])
    prepared = Prepared(planner, select, env)
    check_having(planner, prepared)
    ports, aggregates = lists(prepared.ports)
    return Scope(prepared.sql(aggregates), prepared.columns(), ports)


def check_having(planner: Planner, prepared: Prepared) -> None:
    """HAVING that stays in its place, because windows look at the groups that it leaves.

    The groups are evaluated again to see which conjunct removed which.
    """
    having = prepared.select.args.get("having")
    if having is None:
        return
    parts = conjuncts(having.this)
    items = [_without_window(item) for item in prepared.select.expressions]
    group = prepared.select.args.get("group")
    grouped = f" {text(group).strip()}" if group is not None else ""
    for place, part in enumerate(parts):
        if is_volatile(part, planner.catalog):
            raise not_understood(f"a volatile function in HAVING: {as_written(part)}", part)
        clause = planner.clause(Kind.HAVING, as_written(part), part)
        names = frozenset(port.column for port in prepared.ports)
        head = f"SELECT {', '.join(items)}, list({{port}}) AS __cdme_list"
        before = [f"({text(p)})" for p in parts[:place]]
        passed = " AND ".join([*before, f"({text(part)})"])
        failed = " AND ".join([*before, f"({text(part)}) IS NOT TRUE"])
        # The groups must be whole: only their members are looked for among the pending ones.
        whole = prepared.from_where()
        reach = (
            f"SELECT DISTINCT i FROM (SELECT unnest(__cdme_list) AS i FROM "
            f"({head}{whole}{grouped} HAVING {passed})) WHERE i IN (SELECT i FROM {{cur}})"
        )
        verdict = f"CASE WHEN ({text(part)}) IS FALSE THEN {{false}} ELSE {{null}} END"
        evidence = (
            f"SELECT i, min(verdict) AS verdict FROM (SELECT unnest(__cdme_list) AS i, verdict FROM "
            f"({head}, {verdict} AS verdict{whole}{grouped} HAVING {failed})) "
            "WHERE i IN (SELECT i FROM {cur}) GROUP BY i"
        )
        planner.check(StepCheck(clause, names, reach, evidence))


def _without_window(item: exp.Expr) -> str:
    if has_window(item):
        return f"NULL AS {quote(item.alias_or_name or '__cdme_window')}"
    return text(item)
