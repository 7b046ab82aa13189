"""What an engine must bring; everything else is shared.

Another engine (Spark, PostgreSQL) is a module beside ``duckdb.py`` with the same names. An engine
without transactions stages, settles and publishes with repair; the settlement does not care.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = tuple[Any, ...]
Execute = Callable[[str], list[Row]]
"""Run one or more statements on the model's own connection; the last one's rows come back."""
