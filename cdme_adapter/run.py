"""One run: its row in the store, its nodes' states, its end. No dbt."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdme_adapter.accounting import LedgerEntry, RunStatus, Status
from cdme_adapter.config import CdmeConfig, parse_config
from cdme_adapter.engines.base import Execute
from cdme_adapter.errors import CdmeError, Finding, Place, unwritable
from cdme_adapter.generations import Generations
from cdme_adapter.nodes import NodeInfo, Nodes
from cdme_adapter.pipeline import Journey
from cdme_adapter.store.ledger_file import build_ledger, ledger_hash, write_ledger
from cdme_adapter.store.retention import collect_garbage
from cdme_adapter.store.writer import StoreWriter

_JUDGED_ELSEWHERE = ("budget", "grain", "roles", "validate")


@dataclass
class Run:
    """The state that the threads of a run share; ``side`` is a connection that commits at once."""

    run_id: str
    command: str
    versions: Mapping[str, Any]
    nodes: Nodes
    project_vars: Mapping[str, Any] | None
    target_path: Path
    side: Execute
    selected: frozenset[str] = frozenset()
    states: dict[str, str] = field(default_factory=dict)
    statuses: set[Status] = field(default_factory=set)
    view_texts: dict[str, str] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _prepared: set[str] = field(default_factory=set)
    generations: Generations = field(init=False)

    def __post_init__(self) -> None:
        self.generations = Generations(self.run_id, self.nodes, self.side)
        for node in self.nodes.by_id.values():
            key = (node.meta or {}).get("key")
            if key:
                names = (key,) if isinstance(key, str) else tuple(key)
                self.generations.keys[node.id] = names

    def prepare(self, database: str) -> None:
        """Make the cdme schema of a database and the run's row in it, once."""
        with self.lock:
            if database in self._prepared or database in self.unusable:
                return
            store = StoreWriter(self.side, database)
            try:
                store.prepare()
            except Exception as error:
                if isinstance(error, CdmeError) or "read-only" not in str(error):
                    raise
                raise unwritable(database, error) from error
            store.begin_run(self.run_id, self.command, dict(self.versions))
            self._prepared.add(database)

    def config_of(self, node: NodeInfo) -> tuple[CdmeConfig, list[Finding]]:
        """The node's configuration; raises ConfigError before anything is written."""
        place = Place(node.file)
        config, findings = parse_config(node.meta, self.project_vars, model=node.id, place=place)
        return config, findings + [
            Finding("NOT_IMPLEMENTED", f"{name} is judged by `cdme validate`; a run does not refuse",
                    "warn", node.id, place)
            for name in _JUDGED_ELSEWHERE
            if name in (node.meta or {})
        ]  # fmt: skip

    def journey(self, node: NodeInfo, compiled: str) -> Journey:
        """Start the journey of a node."""
        config, findings = self.config_of(node)
        self.prepare(node.database)
        self.states[node.id] = "started"
        return Journey(
            self.run_id, node, config, self.nodes, self.generations, compiled, self.view_texts,
            list(findings),
        )  # fmt: skip

    def note(self, entries: list[LedgerEntry]) -> None:
        """Remember the statuses that decide the run's own."""
        with self.lock:
            self.statuses |= {entry.status for entry in entries}

    def finish(self, interrupted: bool) -> RunStatus:
        """End the run: skipped nodes, status, garbage, ledger.json."""
        for database in sorted(self._prepared):
            self._skipped(database)
        status = self._status(interrupted)
        for database in sorted(self._prepared):
            store = StoreWriter(self.side, database)
            store.end_run(self.run_id, status.value)
            collect_garbage(self.side, store.schema)
        if self._prepared:
            write_ledger(self.target_path, self._ledger())
        return status

    def _ledger(self) -> dict[str, Any]:
        """The account of the run over all of its databases."""
        schemas = [StoreWriter(self.side, database).schema for database in sorted(self._prepared)]
        parts = [build_ledger(self.side, self.run_id, schema) for schema in schemas]
        ledger = parts[0]
        for name in ("edges", "nodes", "findings", "discrepancies"):
            ledger[name] = [row for part in parts for row in part[name]]
        ledger["ledger_hash"] = ledger_hash(ledger)
        return ledger

    def _status(self, interrupted: bool) -> RunStatus:
        if interrupted:
            return RunStatus.INTERRUPTED
        if any(state in ("failed", "rejected", "started") for state in self.states.values()):
            return RunStatus.FAILED
        if self.statuses - {Status.BALANCED}:
            return RunStatus.COMPLETE_WITH_WARNINGS
        return RunStatus.COMPLETE

    def _skipped(self, database: str) -> None:
        """Ledger rows of nodes that were selected and never ran: UNKNOWN, not balanced."""
        store = StoreWriter(self.side, database)
        for node_id in sorted(self.selected - set(self.states)):
            node = self.nodes.by_id.get(node_id)
            if node is None or node.database != database or node.resource_type == "source":
                continue
            store.node(self.run_id, node_id, "skipped", node.materialized, "", (0, 0, 0), "")
            if node.stores:
                config, _ = self.config_of(node)
                journey = Journey(self.run_id, node, config, self.nodes, self.generations, "", {}, [])
                entries = [
                    journey.unknown_entry(parent, "the node was skipped")
                    for parent in self.nodes.stored_parents(node)
                ]
                store.ledger(entries)
                self.statuses.add(Status.UNKNOWN)
