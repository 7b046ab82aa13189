"""The plain SELECT: FROM, WHERE and a projection; every row keeps the ports of its sources."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.plan import Port
from cdme_adapter.capture.reach import beneath
from cdme_adapter.capture.rules.joins import plan_from
from cdme_adapter.capture.rules.lookups import Around
from cdme_adapter.capture.rules.narrow import narrow
from cdme_adapter.capture.rules.projection import output_names, projections, settle_names
from cdme_adapter.capture.rules.shape import is_repeatable, refuse_unknown_parts
from cdme_adapter.capture.rules.sources import whole_relations
from cdme_adapter.capture.rules.subquery import settle_subqueries
from cdme_adapter.capture.rules.unnest import check_unnest, unnests
from cdme_adapter.capture.rules.volatile import settle_volatile
from cdme_adapter.capture.rules.where import check_where
from cdme_adapter.capture.rules.windows import Windows, windows_of
from cdme_adapter.capture.scope import Env, FromGroup, Key, Scope, Visible
from cdme_adapter.capture.sqltext import not_understood, text
from cdme_adapter.provenance import Exactness, Role

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner


class Prepared:
    """A SELECT whose FROM and WHERE are planned, ready to be printed with hidden columns."""

    def __init__(self, planner: Planner, select: exp.Select, env: Env, windows_know: bool = True) -> None:
        refuse_unknown_parts(select, planner.catalog)
        select = select.copy()  # subqueries in ON are settled in place
        before = len(planner.builder.consulted)
        planner.keys.append(())
        with planner.apart():
            outer, planner.wants_rowid = planner.wants_rowid, _asks_for_rowid(select)
            groups = plan_from(planner, select, env)
            planner.wants_rowid = outer
            self.select = settle_names(select, tuple(v for g in groups for v in g.visible))
            self.groups: list[FromGroup] = settle_volatile(planner, self.select, groups, env)
        self.whole = whole_relations(planner.builder.consulted[before:])
        self.visible: tuple[Visible, ...] = tuple(v for g in self.groups for v in g.visible)
        self.from_ports: tuple[Port, ...] = tuple(p for g in self.groups for p in g.ports)
        around = self.around(self.select)
        check_where(planner, self.select.args.get("where"), [*self.groups, *around], env)
        self._settle_others(planner, env)
        self.keys: tuple[Key, ...] = planner.keys.pop()
        self.ports = (*self.from_ports, *(key.port for key in self.keys))
        self.windows = self._windows(planner, windows_know)

    def around(self, select: exp.Select) -> tuple[FromGroup, ...]:
        """Further groups that WHERE may speak of: none, but for a lateral item."""
        return ()

    def _settle_others(self, planner: Planner, env: Env) -> None:
        """Subqueries outside WHERE: in the SELECT list, GROUP BY, ORDER BY, windows."""
        for part in ("group", "order", "having", "qualify"):
            if self.select.args.get(part) is not None:
                around = Around(self.visible, late=part != "group")
                settle_subqueries(planner, self.select.args[part], env, around=around)
        for item in self.select.expressions:
            settle_subqueries(planner, item, env, around=Around(self.visible, late=True))
        for window in self.select.args.get("windows") or ():
            settle_subqueries(planner, window, env)

    def items(self) -> list[str]:
        """The hidden columns of a row as SELECT items: its ports, then what its windows need."""
        names = [port.column for port in self.from_ports]
        return [*names, *(f"{key.sql} AS {key.port.column}" for key in self.keys), *self.window_items()]

    def window_items(self) -> list[str]:
        """What the frames of windows need, as SELECT items."""
        return self.windows.items() if self.windows is not None else []

    def scope(self, sql: str, ports: tuple[Port, ...], single: bool = False) -> Scope:
        """The planned SELECT, with the frames of its windows."""
        if self.windows is None:
            return Scope(sql, self.columns(), ports, single=single)
        hidden = tuple(self.windows.columns.values())
        late = frozenset(key.port.column for key in self.keys if key.late)
        frames = tuple(self.windows.frames)
        return Scope(sql, self.columns(), ports, hidden, single, frames, late)

    def _windows(self, planner: Planner, know: bool) -> Windows | None:
        """A window's other rows take part indirectly, also where it only decides who stays.

        They are known where every row that the windows see is a row of the result.
        """
        found = windows_of(planner, self.select)
        why = found.why if found is not None else ""
        if found is not None and (not know or unnests(self.select)):
            why = "a window function beside UNNEST"
        if found is not None and not self.ports:
            why = "a window function over rows of which no more is known"
        if not why:
            return found
        relations, consulted = beneath(planner, self.ports)
        planner.consult_beside([one for one in consulted if one.role is Role.DIRECT])
        for relation in relations | self.whole:
            planner.consult(relation, Role.INDIRECT, Exactness.SUPERSET, why)
        return None

    @property
    def merged(self) -> list[str]:
        """Columns that USING joins show once."""
        joins = self.select.args.get("joins") or ()
        return [name.name for join in joins for name in join.args.get("using") or ()]

    def columns(self) -> tuple[str, ...] | None:
        """The names of the user's columns."""
        return output_names(self.select, self.visible, self.merged)

    def from_where(self, *more: str) -> str:
        """FROM … WHERE …, with further conditions."""
        sql = f" FROM {', '.join(g.sql for g in self.groups)}" if self.groups else ""
        where = self.select.args.get("where")
        conditions = ([f"({text(where.this)})"] if where is not None else []) + list(more)
        return sql + (f" WHERE {' AND '.join(conditions)}" if conditions else "")

    def sql(self, hidden: list[str], head: str = "SELECT", tail: str = "") -> str:
        """The whole SELECT with hidden columns after the user's."""
        for part in ("distinct", "limit", "offset", "qualify"):
            if self.select.args.get(part):  # a rule must have taken it; never print less than there is
                raise not_understood(f"{part.upper()} in a place that no rule knows", self.select)
        items = projections(self.select, self.visible) + hidden
        parts = [f"{head} {', '.join(items)}{self.from_where()}"]
        group = self.select.args.get("group")
        if group is not None:
            parts.append(text(group).strip())
        having = self.select.args.get("having")
        if having is not None:
            parts.append(f"HAVING {text(having.this)}")
        windows = self.select.args.get("windows")
        if windows:
            parts.append("WINDOW " + ", ".join(text(window) for window in windows))
        order = self.select.args.get("order")
        if order is not None:
            parts.append(text(order).strip())
        return " ".join(parts) + tail


def _asks_for_rowid(select: exp.Select) -> bool:
    """Whether an expression of the SELECT itself speaks of DuckDB's row id (or a column named so)."""
    conditions = [join.args["on"] for join in select.args.get("joins") or () if join.args.get("on")]
    for key, value in select.args.items():
        if key not in ("from_", "joins", "with_"):
            conditions += [v for v in (value if isinstance(value, list) else [value]) if v]
    return any(
        isinstance(part, exp.Column) and part.name.lower() == "rowid"
        for condition in conditions
        if isinstance(condition, exp.Expr)
        for part in condition.walk()
    )


def plan_select(planner: Planner, select: exp.Select, env: Env) -> Scope | None:
    """The last rule: nothing blocks, the ports pass through."""
    prepared = Prepared(planner, select, env)
    sql = prepared.sql(prepared.items())
    check_unnest(planner, prepared.select, prepared.from_where, sql, prepared.ports)
    single = len(prepared.groups) == 1 and prepared.groups[0].single and not unnests(select)
    scope = prepared.scope(sql, prepared.ports, single)
    pure = single and prepared.groups[0].pure and is_repeatable(prepared.select, planner.catalog)
    return replace(scope, pure=pure, fetch=narrow(planner, prepared))
