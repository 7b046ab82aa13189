"""Whether a query may be evaluated twice in a transaction and give the same rows each time.

Then its rows need not be copied to part the good ones from the bad: a scan with filters, expressions
and hash joins costs less than a copy of what it gives, and what is asked of the bad rows is pushed down to
the scans. The engine's own plan says what the query is made of; whatever is not known to be so is not
repeated: a sum of floating point, for one, may differ from run to run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from cdme_adapter.engines.base import Execute

_ROW_BY_ROW = frozenset({"SEQ_SCAN", "FILTER", "PROJECTION", "EMPTY_RESULT", "HASH_JOIN"})
_CALL = re.compile(r"\b([a-z_]\w*)\s*\(", re.I)


def is_repeatable(execute: Execute, select: str, volatile: frozenset[str] | None = None) -> bool:
    """Whether ``select`` only scans and joins stored tables, with functions that do not vary."""
    varying = volatile_functions(execute) if volatile is None else volatile
    if any(calls(text) & varying for text in _texts(execute, select)):
        return False
    plan = json.loads(execute(f"EXPLAIN (FORMAT json) {select}")[0][1])
    return all(name in _ROW_BY_ROW for name in _operators(plan))


def _texts(execute: Execute, select: str) -> list[str]:
    """A query and the views that it may read, for the engine's plan names their columns, not their SQL."""
    views: dict[str, str] = dict(
        execute(
            "SELECT lower(view_name), string_agg(lower(sql), ' ') FROM duckdb_views()"
            " WHERE NOT internal AND schema_name <> 'cdme' GROUP BY 1"
        )
    )
    found = [select.lower()]
    for text in found:  # grows while it is read
        found += [views.pop(name) for name in [name for name in views if name in text]]
    return found


def volatile_functions(execute: Execute) -> frozenset[str]:
    """The functions that may vary from call to call, and those of which nothing is known: macros."""
    rows = execute(
        "SELECT DISTINCT lower(function_name) FROM duckdb_functions()"
        " WHERE stability = 'VOLATILE' OR NOT internal OR stability IS NULL AND function_type = 'macro'"
    )
    return frozenset(str(row[0]) for row in rows)


def calls(sql: str) -> frozenset[str]:
    """The names in a text that a parenthesis follows, in lower case.

    >>> sorted(calls("Abs(x) + f (y)"))
    ['abs', 'f']
    """
    return frozenset(name.lower() for name in _CALL.findall(sql))


def _operators(plan: list[dict[str, Any]]) -> Iterator[str]:
    for node in plan:
        yield str(node["name"]).strip()
        yield from _operators(node["children"])
