"""Maps held in memory: where a process asks the same map again and again, a scan each time is waste.

A map of n pairs takes one integer of the smallest width for each pair, and one more where its records
do not stand in their own order. Nothing here decides what to hold (``lookups.py``) or reads the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NOTHING = -1


@dataclass(frozen=True)
class HeldMap:
    """One direction of a map, from ``have`` to ``get``, as numpy arrays.

    Without ``keys`` and ``starts`` the place in ``values`` is the record, and -1 leads nowhere; with
    ``starts`` the record's values stand between two of them; with ``keys`` they stand at its places.
    """

    values: Any
    starts: Any = None
    keys: Any = None

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        return sum(int(a.nbytes) for a in (self.values, self.starts, self.keys) if a is not None)

    def follow(self, ordinals: list[int], most: int) -> tuple[list[int], list[int]] | None:
        """Where some records lead to, as (from, to) in two lists; None where that is more than ``most``."""
        pairs = self._pairs(ordinals, most)
        return None if pairs is None else (pairs[0].tolist(), pairs[1].tolist())

    def reach(self, ordinals: list[int], most: int) -> list[int] | None:
        """What some records lead to, once and in order; None for more than ``most`` pairs."""
        import numpy as np

        pairs = self._pairs(ordinals, most)
        return None if pairs is None else list(np.unique(pairs[1]).tolist())

    def _pairs(self, ordinals: list[int], most: int) -> tuple[Any, Any] | None:
        import numpy as np

        asked = np.asarray(ordinals, dtype=np.int64)
        if self.starts is None and self.keys is None:
            asked = asked[(asked >= 0) & (asked < len(self.values))]
            found = self.values[asked]
            there = found != NOTHING
            return (asked[there], found[there]) if len(asked) <= most else None
        if self.starts is not None:
            asked = asked[(asked >= 0) & (asked < len(self.starts) - 1)]
            low, high = self.starts[asked], self.starts[asked + 1]
        else:
            low = np.searchsorted(self.keys, asked, "left")
            high = np.searchsorted(self.keys, asked, "right")
        counts = (high - low).astype(np.int64)
        total = int(counts.sum())
        if total > most:
            return None
        ends = np.cumsum(counts)
        places = np.arange(total) - np.repeat(ends - counts, counts) + np.repeat(low, counts)
        return np.repeat(asked, counts), self.values[places]


def hold(have: Any, get: Any) -> HeldMap:
    """The smallest form of a map whose pairs are two integer arrays of one length.

    >>> import numpy as np
    >>> hold(np.array([2, 0, 2]), np.array([7, 5, 9])).follow([0, 1, 2], 10)
    ([0, 2, 2], [5, 7, 9])
    >>> hold(np.array([1, 0, 3]), np.array([7, 5, 9])).follow([0, 2, 3, 4], 10)
    ([0, 3], [5, 9])
    """
    import numpy as np

    count = len(have)
    last = int(have.max()) if count else -1
    values = get.astype(_width(int(get.max()) if count else 0), copy=False)
    if last < 2 * count:
        placed = np.full(last + 1, NOTHING, dtype=values.dtype)
        placed[have] = values
        if int(np.count_nonzero(placed != NOTHING)) == count:  # no record leads to two
            return HeldMap(placed)
        del placed
    if count and bool((have[1:] < have[:-1]).any()):
        order = np.argsort(have, kind="stable")
        have, values = have[order], values[order]
    if last < 2 * count:
        starts = np.searchsorted(have, np.arange(last + 2, dtype=have.dtype))
        return HeldMap(values, starts.astype(_width(count), copy=False))
    return HeldMap(values, keys=have.astype(_width(last), copy=False))


def _width(largest: int) -> Any:
    """The smallest signed type that holds integers up to ``largest``."""
    import numpy as np

    return np.min_scalar_type(-largest - 1)
