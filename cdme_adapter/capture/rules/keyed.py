"""The rows behind a correlated subquery that keeps the first rows of an order (LIMIT).

The rows of its FROM and WHERE are found beside the keys that it is asked with (``lookups``); a window
per key then tells which of them are the first. Where rows tie, the subquery would be free to take any:
the row ids of what it reads come last in its ORDER BY, so that the model and the lookup take the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.rules.shape import has_aggregate, has_window, is_volatile
from cdme_adapter.capture.scope import Env, Scope
from cdme_adapter.capture.sqltext import functions, not_understood, render, text, touch, with_text

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

_NOT_PLAIN = (exp.Star, exp.Columns, exp.Query, exp.Unnest, exp.Explode)
_PARTS = ("group", "having", "qualify", "windows", "with_", "distinct", "offset")


@dataclass
class FirstRows:
    """``body`` is the subquery with its surroundings' columns read from ``keys``; ``number`` theirs."""

    planner: Planner
    body: exp.Expr
    number: str
    keys: str
    ports: list[str] = field(default_factory=list)
    source: str = ""

    def scope(self, env: Env) -> Scope:
        """The rows that the subquery keeps, beside the number of the key.

        Raises UnsupportedConstruct for other shapes than one SELECT … ORDER BY … LIMIT n.
        """
        body, keys = self.body, self.keys
        if not isinstance(body, exp.Select) or not body.args.get("from_"):
            raise not_understood("a correlated subquery that combines rows", body)
        limit = body.args.get("limit")
        count = limit.expression.unnest() if isinstance(limit, exp.Limit) else None
        more = limit is not None and any(v for k, v in limit.args.items() if k != "expression")
        if more or not isinstance(count, exp.Literal) or any(body.args.get(part) for part in _PARTS):
            raise not_understood("a correlated subquery that groups, or cuts but by LIMIT n", body)
        _refuse(self.planner, body, keys)
        order = _resolved(body)
        for part in ("limit", "order"):
            body.set(part, None)
        name, column = self.number.split(".")
        body.set("expressions", [exp.column(column, table=name)])
        body.append("joins", exp.Join(this=exp.to_table(keys)))
        rows = self.planner.rows(body, env)
        groups = rows.groups[:-1]
        self.ports = [port.column for group in groups for port in group.ports]
        self.source = ", ".join(group.sql for group in groups).format()
        if not self.ports or rows.groups[-1].visible[0].alias != keys:
            raise not_understood("a subquery that cuts rows of which no more is known", body)
        first = (
            f"row_number() OVER (PARTITION BY {self.number} ORDER BY {', '.join([*order, *self.ports])})"
        )
        hidden = ", ".join([self.number, *rows.items()])
        return Scope(
            f"SELECT {hidden}{rows.from_where()} QUALIFY {first} <= {text(count)}", None, rows.ports
        )

    def order_like(self, query: exp.Expr) -> None:
        """Let the subquery itself read the row ids of its FROM clause, and order by them at last."""
        order = query.args.get("order")
        written = [render(part) for part in order.expressions] if order is not None else []
        query.set("from_", exp.From(this=with_text(exp.Table(), self.source)))
        query.set("joins", None)
        touch(query)
        total = exp.Order(expressions=[with_text(exp.Ordered(), part) for part in [*written, *self.ports]])
        query.set("order", total)


def _refuse(planner: Planner, body: exp.Select, keys: str) -> None:
    """Raise UnsupportedConstruct where the order, or what is ordered, is not known."""
    for item in [*body.expressions, *(body.args["order"].expressions if body.args.get("order") else ())]:
        if any(isinstance(part, _NOT_PLAIN) for part in item.walk()) or has_window(item):
            raise not_understood("a correlated subquery whose rows cannot be put in order", item)
        if has_aggregate(item, planner.catalog):
            raise not_understood("a correlated subquery whose rows cannot be put in order", item)
        if any(planner.catalog.is_macro(name) for _, name in functions(item)):
            raise not_understood("a macro in a correlated subquery that cuts by LIMIT", item)
        if is_volatile(item, planner.catalog):
            raise not_understood("a volatile function in a subquery", item)
    for part in [body.args["from_"], *(body.args.get("joins") or ())]:
        if any(column.table == keys for column in part.find_all(exp.Column)):
            raise not_understood("a subquery whose FROM speaks of its surroundings", part)
        sided = part.args.get("side") or part.args.get("kind") in ("SEMI", "ANTI") or part.args.get("using")
        if sided or part.args.get("method"):
            raise not_understood("an outer join in a correlated subquery that cuts by LIMIT", part)


def _resolved(body: exp.Select) -> list[str]:
    """ORDER BY as texts, ordinals and names of items looked up."""
    named = {item.alias.lower(): item.this for item in body.expressions if item.alias}
    found: list[str] = []
    for ordered in body.args["order"].expressions if body.args.get("order") else ():
        ordered = ordered.copy()
        what = ordered.this.unnest()
        if isinstance(what, exp.Literal) and not what.is_string:
            ordered.set("this", exp.Paren(this=body.expressions[int(what.name) - 1].unalias().copy()))
            touch(ordered)
        elif isinstance(what, exp.Column) and not what.table and what.name.lower() in named:
            ordered.set("this", exp.Paren(this=named[what.name.lower()].copy()))
            touch(ordered)
        elif any(c.name.lower() in named and not c.table for c in ordered.find_all(exp.Column)):
            raise not_understood("an alias inside an expression of ORDER BY", ordered)
        found.append(text(ordered))
    return found
