"""The state of one query being made: names, CTEs, the constructs used, and the choice of shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from tests.laws.draw import Draw, chance, pick, some
from tests.laws.generator.schema import Col, Table

T = TypeVar("T")


@dataclass(frozen=True)
class Query:
    """A query, its output columns, and a set of them that is unique (None: unknown)."""

    sql: str
    cols: tuple[Col, ...]
    key: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Source:
    """A FROM item under an alias."""

    sql: str
    alias: str
    cols: tuple[Col, ...]
    key: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Scope:
    """The columns that expressions may use, as (reference, kind), and the references of a key."""

    refs: tuple[tuple[str, str], ...]
    key: tuple[str, ...] | None = None
    outer: tuple[tuple[str, str], ...] = ()
    """References to columns of enclosing queries."""
    rich: bool = False
    """Whether subqueries may stand here."""

    def of(self, kind: str) -> list[str]:
        """The references of one kind."""
        return [ref for ref, k in self.refs if k == kind]


def scope_of(*sources: Source, outer: tuple[tuple[str, str], ...] = ()) -> Scope:
    """The scope of sources that are joined."""
    refs = tuple((f"{s.alias}.{c.name}", c.kind) for s in sources for c in s.cols)
    keys: list[str] | None = []
    for source in sources:
        if source.key is None or keys is None:
            keys = None
        else:
            keys.extend(f"{source.alias}.{name}" for name in source.key)
    return Scope(refs, tuple(keys) if keys is not None else None, outer)


def all_columns(cols: tuple[Col, ...]) -> tuple[str, ...] | None:
    """All columns as a key, if they can be ordered (lists are left out of orders)."""
    return None if any(c.kind == "list" for c in cols) else tuple(c.name for c in cols)


Shape = Callable[["Maker", int], Query]


Subquery = Callable[["Maker", Scope], str]


@dataclass(frozen=True)
class Menu:
    """What a case is made of: shapes of queries, predicate subqueries, scalar subqueries, items."""

    shapes: Mapping[str, Shape]
    conjuncts: Mapping[str, Subquery] = field(default_factory=dict)
    """Offered to WHERE as conjuncts of their own, and under OR."""
    scalars: Mapping[str, Subquery] = field(default_factory=dict)
    """Offered to integer expressions."""
    items: Mapping[str, Callable[[Maker], Source]] = field(default_factory=dict)
    """FROM items that are no relation: VALUES, generate_series."""


@dataclass
class _Level:
    """A query under construction: what it uses itself, and the levels of queries inside it."""

    uses: set[str] = field(default_factory=set)
    height: int = 0


@dataclass
class Maker:
    """Makes one case; shapes and expressions ask it for parts."""

    draw: Draw
    tables: list[Table]
    menu: Menu
    views: dict[str, Query] = field(default_factory=dict)
    ctes: dict[str, Query] = field(default_factory=dict)
    constructs: dict[str, int] = field(default_factory=dict)
    """What the case uses, with the most levels of queries that it is nested in or holds."""
    tied: bool = False
    level: int = 0
    """How many subqueries of expressions enclose what is being made."""
    _names: int = 0
    _open: list[_Level] = field(default_factory=lambda: [_Level()])

    def fresh(self, prefix: str) -> str:
        """A name that was not used before."""
        self._names += 1
        return f"{prefix}{self._names}"

    def pick(self, options: Iterable[T]) -> T:
        """One of the options."""
        return pick(self.draw, list(options))

    def chance(self, percent: int) -> bool:
        """True in that many of a hundred cases."""
        return chance(self.draw, percent)

    def some(self, options: Iterable[T], least: int = 1) -> list[T]:
        """A selection of the options."""
        return some(self.draw, list(options), least)

    def number(self, low: int, high: int) -> int:
        """A number of the closed range."""
        return self.draw.number(low, high)

    def uses(self, construct: str) -> None:
        """Note that the query being made uses a construct."""
        self.constructs.setdefault(construct, 1)
        self._open[-1].uses.add(construct)

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        """While a query inside the present one is made: how deep its constructs stand."""
        self._open.append(_Level())
        yield
        made = self._open.pop()
        self._open[-1].height = max(self._open[-1].height, made.height + 1)
        levels = len(self._open) + made.height
        for construct in made.uses:
            self.constructs[construct] = max(self.constructs[construct], levels)

    def query(self, depth: int) -> Query:
        """A query of a random shape, nested so deep."""
        name = self.pick(self.menu.shapes)
        with self._deeper():
            self.uses(name)
            return self.menu.shapes[name](self, depth)

    def nests(self, percent: int) -> bool:
        """Whether a subquery comes here; three inside each other are enough."""
        return self.level < 3 and self.chance(percent)

    def subquery(self, offered: Mapping[str, Subquery], scope: Scope) -> str:
        """A subquery of a random kind."""
        name = self.pick(offered)
        self.level += 1
        with self._deeper():
            self.uses(name)
            sql = offered[name](self, scope)
        self.level -= 1
        return sql

    def source(self, depth: int, keyed: bool = False) -> Source:
        """A FROM item; ``keyed`` asks for one with a unique set of columns."""
        if depth > 0:
            query = self.query(depth - 1)
            if query.key is not None or not keyed:
                return self._wrapped(query)
        if self.ctes and self.chance(25):
            name = self.pick(self.ctes)
            if self.ctes[name].key is not None or not keyed:
                self.uses("cte again")
                return self.named(name, self.ctes[name])
        if self.views and self.chance(30):
            name = self.pick(self.views)
            if self.views[name].key is not None or not keyed:
                self.uses("view")
                return self.named(name, self.views[name])
        return self.base(keyed)

    def base(self, keyed: bool = False) -> Source:
        """A base table, or now and then an item that no record is behind."""
        if self.menu.items and not keyed and self.chance(8):
            name = self.pick(self.menu.items)
            self.uses(name)
            return self.menu.items[name](self)
        tables = [t for t in self.tables if t.key is not None or not keyed]
        table = self.pick(tables)
        return self.named(table.name, Query(table.name, table.cols, table.key))

    def named(self, name: str, query: Query) -> Source:
        """A relation by its name, under a fresh alias."""
        alias = self.fresh("q")
        return Source(f"{name} AS {alias}", alias, query.cols, query.key)

    def _wrapped(self, query: Query) -> Source:
        """A query as a derived table or as a CTE."""
        if self.chance(50):
            self.uses("cte")
            name = self.fresh("w")
            self.ctes[name] = query
            return self.named(name, query)
        self.uses("derived table")
        alias = self.fresh("q")
        return Source(f"({query.sql}) AS {alias}", alias, query.cols, query.key)

    def output(self, parts: list[tuple[str, str]]) -> tuple[str, tuple[Col, ...]]:
        """A SELECT list of (expression, kind) with names, and the columns it makes."""
        short = ["a", "b", "c", "d", "e", "f", "g", "h"]
        names = short if self.chance(60) and len(parts) <= len(short) else None
        cols = tuple(Col(names[n] if names else self.fresh("x"), kind) for n, (_, kind) in enumerate(parts))
        pairs = zip(parts, cols, strict=True)
        return ", ".join(f"{sql} AS {col.name}" for (sql, _), col in pairs), cols
