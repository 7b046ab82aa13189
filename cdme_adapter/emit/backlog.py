"""What earlier runs could not send goes out while this one runs, on a thread beside its models.

A run may wait for a collector for a second or two at its end; a thousand nodes make more events than
that. Without this each run would leave more behind than the last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from openlineage.client import OpenLineageClient

from cdme_adapter.emit import outbox
from cdme_adapter.emit.delivery import Delivered, outcome, start
from cdme_adapter.engines.base import Execute
from cdme_adapter.store.chain import chained_schemas


@dataclass
class Backlog:
    """The delivery of what waits in one database's outbox; only ``begin`` and ``finish`` use the
    database, on whatever thread calls them."""

    schema: str
    thread: Any
    done: list[Delivered] = field(default_factory=list)

    @classmethod
    def begin(
        cls, execute: Execute, client: Callable[[], OpenLineageClient] = OpenLineageClient
    ) -> list[Backlog]:
        """Begin to send what waits; one delivery for each database."""
        found = []
        for schema in chained_schemas(execute):
            events = outbox.waiting(execute, schema)
            if events:
                found.append(cls(schema, start(client(), events, outbox.stuck_at(execute, schema))))
        return found

    def finish(self, execute: Execute, seconds: float) -> Delivered:
        """Stop, and note what came through. What is being handed over then counts as not sent."""
        self.thread.stop.set()
        done = outcome(self.thread, seconds)
        outbox.mark_sent(execute, self.schema, done.sent)
        outbox.set_aside(execute, self.schema, done.refused)
        return done
