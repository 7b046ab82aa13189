"""An example plugin: one of each extension point (docs/plugins.md shows it)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlglot import exp

from cdme_adapter.plugins import hookimpl
from cdme_adapter.validation.view import ModelView, Said

RECEIVED: list[Mapping[str, Any]] = []


def whole_sample(planner: Any, select: exp.Select, env: Any) -> Any:
    """``USING SAMPLE 100%`` keeps every row: the SELECT is planned without it."""
    sample = select.args.get("sample")
    if sample is None or "100" not in sample.sql("duckdb"):
        return None
    rest = select.copy()
    rest.set("sample", None)
    return planner.query(rest, env)


@hookimpl
def cdme_capture_rules() -> list[Any]:
    """A construct."""
    return [whole_sample]


@hookimpl
def cdme_capture_function(name: str, arguments: Sequence[str]) -> str | None:
    """A table function: ``query_table('t')`` gives the rows of ``t``."""
    return f"SELECT * FROM {arguments[0].strip(chr(39))}" if name == "query_table" else None


@hookimpl
def cdme_function(name: str) -> str | None:
    """Functions: ``random`` never varies (so says this plugin), and ``product`` may."""
    return {"random": "scalar", "product": "aggregate", "abs": "volatile"}.get(name)


@hookimpl
def cdme_witnesses(
    model: str, language: str, inputs: Sequence[str]
) -> Mapping[str, Mapping[str, str]] | None:
    """The python models of this project keep the key of their inputs."""
    return {name: {"id": "id"} for name in inputs} if language == "python" else None


def no_shouting(view: ModelView) -> Iterator[Said]:
    """Columns are in lower case."""
    for column in view.bound if isinstance(view.bound, list) else []:
        if column.name.isupper():
            yield view.found("SHOUTING", "error", f"{column.name} shouts", "write it small", 1)


@hookimpl
def cdme_validation_rules() -> list[Any]:
    """A rule."""
    return [("no_shouting", no_shouting)]


@hookimpl
def cdme_ledger_sink(ledger: Mapping[str, Any]) -> None:
    """Somewhere for ledgers to go."""
    RECEIVED.append(ledger)


@hookimpl
def cdme_report_section(ledger: Mapping[str, Any]) -> tuple[str, str]:
    """A section."""
    return "Edges at a glance", f"{len(ledger['edges'])} edges"
