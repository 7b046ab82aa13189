"""How often each value of a key occurs, and how many rows a join of two such keys has (REQ-F-TRV-006).

The commonest values are known one by one, the rest by its rows and how many values share them. The
sum over the keys of ``n_left * n_right`` is what an equi-join gives; with skew, a few keys are most of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

Key = tuple[Any, ...]
HEADS = 1000
"""So many values are counted one by one."""
WHOLE = 500_000
"""Tables of so many rows are counted as a whole; of larger ones blocks are, spread evenly."""
BLOCKS, BLOCK = 64, 4096
_TELLING = 20
_SPREAD = 4
"""A value of a sample that occurs less often, or in fewer blocks, is left to the rest."""


@dataclass(frozen=True)
class Weights:
    """The rows of a relation by a key of its; those where the key is NULL are in ``rows`` alone.

    >>> skewed = Weights(100, {("a",): 30}, 70, 70)
    >>> skewed.meet(skewed).rows
    970.0
    """

    rows: float
    heads: Mapping[Key, float] = field(default_factory=dict)
    rest: float = 0.0
    """Rows of the values that are not among ``heads``."""
    others: float = 0.0
    """How many such values there are."""

    @property
    def distinct(self) -> float:
        """How many values the key has."""
        return len(self.heads) + self.others

    def scaled(self, rows: float) -> Weights:
        """The same shares of another number of rows."""
        if not self.rows or rows == self.rows:
            return self
        by = rows / self.rows
        return Weights(rows, {k: n * by for k, n in self.heads.items()}, self.rest * by, self.others)

    def share(self, key: Key) -> float:
        """The share of the rows that have this value, of one that is not among the commonest about."""
        each = self.rest / self.others if self.others else 0.0
        return self.heads.get(key, each) / self.rows if self.rows else 0.0

    def only(self, position: int, constant: str | None) -> Weights:
        """The rows in which one part of the key is this constant, as text; None: one value, whichever."""
        found = {k: n for k, n in self.heads.items() if constant is not None and _is(k[position], constant)}
        if found:
            rows = sum(found.values())
        else:
            rows = self.rest / self.others if self.others else self.rows / max(self.distinct, 1)
        return Weights(float(rows), found, 0.0 if found else rows, 0.0 if found else 1.0)

    def meet(self, other: Weights) -> Weights:
        """The rows of the join of both on the key.

        A value that one side knows and the other does not may be among the other's rest: the side with
        fewer values is taken to be contained in the one with more.
        """
        common = self.heads.keys() & other.heads.keys()
        mine = {k: n for k, n in self.heads.items() if k not in common}
        theirs = {k: n for k, n in other.heads.items() if k not in common}
        found = {k: self.heads[k] * other.heads[k] for k in common}
        found |= _among_rest(mine, self.others, other)
        found |= _among_rest(theirs, other.others, self)
        both = max(self.others, other.others)
        rest = self.rest * other.rest / both if both else 0.0
        others = min(self.others, other.others)
        return Weights(float(sum(found.values()) + rest), found, rest, others)

    def met(self, other: Weights) -> float:
        """The rows of this side that the join keeps: those whose key the other side has."""
        kept = sum(n for k, n in self.heads.items() if k in other.heads)
        mine = {k: n for k, n in self.heads.items() if k not in other.heads}
        kept += sum(mine.values()) * _chance(len(mine) + self.others, other.others)
        left = len(other.heads.keys() - self.heads.keys()) + other.others
        return float(kept + self.rest * _chance(self.others, left))


def even(rows: float, distinct: float) -> Weights:
    """A key of which only the number of values is known."""
    return Weights(rows, {}, rows, max(distinct, 1.0))


def _among_rest(heads: Mapping[Key, float], beside: float, other: Weights) -> dict[Key, float]:
    if not other.others or not heads:
        return {}
    each = other.rest / other.others * _chance(len(heads) + beside, other.others)
    return {key: rows * each for key, rows in heads.items()}


def _chance(values: float, among: float) -> float:
    """That one of these values is among those of the other side."""
    return min(1.0, among / values) if values else 0.0


def counted(
    execute: Callable[[str], Sequence[Sequence[Any]]],
    table: str,
    key: Sequence[str],
    rows: int,
    *,
    distinct: int | None = None,
    by_rowid: bool = True,
) -> Weights | None:
    """Count the values of a key, given as SQL, of a stored table of about so many rows.

    ``distinct`` is how many values the key is known to have. ``by_rowid`` says that the table's ``rowid``
    is a row's number, by which blocks of a large table are found; without it a large table is not read,
    and None is given. Raises what ``execute`` raises.
    """
    whole = rows <= WHOLE
    if not (whole or by_rowid):
        return None
    names = [f"k{number}" for number in range(len(key))]
    listed = ", ".join(f"{expression} AS {name}" for expression, name in zip(key, names, strict=True))
    source = f"SELECT {listed}, 0 AS b FROM {table}"
    if not whole:
        starts = [(rows - BLOCK) * number // (BLOCKS - 1) for number in range(BLOCKS)]
        source = " UNION ALL ".join(
            f"SELECT {listed}, {at} AS b FROM {table} WHERE rowid >= {at} AND rowid < {at + BLOCK}"
            for at in starts
        )
    full, order = " AND ".join(f"{name} IS NOT NULL" for name in names), ", ".join(names)
    found = execute(
        f"WITH c AS (SELECT {order}, b, count(*) AS n FROM ({source}) GROUP BY ALL), g AS MATERIALIZED "
        f"(SELECT {order}, CAST(sum(n) AS BIGINT) AS n, count(*) AS blocks FROM c GROUP BY {order}) SELECT "
        f"(SELECT sum(n) FROM g), (SELECT sum(n) FROM g WHERE {full}), "
        f"(SELECT count(*) FROM g WHERE {full}), (SELECT count(*) FROM g WHERE blocks = 1 AND {full}), "
        f"(SELECT list({{'k': row({order}), 'n': n, 'blocks': blocks}}) "
        f"FROM (FROM g WHERE {full} ORDER BY n DESC, {order} LIMIT {HEADS}))"
    )
    read, filled, values, single, heads = found[0]
    if not read:
        return None
    if whole:
        return _whole(int(read), int(filled or 0), int(values), heads or [])
    return _sampled(rows, int(read), int(filled or 0), int(values), int(single), heads or [], distinct)


def _whole(rows: int, filled: int, values: int, heads: Sequence[Any]) -> Weights:
    found = {_hashable(head["k"]): float(head["n"]) for head in heads}
    if values > len(found) and max(found.values(), default=0) <= 1:
        found = {}  # every value once: naming a thousand of them says nothing
    return Weights(rows, found, filled - sum(found.values()), values - len(found))


def _sampled(
    rows: int, read: int, filled: int, values: int, single: int, heads: Sequence[Any], distinct: int | None
) -> Weights:
    # What is frequent in one block alone may be so because the table is sorted.
    told = [head for head in heads if head["n"] >= _TELLING and head["blocks"] >= _SPREAD]
    found = {_hashable(head["k"]): float(head["n"]) for head in told}
    rest, by = filled - sum(found.values()), rows / read
    # Charikar's estimate: a value that the sample has once stands for several that it has not.
    others = by**0.5 * single + max(values - len(found) - single, 0)
    if distinct is not None:
        others = max(distinct - len(found), 0)
    scaled = {key: n * by for key, n in found.items()}
    return Weights(rows, scaled, rest * by, max(min(others, rest * by), 1.0) if rest else 0.0)


def _hashable(key: Any) -> Key:
    parts = key if isinstance(key, tuple) else tuple(key.values())
    return tuple(_part(part) for part in parts)


def _is(value: Any, text: str) -> bool:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        try:
            return bool(value == Decimal(text))
        except InvalidOperation:
            return False
    return str(value) == text


def _part(value: Any) -> Any:
    """A value by which equal values of two tables are found to be equal."""
    if isinstance(value, datetime) and value.tzinfo is None and value.time() == datetime.min.time():
        return value.date()
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


@dataclass(frozen=True)
class Met:
    """A join of two keys of which it is known how often each value occurs."""

    alias: str
    beside: str
    names: tuple[str, ...]
    """The key, as the joined side calls it."""
    left: Weights
    right: Weights
    both: Weights
    personal: bool = False
    """The values are not to be shown."""

    def few(self) -> list[Key]:
        """The few values, three at most, that make most of the rows; none where no value stands out."""
        if self.both.rows <= max(self.left.rows, self.right.rows):
            return []
        values = min(self.left.distinct, self.right.distinct)
        share, found = 0.0, list[Key]()
        for key in sorted(self.both.heads, key=lambda k: -self.both.heads[k])[:3]:
            found.append(key)
            share += self.both.heads[key] / self.both.rows
            if share >= 0.5:
                return found if share * values >= 2 * len(found) else []
        return []
