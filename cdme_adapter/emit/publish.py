"""From the ledger of a run to a collector: events, outbox, delivery. Never fails a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openlineage.client import OpenLineageClient

from cdme_adapter.emit import outbox
from cdme_adapter.emit.catalog import Catalog
from cdme_adapter.emit.delivery import deliver
from cdme_adapter.emit.events import Story
from cdme_adapter.emit.facts import ProjectFacts
from cdme_adapter.emit.remembered import Remembered
from cdme_adapter.emit.texts import Printer
from cdme_adapter.engines.base import Binding, Execute


@dataclass(frozen=True)
class Published:
    """How many events were sent, how many wait and how many were refused for good just now, and why."""

    sent: int
    waiting: int
    problem: str = ""
    refused: int = 0

    def as_json(self) -> dict[str, Any]:
        """The answer of ``cdme emit``."""
        return {
            "sent": self.sent,
            "waiting": self.waiting,
            "refused": self.refused,
            "problem": self.problem or None,
        }


def keep_events(
    execute: Binding, schema: str, ledgers: Sequence[Mapping[str, Any]],
    facts: Callable[[], ProjectFacts], schemas: str = "", run_id: str = "",
) -> int:  # fmt: skip
    """Build the events of ledgers and put them into the outbox; how many.

    ``schemas`` is where those of CDME's own facets are served. ``run_id`` is the run whose project the
    facts are of; by default they are of every ledger's.
    """
    printer = Printer(OpenLineageClient())
    project, catalog = facts(), Catalog.read(execute)
    remembered = Remembered(catalog)
    remembered.read(execute, schema)
    count = 0
    for ledger in ledgers:
        past = bool(run_id) and ledger["run_id"] != run_id
        made = Story(ledger, project, catalog, remembered, schemas, past).events()
        texts = [text for event in made if (text := printer.text(event)) is not None]
        count += outbox.put(execute, schema, ledger["run_id"], texts)
    remembered.write(execute, schema)
    outbox.forget_sent(execute, schema, [ledger["run_id"] for ledger in ledgers])
    return count


def send_waiting(
    execute: Execute, schemas: Sequence[str], seconds: float | None, client: Any = None
) -> Published:
    """Send what waits in some databases, at most for ``seconds`` in all."""
    end = None if seconds is None else time.monotonic() + seconds
    sent, left, aside, problem, why = 0, 0, 0, "", ""
    for schema in schemas:
        events = outbox.waiting(execute, schema)
        if not events:
            continue
        rest = None if end is None else max(0.0, end - time.monotonic())
        if problem or rest == 0.0:
            left += len(events)
            continue
        stuck = outbox.stuck_at(execute, schema)
        done = deliver(client or OpenLineageClient(), events, rest, stuck)
        outbox.mark_sent(execute, schema, done.sent)
        outbox.set_aside(execute, schema, done.refused)
        outbox.note_stop(execute, schema, done.stopped_at)
        sent, aside = sent + len(done.sent), aside + len(done.refused)
        left += len(events) - len(done.sent) - len(done.refused)
        problem = done.problem
        why = done.refused[0][1] if done.refused and not why else why
    return Published(sent, left, problem or why, aside)
