"""How CDME talks to an engine: a function that runs SQL and returns rows.

What the planner asks of an engine is :class:`cdme_adapter.capture.catalog.Catalog`; DuckDB's answer
is ``duckdb.py``. docs/architecture.md, "An engine", lists the other places that speak DuckDB today.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = tuple[Any, ...]
Execute = Callable[[str], list[Row]]
"""Run one or more statements on the model's own connection; the last one's rows come back."""
