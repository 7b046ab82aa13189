"""Sets of ordinals inside the engine: one bit for each row of a relation.

A set is a temporary table of one row that holds a bit string, so that membership is one look-up and
union, difference and size cost a thousandth of what hash tables of row ids cost. Where the row ids
of a relation span more than a bit string can hold, a set is a table of distinct row ids instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cdme_adapter.engines.base import Execute

WIDEST = 1_000_000_000
"""The widest span of row ids that DuckDB's ``bitstring_agg`` takes."""


@dataclass(frozen=True)
class Universe:
    """The rows of a stored relation: ``count`` of them, with row ids from ``low`` to ``high``."""

    relation: str
    low: int
    high: int
    count: int

    @property
    def rows(self) -> str:
        """A FROM item of (i)."""
        return f"(SELECT rowid AS i FROM {self.relation})"


@dataclass(frozen=True)
class RowSet:
    """A set of rows of a universe, in the temporary table ``name``; ``bits`` tells its form.

    ``table`` is None for the empty set and for the whole universe.
    """

    universe: Universe
    count: int
    table: str | None
    bits: bool = True

    @property
    def all(self) -> bool:
        """Whether every row of the universe is in the set."""
        return self.count == self.universe.count

    def holds(self, row: str) -> str:
        """A condition: the row id ``row`` is not NULL and in the set."""
        if self.table is None:
            return f"(({row}) IS NOT NULL)" if self.count else "FALSE"
        if not self.bits:
            return f"(({row}) IN (SELECT i FROM {self.table}))"
        return f"(get_bit((SELECT bits FROM {self.table}), ({row} - {self.universe.low})::INTEGER) = 1)"

    @property
    def rows(self) -> str:
        """A FROM item of (i)."""
        if self.table is not None and not self.bits:
            return self.table
        return f"(SELECT rowid AS i FROM {self.universe.relation} WHERE {self.holds('rowid')})"


@dataclass
class RowSets:
    """Makes sets through temporary tables; ``tables`` are the names of those that it made."""

    execute: Execute
    tables: list[str] = field(default_factory=list)
    widest: int = WIDEST

    def universe(self, relation: str) -> Universe:
        """The rows that a relation has now, counted."""
        low, high, count = self.execute(f"SELECT min(rowid), max(rowid), count(*) FROM {relation}")[0]
        return Universe(relation, int(low or 0), int(high or 0), int(count))

    def of(self, universe: Universe, select: str) -> RowSet:
        """The set of the ``i`` that ``select`` gives; it may repeat them and hold NULL."""
        if not universe.count:
            return RowSet(universe, 0, None)
        name = self._name()
        if universe.high - universe.low >= self.widest:
            return self._table(
                universe, name, f"SELECT DISTINCT i FROM ({select}) AS s WHERE i IS NOT NULL"
            )
        low, high = universe.low, universe.high
        return self._bits(universe, name, f"SELECT bitstring_agg(i, {low}, {high}) FROM ({select}) AS s")

    def minus(self, left: RowSet, right: RowSet) -> RowSet:
        """What is in ``left`` and not in ``right``, both of one universe."""
        if not left.count or not right.count:
            return left
        if right.all:
            return RowSet(left.universe, 0, None)
        name, universe = self._name(), left.universe
        if not right.bits or not left.bits:
            return self._table(universe, name, f"SELECT i FROM {left.rows} WHERE NOT {right.holds('i')}")
        others = f"~(SELECT bits FROM {right.table})"
        mine = others if left.table is None else f"(SELECT bits FROM {left.table}) & {others}"
        return self._bits(universe, name, f"SELECT {mine}")

    def everyone(self, universe: Universe) -> RowSet:
        """The whole universe; deleted rows leave gaps among its row ids, which are not in it."""
        if universe.high - universe.low + 1 > universe.count > 0:
            return self.of(universe, universe.rows)
        return RowSet(universe, universe.count, None)

    def _name(self) -> str:
        self.tables.append(f"cdme_set_{len(self.tables) + 1}")
        return f"temp.{self.tables[-1]}"

    def _bits(self, universe: Universe, name: str, value: str) -> RowSet:
        self.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT ({value}) AS bits")
        count = int(self.execute(f"SELECT coalesce(bit_count(bits), 0) FROM {name}")[0][0])
        return RowSet(universe, count, name if count else None)

    def _table(self, universe: Universe, name: str, select: str) -> RowSet:
        self.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {select}")
        count = int(self.execute(f"SELECT count(*) FROM {name}")[0][0])
        return RowSet(universe, count, name if count else None, bits=False)
