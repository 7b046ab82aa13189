"""What a benchmark measured: values by (what, of what, how), their medians, and a file that keeps them."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable
from pathlib import Path


class Figures:
    """Lists of values: ``what`` is wall, cpu, memory, …; ``of`` a model or a whole run; ``how`` a mode.

    >>> figures = Figures()
    >>> for seconds in (3, 1, 2):
    ...     figures.add("wall", "q01", "plain", seconds)
    >>> figures.median("wall", "q01", "plain"), figures.of("wall"), figures.has("cpu", "q01", "plain")
    (2, ['q01'], False)
    """

    def __init__(self, values: dict[str, dict[str, dict[str, list[float]]]] | None = None) -> None:
        self._values = values or {}

    def add(self, what: str, of: str, how: str, value: float) -> None:
        """One more value."""
        self._values.setdefault(what, {}).setdefault(of, {}).setdefault(how, []).append(value)

    def has(self, what: str, of: str, how: str) -> bool:
        """Whether there is a value."""
        return bool(self._values.get(what, {}).get(of, {}).get(how))

    def median(self, what: str, of: str, how: str) -> float:
        """The median of the values."""
        return statistics.median(self._values[what][of][how])

    def of(self, what: str) -> list[str]:
        """What there are values of, sorted."""
        return sorted(self._values.get(what, {}))

    def how(self, what: str, of: str) -> list[str]:
        """In which ways it was measured, in the order of the first values."""
        return list(self._values.get(what, {}).get(of, {}))

    def count(self, what: str) -> int:
        """How many values there are of each, the fewest."""
        every = (values for of in self._values.get(what, {}).values() for values in of.values())
        return min((len(values) for values in every), default=0)

    def save(self, file: Path) -> None:
        """Keep the values, so that a report can be made again."""
        file.write_text(json.dumps(self._values, indent=1))

    @classmethod
    def load(cls, file: Path) -> Figures:
        """The values that were kept."""
        return cls(json.loads(file.read_text()))


def geometric(values: Iterable[float]) -> float:
    """The geometric mean; of nothing it is not a number."""
    logs = [math.log(value) for value in values]
    return math.exp(statistics.mean(logs)) if logs else math.nan
