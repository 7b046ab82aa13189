"""The values of the oracle: records, provenance of a tuple, relations with derivations.

Nothing here is shared with the product. A tuple carries which-provenance (Cui & Widom lineage) kept
apart by role; ``may`` holds what the contract leaves open (an edge may name it or not).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

Record = tuple[str, int]
"""(relation name in lower case, ordinal)."""

Edge = tuple[str, str]
"""(relation name, role); role ``nested_guard`` marks a guard inside a subquery: indirect or guard."""

DIRECT, INDIRECT, GUARD, NESTED_GUARD = "direct", "indirect", "guard", "nested_guard"


class OracleError(Exception):
    """The oracle does not understand the query (never a verdict about the capture)."""


@dataclass(frozen=True)
class Prov:
    """The records behind one tuple.

    >>> Prov(direct=frozenset({("t0", 1)})).entered().indirect
    frozenset({('t0', 1)})
    """

    direct: frozenset[Record] = frozenset()
    indirect: frozenset[Record] = frozenset()
    may: frozenset[Record] = frozenset()

    def __or__(self, other: Prov) -> Prov:
        """The union, role by role: what a join or a group does."""
        if other is NOTHING:
            return self
        return Prov(self.direct | other.direct, self.indirect | other.indirect, self.may | other.may)

    def entered(self) -> Prov:
        """The same records seen through a subquery or a window: all indirect."""
        return Prov(frozenset(), self.direct | self.indirect, self.may)

    def optional(self) -> Prov:
        """The same records, none of them required."""
        return Prov(may=self.direct | self.indirect | self.may)


NOTHING = Prov()


def union(provs: Iterable[Prov]) -> Prov:
    """The union of many provenances."""
    direct: set[Record] = set()
    indirect: set[Record] = set()
    may: set[Record] = set()
    for prov in provs:
        direct |= prov.direct
        indirect |= prov.indirect
        may |= prov.may
    return Prov(frozenset(direct), frozenset(indirect), frozenset(may))


@dataclass(frozen=True)
class Column:
    """A column in scope; ``merged`` hides it behind the common column of a USING."""

    name: str
    table: str | None
    type: str
    merged: bool = False


@dataclass(frozen=True)
class Row:
    """A tuple and its derivation."""

    values: tuple[Any, ...]
    prov: Prov = NOTHING


@dataclass
class Relation:
    """Columns, tuples, and the edges that reading it makes (also when it has no tuple)."""

    columns: list[Column]
    rows: list[Row]
    edges: frozenset[Edge] = frozenset()
    keys: list[tuple[Any, ...]] = field(default_factory=list)
    """Per row the ORDER BY values, while they are still of use."""
    asked: Prov = field(default_factory=Prov)
    """Of joins: what the subqueries of their conditions looked at. A row that an outer join around them
    preserves owes that to them as well; an edge may say so."""

    def visible(self) -> list[int]:
        """The slots that ``*`` expands to."""
        return [i for i, column in enumerate(self.columns) if not column.merged]

    def renamed(self, table: str | None, names: list[str]) -> Relation:
        """This relation under an alias, its first columns renamed."""
        columns = [
            Column((names[i] if i < len(names) else c.name), table, c.type)
            for i, c in enumerate(self.columns)
        ]
        return replace(self, columns=columns, keys=[], asked=Prov())


def through(edges: Iterable[Edge], role: str) -> frozenset[Edge]:
    """The edges of a subquery as its reader has them.

    >>> sorted(through({("t", "direct"), ("u", "guard")}, "indirect"))
    [('t', 'indirect'), ('u', 'nested_guard')]
    """
    if role == DIRECT:
        return frozenset(edges)
    if role == GUARD:
        return frozenset((relation, GUARD) for relation, _ in edges)
    return frozenset(
        (relation, NESTED_GUARD if inner in (GUARD, NESTED_GUARD) else INDIRECT)
        for relation, inner in edges
    )


def others(edges: Iterable[Edge]) -> frozenset[Edge]:
    """The indirect edges that reading other rows (windows, OFFSET) adds; guards add none."""
    return frozenset((relation, INDIRECT) for relation, role in edges if role in (DIRECT, INDIRECT))


def frozen(value: Any) -> Any:
    """A hashable stand-in for a value, equal where SQL's IS NOT DISTINCT FROM is.

    >>> frozen([1, [2]]) == (1, (2,))
    True
    """
    if isinstance(value, list | tuple):
        return tuple(frozen(item) for item in value)
    if isinstance(value, dict):
        return tuple((key, frozen(item)) for key, item in value.items())
    return value


Fail = Callable[[int, Prov, Iterable[str]], None]
