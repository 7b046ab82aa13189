"""GROUP BY and global aggregates: all records of a group are witnesses of its row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.accounting import Kind
from cdme_adapter.capture.plan import Port, StepCheck
from cdme_adapter.capture.rules.select import Prepared
from cdme_adapter.capture.rules.shape import has_aggregate, has_window, is_grouped, is_volatile
from cdme_adapter.capture.rules.unnest import unnests
from cdme_adapter.capture.scope import Env, Key, Scope
from cdme_adapter.capture.sqltext import as_written, conjuncts, not_understood, quote, text
from cdme_adapter.provenance import Role

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner


def lists(ports: tuple[Port, ...]) -> tuple[tuple[Port, ...], list[str]]:
    """The ports of a grouping over ``ports``, and the aggregates that fill them."""
    aggregates = [f"{_listed(p.column, p.role)} AS {p.column}" for p in ports]
    return tuple(replace(p, many=True) for p in ports), aggregates


def _listed(value: str, role: Role) -> str:
    distinct = "" if role is Role.DIRECT else "DISTINCT "
    return f"list({distinct}{value}) FILTER (WHERE {value} IS NOT NULL)"


def plan_group(planner: Planner, select: exp.Select, env: Env) -> Scope | None:
    """A grouping SELECT; QUALIFY, and HAVING without windows beside it, were split off before."""
    if not is_grouped(select, planner.catalog):
        return None
    if unnests(select):
        raise not_understood("UNNEST in the SELECT list of a grouping", unnests(select)[0])
    prepared = Prepared(planner, select, env)
    check_having(planner, prepared)
    ports, items = _grouped(planner, prepared)
    return prepared.scope(prepared.sql(items + prepared.window_items()), ports)


def _grouped(planner: Planner, prepared: Prepared) -> tuple[tuple[Port, ...], list[str]]:
    """The ports of groups: lists of their rows' ports, and the keys of what groups look up."""
    ports, items = lists(prepared.from_ports)
    for key in prepared.keys:
        if key.late and (not key.parts or _of_group(planner, prepared, key)):
            # An aggregate, so that GROUP BY ALL does not take it for a key.
            sql = key.sql if key.parts else f"coalesce(max({key.sql}), {key.sql})"
            ports, items = (*ports, key.port), [*items, f"{sql} AS {key.port.column}"]
        else:
            listed = _listed(key.sql, Role.INDIRECT)
            ports = (*ports, replace(key.port, many=True))
            items = [*items, f"{listed} AS {key.port.column}"]
    return ports, items


def _of_group(planner: Planner, prepared: Prepared, key: Key) -> bool:
    """Whether a key can only be computed from the group, not from its rows."""
    group = prepared.select.args.get("group")
    if group is not None and any(
        isinstance(part, (exp.Rollup, exp.Cube, exp.GroupingSets)) for part in group.walk()
    ):
        return True
    columns = {c.lower() for v in prepared.visible for c in v.columns or ()}
    aliases = {item.alias.lower() for item in prepared.select.expressions if item.alias}
    for part in key.parts:
        names = {c.name.lower() for c in part.find_all(exp.Column) if not c.table}
        if has_aggregate(part, planner.catalog) or names & (aliases - columns):
            return True
    return False


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
