"""The outbox: events wait in the database until a collector has them, in the order of their making."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import literal

Waiting = list[tuple[int, str]]
"""Positions and texts, in order."""


def put(execute: Execute, schema: str, run_id: str, events: Sequence[str]) -> int:
    """Keep the events of a run behind those that wait, once; how many were kept.

    What was sent of earlier runs is deleted: a collector has it.
    """
    run = literal(run_id)
    if execute(f"SELECT 1 FROM {schema}.store_outbox WHERE run_id = {run} LIMIT 1") or not events:
        return 0
    last = int(execute(f"SELECT coalesce(max(position), 0) FROM {schema}.store_outbox")[0][0])
    rows = ", ".join(f"({run}, {last + n}, {literal(text)}, NULL)" for n, text in enumerate(events, 1))
    clean = f"DELETE FROM {schema}.store_outbox WHERE sent_at IS NOT NULL AND run_id <> {run}"
    keep = f"INSERT INTO {schema}.store_outbox VALUES {rows}"
    execute(f"BEGIN;\n{keep};\n{clean};\nCOMMIT")
    return len(events)


def waiting(execute: Execute, schema: str) -> Waiting:
    """The events that nobody has yet."""
    rows = execute(
        f"SELECT position, event FROM {schema}.store_outbox WHERE sent_at IS NULL ORDER BY position"
    )
    return [(int(position), str(event)) for position, event in rows]


def mark_sent(execute: Execute, schema: str, positions: Iterable[int]) -> None:
    """Note that a collector has these."""
    listed = ", ".join(str(position) for position in positions)
    if listed:
        execute(f"UPDATE {schema}.store_outbox SET sent_at = now() WHERE position IN ({listed})")


def discard(execute: Execute, schema: str) -> int:
    """Forget what waits; how many events."""
    found = len(waiting(execute, schema))
    execute(f"DELETE FROM {schema}.store_outbox WHERE sent_at IS NULL")
    return found
