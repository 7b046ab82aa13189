"""The facets of runs and jobs, of plain values."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from openlineage.client.facet_v2 import (
    documentation_job,
    error_message_run,
    job_type_job,
    ownership_job,
    parent_run,
    sql_job,
    tags_job,
    test_run,
)

from cdme_adapter.emit.datasets import Assertion
from cdme_adapter.emit.facts import NodeFacts
from cdme_adapter.emit.names import PRODUCER, JobRun

_JOB_TYPES = {"model": "MODEL", "seed": "SEED", "snapshot": "SNAPSHOT", "test": "TEST", "unit_test": "TEST"}


def parent(above: JobRun, root: JobRun) -> parent_run.ParentRunFacet:
    """The run that a run is part of, and the one at the root."""
    return parent_run.ParentRunFacet(
        run=parent_run.Run(runId=above.run_id),
        job=parent_run.Job(namespace=above.namespace, name=above.job),
        root=parent_run.Root(
            run=parent_run.RootRun(runId=root.run_id),
            job=parent_run.RootJob(namespace=root.namespace, name=root.job),
        ),
        producer=PRODUCER,
    )


@functools.cache
def job_type(kind: str) -> job_type_job.JobTypeJobFacet:
    """What kind of a job of dbt it is."""
    return job_type_job.JobTypeJobFacet(
        processingType="BATCH", integration="DBT", jobType=kind, producer=PRODUCER
    )


def job_facets(facts: NodeFacts) -> dict[str, Any]:
    """What the project says of a node."""
    facets: dict[str, Any] = {"jobType": job_type(_JOB_TYPES.get(facts.kind, facts.kind.upper()))}
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


def error(message: str) -> error_message_run.ErrorMessageRunFacet:
    """Why a run failed."""
    return error_message_run.ErrorMessageRunFacet(
        message=message, programmingLanguage="SQL", producer=PRODUCER
    )


def balance(edge: Mapping[str, Any]) -> test_run.TestExecution:
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


def test_execution(facts: NodeFacts, node: Mapping[str, Any]) -> test_run.TestExecution:
    """The result of a test of the project."""
    assert facts.test is not None
    return test_run.TestExecution(
        name=facts.name, status=_TESTED.get(node["state"], "skip"), severity=facts.test.severity,
        type=facts.test.kind, description=facts.description or None, expected="0",
        actual=None if node.get("failures") is None else str(node["failures"]),
    )  # fmt: skip


def assertion(facts: NodeFacts, node: Mapping[str, Any]) -> Assertion:
    """The same as an assertion about a dataset."""
    assert facts.test is not None
    return Assertion(
        assertion=facts.test.kind, success=node["state"] == "passed", column=facts.test.column,
        severity=facts.test.severity, name=facts.name, expected="0",
        actual=None if node.get("failures") is None else str(node["failures"]),
    )  # fmt: skip
