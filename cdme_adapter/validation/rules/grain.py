"""GRAIN_MIXED: a measure of a coarser grain is repeated beside a finer one (REQ-BR-GRN-001)."""

from __future__ import annotations

from collections.abc import Iterator

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
    for column in analysis.root.columns:
        if column.measure is None or column.repeat is None or column.measure.kind == "other":
            continue
        coarse = f"({', '.join(column.measure.grain)})" if column.measure.grain else "everything"
        yield view.found(
            "GRAIN_MIXED",
            "error",
            f"{column.name} is a {column.measure.kind} per {coarse}, repeated in rows of the finer "
            f"grain {finer or 'of ' + column.repeat.by}",
            f"aggregate to {coarse}, or divide {column.name} among its rows and give the share "
            f"another name",
            column.repeat.line,
        )
