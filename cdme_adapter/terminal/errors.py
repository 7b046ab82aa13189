"""``cdme errors``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from cdme_adapter.terminal.options import Common, common_options
from cdme_adapter.terminal.output import emit
from cdme_adapter.terminal.tables import number, plural, short, table

_COLUMNS = (
    "model", "input", "input_key", "failure_type", "offending_values", "morphism_path",
    "source_entity", "source_epoch", "run_id", "record",
)  # fmt: skip


@click.command("errors")
@click.option("--run", help="The id of a run; the last one of each model by default.")
@common_options
def command(common: Common, run: str | None) -> None:
    """The error domain: records that were rejected, and why."""
    questions = common.questions()
    selection = common.selection(questions.manifest)
    answer = questions.errors(run, limit=common.limit, keeps=selection.keeps)
    emit(common.output, answer, _lines, _rows)


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    shown = len(answer["errors"])
    cut = f", showing {number(shown)}" if shown < answer["count"] else ""
    yield f"{plural(answer['count'], 'error record')}{cut}"
    rows = [
        [
            short(entry["model"]),
            short(entry["input"]),
            *(entry[name] for name in _COLUMNS[2:6]),
        ]
        for entry in answer["errors"]
    ]
    if rows:
        yield from table(["model", "input", "key", "failure", "values", "path"], rows, 2)


def _rows(answer: dict[str, Any]) -> tuple[Sequence[str], list[Sequence[Any]]]:
    return _COLUMNS, [[entry[name] for name in _COLUMNS] for entry in answer["errors"]]
