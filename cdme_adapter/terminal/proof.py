"""``cdme proof verify``: whether the proof of a run is whole and true to the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from cdme_adapter.errors import QuestionError
from cdme_adapter.terminal.options import Common, common_options
from cdme_adapter.terminal.output import emit


@click.command("proof")
@click.argument("verify", type=click.Choice(["verify"]))
@click.argument("folder", required=False)
@click.option("--run", help="The id of a run, or its beginning; the last one by default.")
@common_options
def command(common: Common, verify: str, folder: str | None, run: str | None) -> int:
    """`verify` the proof of a run: exit 1 where a file was changed or is missing, or where the
    database says otherwise. FOLDER is a proof that lies elsewhere; with --database no project is needed."""
    from cdme_adapter.proof.verify import verify_proof

    questions = common.questions()
    if questions.target_path is None and folder is None:
        raise QuestionError(
            "a proof lies below a project's target path", code="BAD_ARGUMENTS",
            remedy="name the proof's folder, or the project with --project-dir",
        )  # fmt: skip
    store = questions.context().store
    answer = verify_proof(store, questions.target_path, run, Path(folder) if folder else None)
    emit(common.output, answer, _lines, _rows)
    return 1 if answer["problems"] else 0


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    yield f"proof of run {answer['run_id']}: {answer['verdict']}"
    yield f"  {answer['folder']}: {len(answer['files'])} files"
    for problem in answer["problems"]:
        yield f"  {problem}"


def _rows(answer: dict[str, Any]) -> tuple[Sequence[str], list[Sequence[Any]]]:
    return ("run_id", "problem"), [[answer["run_id"], p] for p in answer["problems"]]
