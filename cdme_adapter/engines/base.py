"""How CDME talks to an engine: a function that runs SQL and returns rows.

What the planner asks of an engine is :class:`cdme_adapter.capture.catalog.Catalog`; DuckDB's answer
is ``duckdb.py``. docs/architecture.md, "An engine", lists the other places that speak DuckDB today.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

Row = tuple[Any, ...]
Execute = Callable[[str], list[Row]]
"""Run one or more statements on the model's own connection; the last one's rows come back."""


class Binding(Protocol):
    """An ``Execute`` that takes values apart from the SQL, which is quicker for megabytes of text."""

    def __call__(self, sql: str, values: Sequence[Any] | None = None) -> list[Row]:
        """Run one statement with ``values`` for its question marks, or statements without any."""
