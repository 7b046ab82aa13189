"""``cdme reconcile``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from cdme_adapter.terminal import progress
from cdme_adapter.terminal.options import Common, common_options
from cdme_adapter.terminal.output import emit
from cdme_adapter.terminal.tables import cell, number, short, styled, table

_COLOURS = {"exact": "green", "superset": "yellow", "unknown": "yellow", "violation": "red"}
_WORST = ("violation", "unknown", "superset", "exact")
_COLUMNS = ("model", "input", "law", "checked", "verdict", "why", "missing")


@click.command("reconcile")
@click.argument("models", nargs=-1)
@click.option("--sample", type=click.IntRange(min=1), default=100, show_default=True,
              help="Records of each model that are replayed.")  # fmt: skip
@click.option("--all", "every", is_flag=True, help="Replay every record.")
@click.option("--seed", default=0, show_default=True, help="Which records the sample takes.")
@click.option("--against", metavar="RUN", help="Compare with what this run left in the tables instead.")
@common_options
def command(
    common: Common, models: tuple[str, ...], sample: int, every: bool, seed: int, against: str | None
) -> int:
    """Check the laws: recount every account, and replay the original SQL on witnesses.

    Exits 1 on a violation. Without MODELS, all that are stored and ledger.json too.
    """
    questions = common.questions()
    if common.select or common.exclude:
        keeps = common.selection(questions.manifest).keeps
        names = models or tuple(questions.context().store.current)
        models = tuple(m for m in names if keeps(questions.context().resolve(m)))
    bar = _Bar()
    answer = questions.reconcile(
        models, sample=0 if every else sample, seed=seed, limit=common.limit, against=against,
        progress=bar.models, replaying=bar.records,
    )  # fmt: skip
    emit(common.output, answer, _lines, _rows)
    return 1 if answer["verdict"] == "violation" else 0


class _Bar:
    """A bar over the models on stderr where that is a terminal, with the records of the one at hand."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._model = ""

    def models(self, models: list[str]) -> Iterable[str]:
        """The models, as they are done."""
        if not sys.stderr.isatty():
            yield from models
            return
        progress.hide()
        with click.progressbar(models, label="reconciling", file=sys.stderr) as bar:
            self._bar = bar
            for model in bar:
                self._model = short(model)
                self._say(self._model)
                yield model
            self._say("reconciling")
        self._bar = None

    def records(self, ordinals: list[int]) -> Iterable[int]:
        """The records of a model, as they are replayed."""
        for at, ordinal in enumerate(ordinals):
            self._say(f"{self._model}: record {number(at + 1)} of {number(len(ordinals))}")
            yield ordinal

    def _say(self, label: str) -> None:
        if self._bar is not None:
            self._bar.label = label
            self._bar.render_progress()


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    verdict = styled(answer["verdict"], fg=_COLOURS[answer["verdict"]], bold=True)
    if "against" in answer:
        yield f"{verdict}  (against run {answer['against']})"
        yield ""
        yield from _compared(answer["edges"])
        return
    chosen = "all records" if answer["sample"] is None else f"samples of {answer['sample']}"
    yield f"{verdict}  (replay of {chosen}, seed {answer['seed']})"
    yield ""
    yield from table(["model", "verdict", "checks", "replayed"], _by_model(answer["edges"]), 2, (2, 3))
    doubtful = [entry for entry in answer["edges"] if entry["verdict"] != "exact" or entry["why"]]
    if doubtful:
        yield ""
    for entry in doubtful:
        source = f" ← {short(entry['input'])}" if entry["input"] else ""
        verdict = styled(entry["verdict"], fg=_COLOURS[entry["verdict"]])
        yield f"  {short(entry['model'])}{source}: {entry['law']} {verdict}: {entry['why']}"
        named = "; ".join(cell(key) for key in entry["missing"][:5])
        if named:
            yield f"      {named}" + (" …" if len(entry["missing"]) > 5 else "")


def _compared(entries: list[dict[str, Any]]) -> Iterator[str]:
    """One line per model: rows then and now, keys lost and added; below, what is to be said."""
    rows = [
        [
            short(e["model"]),
            e["verdict"],
            *("–" if e[name] is None else number(e[name])
              for name in ("rows_then", "rows_now", "missing_count", "added_count")),
        ]
        for e in entries
    ]  # fmt: skip
    yield from table(["model", "verdict", "rows then", "now", "keys lost", "added"], rows, 2, range(2, 6))
    for entry in entries:
        if entry["why"]:
            yield f"  {short(entry['model'])}: {entry['why']}"
        for name, word in (("missing", "lost"), ("added", "added")):
            if entry[name]:
                more = " …" if (entry[f"{name}_count"] or 0) > 5 else ""
                yield f"      {word}: " + "; ".join(cell(key) for key in entry[name][:5]) + more


def _by_model(entries: list[dict[str, Any]]) -> list[list[str]]:
    """One line per model: the worst verdict, how many checks, how many records were replayed."""
    models: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        models.setdefault(entry["model"], []).append(entry)
    return [
        [
            short(model) or "ledger.json",
            min((e["verdict"] for e in held), key=_WORST.index),
            number(len(held)),
            number(sum(e["checked"] for e in held if e["law"] == "replay")),
        ]
        for model, held in models.items()
    ]


def _rows(answer: dict[str, Any]) -> tuple[Sequence[str], list[Sequence[Any]]]:
    return _COLUMNS, [[entry[name] for name in _COLUMNS] for entry in answer["edges"]]
