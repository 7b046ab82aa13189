"""Sets of ordinals inside the engine: one bit for each row of a relation.

A set is a variable of the connection that holds a bit string, so that membership is one look-up and
difference and size cost a thousandth of what hash tables of row ids cost. (A scalar subquery in the
variable's place may be planned as a join that copies the string for every chunk of rows.) Where the
row ids of a relation span more than a bit string can hold, a set is a temporary table of them.
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
    """A set of rows of a universe, in a variable (``bits``) or in a temporary table (``table``);
    in neither where it is empty or the whole universe."""

    universe: Universe
    count: int
    bits: str | None = None
    table: str | None = None

    @property
    def all(self) -> bool:
        """Whether every row of the universe is in the set."""
        return self.count == self.universe.count

    def holds(self, row: str) -> str:
        """A condition: the row id ``row`` is not NULL and in the set."""
        if self.table is not None:
            return f"(({row}) IN (SELECT i FROM {self.table}))"
        if self.bits is not None:
            return f"(get_bit({self.bits}, ({row} - {self.universe.low})::INTEGER) = 1)"
        return f"(({row}) IS NOT NULL)" if self.count else "FALSE"

    @property
    def rows(self) -> str:
        """A FROM item of (i)."""
        if self.table is not None:
            return self.table
        return f"(SELECT rowid AS i FROM {self.universe.relation} WHERE {self.holds('rowid')})"


@dataclass
class RowSets:
    """Makes sets; :meth:`clean` takes them away."""

    execute: Execute
    widest: int = WIDEST
    stem: str = "cdme_set"
    """What the names of its variables and tables begin with: no two that are alive share one."""
    _made: list[str] = field(default_factory=list)

    def universe(self, relation: str) -> Universe:
        """The rows that a relation has now, counted."""
        low, high, count = self.execute(f"SELECT min(rowid), max(rowid), count(*) FROM {relation}")[0]
        return Universe(relation, int(low or 0), int(high or 0), int(count))

    def of(self, universe: Universe, select: str) -> RowSet:
        """The set of the ``i`` that ``select`` gives; it may repeat them and hold NULL."""
        if not universe.count:
            return RowSet(universe, 0)
        if universe.high - universe.low >= self.widest:
            return self._table(universe, f"SELECT DISTINCT i FROM ({select}) AS s WHERE i IS NOT NULL")
        bits = f"bitstring_agg(i, {universe.low}, {universe.high})"
        return self._bits(universe, f"(SELECT {bits} FROM ({select}) AS s)")

    def minus(self, left: RowSet, right: RowSet) -> RowSet:
        """What is in ``left`` and not in ``right``, both of one universe."""
        if not left.count or not right.count:
            return left
        if right.all:
            return RowSet(left.universe, 0)
        if right.bits is None or (left.bits is None and not left.all):
            return self._table(left.universe, f"SELECT i FROM {left.rows} WHERE NOT {right.holds('i')}")
        return self._bits(left.universe, f"{left.bits} & ~{right.bits}" if left.bits else f"~{right.bits}")

    def everyone(self, universe: Universe) -> RowSet:
        """The whole universe; deleted rows leave gaps among its row ids, which are not in it."""
        if universe.high - universe.low + 1 > universe.count > 0:
            return self.of(universe, universe.rows)
        return RowSet(universe, universe.count)

    def clean(self) -> None:
        """Take away every variable and table that was made."""
        if self._made:
            self.execute("; ".join(self._made))
        self._made.clear()

    def variable(self, value: str) -> str:
        """Keep a value in a variable of the connection; the expression that reads it."""
        name = self._name()
        self.execute(f"SET VARIABLE {name} = {value}")
        self._made.append(f"RESET VARIABLE {name}")
        return f"getvariable('{name}')"

    def _name(self) -> str:
        return f"{self.stem}_{len(self._made) + 1}"

    def _bits(self, universe: Universe, value: str) -> RowSet:
        bits = self.variable(value)
        count = int(self.execute(f"SELECT coalesce(bit_count({bits}), 0)")[0][0])
        return RowSet(universe, count, bits=bits if count else None)

    def _table(self, universe: Universe, select: str) -> RowSet:
        name = self._name()
        self.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {select}")
        self._made.append(f"DROP TABLE IF EXISTS temp.{name}")
        count = int(self.execute(f"SELECT count(*) FROM temp.{name}")[0][0])
        return RowSet(universe, count, table=f"temp.{name}" if count else None)
