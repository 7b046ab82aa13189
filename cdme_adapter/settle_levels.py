"""How far records get through the conjuncts over comma-joined relations, by messages.

A derivation of a record stops at its first conjunct that is not TRUE; the record's reason is the
last conjunct at which one of its derivations stops. Where the conjuncts connect the relations as a
tree, the derivations through one neighbour do not depend on those through another. So the best stop
of a record is the least of what its own conjuncts give and, for each neighbour, the best that a row
of that neighbour gives, which is one number for each join key: nothing is ever joined with more than
a table of keys, and no product is built (message passing on a join tree: Yannakakis 1981).

A stop is coded as twice the conjunct's place, plus one if it was FALSE and not NULL; a derivation
that passes everything has twice their number. Some derivation is known to do so: then a row without
a partner for a key stops at the key's conjunct, whatever else holds.

A message is bit strings of keys, where the key is one integer and they lie close enough; else a table
of keys. Either is made once and read by every relation behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cdme_adapter.capture.plan import LevelKey, LevelTree
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.sets import RowSet, RowSets, Universe
from cdme_adapter.store.rows import CHUNK, chunk_of, place_of

_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
_SPARSE = 64
"""The widest span of keys for each of them that bit strings are used for."""
_SMALL = 1 << 20
"""Spans of keys and numbers of rows that are always small enough."""
_GROWTH = 2
"""A join of groups may have so many times the rows of its largest relation."""
_WIDEST = 1 << 28
MUCH = 4
"""A side with so many times the rows of the other is asked only for keys that the other has."""


@dataclass(frozen=True)
class _Message:
    """What one group's rows give for each key: joins to make, and the stops that they offer, as
    templates of ``{at}``, the number of the neighbour."""

    joins: tuple[str, ...]
    stops: tuple[str, ...]


@dataclass
class Levels:
    """The messages of one tree; ``new`` materialises a SELECT, ``fill`` writes a template out."""

    execute: Execute
    sets: RowSets
    new: Callable[[str, str], str]
    fill: Callable[[str], str]
    universe: Callable[[str], Universe]
    """The rows of a relation or stage."""
    tree: LevelTree
    _answers: dict[tuple[int, int], str] = field(default_factory=dict)
    _bounded: bool | None = None
    _messages: dict[tuple[int, int], _Message] = field(default_factory=dict)

    def bounded(self) -> bool:
        """Whether no group that joins several has many more rows than they have."""
        if self._bounded is None:
            merged = [group for group in self.tree.groups if group.merged]
            self._bounded = not any(self._exceeds(self.fill(group.sql), group.rows) for group in merged)
        return self._bounded

    def _exceeds(self, source: str, rows: int) -> bool:
        most = _GROWTH * rows + _SMALL
        return bool(self.execute(f"SELECT 1 FROM {source} LIMIT 1 OFFSET {most}"))

    def judged(self, group: int, port: str, question: RowSet | None) -> str:
        """A SELECT of (i, code) for the rows of a group that ``question`` holds, None: for all."""
        where = question.holds(port) if question else f"{port} IS NOT NULL"
        rows = self._rows(group, None, [f"{port} AS i"], where)
        if self.tree.groups[group].single:
            return f"SELECT i, f AS code FROM ({rows})"
        return f"SELECT i, max(f) AS code FROM ({rows}) GROUP BY i"

    def _rows(self, group: int, but: int | None, shown: Sequence[str], where: str = "") -> str:
        """A SELECT of ``shown`` and the best stop ``f`` of a group's rows on this side of ``but``."""
        here = self.tree.groups[group]
        around = [(other, keys) for other, keys in here.keys if other != but]
        columns, code = list(shown), str(self.tree.passed)
        for at, (_, keys) in enumerate(around):
            columns += [f"{self.fill(key.mine)} AS c{at}_{n}" for n, key in enumerate(keys)]
        for place, sql, plain in reversed(here.own):
            columns.append(f"{self._asked(group, place, sql, plain)} AS b{place}")
            null, false = 2 * place, 2 * place + 1
            code = f"CASE WHEN b{place} THEN {code} WHEN b{place} IS NULL THEN {null} ELSE {false} END"
        condition = f" WHERE {where}" if where else ""
        inner = f"SELECT {', '.join(columns)} FROM {self.fill(here.sql)}{condition}"
        kept = [column.rsplit(" AS ", 1)[1] for column in shown]
        widths = [len(keys) for _, keys in around]
        behind = [f"c{at}_{n}" for at, width in enumerate(widths) for n in range(width)]
        rows = f"SELECT {', '.join([*kept, *behind, f'({code})::USMALLINT AS f'])} FROM ({inner})"
        if not around:
            return rows
        joins: list[str] = []
        stops: list[str] = []
        for at, (other, keys) in enumerate(around):
            message = self._message(other, group, keys)
            joins += [join.format(at=at) for join in message.joins]
            stops.append(f"greatest({', '.join(stop.format(at=at) for stop in message.stops)})")
        soonest = min(2 * keys[0].place for _, keys in around)
        worst = f"CASE WHEN r.f <= {soonest} THEN r.f ELSE least(r.f, {', '.join(stops)}) END"
        names = ", ".join(f"r.{name}" for name in kept)
        return f"SELECT {names}, ({worst})::USMALLINT AS f FROM ({rows}) AS r {' '.join(joins)}"

    def _asked(self, group: int, place: int, sql: str, plain: bool) -> str:
        """A conjunct over one group as an expression; one with subqueries is evaluated once, for the
        rows that the plain conjuncts before it let pass."""
        here = self.tree.groups[group]
        if plain:
            return f"TRY({self.fill(sql)})"
        if here.single is None:
            return f"({self.fill(sql)})"
        if (group, place) not in self._answers:
            port = here.single
            before = [f"TRY({self.fill(other)})" for at, other, safe in here.own if safe and at < place]
            where = f" WHERE {' AND '.join(before)}" if before else ""
            rows = f"{port.column} AS i, ({self.fill(sql)}) AS b FROM {self.fill(here.sql)}{where}"
            table = self.new("level", f"SELECT {rows}")
            universe = self.universe(port.target)
            passed, failed = (
                self.sets.of(universe, f"SELECT i FROM {table} WHERE {condition}")
                for condition in ("b", "NOT b")
            )
            arms = f"WHEN {passed.holds(port.column)} THEN TRUE WHEN {failed.holds(port.column)} THEN FALSE"
            self._answers[group, place] = f"(CASE {arms} END)"
        return self._answers[group, place]

    def _message(self, of: int, to: int, keys: tuple[LevelKey, ...]) -> _Message:
        """What the rows of group ``of`` give to those of group ``to``."""
        if (of, to) not in self._messages:
            close = len(keys) == 1 and self._lie_close(of, to, keys[0])
            self._messages[of, to] = (
                self._as_bits(of, to, keys[0]) if close else self._as_tables(of, to, keys)
            )
        return self._messages[of, to]

    def _lie_close(self, of: int, to: int, key: LevelKey) -> bool:
        """Whether both sides are integers, and those of the group that is asked lie close together."""
        source, asking = self.fill(self.tree.groups[of].sql), self.fill(self.tree.groups[to].sql)
        theirs = self.fill(key.theirs)
        for sql in (f"{theirs} AS k FROM {source}", f"{self.fill(key.mine)} AS k FROM {asking}"):
            if str(self.execute(f"DESCRIBE SELECT {sql}")[0][1]) not in _INTEGERS:
                return False
        low, high = self.execute(f"SELECT min({theirs}), max({theirs}) FROM {source}")[0]
        widest = max(_SMALL, min(_WIDEST, _SPARSE * self.tree.groups[of].rows))
        return low is not None and int(high - low) < widest

    def _as_bits(self, of: int, to: int, key: LevelKey) -> _Message:
        """One row for each chunk of neighbouring keys, with a bit string of them for each stop.

        A bit string of all keys would be one look-up without a join, but the engine copies a constant
        for every vector of rows.
        """
        unmatched = 2 * key.place + 1
        rows = self._rows(of, to, [f"{self.fill(key.theirs)} AS k"])
        levels = self.new(
            "level",
            f"SELECT f, {chunk_of('k')} AS chunk, bitstring_agg({place_of('k')}, 0, {CHUNK - 1}) AS bits"
            f" FROM ({rows}) WHERE f > {unmatched} AND k IS NOT NULL GROUP BY ALL",
        )
        found = [int(f) for (f,) in self.execute(f"SELECT DISTINCT f FROM {levels} ORDER BY f DESC")]
        if not found:
            return _Message((), (f"{unmatched} - (r.c{{at}}_0 IS NULL)::INTEGER",))
        bits = ", ".join(f"any_value(bits) FILTER (f = {level}) AS b{level}" for level in found)
        chunks = self.new("level", f"SELECT chunk, {bits} FROM {levels} GROUP BY chunk")
        arms = [f"WHEN r.c{{at}}_0 IS NULL THEN {unmatched - 1}"]
        place = place_of("r.c{at}_0")
        arms += [f"WHEN get_bit(m{{at}}.b{level}, {place}) = 1 THEN {level}" for level in found]
        return _Message(
            (f"LEFT JOIN {chunks} AS m{{at}} ON m{{at}}.chunk = {chunk_of('r.c{at}_0')}",),
            (f"CASE {' '.join(arms)} ELSE {unmatched} END",),
        )

    def _as_tables(self, of: int, to: int, keys: tuple[LevelKey, ...]) -> _Message:
        first, names = 2 * keys[0].place, [f"k{n}" for n in range(len(keys))]
        needed = ""
        if self.tree.groups[of].rows > MUCH * self.tree.groups[to].rows:
            asking = f"SELECT {self.fill(keys[0].mine)} FROM {self.fill(self.tree.groups[to].sql)}"
            needed = f"{self.fill(keys[0].theirs)} IN ({asking})"
        shown = [f"{self.fill(key.theirs)} AS k{n}" for n, key in enumerate(keys)]
        rows = f"({self._rows(of, to, shown, needed)})"
        if len(keys) > 1:
            rows = self.new("level", f"FROM {rows}")
        best = self.new("level", f"SELECT {', '.join(names)}, max(f) AS f FROM {rows} GROUP BY ALL")
        on = " AND ".join(f"a{{at}}.k{n} = r.c{{at}}_{n}" for n in range(len(keys)))
        joins = [f"LEFT JOIN {best} AS a{{at}} ON {on}"]
        stops = ["coalesce(a{at}.f, 0)", f"{first} + (r.c{{at}}_0 IS NOT NULL)::INTEGER"]
        for n in range(1, len(keys)):
            before = ", ".join(names[:n])
            some = f"max(f) FILTER (k{n} IS NOT NULL) AS nn, max(f) FILTER (k{n} IS NULL) AS nu"
            partly = self.new("level", f"SELECT {before}, {some} FROM {rows} GROUP BY {before}")
            same = " AND ".join(f"p{{at}}_{n}.k{m} = r.c{{at}}_{m}" for m in range(n))
            joins.append(f"LEFT JOIN {partly} AS p{{at}}_{n} ON {same}")
            stop, part = 2 * keys[n].place, f"p{{at}}_{n}"
            given = f"{stop} + (r.c{{at}}_{n} IS NOT NULL)::INTEGER"
            stops.append(f"least(coalesce({part}.nn, 0), {given})")
            stops.append(f"least(coalesce({part}.nu, 0), {stop})")
        return _Message(tuple(joins), tuple(stops))
