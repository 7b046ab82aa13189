"""The events of one run: START and exactly one of COMPLETE, FAIL and ABORT for it and each node.

Built from the run's ledger, the manifest and the catalog, after the commit. The same ledger gives the
same events; the closing event repeats all that the opening one said, for some consumers read only
that.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.facet_v2 import processing_engine_run, test_run

from cdme_adapter import __version__
from cdme_adapter.emit import facets as parts
from cdme_adapter.emit import names
from cdme_adapter.emit.catalog import Catalog
from cdme_adapter.emit.datasets import Datasets
from cdme_adapter.emit.facts import NodeFacts, ProjectFacts
from cdme_adapter.emit.ledger_facet import ledger_facet
from cdme_adapter.emit.messages import public_message
from cdme_adapter.emit.names import PRODUCER, JobRun
from cdme_adapter.emit.remembered import Remembered

_ENDS = {
    "committed": RunState.COMPLETE, "inlined": RunState.COMPLETE, "passed": RunState.COMPLETE,
    "warned": RunState.COMPLETE, "not_captured": RunState.COMPLETE, "failed": RunState.FAIL,
    "rejected": RunState.FAIL,
}  # fmt: skip
_RUN_ENDS = {"FAILED": RunState.FAIL, "INTERRUPTED": RunState.ABORT}


@dataclass
class Story:
    """The events of one ledger."""

    ledger: Mapping[str, Any]
    project: ProjectFacts
    catalog: Catalog
    remembered: Remembered
    schemas: str = ""
    """Where the schemas of CDME's own facets are served, if anywhere."""
    past: bool = False
    """Whether it is an earlier run's: the project and the tables may be others by now."""
    datasets: Datasets = field(init=False)
    edges: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    _jobs: dict[str, Job] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.datasets = Datasets(self.project, self.catalog, self.remembered)
        for edge in self.ledger["edges"]:
            self.edges.setdefault(edge["model"], []).append(edge)
        times = [n[k] for n in self.ledger["nodes"] for k in ("started_at", "finished_at") if n.get(k)]
        self.began = min(filter(None, [*times, self.ledger["started_at"]]))
        self.ended = max([*times, *filter(None, [self.ledger["finished_at"]]), self.began])

    def events(self) -> list[RunEvent]:
        """All events in the order of their times, the run's own first and last."""
        nodes = {node["node"]: node for node in self.ledger["nodes"]}.values()
        inner = [*map(self._opening, nodes), *map(self._ending, nodes)]
        inner.sort(key=lambda event: event.eventTime)
        return [self._run_opening(), *inner, self._run_ending()]

    # -- the run ---------------------------------------------------------------------------------

    @functools.cached_property
    def own(self) -> JobRun:
        """The run of the dbt command."""
        run_id = names.run_uuid(self.ledger["run_id"], _time(self.began))
        return JobRun(names.job_namespace(), names.run_job(self.project.name), run_id)

    def _parents(self) -> tuple[JobRun, JobRun] | None:
        """The parent of the run and the root above it, where a scheduler names one."""
        parent = names.parent_run()
        return (parent, names.parent_run("OPENLINEAGE_ROOT_PARENT_ID") or parent) if parent else None

    def _run_opening(self) -> RunEvent:
        return _event(RunState.START, self.began, Run(self.own.run_id, self._run_facets()), self._run_job())

    def _run_facets(self) -> dict[str, Any]:
        parents = self._parents()
        parent = {"parent": parts.parent(*parents)} if parents is not None else {}
        return {"processing_engine": self._engine(), **parent}

    def _run_job(self) -> Job:
        return Job(self.own.namespace, self.own.job, {"jobType": parts.job_type("JOB")})

    def _run_ending(self) -> RunEvent:
        state = _RUN_ENDS.get(self.ledger["status"], RunState.COMPLETE)
        told = ledger_facet(self.ledger, self.ledger["edges"], self.schemas)
        last = {**self._run_facets(), "cdme_ledger": told}
        wrong = [n["node"] for n in self.ledger["nodes"] if n["state"] in ("failed", "rejected")]
        if state is RunState.FAIL:
            # What refuses a run may name keys in the lines that follow the first.
            first = public_message(self.ledger.get("problem") or "").splitlines()[0]
            nodes = "1 node" if len(wrong) == 1 else f"{len(wrong)} nodes"
            said = f"{nodes} failed: {', '.join(wrong[:20])}"
            last["errorMessage"] = parts.error(first if self.ledger.get("problem") else said)
        return _event(state, self.ended, Run(self.own.run_id, last), self._run_job())

    def _engine(self) -> processing_engine_run.ProcessingEngineRunFacet:
        return processing_engine_run.ProcessingEngineRunFacet(
            version=self.project.dbt_version, name="dbt", openlineageAdapterVersion=__version__,
            producer=PRODUCER,
        )  # fmt: skip

    # -- nodes -----------------------------------------------------------------------------------

    def _opening(self, node: Mapping[str, Any]) -> RunEvent:
        facts = self._facts(node)
        began = max(self.began, node.get("started_at") or "")
        run = Run(self._run_id(facts), dict(self._node_facets))
        return _event(RunState.START, began, run, self._job(facts), *self._datasets(facts, node, False))

    def _ending(self, node: Mapping[str, Any]) -> RunEvent:
        facts = self._facts(node)
        began = max(self.began, node.get("started_at") or "")
        ended = node.get("finished_at") or (began if node["state"] == "skipped" else self.ended)
        state = _ENDS.get(node["state"], RunState.ABORT)
        run = Run(self._run_id(facts), {**self._node_facets, **self._closing(facts, node, state)})
        return _event(state, max(began, ended), run, self._job(facts), *self._datasets(facts, node, True))

    def _facts(self, node: Mapping[str, Any]) -> NodeFacts:
        facts = self.project.nodes.get(node["node"])
        if facts is None:  # of a run before the project lost it
            kind = node["node"].partition(".")[0]
            return NodeFacts(node["node"], kind, node["materialized"] or "", "", "", "", "", ())
        if self.past and node.get("sql_hash") != hashlib.sha256(facts.compiled.encode()).hexdigest():
            return replace(facts, compiled="")
        return facts

    def _run_id(self, facts: NodeFacts) -> str:
        return names.run_uuid(self.ledger["run_id"], _time(self.began), facts.id)

    @functools.cached_property
    def _node_facets(self) -> dict[str, Any]:
        root = (self._parents() or (self.own, self.own))[1]
        return {"processing_engine": self._engine(), "parent": parts.parent(self.own, root)}

    def _job(self, facts: NodeFacts) -> Job:
        if facts.id not in self._jobs:
            self._jobs[facts.id] = Job(self.own.namespace, facts.id, parts.job_facets(facts))
        return self._jobs[facts.id]

    def _closing(self, facts: NodeFacts, node: Mapping[str, Any], state: RunState) -> dict[str, Any]:
        """The run facets that only the end of a node knows."""
        edges = self.edges.get(facts.id, [])
        found: dict[str, Any] = {"cdme_ledger": ledger_facet(self.ledger, edges, self.schemas)}
        balances = [parts.balance(edge) for edge in edges if edge["role"] == "direct"]
        if facts.test is not None:
            balances = [parts.test_execution(facts, node)]
        if balances:
            found["test"] = test_run.TestRunFacet(tests=balances, producer=PRODUCER)
        if state is RunState.FAIL:
            found["errorMessage"] = parts.error(self._why(facts, node))
        return found

    def _why(self, facts: NodeFacts, node: Mapping[str, Any]) -> str:
        """Why a node failed, without what may be data."""
        if facts.test is not None:
            return f"{node.get('failures') or 0} rows fail the test"
        if node["state"] == "rejected":
            wrong = [
                f for f in self.ledger["findings"] if f["model"] == facts.id and f["severity"] == "error"
            ]
            return "; ".join(f"[{f['code']}] {f['message']}" for f in wrong) or str(node["message"])
        return public_message(str(node["message"] or "Error"))

    def _datasets(
        self, facts: NodeFacts, node: Mapping[str, Any], counted: bool
    ) -> tuple[list[Any], list[Any]]:
        """The inputs and outputs of a node, with row counts once they are known."""
        edges = self.edges.get(facts.id, [])
        told = [edge for edge in edges if counted and edge["input_count"] is not None]
        counts = {edge["input"]: edge["input_count"] for edge in told}
        parents = self.project.parents_of(facts)
        if facts.test is not None:
            return self._tested(facts, parents, node, counted), []
        inputs = [self.datasets.input(parent, counts.get(parent.id)) for parent in parents]
        for ident in sorted({edge["input"] for edge in edges} - {facts.id, *(p.id for p in parents)}):
            # What stands behind a view was read and counted, a view stores nothing; or dbt knows it not.
            node_read = self.project.nodes.get(ident)
            other = (
                self.datasets.other(ident, counts.get(ident)) if node_read is None
                else self.datasets.input(node_read, counts.get(ident))
            )  # fmt: skip
            inputs += [other] if other is not None else []
        if not facts.is_dataset:
            return inputs, []
        rows = self._rows(facts, node, edges) if counted else None
        return inputs, [self.datasets.output(facts, rows, lineage=counted)]

    def _rows(
        self, facts: NodeFacts, node: Mapping[str, Any], edges: list[Mapping[str, Any]]
    ) -> int | None:
        """How many rows the node's relation has after its commit; of a view none are stored."""
        if node["state"] != "committed" or facts.materialized == "view":
            return None
        counts = [edge["output_count"] for edge in edges if edge["output_count"] is not None]
        if counts or self.past:
            return int(counts[0]) if counts else None
        return self.catalog.count(facts.database, facts.schema, facts.identifier)

    def _tested(
        self, facts: NodeFacts, parents: list[NodeFacts], node: Mapping[str, Any], counted: bool
    ) -> list[Any]:
        """The datasets that a test reads; the one that it is about carries the assertion."""
        test = facts.test
        about = test.attached if test else None
        if test is not None and (about is None or about not in {p.id for p in parents}):
            about = parents[0].id if parents else None
        ran = counted and node["state"] in ("passed", "warned", "failed")
        assertion = [parts.assertion(facts, node)] if ran else None
        return [
            self.datasets.input(parent, None, assertion if parent.id == about else None)
            for parent in parents
        ]


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


def _event(
    state: RunState, time: str, run: Run, job: Job, inputs: list[Any] | None = None,
    outputs: list[Any] | None = None,
) -> RunEvent:  # fmt: skip
    return RunEvent(
        eventType=state, eventTime=time, run=run, job=job, inputs=inputs or [], outputs=outputs or [],
        producer=PRODUCER,
    )  # fmt: skip
