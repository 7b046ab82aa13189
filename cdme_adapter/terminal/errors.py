"""``cdme errors``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from cdme_adapter.terminal.options import Common, common_options
from cdme_adapter.terminal.output import emit
from cdme_adapter.terminal.tables import cell, number, plural, short, table

_COLUMNS = (
    "model", "input", "input_key", "failure_type", "offending_values", "morphism_path",
    "source_entity", "source_epoch", "run_id", "first_seen", "resolved_at", "record",
)  # fmt: skip


@click.command("errors")
@click.argument("model", required=False)
@click.option("--run", help="What this run was the last to reject.")
@click.option("--history", is_flag=True, help="Also the records that are resolved.")
@click.option(
    "--export", type=click.Path(dir_okay=False, path_type=Path),
    help="A file (.csv, .json, .parquet) that gets all present error records with their sources.",
)  # fmt: skip
@common_options
def command(common: Common, model: str | None, run: str | None, history: bool, export: Path | None) -> None:
    """The error domain: records that were rejected, and why."""
    questions = common.questions()
    selection = common.selection(questions.manifest)
    answer = questions.errors(
        model, run=run, history=history, limit=common.limit, keeps=selection.keeps, export=export
    )
    emit(common.output, answer, _lines, _rows)


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    shown = len(answer["errors"])
    cut = f", showing {number(shown)}" if shown < answer["count"] else ""
    yield f"{plural(answer['count'], 'error record')}{cut}"
    groups = [[short(g["model"]), g["failure_type"], g["count"]] for g in answer["groups"]]
    if groups:
        yield from table(["model", "failure", "records"], groups, 2)
        yield ""
    rows = [
        [
            short(entry["model"]),
            entry["failure_type"],
            entry["offending_values"],
            _source(entry),
            "resolved" if entry["resolved_at"] else "",
        ]
        for entry in answer["errors"]
    ]
    if rows:
        yield from table(["model", "failure", "values", "made of", ""], rows, 2)
    if answer.get("export"):
        yield f"written to {answer['export']}"


def _source(entry: dict[str, Any]) -> str:
    """The first source record, and how many more there are."""
    if not entry["sources"]:
        return "?"
    count = sum(source["count"] for source in entry["sources"])
    more = f" and {number(count - 1)} more" if count > 1 else ""
    return f"{short(entry['input'])} {cell(entry['input_key'])}{more}"


def _rows(answer: dict[str, Any]) -> tuple[Sequence[str], list[Sequence[Any]]]:
    return _COLUMNS, [[entry[name] for name in _COLUMNS] for entry in answer["errors"]]
