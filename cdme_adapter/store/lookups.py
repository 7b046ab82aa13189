"""Where a few records lead to over one map of the store.

A lookup is one statement over ``store_pairs``. Zone maps make it cheap where the records lie close
together in the map; records that lie scattered, or that are asked for against the map's order, cost a
scan that grows with the map. So where nobody can write, a map on which more time was spent than a good
part of what reading it takes is read into memory (``arrays.py``), the least lately used ones making
room. Answers are the same either way (docs/decisions/0035-warm-maps.md).
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cdme_adapter.store.arrays import HeldMap, hold

Pairs = tuple[list[int], list[int]]
Rows = Callable[..., list[tuple[Any, ...]]]

BUDGET = 2 << 30
"""Bytes that held maps may take together, or a quarter of the machine's memory where that is less."""
_PAIR_SECONDS = 15e-9
"""What reading one pair into memory takes, as measured; it only decides when that is worth it."""
_WORTH = 0.25
"""Which part of reading a map must have been spent on lookups before it is read."""
_LOOK = 0.005
"""Seconds spent on a map before its size is asked."""
_OFTEN = 4
"""Lookups on a map before it is read: one command asks less often."""
_BIGGEST = (1 << 31) - 1


@dataclass
class Lookups:
    """The lookups of one store; ``con`` must be read-only for as long as ``hold`` is true."""

    rows: Rows
    con: Any
    hold: bool
    budget: int = field(default_factory=lambda: min(BUDGET, _memory() // 4))
    worth: float = _WORTH
    look: float = _LOOK
    often: int = _OFTEN
    held: OrderedDict[tuple[str, int, bool], HeldMap] = field(default_factory=OrderedDict)
    _spent: dict[tuple[str, int, bool], float] = field(default_factory=dict)
    _asked: Counter[tuple[str, int, bool]] = field(default_factory=Counter)
    _sizes: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)

    def follow(
        self, store: str, number: int, ranged: bool, ordinals: list[int], forward: bool, most: int
    ) -> Pairs | None:
        """The pairs (from, to) of a map that start at ``ordinals``, or None where they are more than
        ``most``. ``forward`` is from the input to the output. Pairs may come twice, in any order."""
        if not ordinals:
            return [], []
        key = (store, number, forward)
        kept = self.held.get(key)
        if kept is not None:
            self.held.move_to_end(key)
            return kept.follow(ordinals, most)
        started = time.perf_counter()
        found = self.rows(*_statement(store, number, ranged, ordinals, forward, most))
        if self.hold and not ranged and not store.startswith("temp."):
            self._note(key, time.perf_counter() - started)
        if len(found) > most:
            return None
        return [row[0] for row in found], [row[1] for row in found]

    def reach(
        self, store: str, number: int, ranged: bool, ordinals: list[int], forward: bool, most: int
    ) -> list[int] | None:
        """What ``ordinals`` lead to, once and in order; None as for :meth:`follow`."""
        kept = self.held.get((store, number, forward))
        if kept is not None and ordinals:
            self.held.move_to_end((store, number, forward))
            return kept.reach(ordinals, most)
        pairs = self.follow(store, number, ranged, ordinals, forward, most)
        return None if pairs is None else sorted(set(pairs[1]))

    # -- what is held ----------------------------------------------------------------------------

    def _note(self, key: tuple[str, int, bool], seconds: float) -> None:
        """Count what a lookup took; read the map where that has become worth it."""
        self._spent[key] = spent = self._spent.get(key, 0.0) + seconds
        self._asked[key] += 1
        if spent < self.look or self._asked[key] < self.often:
            return
        count, largest = self._size(key)
        needed = count * (2 if largest < 1 << 15 else 4 if largest <= _BIGGEST else 8)
        if needed > self.budget or spent < self.worth * count * _PAIR_SECONDS:
            return
        made = self._read(key, largest)
        if made is None or made.bytes > self.budget:
            self._spent[key] = float("-inf")  # not again
            return
        self.held[key] = made
        while sum(each.bytes for each in self.held.values()) > self.budget:
            self.held.popitem(last=False)

    def _size(self, key: tuple[str, int, bool]) -> tuple[int, int]:
        """How many pairs a map has, and the largest ordinal in it; too many for what is not to be held."""
        store, number, _ = key
        if (store, number) not in self._sizes:
            count, least, largest = self.rows(
                "SELECT count(*), least(min(o), min(i)), greatest(max(o), max(i))"
                f" FROM {store}.store_pairs WHERE map = {number}"
            )[0]
            huge = (count or 0) == 0 or least < 0
            self._sizes[store, number] = (1 << 60, 0) if huge else (int(count), int(largest))
        return self._sizes[store, number]

    def _read(self, key: tuple[str, int, bool], largest: int) -> HeldMap | None:
        """One direction of a map; None where numpy is not there."""
        store, number, forward = key
        kind = "INTEGER" if largest <= _BIGGEST else "BIGINT"
        have, get = ("i", "o") if forward else ("o", "i")
        try:
            found = self.con.execute(
                f"SELECT CAST({have} AS {kind}) AS have, CAST({get} AS {kind}) AS get"
                f" FROM {store}.store_pairs WHERE map = {number}"
            ).fetchnumpy()
        except (ImportError, AttributeError):
            return None
        return hold(found["have"], found["get"])


def _statement(
    store: str, number: int, ranged: bool, ordinals: list[int], forward: bool, most: int
) -> tuple[str, list[list[int]] | None]:
    """The statement of a lookup, with its parameters."""
    have, get = ("i", "o") if forward else ("o", "i")
    low, high = ordinals[0], ordinals[-1]
    where = f"p.map = {number}"
    if not ranged:
        table, first, last, shown = f"{store}.store_pairs", f"p.{have}", f"p.{have}", f"p.{get}"
    elif forward:
        table, first, last, shown = f"{store}.store_ranges", "p.lo", "p.hi", "p.o"
    else:
        table, first, last, shown = f"{store}.store_ranges", "p.o", "p.o", "unnest(range(p.lo, p.hi + 1))"
    limit = f" LIMIT {most + 1}"
    if len(ordinals) == 1:
        test = f"{first} = {low}" if first == last else f"{first} <= {low} AND {last} >= {low}"
        return f"SELECT {low}::BIGINT, {shown} FROM {table} p WHERE {where} AND {test}{limit}", None
    where += f" AND {last} >= {low} AND {first} <= {high}"
    if first == last and high - low + 1 == len(ordinals):
        return f"SELECT {first}, {shown} FROM {table} p WHERE {where}{limit}", None
    joined = f"{first} = w.ord" if first == last else f"w.ord BETWEEN {first} AND {last}"
    both = f"(SELECT unnest(?::BIGINT[]) AS ord) w JOIN {table} p ON {joined}"
    return f"SELECT w.ord, {shown} FROM {both} WHERE {where}{limit}", [ordinals]


def _memory() -> int:
    """The bytes of memory that the machine has; 8 GB where that cannot be told."""
    import os

    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 << 30
