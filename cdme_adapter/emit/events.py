"""The events of one run: START and exactly one of COMPLETE, FAIL and ABORT for it and each node.

Built from the run's ledger, the manifest and the catalog, after the commit. The same ledger gives the
same events; the closing event repeats all that the opening one said, for some consumers read only
that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    documentation_job,
    error_message_run,
    job_type_job,
    ownership_job,
    parent_run,
    processing_engine_run,
    sql_job,
    tags_job,
    test_run,
)

from cdme_adapter import __version__
from cdme_adapter.emit import names
from cdme_adapter.emit.catalog import Catalog
from cdme_adapter.emit.datasets import Assertion, Datasets
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
_JOB_TYPES = {"model": "MODEL", "seed": "SEED", "snapshot": "SNAPSHOT", "test": "TEST", "unit_test": "TEST"}


@dataclass
class Story:
    """The events of one ledger."""

    ledger: Mapping[str, Any]
    project: ProjectFacts
    catalog: Catalog
    remembered: Remembered
    schemas: str = ""
    """Where the schemas of CDME's own facets are served, if anywhere."""
    datasets: Datasets = field(init=False)
    edges: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.datasets = Datasets(self.project, self.catalog, self.remembered)
        for edge in self.ledger["edges"]:
            self.edges.setdefault(edge["model"], []).append(edge)
        times = [n[k] for n in self.ledger["nodes"] for k in ("started_at", "finished_at") if n.get(k)]
        self.began = min([*times, *filter(None, [self.ledger["started_at"]])])
        self.ended = max([*times, *filter(None, [self.ledger["finished_at"]]), self.began])

    def events(self) -> list[RunEvent]:
        """All events in the order of their times, the run's own first and last."""
        opening, closing = self._run()
        inner = [event for node in self.ledger["nodes"] for event in self._node(node)]
        inner.sort(key=lambda event: event.eventTime)
        return [opening, *inner, closing]

    # -- the run ---------------------------------------------------------------------------------

    @property
    def own(self) -> JobRun:
        """The run of the dbt command."""
        run_id = names.run_uuid(self.ledger["run_id"], _time(self.began))
        return JobRun(names.job_namespace(), names.run_job(self.project.name), run_id)

    def _run(self) -> tuple[RunEvent, RunEvent]:
        state = _RUN_ENDS.get(self.ledger["status"], RunState.COMPLETE)
        facets: dict[str, Any] = {"processing_engine": self._engine()}
        parent = names.parent_run()
        if parent is not None:
            facets["parent"] = _parent(parent, names.parent_run("OPENLINEAGE_ROOT_PARENT_ID") or parent)
        job = Job(self.own.namespace, self.own.job, {"jobType": _job_type("JOB")})
        last = {**facets, "cdme_ledger": ledger_facet(self.ledger, self.ledger["edges"], self.schemas)}
        wrong = [n["node"] for n in self.ledger["nodes"] if n["state"] in ("failed", "rejected")]
        if state is RunState.FAIL:
            # What refuses a run may name keys in the lines that follow the first.
            first = public_message(self.ledger.get("problem") or "").splitlines()[0]
            said = f"{len(wrong)} nodes failed: {', '.join(wrong[:20])}"
            last["errorMessage"] = _error(first if self.ledger.get("problem") else said)
        return (
            _event(RunState.START, self.began, Run(self.own.run_id, facets), job),
            _event(state, self.ended, Run(self.own.run_id, last), job),
        )

    def _engine(self) -> processing_engine_run.ProcessingEngineRunFacet:
        return processing_engine_run.ProcessingEngineRunFacet(
            version=self.project.dbt_version, name="dbt", openlineageAdapterVersion=__version__,
            producer=PRODUCER,
        )  # fmt: skip

    # -- nodes -----------------------------------------------------------------------------------

    def _node(self, node: Mapping[str, Any]) -> Iterable[RunEvent]:
        facts = self.project.nodes.get(node["node"])
        if facts is None:  # of a run before the project lost it
            kind = node["node"].partition(".")[0]
            facts = NodeFacts(node["node"], kind, node["materialized"] or "", "", "", "", "", ())
        began = node.get("started_at") or self.began
        ended = node.get("finished_at") or (began if node["state"] == "skipped" else self.ended)
        root = names.parent_run("OPENLINEAGE_ROOT_PARENT_ID") or names.parent_run() or self.own
        run_id = names.run_uuid(self.ledger["run_id"], _time(self.began), facts.id)
        facets = {"processing_engine": self._engine(), "parent": _parent(self.own, root)}
        job = Job(names.job_namespace(), facts.id, _job_facets(facts))
        first = self._datasets(facts, node, counted=False)
        yield _event(RunState.START, began, Run(run_id, facets), job, *first)
        state = _ENDS.get(node["state"], RunState.ABORT)
        last = {**facets, **self._closing(facts, node, state)}
        yield _event(state, max(began, ended), Run(run_id, last), job, *self._datasets(facts, node, True))

    def _closing(self, facts: NodeFacts, node: Mapping[str, Any], state: RunState) -> dict[str, Any]:
        """The run facets that only the end of a node knows."""
        edges = self.edges.get(facts.id, [])
        found: dict[str, Any] = {"cdme_ledger": ledger_facet(self.ledger, edges, self.schemas)}
        balances = [_balance(edge) for edge in edges if edge["role"] == "direct"]
        if facts.test is not None:
            balances = [_test_execution(facts, node)]
        if balances:
            found["test"] = test_run.TestRunFacet(tests=balances, producer=PRODUCER)
        if state is RunState.FAIL:
            found["errorMessage"] = _error(self._why(facts, node))
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
        counts = {edge["input"]: edge["input_count"] for edge in edges} if counted else {}
        parents = self.project.parents_of(facts)
        if facts.test is not None:
            return self._tested(facts, parents, node, counted), []
        inputs = [self.datasets.input(parent, counts.get(parent.id)) for parent in parents]
        known = {parent.id for parent in parents} | self.project.nodes.keys()
        for ident in sorted({edge["input"] for edge in edges} - known):
            other = self.datasets.other(ident, counts.get(ident))
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
        if counts:
            return int(counts[0])
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
        assertion = [_assertion(facts, node)] if ran else None
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


def _parent(parent: JobRun, root: JobRun) -> parent_run.ParentRunFacet:
    return parent_run.ParentRunFacet(
        run=parent_run.Run(runId=parent.run_id),
        job=parent_run.Job(namespace=parent.namespace, name=parent.job),
        root=parent_run.Root(
            run=parent_run.RootRun(runId=root.run_id),
            job=parent_run.RootJob(namespace=root.namespace, name=root.job),
        ),
        producer=PRODUCER,
    )


def _job_type(kind: str) -> job_type_job.JobTypeJobFacet:
    return job_type_job.JobTypeJobFacet(
        processingType="BATCH", integration="DBT", jobType=kind, producer=PRODUCER
    )


def _job_facets(facts: NodeFacts) -> dict[str, Any]:
    facets: dict[str, Any] = {"jobType": _job_type(_JOB_TYPES.get(facts.kind, facts.kind.upper()))}
    if facts.compiled:
        facets["sql"] = sql_job.SQLJobFacet(query=facts.compiled, dialect="duckdb", producer=PRODUCER)
    if facts.description:
        facets["documentation"] = documentation_job.DocumentationJobFacet(
            description=facts.description, producer=PRODUCER
        )
    if facts.owners:
        facets["ownership"] = ownership_job.OwnershipJobFacet(
            owners=[ownership_job.Owner(name=name, type=kind) for name, kind in facts.owners],
            producer=PRODUCER,
        )
    if facts.tags:
        facets["tags"] = tags_job.TagsJobFacet(
            tags=[tags_job.TagsJobFacetFields(key=tag, value="true", source="DBT") for tag in facts.tags],
            producer=PRODUCER,
        )
    return facets


def _error(message: str) -> error_message_run.ErrorMessageRunFacet:
    return error_message_run.ErrorMessageRunFacet(
        message=message, programmingLanguage="SQL", producer=PRODUCER
    )


def _balance(edge: Mapping[str, Any]) -> test_run.TestExecution:
    """The equation of an edge as a test: what came in, and what was accounted for."""
    status = {"BALANCED": "pass", "UNBALANCED": "fail"}.get(edge["status"], "skip")
    parts = [edge[f"{name}_count"] for name in ("contributed", "filtered", "error")]
    known = edge["input_count"] is not None and None not in parts
    return test_run.TestExecution(
        name=f"zero_loss of {edge['input']}", status=status, severity="error", type="cdme_balance",
        expected=str(edge["input_count"]) if known else None,
        actual=str(sum(parts)) if known else None,
    )  # fmt: skip


_TESTED = {"passed": "pass", "warned": "fail", "failed": "fail"}


def _test_execution(facts: NodeFacts, node: Mapping[str, Any]) -> test_run.TestExecution:
    assert facts.test is not None
    return test_run.TestExecution(
        name=facts.name, status=_TESTED.get(node["state"], "skip"), severity=facts.test.severity,
        type=facts.test.kind, description=facts.description or None, expected="0",
        actual=None if node.get("failures") is None else str(node["failures"]),
    )  # fmt: skip


def _assertion(facts: NodeFacts, node: Mapping[str, Any]) -> Assertion:
    assert facts.test is not None
    return Assertion(
        assertion=facts.test.kind, success=node["state"] == "passed", column=facts.test.column,
        severity=facts.test.severity, name=facts.name, expected="0",
        actual=None if node.get("failures") is None else str(node["failures"]),
    )  # fmt: skip
