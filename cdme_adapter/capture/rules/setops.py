"""UNION [ALL], EXCEPT and INTERSECT: a row has the ports of its branch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.accounting import Kind
from cdme_adapter.capture.plan import HIDDEN, CaseCheck, Port
from cdme_adapter.capture.rules.distinct import grouped_by_all
from cdme_adapter.capture.rules.group import lists
from cdme_adapter.capture.rules.setops_all import numbered
from cdme_adapter.capture.rules.shape import blocks, has_limit
from cdme_adapter.capture.rules.sources import stage_source
from cdme_adapter.capture.rules.split import outer_over
from cdme_adapter.capture.rules.whole import plan_whole
from cdme_adapter.capture.scope import Env, Scope
from cdme_adapter.capture.sqltext import as_written, not_understood, text
from cdme_adapter.provenance import Exactness, Role

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

_KNOWN = {"this", "expression", "distinct", "by_name", "order", "limit", "offset", "with_"}


def plan_set_operation(planner: Planner, query: exp.SetOperation, env: Env) -> Scope:
    """Plan a set operation."""
    for key, value in query.args.items():
        if value and key not in _KNOWN:
            raise not_understood(f"{key.upper()} on UNION", query)
    if has_limit(query):
        return _limited(planner, query, env)
    if not isinstance(query, exp.Union):
        return _difference(planner, query, env)
    order = query.args.get("order")
    tail = f" {text(order).strip()}" if order is not None else ""
    word = "UNION ALL BY NAME" if query.args.get("by_name") else "UNION ALL"
    scopes = [_branch(planner, branch, env) for branch in _branches(query)]
    ports = tuple(port for scope in scopes for port in scope.ports)
    sql = f" {word} ".join(_aligned(scope, ports) for scope in scopes)
    if ports and query.args.get("by_name"):
        # BY NAME puts the columns of later branches after the hidden ones of the first.
        names = ", ".join(port.column for port in ports)
        sql = f"SELECT * EXCLUDE ({names}), {names} FROM ({sql}) AS {HIDDEN}union"
    if not query.args.get("distinct"):
        return Scope(sql + tail, _names(scopes, query), ports)
    if not ports:
        word = word.replace(" ALL", "")
        sql = f" {word} ".join(f"({scope.sql})" for scope in scopes)
        return Scope(sql + tail, _names(scopes, query), ())
    return grouped_by_all(sql, Scope(sql, _names(scopes, query), ports), tail)


def _difference(planner: Planner, query: exp.SetOperation, env: Env) -> Scope:
    """EXCEPT and INTERSECT: the groups of the left side, with a flag whether the right has them.

    Both sides go through one UNION ALL, so that their types unify as in the set operation.
    """
    if query.args.get("by_name"):
        raise not_understood(f"{query.key.upper()} BY NAME", query.expression)
    left = _branch(planner, query.this, env)
    is_except = isinstance(query, exp.Except)
    right, others = _right(planner, query, env)
    side, flag = planner.hidden("s"), planner.hidden("f")
    every = (*left.ports, *others)
    names = [port.column for port in every]
    rows = " UNION ALL ".join(
        f"(SELECT *{_drop([p.column for p in scope.ports])}, {is_left} AS {side}"
        f"{''.join(f', {_own(port, scope)}' for port in every)} FROM ({scope.sql}))"
        for scope, is_left in ((left, "TRUE"), (right, "FALSE"))
    )
    ports, aggregates = lists(every)
    keeps = f"NOT bool_or(NOT {side})" if is_except else f"bool_or(NOT {side})"
    grouped = (
        f"SELECT *{_drop([*names, side])}, {', '.join([*aggregates, f'{keeps} AS {flag}'])} "
        f"FROM ({rows}) AS {HIDDEN}rows GROUP BY ALL HAVING bool_or({side})"
    )
    if not query.args.get("distinct"):
        mine, theirs = [[p.column for p in held] for held in (left.ports, others)]
        ports, grouped = every, numbered(planner, rows, mine, theirs, side, flag, is_except)
    name = planner.adopt(Scope(grouped, left.columns, ports, (flag,)))
    return _kept(planner, query, name, left.columns, flag)


def _right(planner: Planner, query: exp.SetOperation, env: Env) -> tuple[Scope, tuple[Port, ...]]:
    """The right side: a guard of EXCEPT; of INTERSECT its equal rows take part indirectly."""

    def plan() -> Scope:
        return _branch(planner, query.expression, env)

    if isinstance(query, exp.Except):
        return planner.aside(plan, Role.GUARD, Exactness.EXACT, "EXCEPT"), ()
    right, consulted = planner.witnessing(plan)
    planner.consult_beside(consulted)
    return right, tuple(replace(port, role=Role.INDIRECT) for port in right.ports)


def _own(port: Port, scope: Scope) -> str:
    """A port's column in a branch, NULL where it is not its own."""
    if any(own.column == port.column for own in scope.ports):
        return port.column
    # Ordinals have a type; a key takes that of the branch that has it.
    return f"NULL{'::BIGINT' if port.role is Role.DIRECT else ''} AS {port.column}"


def _drop(names: list[str]) -> str:
    return f" EXCLUDE ({', '.join(names)})" if names else ""


def _kept(
    planner: Planner, query: exp.SetOperation, name: str, columns: tuple[str, ...] | None, flag: str
) -> Scope:
    """The groups whose flag holds; the others were removed by the set operation."""
    node = next(n for n in planner.nodes if n.name == name)
    is_except = isinstance(query, exp.Except)
    kind = Kind.EXCEPT if is_except else Kind.INTERSECT
    planner.builder.items.append(name)
    every = "" if query.args.get("distinct") else "ALL "
    clause = planner.clause(kind, f"{query.key.upper()} {every}{as_written(query.expression)}", query)
    port = Port(planner.hidden("p"), name)
    hidden = ", ".join(node.hidden)
    rows = (
        f"(SELECT * EXCLUDE ({hidden}), {flag}, rowid AS {port.column} FROM temp.{name}) AS {HIDDEN}groups"
    )
    planner.check(CaseCheck((clause,), frozenset({port.column}), rows, (flag,)))
    order = query.args.get("order")
    tail = f" {text(order).strip()}" if order is not None else ""
    return Scope(f"SELECT * EXCLUDE ({flag}) FROM {rows} WHERE {flag}{tail}", columns, (port,))


def _limited(planner: Planner, query: exp.SetOperation, env: Env) -> Scope:
    inner = query.copy()
    for part in ("order", "limit", "offset"):
        inner.set(part, None)
    outer = outer_over(inner, [], [])  # type: ignore[arg-type]
    for part in ("order", "limit", "offset"):
        outer.set(part, query.args.get(part))
    return planner.query(outer, env)


def _branches(query: exp.Expr) -> list[exp.Expr]:
    """The branches of a chain of the same union, in written order."""
    branches: list[exp.Expr] = []
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


def _branch(planner: Planner, branch: exp.Expr, env: Env) -> Scope:
    def of_stage(name: str, columns: tuple[str, ...] | None) -> Scope:
        source = stage_source(planner, name, columns, f"{HIDDEN}branch")
        return Scope(f"SELECT * FROM {source.sql}", columns, source.ports)

    if blocks(branch, planner.catalog):
        return of_stage(*planner.stage(branch, env))
    return planner.attempt(
        lambda: planner.query(branch.copy(), env),
        lambda why: of_stage(plan_whole(planner, branch, env, why), None),
    )


def _aligned(scope: Scope, ports: tuple[Port, ...]) -> str:
    """A branch with the ports of every branch, NULL where they are not its own."""
    drop = _drop([port.column for port in scope.ports])
    columns = [_own(port, scope) for port in ports]
    return f"(SELECT {', '.join([f'*{drop}', *columns])} FROM ({scope.sql}) AS {HIDDEN}branch)"


def _names(scopes: list[Scope], query: exp.SetOperation) -> tuple[str, ...] | None:
    if not query.args.get("by_name"):
        return scopes[0].columns
    names: list[str] = []
    for scope in scopes:
        if scope.columns is None:
            return None
        names += [c for c in scope.columns if c.lower() not in map(str.lower, names)]
    return tuple(names)
