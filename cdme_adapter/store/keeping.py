"""How many runs the ledger keeps (``vars: cdme: keep_runs``).

Of an older run everything goes but its row in ``store_runs``, so that the chain of hashes holds, and
what is still asked: runs that wrote rows which are in a table now keep their account and their errors.
"""

from __future__ import annotations

from cdme_adapter.engines.base import Execute

DEFAULT = 1000

_BY_RUN = (
    "store_ledger", "store_documents", "store_totals", "store_unaccounted", "store_findings", "store_nodes",
    "store_planned", "store_outcomes", "store_batches", "store_epochs",
)  # fmt: skip


def forget_runs(execute: Execute, schema: str, keep: int) -> int:
    """Delete what is kept of runs before the last ``keep``; how many runs lost their account.

    Runs in a transaction of its own. Events that no collector has yet stay, whatever their age.
    """
    old = (
        f"SELECT run_id FROM {schema}.store_runs WHERE status <> 'RUNNING' AND run_id NOT IN"
        f" (SELECT run_id FROM {schema}.store_current UNION ALL SELECT run_id FROM {schema}.store_edges)"
        f" AND run_id NOT IN (SELECT run_id FROM {schema}.store_runs"
        f" ORDER BY started_at DESC, run_id LIMIT {int(keep)})"
    )
    known = " UNION ".join(f"SELECT run_id FROM {schema}.{table}" for table in _BY_RUN)
    gone = int(execute(f"SELECT count(*) FROM (({old}) INTERSECT ({known}))")[0][0])
    execute("BEGIN")
    try:
        for table in _BY_RUN:
            execute(f"DELETE FROM {schema}.{table} WHERE run_id IN ({old})")
        execute(f"DELETE FROM {schema}.store_outbox WHERE sent_at IS NOT NULL AND run_id IN ({old})")
        execute("COMMIT")
    except Exception:
        execute("ROLLBACK")
        raise
    return gone
