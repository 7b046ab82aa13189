"""Where random choices come from: Hypothesis (shrinks) or a seed (runs for as long as asked)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Draw(Protocol):
    """A source of choices. What is listed first, and small numbers, count as simple."""

    def number(self, low: int, high: int) -> int:
        """An integer of the closed range."""
        ...


class SeededDraw:
    """Choices from a seed.

    >>> SeededDraw(1).number(0, 9) == SeededDraw(1).number(0, 9)
    True
    """

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(seed)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)


class HypothesisDraw:
    """Choices that Hypothesis makes, and shrinks when a law fails."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw

    def number(self, low: int, high: int) -> int:
        return int(self._draw(st.integers(low, high)))


def pick(draw: Draw, options: Sequence[T]) -> T:
    """One of the options."""
    return options[draw.number(0, len(options) - 1)]


def chance(draw: Draw, percent: int) -> bool:
    """True in that many of a hundred cases; False is the simple case."""
    return draw.number(0, 99) >= 100 - percent


def some(draw: Draw, options: Sequence[T], least: int = 1) -> list[T]:
    """A selection of the options in their order, at least so many."""
    count = draw.number(min(least, len(options)), len(options))
    left = list(range(len(options)))
    while len(left) > count:
        left.pop(draw.number(0, len(left) - 1))
    return [options[i] for i in left]
