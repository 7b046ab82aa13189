"""Counts and times: in the ledger, in dbt's log, and as OpenTelemetry spans."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry import trace

from cdme_adapter.telemetry import record_spans
from tests.functional.project import Project

FILES = {
    "raw.csv": "id,v\n" + "".join(f"{n},{n % 3}\n" for n in range(1, 10)),
    "a.sql": "{{ config(materialized='table') }} select id from {{ ref('raw') }} where v > 0",
}


class Span(trace.NonRecordingSpan):
    """A span that remembers what it was told."""

    def __init__(self, name: str, start: int, attributes: dict[str, Any]) -> None:
        super().__init__(trace.INVALID_SPAN_CONTEXT)
        self.name, self.start, self.attributes, self.ended = name, start, attributes, 0
        self.failed = False

    def set_attributes(self, attributes: Any) -> None:
        self.attributes.update(attributes)

    def set_status(self, status: Any, description: str | None = None) -> None:
        self.failed = status.status_code is trace.StatusCode.ERROR

    def end(self, end_time: int | None = None) -> None:
        self.ended = end_time or 0


class Provider(trace.TracerProvider, trace.Tracer):
    """A provider and tracer of its own kind, as an SDK would bring."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        return self

    def start_span(self, name: str, context: Any = None, **options: Any) -> Span:
        self.spans.append(Span(name, options["start_time"], {}))
        return self.spans[-1]

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


def test_counts_and_times_in_the_log_and_as_spans(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    project.write(FILES).dbt("--log-format-file", "json", "--log-level-file", "debug", "build")
    lines = [json.loads(line) for line in (project.root / "logs" / "dbt.log").read_text().splitlines()]
    said = [line["info"]["msg"] for line in lines if "[TELEMETRY]" in line["info"]["msg"]]
    documents = {d["node"]: d for d in (json.loads(msg.partition("[TELEMETRY] ")[2]) for msg in said)}
    a = documents["model.shop.a"]
    (direct,) = a["inputs"]  # an edge's part of the settling is its own
    assert 0 < direct["settle_seconds"] <= a["settle_seconds"]
    edges = {edge["model"]: edge["settle_seconds"] for edge in project.file_ledger()["edges"]}
    assert abs(edges["model.shop.a"] - direct["settle_seconds"]) < 1e-5 and edges["seed.shop.raw"] > 0
    assert (a["state"], a["captured"], a["output_count"]) == ("committed", True, 6)
    (edge,) = a["inputs"]
    assert (edge["input_count"], edge["contributed_count"], edge["filtered_count"]) == (9, 6, 3)
    node = next(n for n in project.file_ledger()["nodes"] if n["node"] == "model.shop.a")
    for name in ("plan_seconds", "execute_seconds", "settle_seconds"):
        assert 0 < a[name] == pytest.approx(node[name], abs=1e-5)

    spans = {span.name: span for span in provider.spans}
    root, span = spans["cdme build"], spans["model.shop.a"]
    assert root.attributes["cdme.status"] == "COMPLETE"
    assert root.start <= span.start < span.ended <= root.ended
    assert span.attributes["cdme.inputs"] == ["seed.shop.raw"]
    assert span.attributes["cdme.filtered_counts"] == [3]
    assert span.attributes["cdme.settle_seconds"] == node["settle_seconds"]


def test_what_failed_is_an_error_as_a_span(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    project.write(
        {**FILES, "b.sql": "{{ config(materialized='table') }} select error('no') from {{ ref('a') }}"}
    )
    project.dbt("build", ok=False)
    assert {span.name for span in provider.spans if span.failed} == {"cdme build", "model.shop.b"}


def test_without_a_provider_nothing_is_recorded() -> None:
    assert record_spans({"nodes": [], "edges": []}) == 0
