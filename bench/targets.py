"""How the targets of the benchmark stand: what was asked for, what was found, what the floor allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench import thousand
from bench.figures import Figures, geometric
from bench.tables import WHOLE, WRITE_HEAVY, models, over, ratio

LIGHT = ("key_derivable", "summary")
CLOCKS = ("wall", "cpu")


@dataclass(frozen=True)
class Target:
    """One line: ``found`` by wall clock and by CPU time (alike where no clock is meant).

    ``allowed`` is what it would be if CDME did nothing but the floor, 0 where that says nothing.
    """

    name: str
    most: float
    found: tuple[float, float]
    unit: str = "×"
    allowed: float = 0.0

    @property
    def stands(self) -> str:
        """Whether it is met, and by how much it is not."""
        met = [value <= self.most for value in self.found]
        if all(met):
            return "met"
        away = f"{max(self.found) / self.most:.2f} times the target"
        if any(met):
            return f"met by one clock, {away} by the other"
        return f"not met: {away}"

    @property
    def row(self) -> str:
        """The line of the table."""
        return " | ".join(
            ["", self.name, self._shown(self.most), *(self._shown(value) for value in self.found),
             self._shown(self.allowed) if self.allowed else "", self.stands, ""]
        ).strip()  # fmt: skip

    def _shown(self, value: float) -> str:
        return f"×{value:.2f}" if self.unit == "×" else f"{value:,.2f} {self.unit}".strip()


def targets(figures: Figures, tiny: Figures | None = None, large: Figures | None = None) -> list[Target]:
    """Every target of the issue that the figures speak of; ``large`` are those of ten times the data."""
    names = models(figures)
    modes = figures.how("wall", WHOLE)
    found: list[Target] = []
    if "full" in modes:
        found += _full(figures, names)
    for mode in (mode for mode in LIGHT if mode in modes):
        found += _light(figures, names, mode)
    if "off" in modes:
        found.append(Target("off: ratio, geometric mean", 1.01, _mean(figures, names, "off")))
    for mode in modes:
        if mode != "plain":
            held = ratio(figures, "memory", WHOLE, mode)
            found.append(Target(f"{mode}: peak memory", 1.3, (held, held)))
    if tiny is not None:
        whole = (thousand.times(tiny, "wall", thousand.WARM), thousand.times(tiny, "cpu", thousand.WARM))
        found.append(Target("1,000 models: whole run, plans remembered", thousand.MOST, whole))
        grown = thousand.growth(tiny)
        found.append(Target("1,000 models: database growth", thousand.GROWTH, (grown, grown), "MiB"))
    if large is not None:
        both = [mode for mode in modes if mode != "plain" and mode in large.how("wall", WHOLE)]
        found += [_larger(figures, large, mode) for mode in both]
    return found


def _full(figures: Figures, names: list[str]) -> list[Target]:
    floors = _each(names, lambda clock, name: over(figures, clock, name, "full"))
    allowed = [_allowed(figures, name) for name in names]
    stored = {what: figures.median("stored", what, "full") for what in figures.of("stored")}
    return [
        Target("full: (time − plain) / floor, geometric mean", 1.5, _both(floors, geometric), ""),
        Target("full: (time − plain) / floor, the most", 3.0, _both(floors, max), ""),
        Target("full: ratio, geometric mean", 2.2, _mean(figures, names, "full"), "×", geometric(allowed)),
        *(_heavy(figures, names, "full", 1.5)),
        Target("full: bytes per stored pair", 1.5, (stored["bytes per pair"],) * 2, "B"),
        Target("full: bytes per input row's class", 0.5, (stored["bytes per input row"],) * 2, "B"),
    ]  # fmt: skip


def _light(figures: Figures, names: list[str], mode: str) -> list[Target]:
    """What is asked of a mode that stores no pairs; of ``summary``: no dearer than key_derivable."""
    if mode == "summary" and figures.has("wall", WHOLE, LIGHT[0]):
        dearer = tuple(
            geometric(figures.median(clock, n, mode) / figures.median(clock, n, LIGHT[0]) for n in names)
            for clock in CLOCKS
        )
        name = "summary against key_derivable, geometric mean (2 % are noise)"
        return [Target(name, 1.02, (dearer[0], dearer[1]))]
    ratios = _each(names, lambda clock, name: ratio(figures, clock, name, mode))
    counts = [_allowed(figures, name, "counts") for name in names] if figures.of("counts") else [0.0]
    mean = geometric(counts) if all(counts) else 0.0
    found = [
        Target(f"{mode}: ratio, geometric mean", 1.5, _both(ratios, geometric), "×", mean),
        Target(f"{mode}: ratio, the most", 2.5, _both(ratios, max), "×", max(counts)),
        *_heavy(figures, names, mode, 1.25),
    ]
    asked = figures.of("look-up")
    for how in ("first", "next") if asked else ():
        slowest = max(figures.median("look-up", model, how) for model in asked) * 1000
        found.append(Target(f"{mode}: {how} look-up in a process, slowest", 200, (slowest,) * 2, "ms"))
    return found


def _heavy(figures: Figures, names: list[str], mode: str, most: float) -> list[Target]:
    """The write-heavy models, each for itself."""
    return [
        Target(
            f"{mode}: ratio of {name}", most,
            (ratio(figures, "wall", name, mode), ratio(figures, "cpu", name, mode)), "×",
            _allowed(figures, name) if mode == "full" else _allowed(figures, name, "counts"),
        )
        for name in names if name in WRITE_HEAVY
    ]  # fmt: skip


def _allowed(figures: Figures, name: str, floor: str = "cpu") -> float:
    """The ratio that plain and the floor alone would have; ``counts``: the counts by class alone."""
    if not figures.has(floor, name, "floor"):
        return 0.0
    plain = figures.median("cpu", name, "plain")
    return (plain + figures.median(floor, name, "floor")) / plain


def _larger(figures: Figures, large: Figures, mode: str) -> Target:
    """By how much the worst ratio has grown with the data."""
    names = [name for name in models(large) if figures.has("wall", name, mode)]
    grown = _each(names, lambda c, name: ratio(large, c, name, mode) / ratio(figures, c, name, mode))
    return Target(f"{mode}: ratio at ten times the data against this, the most", 1.2, _both(grown, max))


def _mean(figures: Figures, names: list[str], mode: str) -> tuple[float, float]:
    return _both(_each(names, lambda clock, name: ratio(figures, clock, name, mode)), geometric)


def _each(names: list[str], value: Callable[[str, str], float]) -> dict[str, list[float]]:
    """A value of every model, by clock."""
    return {clock: [value(clock, name) for name in names] for clock in CLOCKS}


def _both(values: dict[str, list[float]], of: Callable[[Iterable[float]], float]) -> tuple[float, float]:
    wall, cpu = (of(values[clock] or [0.0]) for clock in CLOCKS)
    return wall, cpu
