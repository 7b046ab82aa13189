"""UNNEST: the parent record is the witness of every element; an empty or NULL list removes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.accounting import Kind
from cdme_adapter.capture.plan import Port, StepCheck
from cdme_adapter.capture.rules.lookups import Around
from cdme_adapter.capture.rules.subquery import settle_subqueries
from cdme_adapter.capture.scope import Env, FromGroup, Visible
from cdme_adapter.capture.sqltext import as_written, not_understood, own_nodes, text

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner


_CALLS = (exp.Explode, exp.Unnest, exp.Posexplode)


def unnests(select: exp.Select) -> list[exp.Expr]:
    """The UNNEST calls of a SELECT list."""
    return [call for item in select.expressions for call in unnests_in(item)]


def unnests_in(item: exp.Expr) -> list[exp.Expr]:
    """The UNNEST calls of an expression."""
    return [part for part in own_nodes(item) if isinstance(part, _CALLS)]


def check_unnest(
    planner: Planner, select: exp.Select, from_where: Callable[..., str], rows: str,
    ports: tuple[Port, ...],
) -> None:  # fmt: skip
    """UNNEST in the SELECT list; ``rows`` is the whole SELECT with its ports."""
    found = unnests(select)
    if not found:
        return
    clause = planner.clause(Kind.UNNEST, ", ".join(as_written(part) for part in found), found[0])
    if ports:
        inside = "{port} IN (SELECT i FROM {cur})"
        reach = f"SELECT {{port}} AS i FROM ({rows}) AS __cdme_u WHERE {inside}"
        evidence = f"SELECT DISTINCT {{port}} AS i, {{no_match}} AS verdict{from_where(inside)}"
        names = frozenset(port.column for port in ports)
        planner.check(StepCheck(clause, names, reach, evidence))


def join_unnest(
    planner: Planner, left: FromGroup, join: exp.Join, kind: str, around: Around | None, env: Env
) -> FromGroup:
    """UNNEST in FROM, of lists of the records to its left."""
    if kind not in ("INNER", "CROSS", "LEFT"):
        raise not_understood(f"{kind} JOIN UNNEST", join)
    item = join.this
    condition = join.args.get("on")
    if join.args.get("using") or (condition is not None and condition.sql().upper() != "TRUE"):
        raise not_understood("a condition on UNNEST", join)
    shown = as_written(item)
    settle_subqueries(planner, item, env, around=around)
    word = "LEFT JOIN" if kind == "LEFT" else "CROSS JOIN"
    tail = " ON TRUE" if kind == "LEFT" else ""
    joined = f"{left.sql} {word} {text(item)}{tail}"
    alias = item.args.get("alias")
    names = tuple(c.name for c in alias.args.get("columns") or ()) if alias else ()
    name = (alias.name if alias else "") or "unnest"
    if not names and len(item.expressions) == 1 and not item.args.get("offset"):
        names = (name,)  # ``UNNEST(tags) AS tag`` names its column, too
    visible = Visible(name, names or None)
    if kind != "LEFT":
        clause = planner.clause(Kind.UNNEST, shown, item)
        if left.ports:
            inside = "WHERE {port} IN (SELECT i FROM {cur})"
            reach = f"SELECT {{port}} AS i FROM {joined} {inside}"
            evidence = f"SELECT DISTINCT {{port}} AS i, {{no_match}} AS verdict FROM {left.sql} {inside}"
            ports = frozenset(port.column for port in left.ports)
            planner.check(StepCheck(clause, ports, reach, evidence))
    return FromGroup(joined, (*left.visible, visible), left.ports)
