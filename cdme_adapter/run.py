"""One run: its row in the store, its nodes' states, its end. No dbt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cdme_adapter import plugins
from cdme_adapter.accounting import LedgerEntry, RunStatus, Status
from cdme_adapter.config import CdmeConfig, parse_config
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import kind_of
from cdme_adapter.errors import CdmeError, ConfigError, Finding, Place, unwritable
from cdme_adapter.external import repair
from cdme_adapter.generations import Generations
from cdme_adapter.modes import begin
from cdme_adapter.nodes import NodeInfo, Nodes, Outcome
from cdme_adapter.pipeline import Journey, ungated
from cdme_adapter.plan_cache import PlanCache
from cdme_adapter.pseudonyms import Pseudonyms
from cdme_adapter.refine.declared import refuse_without_sql
from cdme_adapter.store.chain import SKIPPED, fill_in, seal
from cdme_adapter.store.keeping import forget_runs
from cdme_adapter.store.ledger_file import write_ledger
from cdme_adapter.store.recovery import recover
from cdme_adapter.store.retention import collect_garbage
from cdme_adapter.store.writer import StoreWriter


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
    pseudonyms: Pseudonyms = field(default_factory=Pseudonyms)
    """What stands for personal values in all that is stored."""
    judged: tuple[Finding, ...] = ()
    """What was found of the selected models before the first of them ran."""
    ordered: Mapping[str, str] = field(default_factory=dict)
    """The compiled SQL of the models of which it was found that what picks rows has a total order."""
    failure: str = ""
    """What ended the run before its first model began."""
    sinks: list[Callable[[Run], None]] = field(default_factory=list)
    """Called with the run once its ledger is kept, while ``side`` is open; they must not raise."""
    ledger: dict[str, Any] = field(default_factory=dict)
    """The run's ledger, once it is finished."""
    recovered: list[dict[str, Any]] = field(default_factory=list)
    """The ledgers of earlier runs that this one had to finish."""
    telling: bool = False
    """Whether somebody is told of the run's events after it."""
    root: str = ""
    """The project's folder: places of files are told from there."""
    _prepared: list[str] = field(default_factory=list)
    _refused: dict[str, Exception] = field(default_factory=dict)
    generations: Generations = field(init=False)

    def __post_init__(self) -> None:
        self.generations = Generations(
            self.run_id, self.nodes, self.side, pseudonyms=self.pseudonyms,
            plans=PlanCache(self.target_path / "cdme" / "plans.json"),
        )  # fmt: skip
        for node in self.nodes.by_id.values():
            key = (node.meta or {}).get("key")
            if isinstance(key, (str, list, tuple)) and key:
                names = (key,) if isinstance(key, str) else tuple(key)
                self.generations.keys[node.id] = names

    def prepare(self, database: str) -> None:
        """Make the cdme schema of a database and the run's row in it, once.

        With the first come those of all that was selected: a node that never begins is in the ledger.
        """
        with self.lock:
            if database in self._refused:
                raise self._refused[database]
            if database in self._prepared or database in self.unusable:
                return
            self._prepare(database)
            others = self._homes() - {database, *self._prepared, *self.unusable, *self._refused}
            for other in sorted(others):
                try:
                    self._prepare(other)
                except Exception as error:  # said where its first node begins
                    self._refused[other] = error
            if others and self._prepared:
                first = StoreWriter(self.side, self._prepared[0])
                first.planned(self.run_id, self._planned(first.database))

    def _homes(self) -> set[str]:
        """The databases in which selected nodes lie."""
        known = (self.nodes.by_id.get(ident) for ident in self.selected)
        return {node.database for node in known if node is not None and node.resource_type != "source"}

    def prepare_all(self) -> None:
        """Make ready what can be of the databases in which selected nodes lie; raises what none can."""
        wrong: Exception | None = None
        for database in sorted(self._homes()):
            try:
                self.prepare(database)
            except Exception as error:
                wrong = error
        if wrong is not None and not self._prepared:
            raise wrong

    def _prepare(self, database: str) -> None:
        kind = kind_of(self.side, database)
        if kind != "duckdb":
            self.unusable[database] = kind
            return
        store = StoreWriter(self.side, database)
        try:
            store.prepare()
        except Exception as error:
            if isinstance(error, CdmeError) or "read-only" not in str(error):
                raise
            raise unwritable(database, error) from error
        repair(self.side, store.schema)
        self.recovered += recover(self.side, self.run_id, self.target_path, self.telling)
        store.begin_run(self.run_id, self.command, dict(self.versions))
        store.planned(self.run_id, self._planned(database))
        store.findings(self.run_id, [f for f in self.judged if self._lies_in(f.model, database)])
        self._prepared.append(database)

    def _lies_in(self, node_id: str | None, database: str) -> bool:
        """Whether a node lies in a database; what is none, a macro, is counted to the first."""
        node = self.nodes.by_id.get(node_id or "")
        return not self._prepared if node is None else node.database == database

    def _planned(self, database: str) -> list[tuple[str, str, str, list[str] | None]]:
        """The selected nodes that lie in a database; to the first one are counted tests, and nodes of
        databases that hold no account."""
        first = not self._prepared or self._prepared[0] == database
        rows: list[tuple[str, str, str, list[str] | None]] = []
        for node_id in sorted(self.selected):
            node = self.nodes.by_id.get(node_id)
            if node is None:
                kind = node_id.partition(".")[0]
                if first and kind in ("test", "unit_test"):
                    rows.append((node_id, kind, "", None))
            elif node.resource_type != "source" and (
                node.database == database or (first and node.database not in self._prepared)
            ):
                inputs = self.nodes.stored_parents(node) if node.stores else None
                rows.append((node_id, node.materialized, self._mode_of(node), inputs))
        return rows

    def _mode_of(self, node: NodeInfo) -> str:
        """The lineage mode; the default where the options cannot be followed and the run is refused."""
        try:
            return self.config_of(node)[0].lineage_mode.value
        except ConfigError:
            return CdmeConfig().lineage_mode.value

    def config_of(self, node: NodeInfo) -> tuple[CdmeConfig, list[Finding]]:
        """The node's configuration; raises ConfigError before anything is written."""
        place = Place(node.file)
        config, findings = parse_config(node.meta, self.project_vars, model=node.id, place=place)
        refuse_without_sql(node, place)
        if not config.witnesses and node.stores and node.resource_type == "model":
            inputs = self.nodes.stored_parents(node)
            said = plugins.first("cdme_witnesses", model=node.id, language=node.language, inputs=inputs)
            config = replace(config, witnesses=said) if said else config
        return config, findings

    def not_judged(self) -> list[Finding]:
        """What ephemeral models declare and nobody judges: they never run."""
        return [
            finding
            for node in self.nodes.by_id.values()
            if node.materialized == "ephemeral" and (not self.selected or node.id in self.selected)
            for finding in ungated(self.config_of(node)[0], node)
        ]

    @property
    def databases(self) -> tuple[str, ...]:
        """The databases that the run has written to, the first one first."""
        return tuple(self._prepared)

    def journey(self, node: NodeInfo, compiled: str, batch: str = "") -> Journey:
        """Start the journey of a node."""
        config, findings = self.config_of(node)
        self.prepare(node.database)
        if not batch or self.states.get(node.id) not in ("failed", "rejected"):
            self.states[node.id] = "started"
        journey = Journey(
            self.run_id, node, config, self.nodes, self.generations, compiled, self.view_texts,
            list(findings), batch=batch, hidden=self.pseudonyms.hidden,
            ordered=self.ordered.get(node.id, "").strip() == compiled.strip() != "",
            redacted=self.pseudonyms.redacted, root=self.root,
            logic=compiled if node.resource_type == "snapshot" else "",
        )  # fmt: skip
        begin(journey)
        return journey

    def note(self, entries: list[LedgerEntry]) -> None:
        """Remember the statuses that decide the run's own."""
        with self.lock:
            self.statuses |= {entry.status for entry in entries}

    def finish(self, interrupted: bool, outcomes: Mapping[str, Outcome] | None = None) -> RunStatus:
        """End the run: nodes that never ran, status, garbage, the ledger and its link in the chain."""
        redacted = self.pseudonyms.redacted
        heard = {
            node: replace(outcome, message=redacted(outcome.message))
            for node, outcome in (outcomes or {}).items()
        }
        if self.generations.plans is not None:
            self.generations.plans.save()
        stores = [StoreWriter(self.side, database) for database in self._prepared]
        for store in stores:
            self._close(store, heard)
        status = self._status(interrupted, heard)
        for store in stores:
            store.end_run(self.run_id, status.value)
            collect_garbage(self.side, store.schema)
            forget_runs(self.side, store.schema, self._keep_runs())
        if stores:
            self.ledger = seal(self.side, self.run_id, [store.schema for store in stores], self.telling)
            write_ledger(self.target_path, self.ledger)
            for sink in self.sinks:
                sink(self)
        return status

    def _keep_runs(self) -> int:
        """How many runs the ledger keeps: an option of the whole project."""
        try:
            config, _ = parse_config(None, self.project_vars, model="", place=Place())
        except ConfigError:  # a run that is refused for it
            config = CdmeConfig()
        return config.keep_runs

    def _close(self, store: StoreWriter, heard: Mapping[str, Outcome]) -> None:
        """Give every node of one database that was selected its state."""
        planned = self._planned(store.database)
        store.planned(self.run_id, planned)
        names = {node for node, *_ in planned}
        redacted = self.pseudonyms.redacted
        mine = [replace(o, message=redacted(o.message)) for node, o in heard.items() if node in names]
        store.outcomes(self.run_id, mine)
        if fill_in(self.side, store.schema, self.run_id, "skipped", SKIPPED):
            self.statuses.add(Status.UNKNOWN)

    def _status(self, interrupted: bool, heard: Mapping[str, Outcome]) -> RunStatus:
        """FAILED wherever dbt exits 1 for a node, a failing test too."""
        if interrupted:
            return RunStatus.INTERRUPTED
        if self.failure or any(
            state in ("failed", "rejected", "started") for state in self.states.values()
        ):
            return RunStatus.FAILED
        if any(outcome.failed for outcome in heard.values()):
            return RunStatus.FAILED
        if self.statuses - {Status.BALANCED}:
            return RunStatus.COMPLETE_WITH_WARNINGS
        return RunStatus.COMPLETE
