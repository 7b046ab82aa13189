"""LIMIT and DISTINCT ON: the survivors are read off the result, the others reached and lost.

Ties are broken by the engine, once: evidence never evaluates the ranking again. A record that
reached the clause and is not in the result was removed by it, shown by the result being full
(LIMIT), or by a survivor with the same key (DISTINCT ON).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.accounting import Kind
from cdme_adapter.capture.plan import Port, StepCheck
from cdme_adapter.capture.rules.columns import expands
from cdme_adapter.capture.rules.lookups import NUMBER
from cdme_adapter.capture.rules.select import Prepared
from cdme_adapter.capture.rules.shape import (
    distinct_on,
    has_limit,
    has_window,
    is_distinct,
    is_grouped,
    is_volatile,
    projects_window,
    sorts_by_window,
)
from cdme_adapter.capture.rules.split import alias_hidden, move_order, order_outside, outer_over
from cdme_adapter.capture.rules.subquery import settle_subqueries
from cdme_adapter.capture.rules.unnest import check_unnest, unnests
from cdme_adapter.capture.scope import Env, Scope
from cdme_adapter.capture.sqltext import (
    as_written,
    not_understood,
    own_nodes,
    render,
    shown_as,
    text,
    touch,
)
from cdme_adapter.provenance import Exactness, Role

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner


def split_limit(planner: Planner, select: exp.Select, env: Env) -> Scope | None:
    """LIMIT over groups, DISTINCT or QUALIFY becomes a LIMIT over their stage."""
    inside = (
        select.args.get("distinct")
        or select.args.get("qualify")
        or is_grouped(select, planner.catalog)
        or projects_window(select)
        or sorts_by_window(select)
    )
    if not has_limit(select) or not inside:
        return None
    inner = select.copy()
    limit, offset = inner.args.get("limit"), inner.args.get("offset")
    inner.set("limit", None)
    inner.set("offset", None)
    keys: list[str] = []
    if distinct_on(select):
        keep = inner.args.get("order")
        order, keys = (keep.copy(), []) if keep is not None else (None, [])
        if order is not None:
            scratch = inner.copy()
            order, keys = move_order(planner, scratch)
            inner.set("expressions", scratch.expressions)
    elif is_distinct(select):
        written = inner.args.get("order")
        inner.set("order", None)
        order, keys = (order_outside(select, written) if written is not None else None), []
    else:
        order, keys = move_order(planner, inner)
    outer = outer_over(inner, keys, [])
    outer.set("order", order)
    outer.set("limit", limit)
    outer.set("offset", offset)
    return planner.query(outer, env)


def plan_limit(planner: Planner, select: exp.Select, env: Env) -> Scope | None:
    """LIMIT, OFFSET or DISTINCT ON over a plain SELECT."""
    keys = numbered_keys(select)
    if not keys and not has_limit(select):
        return None
    windows = projects_window(select) or sorts_by_window(select) or any(map(has_window, keys))
    if is_grouped(select, planner.catalog) or (windows and not unnests(select)):
        return _over_groups(planner, select, keys, env)
    bare = select.copy()
    for part in ("distinct", "limit", "offset"):
        bare.set(part, None)
    prepared = Prepared(planner, bare, env, windows_know=False)
    rows = prepared.sql(prepared.items())
    check_unnest(planner, prepared.select, prepared.from_where, rows, prepared.ports)
    if keys:
        return _distinct_on(planner, prepared, keys)
    return _limit(planner, prepared, select.copy(), env)


def _over_groups(planner: Planner, select: exp.Select, keys: list[exp.Expr], env: Env) -> Scope:
    """DISTINCT ON over groups or windows becomes one over their stage, with the keys as hidden columns."""
    inner = select.copy()
    inner.set("distinct", None)
    order, hidden = move_order(planner, inner)
    columns: list[exp.Expr] = []
    for key in keys:
        name = planner.hidden("k")
        inner.append("expressions", alias_hidden(key, name))
        hidden.append(name)
        columns.append(exp.column(name))
        columns[-1].meta.update(shown_as(as_written(key)))
    outer = outer_over(inner, hidden, [])
    outer.set("distinct", exp.Distinct(on=exp.Tuple(expressions=columns)))
    outer.set("order", order)
    return planner.query(outer, env)


def numbered_keys(select: exp.Select) -> list[exp.Expr]:
    """The keys of DISTINCT ON; an ordinal as the item of the SELECT list that it stands for."""
    items = select.expressions
    keys: list[exp.Expr] = []
    for key in distinct_on(select):
        keys.append(key)
        if isinstance(key, exp.Literal):
            place = int(key.name) if not key.is_string and key.name.isdigit() else 0
            if not 0 < place <= len(items) or any(item.is_star or expands(item) for item in items[:place]):
                raise not_understood("DISTINCT ON a constant", key)
            keys[-1] = exp.Paren(this=items[place - 1].unalias().copy())
            keys[-1].meta.update(shown_as(as_written(key)))
    return keys


def _without_aliases(prepared: Prepared, keys: list[exp.Expr]) -> list[str]:
    """The keys as they can be computed where the names of the SELECT list are not in sight."""
    items = prepared.select.expressions
    aliases = {item.alias.lower(): item.this for item in items if isinstance(item, exp.Alias)}
    columns = {c.lower() for v in prepared.visible for c in v.columns or ()}
    found: list[str] = []
    for key in keys:
        bare = key.copy()
        for column in list(bare.find_all(exp.Column)):
            name = column.name.lower()
            if column.table or name not in aliases or name in columns:
                continue
            if any(v.columns is None for v in prepared.visible):
                raise not_understood(f"{column.name} in DISTINCT ON: an alias or a column", key)
            touch(column)
            value = exp.Paren(this=aliases[name].copy())
            if column is bare:
                bare = value
            else:
                column.replace(value)
        found.append(text(bare))
    return found


def _limit(planner: Planner, prepared: Prepared, select: exp.Select, env: Env) -> Scope:
    limit, offset = select.args.get("limit"), select.args.get("offset")
    for part in (limit, offset):
        if part is not None:
            settle_subqueries(planner, part, env)
    count = _number(planner, limit)
    partly = offset is not None or count is None
    shown = " ".join(render(p).strip() for p in (select.args.get("order"), limit, offset) if p)
    for part in (limit, offset):
        if part is not None and isinstance(part.expression.unnest(), exp.Literal):
            part.set("expression", part.expression.unnest())
    tail = "".join(f" {text(part).strip()}" for part in (limit, offset) if part)
    full = "TRUE" if partly else f"(SELECT count(*) FROM {{self}}) >= {count}"
    clause = planner.clause(Kind.LIMIT, shown, select.args.get("order") or limit or select)
    evidence = (
        f"SELECT DISTINCT {{port}} AS i, {{rank}} AS verdict"
        f"{prepared.from_where('{port} IN (SELECT i FROM {cur})', full)}"
    )
    _check(planner, prepared, clause, evidence)
    items, ports = prepared.items(), prepared.ports
    if partly and (ports or prepared.whole):
        look = _reached(planner, prepared)
        items, ports = [*items, f"0::BIGINT AS {look.column}"], (*ports, look)
    return Scope(prepared.sql(items, tail=tail), prepared.columns(), ports)


def _reached(planner: Planner, prepared: Prepared) -> Port:
    """Every survivor of an OFFSET or a share looks at all rows that reached the clause."""

    def rows() -> Scope:
        names = "".join(f", {port.column}" for port in prepared.ports)
        sql = prepared.sql(prepared.items())
        for relation in prepared.whole:
            planner.consult(relation, Role.DIRECT, Exactness.SUPERSET, "all rows that reached a LIMIT")
        return Scope(f"SELECT 0::BIGINT AS {NUMBER}{names} FROM ({sql})", None, prepared.ports)

    return planner.look(planner.look_name(), rows)


def _number(planner: Planner, limit: exp.Expr | None) -> str | None:
    """The number of rows that LIMIT keeps, as SQL; None for a share of them."""
    if limit is None:
        return "0"
    if "%" in render(limit) or "PERCENT" in render(limit).upper():
        return None
    if not isinstance(limit, exp.Limit) or {k for k, v in limit.args.items() if v} - {"expression"}:
        raise not_understood(f"{render(limit).strip()}", limit)
    value = limit.expression
    own = [part for part in own_nodes(value) if isinstance(part, (exp.Column, exp.Star))]
    if own or is_volatile(value, planner.catalog):
        raise not_understood(f"LIMIT {render(value)}", value)
    return f"({text(value)})"


def _distinct_on(planner: Planner, prepared: Prepared, keys: list[exp.Expr]) -> Scope:
    shown = [text(key) for key in keys]
    hidden = [planner.hidden("k") for _ in keys]
    keyed = [f"({key}) AS {name}" for key, name in zip(shown, hidden, strict=True)]
    again = [
        f"({key}) AS {name}" for key, name in zip(_without_aliases(prepared, keys), hidden, strict=True)
    ]
    clause = planner.clause(
        Kind.DISTINCT_ON, f"DISTINCT ON ({', '.join(as_written(k) for k in keys)})", keys[0]
    )
    same = " AND ".join(f"s.{name} IS NOT DISTINCT FROM r.{name}" for name in hidden)
    evidence = (
        f"SELECT DISTINCT i, {{rank}} AS verdict FROM (SELECT {{port}} AS i, {', '.join(again)}"
        f"{prepared.from_where('{port} IN (SELECT i FROM {cur})')}) AS r "
        f"WHERE EXISTS (SELECT 1 FROM {{self}} AS s WHERE {same})"
    )
    _check(planner, prepared, clause, evidence)
    sql = prepared.sql(prepared.items() + keyed, f"SELECT DISTINCT ON ({', '.join(shown)})")
    return Scope(sql, prepared.columns(), prepared.ports, tuple(hidden))


def _check(planner: Planner, prepared: Prepared, clause: int, evidence: str) -> None:
    if prepared.ports:
        reach = "SELECT {port} AS i FROM {self} WHERE {port} IN (SELECT i FROM {cur})"
        names = frozenset(port.column for port in prepared.ports)
        planner.check(StepCheck(clause, names, reach, evidence))
