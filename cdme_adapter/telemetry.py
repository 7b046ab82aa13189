"""Counts and times of a run, for logs and for OpenTelemetry (REQ-F-TRV-004).

The numbers are those of the ledger; nothing is measured twice, and no data is read for it.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cdme_adapter.pipeline import Journey

_SECONDS = ("plan_seconds", "execute_seconds", "settle_seconds")
_COUNTS = ("input", "contributed", "filtered", "error", "unaccounted", "consulted")


def telemetry_line(journey: Journey, state: str) -> str:
    """One node as a line for the log: a word, then one JSON object.

    With ``dbt --log-format json`` it is the ``msg`` of an event; a log processor finds it by the word.
    """
    document = {
        "run_id": journey.run_id,
        "node": journey.node.id,
        "state": state,
        "captured": journey.captured,
        "output_count": journey.output_count,
        **{name: round(journey.seconds.get(name.partition("_")[0], 0.0), 6) for name in _SECONDS},
        "inputs": [
            {
                "input": entry.input,
                "role": entry.role.value,
                "status": entry.status.value,
                "settle_seconds": None if entry.seconds is None else round(entry.seconds, 6),
                **{f"{name}_count": getattr(entry, f"{name}_count") for name in _COUNTS},
            }
            for entry in journey.entries
        ],
    }
    return f"[TELEMETRY] {json.dumps(document)}"


def record_spans(ledger: Mapping[str, Any]) -> int:
    """Give the run and its nodes as spans to an OpenTelemetry that this process has set up.

    Returns how many were recorded: none where nobody made a tracer provider.
    """
    if "opentelemetry.trace" not in sys.modules:
        return 0
    from opentelemetry import trace

    provider = trace.get_tracer_provider()
    if isinstance(provider, (trace.ProxyTracerProvider, trace.NoOpTracerProvider)):
        return 0
    tracer = provider.get_tracer("cdme")
    timed = [node for node in ledger["nodes"] if node["started_at"] and node["finished_at"]]
    starts = [ledger["started_at"], *(node["started_at"] for node in timed)]
    ends = [ledger["finished_at"], *(node["finished_at"] for node in timed)]
    root = tracer.start_span(f"cdme {ledger['command']}", start_time=min(map(_nanoseconds, starts)))
    root.set_attributes({"cdme.run_id": ledger["run_id"], "cdme.status": ledger["status"]})
    context = trace.set_span_in_context(root)
    for node in timed:
        span = tracer.start_span(node["node"], context, start_time=_nanoseconds(node["started_at"]))
        span.set_attributes({"cdme.state": node["state"], **_attributes(node, ledger)})
        if node["state"] in ("failed", "rejected"):
            span.set_status(trace.Status(trace.StatusCode.ERROR))
        span.end(_nanoseconds(node["finished_at"]))
    if ledger["status"] == "FAILED":
        root.set_status(trace.Status(trace.StatusCode.ERROR))
    root.end(max(map(_nanoseconds, ends)))
    return len(timed) + 1


def _attributes(node: Mapping[str, Any], ledger: Mapping[str, Any]) -> dict[str, Any]:
    """The times of a node and the counts of its inputs; several inputs in one order."""
    edges = [edge for edge in ledger["edges"] if edge["model"] == node["node"] and edge["role"] == "direct"]
    found: dict[str, Any] = {f"cdme.{name}": float(node[name] or 0) for name in _SECONDS}
    found["cdme.inputs"] = [edge["input"] for edge in edges]
    for name in _COUNTS[:-1]:
        found[f"cdme.{name}_counts"] = [
            -1 if edge[f"{name}_count"] is None else edge[f"{name}_count"] for edge in edges
        ]
    return found


def _nanoseconds(text: str) -> int:
    return int(dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1_000_000_000)
