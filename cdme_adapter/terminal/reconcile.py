"""``cdme reconcile``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from cdme_adapter.terminal.options import Common, common_options
from cdme_adapter.terminal.output import emit
from cdme_adapter.terminal.tables import number, short, styled, table

_COLOURS = {"exact": "green", "superset": "yellow", "unknown": "yellow", "violation": "red"}
_COLUMNS = ("model", "input", "law", "checked", "verdict", "why", "missing")


@click.command("reconcile")
@click.argument("models", nargs=-1)
@click.option("--sample", type=click.IntRange(min=1), default=10, show_default=True,
              help="Records of each model that are replayed.")  # fmt: skip
@click.option("--all", "every", is_flag=True, help="Replay every record.")
@click.option("--seed", default=0, show_default=True, help="Which records the sample takes.")
@common_options
def command(common: Common, models: tuple[str, ...], sample: int, every: bool, seed: int) -> int:
    """Check the laws: recount every account, and replay the original SQL on witnesses.

    Exits 1 on a violation. Without MODELS, all that are stored and ledger.json too.
    """
    questions = common.questions()
    if common.select or common.exclude:
        keeps = common.selection(questions.manifest).keeps
        names = models or tuple(questions.context().store.current)
        models = tuple(m for m in names if keeps(questions.context().resolve(m)))
    answer = questions.reconcile(
        models, sample=0 if every else sample, seed=seed, limit=common.limit, progress=_progress
    )
    emit(common.output, answer, _lines, _rows)
    return 1 if answer["verdict"] == "violation" else 0


def _progress(models: list[str]) -> Iterable[str]:
    """The models, with a bar on stderr where that is a terminal."""
    if not sys.stderr.isatty():
        yield from models
        return
    with click.progressbar(models, label="reconciling", file=sys.stderr) as bar:
        yield from bar


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    verdict = styled(answer["verdict"], fg=_COLOURS[answer["verdict"]], bold=True)
    chosen = "all records" if answer["sample"] is None else f"samples of {answer['sample']}"
    yield f"{verdict}  (replay of {chosen}, seed {answer['seed']})"
    yield ""
    rows = [
        [
            short(entry["model"]),
            short(entry["input"] or ""),
            entry["law"],
            number(entry["checked"]),
            entry["verdict"],
            entry["why"],
        ]
        for entry in answer["edges"]
    ]
    lines = table(["model", "input", "law", "checked", "verdict", "why"], rows, 2, right=[3])
    yield from lines[:1]
    for line, entry in zip(lines[1:], answer["edges"], strict=False):
        yield line
        if entry["missing"]:
            named = ", ".join(str(key) for key in entry["missing"][:5])
            yield f"        {named}" + (" …" if len(entry["missing"]) > 5 else "")


def _rows(answer: dict[str, Any]) -> tuple[Sequence[str], list[Sequence[Any]]]:
    return _COLUMNS, [[entry[name] for name in _COLUMNS] for entry in answer["edges"]]
