"""Questions asked from inside dbt: run-operations and the generic tests, on dbt's own connection.

The same answers as the ``cdme`` command gives; the same words on the screen.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cdme_adapter.errors import QuestionError
from cdme_adapter.lineage.api import Questions

Answer = dict[str, Any]
_LINES = {name: f"cdme_adapter.terminal.{name}" for name in (
    "trace", "impact", "explain", "ledger", "errors", "reconcile")}  # fmt: skip


def ask(questions: Questions, operation: str, arguments: Mapping[str, Any]) -> tuple[str, bool]:
    """Answer an operation: the text to show, and whether it is fine (False: dbt must fail).

    Raises QuestionError for arguments that the question does not have.
    """
    given = dict(arguments)
    output = str(given.pop("output", "table"))
    answer = _call(getattr(questions, operation), operation, given)
    if output == "json":
        text = json.dumps(answer, indent=2, ensure_ascii=False, default=str)
    else:
        text = "\n".join(_lines(operation, answer))
    return text, _is_fine(operation, answer)


def say(text: str) -> None:
    """Print an answer. A reader that has gone (`| head`) has seen enough, of dbt's own lines too."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _call(question: Callable[..., Answer], operation: str, given: dict[str, Any]) -> Answer:
    if isinstance(given.get("models"), str):
        given["models"] = [given["models"]]
    if given.get("export"):
        given["export"] = Path(str(given["export"]))
    try:
        return question(**given)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise QuestionError(
            f"cdme_{operation}: {str(error).split(') ')[-1]}",
            code="BAD_ARGUMENTS",
            remedy=f"arguments are those of `cdme {operation} --help`",
        ) from error


def _lines(operation: str, answer: Answer) -> list[str]:
    from importlib import import_module

    return list(import_module(_LINES[operation])._lines(answer))


def _is_fine(operation: str, answer: Answer) -> bool:
    if operation == "reconcile":
        return answer.get("verdict") != "violation"
    return not (operation == "ledger" and answer.get("status") == "FAILED")
