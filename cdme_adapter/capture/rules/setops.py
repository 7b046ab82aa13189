"""UNION ALL and UNION: a row has the ports of its branch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.plan import HIDDEN, Port
from cdme_adapter.capture.rules.distinct import grouped_by_all
from cdme_adapter.capture.rules.shape import blocks, has_limit
from cdme_adapter.capture.rules.sources import stage_source
from cdme_adapter.capture.rules.split import outer_over
from cdme_adapter.capture.scope import Env, Scope
from cdme_adapter.capture.sqltext import text
from cdme_adapter.errors import UnsupportedConstruct

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

_KNOWN = {"this", "expression", "distinct", "by_name", "order", "limit", "offset", "with_"}


def plan_set_operation(planner: Planner, query: exp.SetOperation, env: Env) -> Scope:
    """Plan UNION [ALL] [BY NAME]; the others have no rule yet."""
    if not isinstance(query, exp.Union):
        raise UnsupportedConstruct(query.key.upper())
    for key, value in query.args.items():
        if value and key not in _KNOWN:
            raise UnsupportedConstruct(f"{key.upper()} on UNION")
    if has_limit(query):
        return _limited(planner, query, env)
    order = query.args.get("order")
    tail = f" {text(order).strip()}" if order is not None else ""
    word = "UNION ALL BY NAME" if query.args.get("by_name") else "UNION ALL"
    scopes = [_branch(planner, branch, env) for branch in _branches(query)]
    ports = tuple(port for scope in scopes for port in scope.ports)
    sql = f" {word} ".join(_aligned(scope, ports) for scope in scopes)
    if not query.args.get("distinct"):
        return Scope(sql + tail, _names(scopes, query), ports)
    if not ports:
        word = word.replace(" ALL", "")
        sql = f" {word} ".join(f"({scope.sql})" for scope in scopes)
        return Scope(sql + tail, _names(scopes, query), ())
    return grouped_by_all(sql, Scope(sql, _names(scopes, query), ports), tail)


def _limited(planner: Planner, query: exp.Union, env: Env) -> Scope:
    inner = query.copy()
    for part in ("order", "limit", "offset"):
        inner.set(part, None)
    outer = outer_over(inner, [], [])  # type: ignore[arg-type]
    for part in ("order", "limit", "offset"):
        outer.set(part, query.args.get(part))
    return planner.query(outer, env)


def _branches(query: exp.Expression) -> list[exp.Expression]:
    """The branches of a chain of the same union, in written order."""
    branches: list[exp.Expression] = []
    kind = (bool(query.args.get("distinct")), bool(query.args.get("by_name")))
    while True:
        branches.insert(0, query.expression)
        left = query.this
        same = isinstance(left, exp.Union) and not any(
            left.args.get(part) for part in ("order", "limit", "offset", "with_")
        )
        if not same or (bool(left.args.get("distinct")), bool(left.args.get("by_name"))) != kind:
            return [left, *branches]
        if kind[1]:
            return [left, *branches]
        query = left


def _branch(planner: Planner, branch: exp.Expression, env: Env) -> Scope:
    if not blocks(branch, planner.catalog):
        return planner.query(branch, env)
    name, columns = planner.stage(branch, env)
    source = stage_source(planner, name, columns, f"{HIDDEN}branch")
    return Scope(f"SELECT * FROM {source.sql}", columns, source.ports)


def _aligned(scope: Scope, ports: tuple[Port, ...]) -> str:
    """A branch with the ports of every branch, NULL where they are not its own."""
    own = {port.column for port in scope.ports}
    drop = f" EXCLUDE ({', '.join(own)})" if own else ""
    columns = [
        port.column if port.column in own else f"NULL::BIGINT AS {port.column}" for port in ports
    ]
    return f"(SELECT {', '.join([f'*{drop}', *columns])} FROM ({scope.sql}) AS {HIDDEN}branch)"


def _names(scopes: list[Scope], query: exp.Union) -> tuple[str, ...] | None:
    if not query.args.get("by_name"):
        return scopes[0].columns
    names: list[str] = []
    for scope in scopes:
        if scope.columns is None:
            return None
        names += [c for c in scope.columns if c.lower() not in map(str.lower, names)]
    return tuple(names)
