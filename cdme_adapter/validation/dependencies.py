"""Functional dependencies between the columns of one FROM clause, and what they determine.

An attribute is ``(alias, column)``; ``(alias, ROW)`` stands for the identity of that source's row.
The algebra is Armstrong's: closure under reflexivity, augmentation and transitivity.
"""

from __future__ import annotations

from collections.abc import Iterable

ROW = "\x00row"
Attr = tuple[str, str]


class Dependencies:
    """A set of dependencies.

    >>> deps = Dependencies()
    >>> deps.add([("o", "id")], [("o", ROW)])
    >>> deps.add([("o", ROW)], [("o", "customer")])
    >>> ("o", "customer") in deps.closure([("o", "id")])
    True
    """

    def __init__(self) -> None:
        self._rules: list[tuple[frozenset[Attr], frozenset[Attr]]] = []

    def copy(self) -> Dependencies:
        """The same dependencies, to be added to apart from these."""
        other = Dependencies()
        other._rules = list(self._rules)
        return other

    def add(self, left: Iterable[Attr], right: Iterable[Attr]) -> None:
        """``left`` determines ``right``."""
        self._rules.append((frozenset(left), frozenset(right)))

    def equal(self, one: Attr, other: Attr) -> None:
        """Both have the same value in every row."""
        self.add([one], [other])
        self.add([other], [one])

    def closure(self, attrs: Iterable[Attr]) -> frozenset[Attr]:
        """All that is determined once these are known."""
        known = set(attrs)
        open_rules = list(self._rules)
        grew = True
        while grew:
            grew = False
            rest = []
            for left, right in open_rules:
                if left <= known:
                    if not right <= known:
                        known |= right
                        grew = True
                else:
                    rest.append((left, right))
            open_rules = rest
        return frozenset(known)

    def reduce(self, attrs: Iterable[Attr], target: frozenset[Attr]) -> frozenset[Attr]:
        """A smallest part of ``attrs`` that still determines ``target``; later ones go first."""
        kept = list(dict.fromkeys(attrs))
        for attr in reversed(list(kept)):
            fewer = [a for a in kept if a != attr]
            if target <= self.closure(fewer):
                kept = fewer
        return frozenset(kept)
