"""The planner's working values: what a FROM clause offers and what a planned query looks like."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlglot import exp

from cdme_adapter.capture.plan import Check, ConsultedInput, Fetch, Frame, Port
from cdme_adapter.capture.sqltext import INNER


@dataclass(frozen=True)
class Visible:
    """One name that a FROM clause offers: its alias, its columns (None where unknown), and the
    hidden columns that come with it."""

    alias: str
    columns: tuple[str, ...] | None
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A planned item of a FROM clause: its SQL, the names it offers and its hidden ports.

    ``single``: every row of its one port stands in it at most once. ``pure``: read a second time, it
    gives the same rows. ``thin``: a smaller item for those who need no other of its columns.
    """

    sql: str
    visible: tuple[Visible, ...]
    ports: tuple[Port, ...]
    single: bool = False
    pure: bool = False
    thin: Thin | None = None


@dataclass(frozen=True)
class Thin:
    """A FROM item with the port and the columns of some names (in lower case) alone."""

    sql: str
    columns: frozenset[str]


@dataclass(frozen=True)
class FromGroup:
    """A tree of joins between two commas of a FROM clause."""

    sql: str
    visible: tuple[Visible, ...]
    ports: tuple[Port, ...]
    single: bool = False
    pure: bool = False
    thin: Thin | None = None

    @classmethod
    def of(cls, source: Source) -> FromGroup:
        """A group of one source."""
        return cls(
            source.sql, source.visible, source.ports, source.single, source.pure, source.thin
        )  # fmt: skip


@dataclass(frozen=True)
class Scope:
    """A planned query: SQL that selects the user's columns and then the hidden ones.

    ``hidden`` are hidden columns that are no ports (sort keys, say). A scope with ``frames`` is made
    a node as it is (``blocks``). ``pure``: evaluated again, it gives the same rows. ``fetch``: as a
    stage it can be kept without most of its columns.
    """

    sql: str
    columns: tuple[str, ...] | None
    ports: tuple[Port, ...]
    hidden: tuple[str, ...] = ()
    single: bool = False
    frames: tuple[Frame, ...] = ()
    late: frozenset[str] = frozenset()
    pure: bool = False
    fetch: Fetch | None = None


@dataclass(frozen=True)
class Key:
    """What a row of a SELECT looks up: the port, and the key as an expression over its FROM clause.

    ``late``: it belongs to the output row (SELECT list, HAVING, ORDER BY), not to the rows beneath.
    """

    port: Port
    sql: str
    late: bool
    parts: tuple[exp.Expr, ...] = ()


@dataclass
class Cte:
    """A common table expression waiting to be referenced, with the names it can see."""

    query: exp.Expr
    columns: tuple[str, ...]
    env: Env
    origin: str
    references: int
    stage: tuple[str, tuple[str, ...] | None] | None = None


Env = dict[str, Cte]


@dataclass
class NodeBuilder:
    """A node under construction: its checks, and the order of clauses and stages beneath it."""

    checks: list[Check] = field(default_factory=list)
    items: list[int | str] = field(default_factory=list)
    consulted: list[ConsultedInput] = field(default_factory=list)


def some_row(body: str) -> str:
    """A condition: ``FROM …`` gives a row.

    DuckDB 2.0 ends a RIGHT or FULL JOIN too early under EXISTS where its left side is empty.
    """
    if " RIGHT JOIN " in body or " FULL JOIN " in body:
        return f"(SELECT count(*) {body}) > 0"
    return f"EXISTS (SELECT 1 {body})"


def column_side(column: exp.Column, visible: Iterable[Visible]) -> str | None:
    """The alias that ``column`` belongs to, or None where that is not certain."""
    names = list(visible)
    by_alias = {v.alias.lower(): v.alias for v in names}
    parts = [part.name.lower() for part in column.parts]
    for part in parts[:-1]:
        if part in by_alias:
            return by_alias[part]
    wanted = parts[0]
    owners = [v.alias for v in names if v.columns and wanted in map(str.lower, v.columns)]
    if owners:
        return owners[0]
    if len(names) == 1 and names[0].columns is None:
        return names[0].alias
    return None


def _is_inner(column: exp.Column, top: exp.Expr, aliases: set[str]) -> bool:
    """Whether a column belongs to a subquery inside ``top``, not to its surroundings."""
    part: exp.Expr | None = column
    while part is not None and part is not top:
        part = part.parent
        if part is not None and INNER in part.meta:
            if column.table:
                return column.table.lower() not in aliases
            return column.name.lower() in part.meta[INNER]
    return False


def sides(node: exp.Expr, visible: Iterable[Visible]) -> frozenset[str] | None:
    """The aliases that an expression refers to, or None where one column is not certain."""
    names = list(visible)
    aliases = {v.alias.lower() for v in names}
    found = set()
    for column in node.find_all(exp.Column):
        if _is_inner(column, node, aliases):
            continue
        side = column_side(column, names)
        if side is None:
            return None
        found.add(side)
    return frozenset(found)
