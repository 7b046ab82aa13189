"""Hands events to OpenLineage's client on a thread of its own, so that no collector can hold dbt up."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.serde import Serde

logging.getLogger("openlineage").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Delivered:
    """What came of a delivery: the positions that a collector has, and why it stopped, if it did."""

    sent: tuple[int, ...]
    problem: str = ""


def prepare(client: OpenLineageClient, event: RunEvent) -> str | None:
    """The text of an event once the client's own options (tags, environment, filters) are applied.

    None where a filter drops it. Done before it is kept, so that a resend is byte-identical.
    """
    made: Any = client.add_environment_facets(event)
    made = client.update_event_tags_facets(made)
    if client.filter_event(made) is None:
        return None
    return Serde.to_json(made)


def restore(text: str) -> RunEvent:
    """The event of a text; serialised again it is the same text."""
    found = json.loads(text)
    event = RunEvent(
        eventType=RunState(found["eventType"]),
        eventTime=found["eventTime"],
        run=Run(found["run"]["runId"], found["run"].get("facets") or {}),
        job=Job(found["job"]["namespace"], found["job"]["name"], found["job"].get("facets") or {}),
        inputs=[_dataset(InputDataset, d, "inputFacets") for d in found.get("inputs") or ()],
        outputs=[_dataset(OutputDataset, d, "outputFacets") for d in found.get("outputs") or ()],
        producer=found["producer"],
    )
    event.schemaURL = found["schemaURL"]
    return event


def _dataset(kind: type[Any], found: dict[str, Any], own: str) -> Any:
    """A dataset as it was kept."""
    facets = {own: found.get(own) or {}}
    return kind(found["namespace"], found["name"], facets=found.get("facets") or {}, **facets)


class _Delivery(threading.Thread):
    def __init__(self, client: OpenLineageClient, events: Sequence[tuple[int, str]]) -> None:
        super().__init__(name="cdme-openlineage", daemon=True)
        self.client = client
        self.events = events
        self.sent: list[int] = []
        self.problem = ""
        self.stop = threading.Event()

    def run(self) -> None:
        try:
            for position, text in self.events:
                if self.stop.is_set():
                    return
                self.client.transport.emit(restore(text))
                self.sent.append(position)
            # Transports that queue have handed nothing over until they are closed.
            if self.client.close(timeout=60) is False:
                self.sent.clear()
                self.problem = "the transport did not confirm its events"
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}"


def deliver(
    client: OpenLineageClient, events: Sequence[tuple[int, str]], seconds: float | None
) -> Delivered:
    """Send events in order until all are sent, one is refused or ``seconds`` are over (None: no end).

    An event that was being handed over when the time was up counts as not sent: it will be sent again.
    """
    thread = _Delivery(client, events)
    thread.start()
    thread.join(seconds)
    if not thread.is_alive():
        return Delivered(tuple(thread.sent), thread.problem)
    thread.stop.set()
    kept = () if client.transport.kind in ("async_http", "composite") else tuple(thread.sent)
    return Delivered(kept, f"no answer within {seconds:g} seconds")
