"""dbt in one process that notes what each node's statements took, by their kind.

Usage: as ``bench.timed_dbt``. The kind of a statement is found in its text; what a node took beyond its
statements is Python's: dbt, planning, and waiting for nothing else.
"""

from __future__ import annotations

import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager

from bench.timed_dbt import Clock, run
from cdme_adapter.capture_mixin import CaptureMixin
from cdme_adapter.connections import CdmeConnectionManager

QUERY, SETS, CODES, MAPS = "model's query", "sets of rows", "class codes", "maps and pairs"
STORE, MARKS, CHECKS, PYTHON = "store writes", "generations and keys", "planning and checks", "Python"
KINDS = (QUERY, SETS, CODES, MAPS, STORE, MARKS, CHECKS, PYTHON)
_TEMPORARY = r"^CREATE OR REPLACE TEMP TABLE (?:temp\.)?cdme_"
_CODED = r"(?:lost|case|level|chunks|down)"
# The first that is found in a statement decides; dbt's own statements are told apart by who runs them.
_FOUND = (
    (QUERY, rf"{_TEMPORARY}(?:stage|full|look)"),
    (
        CODES,
        rf"{_TEMPORARY}{_CODED}|FROM temp\.cdme_{_CODED}",
    ),
    (MAPS, rf"{_TEMPORARY}|^ALTER TABLE|FROM temp\.cdme_(?:root|link|map|beside|sets|pairs|kept)"),
    (SETS, r"^SET VARIABLE|getvariable|bitstring_agg"),
    (MARKS, r"hash\(|store_keys|store_generations|count\(DISTINCT \("),
    (STORE, r"^(?:BEGIN; )?(?:INSERT INTO|UPDATE|DELETE FROM) \S*cdme\.store_|^COMMIT"),
)
_WRITES = re.compile(r"^(?:create|insert|merge|update|delete)\b", re.IGNORECASE)
_COMMENT = re.compile(r"^\s*/\*.*?\*/\s*", re.DOTALL)


def kind(sql: str, own: bool) -> str:
    """The kind of a statement; ``own``: it is CDME's, and not one that dbt runs in any case.

    >>> kind("/* dbt */ create table m as (select 1)", own=False)
    "model's query"
    >>> kind("SET VARIABLE cdme_set_1 = (SELECT bitstring_agg(i, 0, 9) FROM t)", own=True)
    'sets of rows'
    >>> kind("INSERT INTO d.cdme.store_pairs SELECT 1, o, i FROM temp.cdme_map_1", own=True)
    'store writes'
    """
    text = _COMMENT.sub("", sql).strip()
    if not own:
        return QUERY if _WRITES.match(text) else STORE if text == "COMMIT" else CHECKS
    if text.startswith("INSERT INTO") and "store_keys" not in text:
        return STORE
    return next((name for name, pattern in _FOUND if re.search(pattern, text)), CHECKS)


class Profile(Clock):
    """A clock that also knows what the statements of a node took, by their kind."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[str, float] = defaultdict(float)
        self._inside = False

    def __call__(self, event: Any) -> None:
        """Forget what was noted before a node starts."""
        if event.info.name == "NodeStart":
            self._kinds.clear()
        super().__call__(event)

    def finished(self, name: str, wall: float, cpu: float) -> None:
        """Note what a node took, and what of it is no statement's."""
        kinds = {one: self._kinds.get(one, 0.0) for one in KINDS}
        kinds[PYTHON] = max(cpu - sum(kinds.values()), 0.0)
        self.found[name] = {"wall": wall, "cpu": cpu, "kinds": kinds}

    def watch(self, cls: type, name: str, own: bool) -> None:
        """Time every statement that goes through a method."""
        method: Callable[..., Any] = getattr(cls, name)

        def timed(this: Any, sql: str, *args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return method(this, sql, *args, **kwargs)
            self._inside, started = True, time.process_time()
            try:
                return method(this, sql, *args, **kwargs)
            finally:
                self._inside = False
                self._kinds[kind(sql, own)] += time.process_time() - started

        setattr(cls, name, timed)


def main() -> int:
    """Run dbt with every statement watched."""
    profile = Profile()
    profile.watch(DuckDBConnectionManager, "add_query", own=False)
    profile.watch(CdmeConnectionManager, "add_query", own=False)
    profile.watch(CaptureMixin, "_cdme_execute", own=True)
    profile.watch(CaptureMixin, "_cdme_side_execute", own=True)
    return run(profile, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
