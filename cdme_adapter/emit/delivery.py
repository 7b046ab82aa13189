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

_THREAD = "cdme-openlineage"

logging.getLogger("openlineage").addHandler(logging.NullHandler())
# What keeps a delivery from getting through is said at its end, not at each attempt amid dbt's lines.
logging.getLogger("urllib3.connectionpool").addFilter(lambda record: record.threadName != _THREAD)


# What an HTTP collector answers to an event that it will not take however often it is sent. Others
# (401, 404, 429, 5xx, no answer) say something of the collector, and may be different tomorrow.
_FOR_GOOD = frozenset({400, 413, 415, 422})
AHEAD = 10


@dataclass(frozen=True)
class Delivered:
    """What came of a delivery: the positions that a collector has, and why it stopped, if it did.

    ``refused`` are events that no resend will bring over, with the reason; ``stopped_at`` is the one
    that the delivery came to its end at, if it did not get through.
    """

    sent: tuple[int, ...]
    problem: str = ""
    refused: tuple[tuple[int, str], ...] = ()
    stopped_at: int | None = None


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
    """Sends in order; an event that is refused for good steps aside for those behind it.

    ``stuck`` is an event at which earlier deliveries ended: once more, and those behind it are tried
    (``AHEAD`` of them). If one goes through, it was the events before it and not the collector.
    """

    def __init__(
        self, client: OpenLineageClient, events: Sequence[tuple[int, str]], stuck: int | None
    ) -> None:
        super().__init__(name=_THREAD, daemon=True)
        self.client = client
        self.events = events
        self.stuck = stuck
        self.sent: list[int] = []
        self.refused: list[tuple[int, str]] = []
        self.doubted: list[tuple[int, str]] = []
        self.at: int | None = None
        self.problem = ""
        self.stop = threading.Event()

    def run(self) -> None:
        try:
            for position, text in self.events:
                if self.stop.is_set():
                    break
                self.at = position
                if not self._hand_over(position, text):
                    return
            self.at = None
            # Transports that queue have handed nothing over until they are closed.
            if self.client.close(timeout=60) is False:
                self.sent.clear()
                self.problem = "the transport did not confirm its events"
        except Exception as error:
            self.problem = _said(error)

    def _hand_over(self, position: int, text: str) -> bool:
        """Send one event; whether to go on."""
        try:
            event = restore(text)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.refused.append((position, f"it cannot be read: {_said(error)}"))
            return True
        try:
            self.client.transport.emit(event)
        except Exception as error:
            if getattr(getattr(error, "response", None), "status_code", None) in _FOR_GOOD:
                self.refused.append((position, _said(error)))
                return True
            if position == self.stuck or 0 < len(self.doubted) <= AHEAD:
                self.doubted.append((position, _said(error)))
                return True
            self.at = self.doubted[0][0] if self.doubted else position
            self.problem = _said(error)
            return False
        self.sent.append(position)
        self.refused += self.doubted
        self.doubted = []
        return True


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def start(client: OpenLineageClient, events: Sequence[tuple[int, str]], stuck: int | None) -> _Delivery:
    """Begin to send, and come back at once."""
    thread = _Delivery(client, events, stuck)
    thread.start()
    return thread


def deliver(
    client: OpenLineageClient,
    events: Sequence[tuple[int, str]],
    seconds: float | None,
    stuck: int | None = None,
) -> Delivered:
    """Send events in order until all are sent, the collector fails or ``seconds`` are over (None: no end).

    An event that was being handed over when the time was up counts as not sent: it will be sent again.
    """
    return outcome(start(client, events, stuck), seconds)


def outcome(thread: _Delivery, seconds: float | None) -> Delivered:
    """What came of a delivery once it is done or ``seconds`` are over."""
    thread.join(seconds)
    if thread.is_alive():
        thread.stop.set()
        kept = () if thread.client.transport.kind in ("async_http", "composite") else tuple(thread.sent)
        why = f"no answer within {seconds or 0:.2g} seconds"
        return Delivered(kept, why, tuple(thread.refused), thread.at)
    if thread.doubted:  # the last in the queue: nothing behind them tells whose fault it is
        position, why = thread.doubted[0]
        return Delivered(tuple(thread.sent), thread.problem or why, tuple(thread.refused), position)
    return Delivered(tuple(thread.sent), thread.problem, tuple(thread.refused), thread.at)
