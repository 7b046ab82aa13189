"""The outbox: events wait in the database until a collector has them, in the order of their making.

Events that a collector refuses for good are kept aside: ``store_meta`` has their positions and reasons
under ``outbox_refused``, and under ``outbox_stuck`` the event at which deliveries ended, and how often.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cdme_adapter.engines.base import Binding, Execute
from cdme_adapter.engines.rows import literal

Waiting = list[tuple[int, str]]
"""Positions and texts, in order."""


def put(execute: Binding, schema: str, run_id: str, events: Sequence[str]) -> int:
    """Keep the events of a run that has ended behind those that wait, once; how many were kept."""
    run = literal(run_id)
    if not events or execute(f"SELECT 1 FROM {schema}.store_outbox WHERE run_id = {run} LIMIT 1"):
        return 0
    last = int(execute(f"SELECT coalesce(max(position), 0) FROM {schema}.store_outbox")[0][0])
    positions = f"unnest(range({last + 1}, {last + 1 + len(events)}))"
    execute(
        f"INSERT INTO {schema}.store_outbox SELECT {run}, {positions}, unnest(?::VARCHAR[]), NULL",
        [list(events)],
    )
    return len(events)


def forget_sent(execute: Execute, schema: str, keep: Iterable[str]) -> None:
    """Delete what was sent of runs that have ended, but for those of ``keep``: a collector has it."""
    runs = ", ".join(map(literal, keep))
    execute(
        f"DELETE FROM {schema}.store_outbox WHERE sent_at IS NOT NULL AND run_id NOT IN ({runs})"
        f" AND run_id NOT IN (SELECT run_id FROM {schema}.store_runs WHERE ledger_hash IS NULL)"
    )


def waiting(execute: Execute, schema: str) -> Waiting:
    """The events that nobody has yet, but for those that were refused for good."""
    rows = execute(
        f"SELECT position, event FROM {schema}.store_outbox WHERE sent_at IS NULL ORDER BY position"
    )
    aside = refused(execute, schema) if rows else {}
    return [(int(position), str(event)) for position, event in rows if int(position) not in aside]


def refused(execute: Execute, schema: str) -> dict[int, str]:
    """The events that a collector refused for good, with its reasons."""
    return {int(position): str(why) for position, why in _note(execute, schema, REFUSED).items()}


def set_aside(execute: Execute, schema: str, events: Iterable[tuple[int, str]]) -> None:
    """Note that a collector refused these for good; the others no longer wait for them."""
    new = {str(position): why[:500] for position, why in events}
    if new:
        _keep(execute, schema, REFUSED, {**_note(execute, schema, REFUSED), **new})


def take_back(execute: Execute, schema: str) -> int:
    """Let the events that were refused wait again; how many."""
    found = len(refused(execute, schema))
    _keep(execute, schema, REFUSED, {})
    return found


def stuck_at(execute: Execute, schema: str) -> int | None:
    """The event at which the last deliveries ended, if that was the same ``PATIENCE`` times."""
    note = _note(execute, schema, STUCK)
    return int(note["position"]) if note and int(note["times"]) >= PATIENCE else None


def note_stop(execute: Execute, schema: str, position: int | None) -> None:
    """Note at which event a delivery ended; None: it got through."""
    before = _note(execute, schema, STUCK)
    if position is None:
        if before:
            _keep(execute, schema, STUCK, {})
        return
    times = int(before["times"]) + 1 if before.get("position") == position else 1
    _keep(execute, schema, STUCK, {"position": position, "times": times})


REFUSED, STUCK = "outbox_refused", "outbox_stuck"
PATIENCE = 2
"""How many deliveries may end at one event before the one behind it is tried."""


def _note(execute: Execute, schema: str, name: str) -> dict[str, Any]:
    rows = execute(f"SELECT value FROM {schema}.store_meta WHERE name = {literal(name)}")
    found: dict[str, Any] = json.loads(rows[0][0]) if rows else {}
    return found


def _keep(execute: Execute, schema: str, name: str, note: Mapping[str, Any]) -> None:
    clean = f"DELETE FROM {schema}.store_meta WHERE name = {literal(name)}"
    keep = f"INSERT INTO {schema}.store_meta VALUES ({literal(name)}, {literal(json.dumps(note))})"
    execute(f"BEGIN;\n{clean};\n{keep};\nCOMMIT" if note else clean)


def mark_sent(execute: Execute, schema: str, positions: Iterable[int]) -> None:
    """Note that a collector has these."""
    listed = ", ".join(str(position) for position in positions)
    if listed:
        execute(f"UPDATE {schema}.store_outbox SET sent_at = now() WHERE position IN ({listed})")


def discard(execute: Execute, schema: str) -> int:
    """Forget what waits and what was refused; how many events."""
    found = len(waiting(execute, schema)) + take_back(execute, schema)
    execute(f"DELETE FROM {schema}.store_outbox WHERE sent_at IS NULL")
    return found
