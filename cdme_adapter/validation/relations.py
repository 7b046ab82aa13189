"""What is known of a relation without reading it: columns, keys, nullability, measures, edges.

One shape for everything that yields rows: stored tables, models not built yet, CTEs, subqueries.
``None`` always means *not known*, never *no*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum


class Nulls(str, Enum):
    """Whether a column holds NULLs, as far as can be shown."""

    NEVER = "never"
    SOME = "some"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Measure:
    """That a column is the output of an aggregate, and of which grain (REQ-BR-GRN-001)."""

    kind: str
    grain: tuple[str, ...]


@dataclass(frozen=True)
class Repeat:
    """That a column's values are repeated by a join which multiplies its rows."""

    of: str
    by: str
    line: int | None = None
    lookup: bool = False
    """It was fetched by its key for rows that were there before: an attribute of theirs now."""
    certain: bool = True
    """The other side was joined to a whole key of it: one to many, by construction."""


@dataclass(frozen=True)
class Column:
    """One column; ``type`` as DuckDB prints it."""

    name: str
    type: str | None = None
    nulls: Nulls = Nulls.UNKNOWN
    measure: Measure | None = None
    repeat: Repeat | None = None
    distinct: int | None = None
    """About how many distinct values it has."""
    literal: str | None = None
    """The one value that it has in every row, as SQL."""
    surrogate: bool = False
    """A row_number() or uuid(): unique by construction, whatever else is."""
    stored: str | None = None
    """What it is of the rows of the relation's ``base``, as SQL."""
    personal: bool = False
    """Its values are not to be shown."""


@dataclass(frozen=True)
class Shape:
    """An edge from a stored input, structurally (REQ-F-LDM-002).

    ``many_in``: several input records may make one output record; ``many_out``: one input record
    may appear in several.
    """

    many_in: bool | None = False
    many_out: bool | None = False

    def then(self, below: Shape) -> Shape:
        """The edge to what lies below an input, through a view.

        >>> Shape(many_in=True).then(Shape(many_out=None))
        Shape(many_in=True, many_out=None)
        """
        return Shape(either(self.many_in, below.many_in), either(self.many_out, below.many_out))


def either(one: bool | None, other: bool | None) -> bool | None:
    """Or, of what may not be known."""
    if one or other:
        return True
    return None if one is None or other is None else False


@dataclass(frozen=True)
class Relation:
    """The facts of one relation."""

    name: str
    columns: tuple[Column, ...] = ()
    keys: tuple[frozenset[str], ...] = ()
    keys_known: bool = False
    """No key beyond ``keys`` is to be expected; False: keys that nobody declared may exist."""
    rows: int | None = None
    edges: Mapping[str, Shape] = field(default_factory=dict)
    """To the stored relations that it is made of; of a view also to those beneath views."""
    opaque: bool = False
    """The columns themselves are not known."""
    expands: bool = False
    """An UNNEST, a series or a VALUES list: rows that are there to multiply."""
    file: bool = False
    base: str | None = None
    """The stored table of which each of its rows is one row, or nearly so: it has its distributions."""

    def column(self, name: str) -> Column | None:
        """The column of that name, in any case."""
        wanted = name.lower()
        return next((c for c in self.columns if c.name.lower() == wanted), None)

    @property
    def single_row(self) -> bool:
        """Whether it never has more than one row."""
        return frozenset() in self.keys

    def with_keys(self, keys: Iterable[frozenset[str]], known: bool | None = None) -> Relation:
        """The same with further keys; supersets of other keys are dropped."""
        listed = list(keys)
        found = minimal([*self.keys, *listed])
        telling = any(not self.surrogate(key) for key in listed)
        return replace(
            self, keys=found, keys_known=self.keys_known or (telling if known is None else known)
        )

    def surrogate(self, key: frozenset[str]) -> bool:
        """Whether a key rests on a number that the SQL gave out: it says nothing of natural keys."""
        columns = (self.column(name) for name in key)
        return any(c is not None and c.surrogate for c in columns)


def minimal(keys: Iterable[frozenset[str]], most: int = 8) -> tuple[frozenset[str], ...]:
    """Keys without those that contain another one, smallest first.

    >>> [sorted(key) for key in minimal([frozenset("ab"), frozenset("a"), frozenset("bc")])]
    [['a'], ['b', 'c']]
    """
    chosen: list[frozenset[str]] = []
    for key in sorted(set(keys), key=lambda k: (len(k), sorted(k))):
        if not any(smaller <= key for smaller in chosen):
            chosen.append(key)
    return tuple(chosen[:most])


def unknown_relation(name: str) -> Relation:
    """A relation of which nothing is known."""
    return Relation(name, opaque=True)
