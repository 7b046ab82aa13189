"""Runs whose events are not in the outbox yet: noted with their ledger, until the outbox has them.

A run tells OpenLineage what it did after its ledger is kept, in another transaction, for a collector
must not hold it up. Killed between the two, it leaves its note, and the next run tells both.
"""

from __future__ import annotations

from typing import Any

from cdme_adapter.engines.base import Execute
from cdme_adapter.store.chain import UNTOLD, chained_schemas, document


def untold(execute: Execute) -> list[dict[str, Any]]:
    """The kept ledgers of runs that were not told, the earliest first."""
    found: dict[str, dict[str, Any]] = {}
    for schema in chained_schemas(execute):
        rows = execute(f"SELECT name FROM {schema}.store_meta WHERE starts_with(name, '{UNTOLD}')")
        for (name,) in rows:
            run_id = str(name).removeprefix(UNTOLD)
            ledger = None if run_id in found else document(execute, schema, run_id)
            if ledger is not None:
                found[run_id] = ledger
    return sorted(found.values(), key=lambda ledger: str(ledger["started_at"]))


def forget_untold(execute: Execute) -> None:
    """The outbox has the events of all noted runs."""
    for schema in chained_schemas(execute):
        execute(f"DELETE FROM {schema}.store_meta WHERE starts_with(name, '{UNTOLD}')")
