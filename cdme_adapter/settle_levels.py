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

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from cdme_adapter.capture.plan import LevelKey, LevelTree
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.sets import RowSet, RowSets, Universe
from cdme_adapter.evidence import coded
from cdme_adapter.store.rows import CHUNK, SHIFT, place_of

_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
_SPARSE = 64
"""The widest span of keys for each of them that bit strings are used for."""
_SMALL = 1 << 20
"""Spans of keys and numbers of rows that are always small enough."""
_GROWTH = 2
"""A join of groups may have so many times the rows of its largest relation."""
_WIDEST = 1 << 28
FEW = 16
"""Where no more than one row in so many is in question, they are told apart one by one."""
KEPT = 100_000
"""Groups of so many rows are read once where several neighbours ask for them."""
MUCH = 4
"""A side with so many times the rows of the other is asked only for keys that the other has."""


@dataclass(frozen=True)
class _Message:
    """What one group's rows give for each key: joins to make, and the stops that they offer, as
    templates of ``{at}``, the number of the neighbour."""

    joins: tuple[str, ...]
    stops: tuple[str, ...]

    def stop(self, at: int) -> str:
        """The best stop that a row of the asking group is offered, as an expression."""
        return f"({_extreme([stop.format(at=at) for stop in self.stops], '>=')})::USMALLINT"


def _chunk(key: str) -> str:
    """The chunk of a key, which may be as large as an identifier made of a clock: wider than the INTEGER
    that holds the chunk of an ordinal."""
    return f"(({key})::BIGINT >> {SHIFT})"


def _extreme(values: Sequence[str], test: str) -> str:
    """The least (``<=``) or greatest (``>=``) of expressions without NULL. DuckDB's own ``least`` takes 40
    ns a row, a CASE over columns three.

    >>> _extreme(["a", "b"], "<=")
    'CASE WHEN a <= b THEN a ELSE b END'
    """
    arms = []
    for place, value in enumerate(values[:-1]):
        tests = " AND ".join(f"{value} {test} {other}" for other in values[place + 1 :])
        arms.append(f"WHEN {tests} THEN {value}")
    return f"CASE {' '.join(arms)} ELSE {values[-1]} END" if arms else values[-1]


@dataclass(frozen=True)
class _Source:
    """A FROM item of a group's rows. Kept ones have a column for each expression of ``names``, in
    ``own`` the stop that the group's own conjuncts give, and in ``s<n>`` that of each neighbour in
    ``offered``."""

    sql: str
    names: Mapping[str, str] = field(default_factory=dict)
    offered: frozenset[int] = frozenset()

    def column(self, sql: str) -> str:
        """What gives the value of an expression over the group's rows."""
        return self.names.get(sql, sql)


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
    ports: Mapping[int, Set[str]]
    """The columns of the row ids of each group."""
    _answers: dict[tuple[int, int], str] = field(default_factory=dict)
    _bounded: bool | None = None
    _messages: dict[tuple[int, int], _Message] = field(default_factory=dict)
    _kept: dict[int, _Source] = field(default_factory=dict)
    _making: set[int] = field(default_factory=set)

    def bounded(self) -> bool:
        """Whether no group that joins several has many more rows than they have."""
        if self._bounded is None:
            merged = [group for group in self.tree.groups if group.merged]
            self._bounded = not any(self._exceeds(self.fill(group.sql), group.rows) for group in merged)
        return self._bounded

    def _exceeds(self, source: str, rows: int) -> bool:
        most = _GROWTH * rows + _SMALL
        return bool(self.execute(f"SELECT 1 FROM {source} LIMIT 1 OFFSET {most}"))

    def judged(self, group: int, port: str, universe: Universe, question: RowSet | None) -> str:
        """A SELECT of (i, code) for the rows of a group that ``question`` holds, None: for all.

        The code is NULL for rows that are not in the group.
        """
        single = self.tree.groups[group].single is not None
        if single or (question and question.count * FEW < universe.count):
            where = question.holds(port) if question else f"{port} IS NOT NULL"
            rows = self._rows(group, None, [(port, "i")], where)
            if single:
                return f"SELECT i, f AS code FROM ({rows})"
            return f"SELECT i, max(f) AS code FROM ({rows}) GROUP BY i"
        rows = self._rows(group, None, [(port, "i")])
        # Row ids of this transaction begin at some large number.
        place = f"i - {universe.low}"
        chunks, found = self._in_chunks(f"SELECT {place} AS k, f FROM ({rows}) WHERE i IS NOT NULL")
        if not found:
            return "SELECT NULL::BIGINT AS i, NULL::USMALLINT AS code WHERE FALSE"
        row = f"r.rowid - {universe.low}"
        arms = " ".join(f"WHEN get_bit(m.b{f}, {place_of(row)}) = 1 THEN {f}" for f in found)
        code = f"CASE {arms} END"
        if question is not None:
            code = f"CASE WHEN {question.holds('r.rowid')} THEN {code} END"
        return (
            f"SELECT r.rowid AS i, ({code})::USMALLINT AS code FROM {universe.relation} AS r "
            f"JOIN {chunks} AS m ON m.chunk = {_chunk(row)}"
        )

    def _in_chunks(self, rows: str) -> tuple[str, list[int]]:
        """The rows (k, f) as a table of one row for each chunk of neighbouring k, with a bit string
        ``b<f>`` of them for each f; and every f, the greatest first."""
        bits = f"bitstring_agg({place_of('k')}, 0, {CHUNK - 1}) AS bits"
        levels = self.new("level", f"SELECT f, {_chunk('k')} AS chunk, {bits} FROM ({rows}) GROUP BY ALL")
        found = [int(f) for (f,) in self.execute(f"SELECT DISTINCT f FROM {levels} ORDER BY f DESC")]
        columns = ", ".join(f"any_value(bits) FILTER (f = {level}) AS b{level}" for level in found)
        if found:
            levels = self.new("level", f"SELECT chunk, {columns} FROM {levels} GROUP BY chunk")
        return levels, found

    def _source(self, group: int) -> _Source:
        """The rows of a group: kept where several are going to ask for them, else its FROM item.

        The stops that its neighbours offer are kept with them, but for those that are being made for
        this very group.
        """
        here = self.tree.groups[group]
        if group in self._making or not (here.merged or (len(here.keys) > 1 and here.rows >= KEPT)):
            return _Source(self.fill(here.sql))
        if group not in self._kept:
            self._making.add(group)
            self._kept[group] = self._keep(group)
            self._making.remove(group)
        return self._kept[group]

    def _keep(self, group: int) -> _Source:
        names = {port: port for port in sorted(self.ports[group])}
        columns, code = self._own(group)
        columns += list(names)
        joins: list[str] = []
        stops: list[str] = []
        behind: list[str] = []
        offered: set[int] = set()
        for at, (other, keys) in enumerate(self.tree.groups[group].keys):
            for n, key in enumerate(keys):
                sql, name = self.fill(key.mine), f"c{at}_{n}"
                columns.append(f"{sql} AS {name}")
                behind.append(name)
                names.setdefault(sql, name)
            if other not in self._making:
                message = self._message(other, group, keys)
                joins += [join.format(at=at) for join in message.joins]
                stops.append(f"{message.stop(at)} AS s{other}")
                offered.add(other)
        own = f"({code})::USMALLINT AS own"
        rows = f"SELECT {', '.join([*sorted(self.ports[group]), *behind, own])} FROM (SELECT "
        rows += f"{', '.join(columns)} FROM {self.fill(self.tree.groups[group].sql)})"
        kept = ", ".join([*(f"r.{name}" for name in names.values()), "r.own", *stops])
        table = self.new("level", f"SELECT {kept} FROM ({rows}) AS r {' '.join(joins)}")
        return _Source(table, names, frozenset(offered))

    def _own(self, group: int) -> tuple[list[str], str]:
        """A group's own conjuncts as columns, and the stop that they give."""
        own = self.tree.groups[group].own
        columns = [f"{self._asked(group, place, sql, plain)} AS b{place}" for place, sql, plain in own]
        return columns, coded([(place, f"b{place}") for place, _, _ in own], self.tree.passed)

    def _rows(self, group: int, but: int | None, shown: Sequence[tuple[str, str]], where: str = "") -> str:
        """A SELECT of ``shown``, (expression, name), and the best stop ``f`` of a group's rows on this
        side of ``but``."""
        source = self._source(group)
        around = [
            (other, keys)
            for other, keys in self.tree.groups[group].keys
            if other != but and other not in source.offered
        ]
        columns = [f"{source.column(sql)} AS {name}" for sql, name in shown]
        for at, (_, keys) in enumerate(around):
            columns += [f"{source.column(self.fill(key.mine))} AS c{at}_{n}" for n, key in enumerate(keys)]
        if source.names:
            own: list[str] = []
            stops = ["own", *(f"s{other}" for other in sorted(source.offered) if other != but)]
            columns.append(f"{_extreme(stops, '<=')} AS own")
            code = "own"
        else:
            own, code = self._own(group)
        condition = f" WHERE {where}" if where else ""
        inner = f"SELECT {', '.join(columns + own)} FROM {source.sql}{condition}"
        kept = [name for _, name in shown]
        widths = [len(keys) for _, keys in around]
        behind = [f"c{at}_{n}" for at, width in enumerate(widths) for n in range(width)]
        rows = f"SELECT {', '.join([*kept, *behind, f'({code})::USMALLINT AS f'])} FROM ({inner})"
        if not around:
            return rows
        joins: list[str] = []
        offers: list[str] = []
        for at, (other, keys) in enumerate(around):
            message = self._message(other, group, keys)
            joins += [join.format(at=at) for join in message.joins]
            offers.append(f"{message.stop(at)} AS o{at}")
        offered = ", ".join([*(f"r.{name}" for name in kept), "r.f", *offers])
        worst = _extreme(["f", *(f"o{at}" for at in range(len(around)))], "<=")
        rows = f"SELECT {offered} FROM ({rows}) AS r {' '.join(joins)}"
        return f"SELECT {', '.join(kept)}, ({worst})::USMALLINT AS f FROM ({rows})"

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
        there, asking = self._source(of), self.fill(self.tree.groups[to].sql)
        theirs, source = there.column(self.fill(key.theirs)), there.sql
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
        rows = self._rows(of, to, [(self.fill(key.theirs), "k")])
        chunks, found = self._in_chunks(f"FROM ({rows}) WHERE f > {unmatched} AND k IS NOT NULL")
        if not found:
            return _Message((), (f"{unmatched} - (r.c{{at}}_0 IS NULL)::INTEGER",))
        arms = [f"WHEN r.c{{at}}_0 IS NULL THEN {unmatched - 1}"]
        place = place_of("r.c{at}_0")
        arms += [f"WHEN get_bit(m{{at}}.b{level}, {place}) = 1 THEN {level}" for level in found]
        return _Message(
            (f"LEFT JOIN {chunks} AS m{{at}} ON m{{at}}.chunk = {_chunk('r.c{at}_0')}",),
            (f"CASE {' '.join(arms)} ELSE {unmatched} END",),
        )

    def _as_tables(self, of: int, to: int, keys: tuple[LevelKey, ...]) -> _Message:
        first, names = 2 * keys[0].place, [f"k{n}" for n in range(len(keys))]
        needed = ""
        if self.tree.groups[of].rows > MUCH * self.tree.groups[to].rows:
            asked = f"SELECT {self.fill(keys[0].mine)} FROM {self.fill(self.tree.groups[to].sql)}"
            needed = f"{self._source(of).column(self.fill(keys[0].theirs))} IN ({asked})"
        shown = [(self.fill(key.theirs), f"k{n}") for n, key in enumerate(keys)]
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
            stops.append(f"({_extreme([f'coalesce({part}.nn, 0)', given], '<=')})")
            stops.append(f"({_extreme([f'coalesce({part}.nu, 0)', str(stop)], '<=')})")
        return _Message(tuple(joins), tuple(stops))
