"""Where a run tells OpenLineage what it did. Nothing of it is imported where no transport is configured.

A collector can be dead, slow or wrong: the run is none of these. What goes wrong here is a warning.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from cdme_adapter.config import parse_config
from cdme_adapter.emit.switch import is_configured
from cdme_adapter.engines.base import Binding, Execute
from cdme_adapter.errors import Place
from cdme_adapter.nodes import Outcome, as_text
from cdme_adapter.store.chain import chained_schemas
from cdme_adapter.store.untold import forget_untold, untold
from cdme_adapter.store.writer import StoreWriter

COMMANDS = frozenset({"run", "build", "test", "seed", "snapshot", "retry"})
"""The commands of dbt that run nodes; others (compile, show, docs) have nothing to tell."""


class Early:
    """What is done beside the first models, not after the last: the client is loaded, and what earlier
    runs left waiting is sent."""

    def __init__(self, execute: Execute) -> None:
        self.backlog: list[Any] = []
        self._thread: threading.Thread | None = None
        if is_configured():
            self._thread = threading.Thread(target=self._begin, args=(execute,), daemon=True)
            self._thread.start()

    def _begin(self, execute: Execute) -> None:
        try:
            import_module("cdme_adapter.emit.publish")
            self.backlog += import_module("cdme_adapter.emit.backlog").Backlog.begin(execute)
        except Exception:
            return  # what waits goes out at the end, or says then why not

    def finish(self, execute: Execute, seconds: float) -> str:
        """Note what was sent; what is in the way of sending more, if anything is."""
        began = time.monotonic()
        if self._thread is not None:
            self._thread.join()
        seconds = max(0.0, seconds - (time.monotonic() - began))
        stopped = [one.finish(execute, seconds) for one in self.backlog]
        alive = any(one.thread.is_alive() for one in self.backlog)
        self.backlog = []
        return next((done.problem for done in stopped if done.problem), "") if alive else ""


@dataclass(frozen=True)
class Teller:
    """Tells what runs did, from a database's outbox."""

    execute: Binding
    database: str
    manifest: Any
    root: str
    project_vars: Mapping[str, Any] | None
    say: Callable[[str], Any]
    early: Early | None = None
    run_id: str = ""
    """The run that the manifest is of."""

    def tell(self, ledgers: Sequence[Mapping[str, Any]]) -> None:
        """Keep the events of these ledgers and send what waits, for as long as the project allows."""
        began = time.monotonic()
        try:
            from cdme_adapter.emit.facts import project_facts
            from cdme_adapter.emit.publish import keep_events, send_waiting

            config, _ = parse_config(None, self.project_vars, model="", place=Place())
            store = StoreWriter(self.execute, self.database)
            store.prepare()
            facts = lambda: project_facts(self.manifest, self.root)  # noqa: E731
            told = {ledger["run_id"] for ledger in ledgers}
            earlier = [one for one in untold(self.execute) if one["run_id"] not in told]
            keep_events(
                self.execute, store.schema, [*earlier, *ledgers], facts, config.emit.schemas, self.run_id
            )  # fmt: skip
            forget_untold(self.execute)
            # What making them took is part of what a run may be held up, whatever it may be.
            left = max(config.emit.timeout / 4, config.emit.timeout - (time.monotonic() - began))
            done = self._send(send_waiting, left)
        except Exception as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            self.say(f"[EMIT_FAILED] no OpenLineage events: {first}")
            return
        if done.refused:
            self.say(
                f"[EMIT_REFUSED] {done.refused} OpenLineage events were refused for good and put aside: "
                f"{done.problem}; `cdme emit --refused` sends them again"
            )
        if done.waiting:
            self.say(
                f"[EMIT_WAITING] {done.waiting} OpenLineage events wait: {done.problem}; the next run or "
                "`cdme emit` sends them"
            )

    def _send(self, send: Callable[..., Any], seconds: float) -> Any:
        """Send what waits, unless the delivery that began with the run still holds the collector."""
        schemas = chained_schemas(self.execute)
        began = time.monotonic()
        held = self.early.finish(self.execute, seconds) if self.early is not None else ""
        if not held:
            return send(self.execute, schemas, max(0.1, seconds - (time.monotonic() - began)))
        return replace(send(self.execute, schemas, 0.0), problem=held)


def ledger_of_outcomes(
    run_id: str, command: str, outcomes: Mapping[str, Outcome], failure: BaseException | None = None
) -> dict[str, Any]:
    """What a command without a ledger did (``dbt test``, or a run that was refused), in the shape of
    one, for its events. ``failure`` is what ended it before its time."""
    interrupted = isinstance(failure, (KeyboardInterrupt, SystemExit))
    states = {"pass": "passed", "success": "committed", "warn": "warned", "skipped": "skipped"}
    status = "FAILED" if failure or any(o.failed for o in outcomes.values()) else "COMPLETE"
    now = as_text(dt.datetime.now(dt.timezone.utc))
    return {
        "run_id": run_id,
        "command": command,
        "status": "INTERRUPTED" if interrupted else status,
        "started_at": None if outcomes else now,
        "finished_at": None if outcomes else now,
        "problem": str(failure) if failure and not interrupted else "",
        "edges": [],
        "findings": [],
        "nodes": [
            {
                "node": o.node,
                "state": "failed" if o.failed else states.get(o.status, o.status),
                "materialized": o.node.partition(".")[0],
                "message": o.message,
                "failures": o.failures,
                "started_at": o.started_at and as_text(o.started_at),
                "finished_at": o.finished_at and as_text(o.finished_at),
            }
            for o in outcomes.values()
        ],
    }
