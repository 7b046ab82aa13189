"""That the run and its nodes have begun is told while the run goes on, on a thread beside its models.

Somebody who watches a long run sees what runs now. It is kept in the outbox before it is sent, as
all events are, so that the end of the run, or of one that was killed, names the same runs. Where a
collector does not answer, nothing more of it is told before the end. Nothing here waits for a model,
and no model waits for it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from openlineage.client import OpenLineageClient

from cdme_adapter.emit import outbox
from cdme_adapter.emit.catalog import Catalog
from cdme_adapter.emit.delivery import outcome, start
from cdme_adapter.emit.events import Story
from cdme_adapter.emit.facts import ProjectFacts
from cdme_adapter.emit.remembered import Remembered
from cdme_adapter.emit.texts import Printer
from cdme_adapter.engines.base import Execute

PAUSE = 0.5
"""Seconds between two looks at what has begun: one transaction each, whatever the number of nodes."""
_KINDS = ("model", "seed", "snapshot", "test", "unit_test")


class Live(threading.Thread):
    """Tells of beginnings. ``starts`` are dbt's words on them, (node, time), in the order of hearing."""

    def __init__(
        self, execute: Execute, schema: str, run_id: str, starts: deque[tuple[str, str]],
        selected: frozenset[str], facts: Callable[[], ProjectFacts],
    ) -> None:  # fmt: skip
        super().__init__(name="cdme-openlineage-live", daemon=True)
        self.execute, self.schema, self.run_id = execute, schema, run_id
        self.starts, self.selected, self.facts = starts, selected, facts
        self.ready: Callable[[], bool] = lambda: True
        """Waits for what earlier runs left; whether it got through."""
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._delivery: Any = None

    def run(self) -> None:
        """Tell until the run is over or the collector is in trouble; then the end of the run tells."""
        try:
            if not self.ready():
                return
            story: Story | None = None
            told: set[str] = set()
            while not self._over.wait(PAUSE):
                heard = [self.starts.popleft() for _ in range(len(self.starts))]
                new = {node: time for node, time in heard if node not in told and self._counts(node)}
                if not new:
                    continue
                opening = story is None
                story = story or self._story(min(new.values()))
                told |= new.keys()
                if not self._tell(story, new, opening):
                    return
        except Exception:
            return  # the end of the run tells what is missing, or says then why not

    def hush(self) -> None:
        """Keep no more beginnings: once this returns the outbox has all that there will be."""
        with self._lock:
            self._over.set()

    def finish(self, seconds: float) -> str:
        """Tell no more; what is in the way of sending more, if anything is."""
        self._over.set()
        with self._lock:
            delivery, self._delivery = self._delivery, None
        if delivery is None:
            return ""
        delivery.stop.set()
        done = outcome(delivery, seconds)
        self._note(done)
        return done.problem if delivery.is_alive() else ""

    def _counts(self, node: str) -> bool:
        return node in self.selected and node.partition(".")[0] in _KINDS

    def _story(self, began: str) -> Story:
        """A run that has begun, and of which nothing more is known."""
        ledger: dict[str, Any] = {"run_id": self.run_id, "edges": [], "nodes": [], "started_at": began,
                                  "finished_at": None}  # fmt: skip
        with self._lock:
            paths = [] if self._over.is_set() else self.execute(_PATHS)
        catalog = Catalog(self.execute, {}, dict(paths))
        return Story(ledger, self.facts(), catalog, Remembered(catalog))

    def _tell(self, story: Story, new: dict[str, str], opening: bool) -> bool:
        """Keep and send some beginnings; whether to go on."""
        client = OpenLineageClient()
        events = [story.run_opening()] if opening else []
        events += [story.opening({"node": node, "started_at": time}) for node, time in new.items()]
        for event in events:  # who tells the end of a run that was killed has no compiled SQL to repeat
            (event.job.facets or {}).pop("sql", None)
        printer = Printer(client)
        texts = [printer.text(event) for event in events]
        if opening and texts[0] is None:  # a filter of the client: no end could name the same runs
            return False
        with self._lock:
            if self._over.is_set():
                return False
            placed = outbox.append(self.execute, self.schema, self.run_id, [t for t in texts if t])
            delivery = self._delivery = start(client, placed, None)
        delivery.join()
        with self._lock:
            if self._delivery is not delivery:
                return False
            self._delivery = None
            done = outcome(delivery, 0)
            self._note(done)
        return not done.problem

    def _note(self, done: Any) -> None:
        outbox.mark_sent(self.execute, self.schema, done.sent)
        outbox.set_aside(self.execute, self.schema, done.refused)


_PATHS = "SELECT lower(database_name), path FROM duckdb_databases()"
