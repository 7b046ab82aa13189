"""TYPE_MISMATCH, UNKNOWN_COLUMN: what an enforced contract promises and the SQL does not give."""

from __future__ import annotations

from collections.abc import Iterator

from cdme_adapter.validation.types import apart
from cdme_adapter.validation.view import ModelView, Said


def check(view: ModelView) -> Iterator[Said]:
    """Compare an enforced contract with the columns that DuckDB binds."""
    if not view.node.contract or not isinstance(view.bound, list):
        return
    given = {c.name.lower(): c for c in view.bound}
    for column in view.node.columns:
        actual = given.get(column.name.lower())
        if actual is None:
            yield view.found(
                "UNKNOWN_COLUMN",
                "error",
                f"the contract promises {column.name}, which the SQL does not give",
                "add the column to the SELECT, or take it out of the contract",
                1,
            )
        elif column.type and apart(_plain(view, column.type), actual.type):
            yield view.found(
                "TYPE_MISMATCH",
                "error",
                f"the contract says {column.name} is {column.type}; the SQL gives {actual.type}",
                "cast the column, or correct the contract",
                1,
            )


def _plain(view: ModelView, data_type: str) -> str | None:
    return view.typer.scratch.type_of(f"CAST(NULL AS {data_type})", "")
