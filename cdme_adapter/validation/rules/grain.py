"""GRAIN_MIXED: a measure of a coarser grain is repeated beside a finer one (REQ-BR-GRN-001).

Totals beside details are also how shares are computed, so it is an error, and refused, where the
model declares its grain, and a warning elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from cdme_adapter.validation.relations import Repeat
from cdme_adapter.validation.view import CannotTell, ModelView, Said


def check(view: ModelView) -> Iterator[Said]:
    """Columns of the output that are measures and that a join has repeated."""
    analysis = view.analysis
    if analysis is None:
        return
    if analysis.root.opaque:
        yield CannotTell("the output's columns are not known, so their grains are not")
        return
    finer = " or ".join(f"({', '.join(sorted(key))})" for key in analysis.root.keys[:1])
    mixed: dict[tuple[Repeat, tuple[str, ...]], list[str]] = {}
    for column in analysis.root.columns:
        if column.measure is None or column.repeat is None or column.measure.kind == "other":
            continue
        mixed.setdefault((column.repeat, column.measure.grain), []).append(column.name)
    for (repeat, grain), names in mixed.items():
        coarse = f"({', '.join(grain)})" if grain else "everything"
        one = len(names) == 1
        yield view.found(
            "GRAIN_MIXED",
            # A total of everything beside each row is there to compare with: nobody joins it by mistake.
            "error" if view.node.config.grain else "warn" if grain else "info",
            f"{', '.join(names)} {'is a measure' if one else 'are measures'} per {coarse}, "
            f"repeated in rows of the finer grain {finer or 'of ' + repeat.by}",
            f"aggregate to {coarse}, or divide {names[0]} among its rows and name the share so",
            repeat.line,
        )
