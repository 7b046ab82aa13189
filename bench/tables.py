"""The figures of the benchmark as Markdown."""

from __future__ import annotations

from bench.figures import Figures, geometric

WRITE_HEAVY = ("w1_filter", "w2_enrichment", "w3_dedup", "w5_first", "w5_merge")
WHOLE = "whole command"
LEAST = 0.0001
"""Seconds that a difference of times counts for where it is none or negative, in a geometric mean."""


def over(figures: Figures, clock: str, model: str, mode: str) -> float:
    """How many floors a model takes longer than plain."""
    difference = figures.median(clock, model, mode) - figures.median(clock, model, "plain")
    return max(difference, LEAST) / figures.median(clock, model, "floor")


def ratio(figures: Figures, clock: str, model: str, mode: str) -> float:
    """How many times plain a model takes."""
    return figures.median(clock, model, mode) / figures.median(clock, model, "plain")


def models(figures: Figures) -> list[str]:
    """The models that were measured."""
    return [name for name in figures.of("wall") if name != WHOLE]


def stands(figures: Figures, mode: str) -> str:
    """The table of one mode and its means."""
    floors = mode == "full"
    head = ["model", "plain, ms", f"{mode}, ms", "ratio", *(["floor, ms", "floors"] if floors else [])]
    lines = ["| " + " | ".join([*head, *head[1:]]) + " |", "|---|" + "---:|" * (2 * len(head) - 2)]
    for name in models(figures):
        cells = [name]
        for clock in ("wall", "cpu"):
            plain, took = figures.median(clock, name, "plain"), figures.median(clock, name, mode)
            cells += [f"{plain * 1000:,.0f}", f"{took * 1000:,.0f}", f"×{took / plain:.2f}"]
            if floors:
                floor = figures.median(clock, name, "floor")
                cells += [f"{floor * 1000:,.0f}", f"{over(figures, clock, name, mode):.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *(f"* {name}: {text}" for name, text in means(figures, mode).items())])


def means(figures: Figures, mode: str) -> dict[str, str]:
    """What the table of one mode comes to."""
    names, found = models(figures), {}
    heavy = [name for name in names if name in WRITE_HEAVY]
    for clock, said in (("wall", "wall"), ("cpu", "CPU")):
        ratios = {name: ratio(figures, clock, name, mode) for name in names}
        found[f"ratio, geometric mean over all, {said}"] = f"×{geometric(ratios.values()):.2f}"
        if heavy:
            mean = geometric(ratios[name] for name in heavy)
            found[f"ratio, geometric mean of the write-heavy models, {said}"] = f"×{mean:.2f}"
        if mode == "full":
            floors = {name: over(figures, clock, name, mode) for name in names}
            most = max(floors, key=lambda name: floors[name])
            text = f"{geometric(floors.values()):.2f}, most {floors[most]:.1f} ({most})"
            found[f"floors, geometric mean, {said}"] = text
    for what, unit in (("wall", "s"), ("cpu", "s"), ("memory", "MiB"), ("database", "MiB")):
        plain, took = figures.median(what, WHOLE, "plain"), figures.median(what, WHOLE, mode)
        found[f"{WHOLE}, {what}"] = f"{took:,.1f} {unit} against {plain:,.1f} {unit}, ×{took / plain:.2f}"
    if mode == "full":
        for name in figures.of("stored"):
            found[name] = f"{figures.median('stored', name, 'full'):,.2f}"
    return found
