"""LATERAL: an item of FROM that is read anew for each row on its left.

Its records meet the rows on the left like those of a comma join, so its WHERE is checked over both;
what it calls by a bare name gets the name of its owner for that. A row on the left without rows in the
item finds no partner. An item that groups or limits is evaluated once for all (``once``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.accounting import Kind
from cdme_adapter.capture.plan import Port, StepCheck
from cdme_adapter.capture.rules.group import lists
from cdme_adapter.capture.rules.once import SURVIVORS, evaluated_once, refuse_if_unknown
from cdme_adapter.capture.rules.select import Prepared
from cdme_adapter.capture.rules.shape import has_limit, has_window, is_distinct, is_grouped
from cdme_adapter.capture.rules.subquery import nested_queries, settle_subqueries
from cdme_adapter.capture.rules.unnest import unnests
from cdme_adapter.capture.scope import Env, FromGroup, Visible
from cdme_adapter.capture.sqltext import (
    as_written,
    conjuncts,
    keep_shown,
    not_understood,
    own_nodes,
    quote,
    render,
    text,
    touch,
)

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

WORDS = {"LEFT": "LEFT JOIN", "INNER": "JOIN", "CROSS": "JOIN"}


def join_lateral(
    planner: Planner, left: FromGroup, join: exp.Join, kind: str, shown: str, env: Env
) -> FromGroup:
    """Plan a lateral item."""
    item = join.this
    condition = join.args.get("on")
    if kind not in WORDS or join.args.get("using"):
        raise not_understood(f"{kind} JOIN LATERAL", join)
    if condition is not None and condition.sql().upper() != "TRUE":
        raise not_understood("a condition on LATERAL", join)
    if isinstance(item, exp.Table):
        return _function(planner, left, item, kind, shown, env)
    alias = item.args["alias"].name if item.args.get("alias") else ""
    query = item.this.unnest() if isinstance(item, exp.Lateral) else item.this
    if not isinstance(query, exp.Select) or query.args.get("with_") or not alias:
        raise not_understood("LATERAL of something else than one SELECT", item)
    named = tuple(c.name for c in item.args["alias"].args.get("columns") or ())
    blocks = is_grouped(query, planner.catalog) or has_limit(query)
    _refuse(planner, query)
    bare = query.copy()
    bare.set("limit", None)
    inner = _Inner(planner, bare, left, env)
    if inner.keys:
        raise not_understood("a subquery in LATERAL", query)
    ports, hidden, tail = inner.ports, [port.column for port in inner.ports], ""
    if is_grouped(query, planner.catalog):
        ports, hidden = lists(inner.ports)
    elif has_limit(query):
        tail = _limit(planner, inner, query, left)
    columns = inner.columns()
    known = None if columns is None else named + columns[len(named) :]
    names = f"({', '.join(quote(c) for c in named)})" if named else ""
    body = f"LATERAL ({inner.sql(hidden, tail=tail)}) AS {quote(alias)}{names}"
    visible = Visible(alias, known, tuple(port.column for port in ports))
    joined, clause = _joined(planner, left, body, kind, shown, (visible,), ports, join)
    _check_asked(planner, left, inner.ports, clause, inner.place)
    if not blocks:
        return joined
    refuse_if_unknown((joined,), None, item)
    return evaluated_once(planner, joined)


class _Inner(Prepared):
    """The SELECT of a lateral item: its WHERE speaks of the rows on the left, too.

    Its FROM does not: what fails in there fails whether anybody asked or not. ``place`` is behind it.
    """

    place = 0

    def __init__(self, planner: Planner, select: exp.Select, left: FromGroup, env: Env) -> None:
        self.left, self.planner = left, planner
        super().__init__(planner, select, env)

    def around(self, select: exp.Select) -> tuple[FromGroup, ...]:
        """The left side without its ports, once the names in ``select`` say whose they are."""
        self.place = len(self.planner.builder.checks)
        _refuse_correlated_from(select, self.left.visible)
        _qualify(select, tuple(v for g in self.groups for v in g.visible), self.left.visible)
        return (FromGroup(self.left.sql, self.left.visible, ()),)


def _refuse(planner: Planner, query: exp.Select) -> None:
    """Raise UnsupportedConstruct for shapes of a lateral item that are not known."""
    if query.args.get("having") or query.args.get("qualify") or query.args.get("distinct"):
        raise not_understood("HAVING, QUALIFY or DISTINCT in LATERAL", query)
    if has_limit(query) and (query.args.get("offset") or is_grouped(query, planner.catalog)):
        raise not_understood("OFFSET, or a limit of groups, in LATERAL", query)
    if any(has_window(item) for item in query.expressions) or is_distinct(query):
        raise not_understood("a window function in LATERAL", query)
    if unnests(query) and (query.args.get("from_") or is_grouped(query, planner.catalog)):
        raise not_understood("UNNEST in the SELECT list of LATERAL", query)
    for key in ("where", "group", "order"):
        if query.args.get(key) is not None and nested_queries(query.args[key]):
            raise not_understood("a subquery in LATERAL", query)
    if any(nested_queries(part) for part in query.expressions):
        raise not_understood("a subquery in LATERAL", query)


def _refuse_correlated_from(select: exp.Select, outer: tuple[Visible, ...]) -> None:
    """Raise UnsupportedConstruct where the item's own FROM speaks of the left side."""
    aliases = {v.alias.lower() for v in outer}
    names = {name.lower() for v in outer for name in v.columns or ()}
    parts = [select.args.get("from_"), *(select.args.get("joins") or ())]
    for part in parts:
        for column in part.find_all(exp.Column) if part is not None else ():
            bare = not column.table and column.name.lower() in names
            if bare or any(one.name.lower() in aliases for one in column.parts[:-1]):
                raise not_understood("a FROM in LATERAL that speaks of the left side", column)


def _qualify(select: exp.Select, inner: tuple[Visible, ...], outer: tuple[Visible, ...]) -> None:
    """Say of each bare name in WHERE whose it is: the item's own before those on the left."""
    if {v.alias.lower() for v in inner} & {v.alias.lower() for v in outer}:
        raise not_understood("one name inside and outside of LATERAL", select)
    where = select.args.get("where")
    for part in conjuncts(where.this) if where is not None else ():
        keep_shown(part)
        for column in [c for c in own_nodes(part) if isinstance(c, exp.Column) and not c.table]:
            owner = _owner(column.name, inner) or _owner(column.name, outer)
            if owner is None:
                raise not_understood(f"{column.name} in LATERAL: whose it is", column)
            column.set("table", exp.to_identifier(owner, quoted=True))
            touch(column)


def _owner(name: str, visible: tuple[Visible, ...]) -> str | None:
    for one in visible:
        if name.lower() in map(str.lower, one.columns or ()):
            return one.alias
    return None


def _joined(
    planner: Planner, left: FromGroup, body: str, kind: str, shown: str,
    visible: tuple[Visible, ...], ports: tuple[Port, ...], at: exp.Expr,
) -> tuple[FromGroup, int]:  # fmt: skip
    """The tree with the item, its clause, and the check of the rows on the left that find nothing in it."""
    sql = f"{left.sql} {WORDS[kind]} {body} ON TRUE"
    clause = planner.clause(Kind.JOIN_NO_MATCH, shown, at)
    if kind != "LEFT" and left.ports:
        inside = "WHERE {port} IN (SELECT i FROM {cur})"
        reach = f"SELECT {{port}} AS i FROM {sql} {inside}"
        evidence = f"SELECT DISTINCT {{port}} AS i, {{no_match}} AS verdict FROM {left.sql} {inside}"
        names = frozenset(port.column for port in left.ports)
        planner.check(StepCheck(clause, names, reach, evidence))
    return FromGroup(sql, left.visible + visible, left.ports + ports), clause


def _check_asked(
    planner: Planner, left: FromGroup, ports: tuple[Port, ...], clause: int, place: int
) -> None:
    """Where nothing stands on the left, nobody asked for the item's records: checked before its WHERE."""
    if ports:
        asked = f"EXISTS (SELECT 1 FROM {left.sql})"
        planner.builder.checks.insert(
            place,
            StepCheck(
                clause, frozenset(port.column for port in ports),
                f"SELECT i FROM {{cur}} WHERE {asked}",
                f"SELECT i, {{no_match}} AS verdict FROM {{cur}} WHERE NOT {asked}",
            ),
        )  # fmt: skip


def _limit(planner: Planner, inner: _Inner, query: exp.Select, left: FromGroup) -> str:
    """LIMIT of each row's own: what reached it and did not come out was cut off."""
    order, limit = query.args.get("order"), query.args["limit"]
    value = limit.expression
    more = {key for key, given in limit.args.items() if given} - {"expression"}
    if not isinstance(value.unnest(), exp.Literal) or more:
        raise not_understood(f"{render(limit).strip()} in LATERAL", limit)
    shown = " ".join(render(part).strip() for part in (order, limit) if part)
    clause = planner.clause(Kind.LIMIT, shown, order or limit)
    if inner.ports:
        conditions = "{port} IN (SELECT i FROM {cur})"
        where = inner.select.args.get("where")
        if where is not None:
            conditions += f" AND ({text(where.this)})"
        source = ", ".join([left.sql, *(group.sql for group in inner.groups)])
        evidence = f"SELECT DISTINCT {{port}} AS i, {{rank}} AS verdict FROM {source} WHERE {conditions}"
        names = frozenset(port.column for port in inner.ports)
        planner.check(StepCheck(clause, names, SURVIVORS, evidence))
    return f" LIMIT {text(value)}"


def _function(
    planner: Planner, left: FromGroup, item: exp.Table, kind: str, shown: str, env: Env
) -> FromGroup:
    """A table function of columns on the left (a series, json_each): it makes rows, reads none."""
    alias = item.args.get("alias")
    names = tuple(c.name for c in alias.args.get("columns") or ()) if alias else ()
    name = (alias.name if alias else "") or render(item.this).split("(", 1)[0].strip().lower()
    visible = Visible(name, names or None)
    shown = shown or as_written(item)
    settle_subqueries(planner, item, env)
    return _joined(planner, left, text(item), kind, shown, (visible,), (), item)[0]
