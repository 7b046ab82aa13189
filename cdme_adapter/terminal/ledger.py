"""``cdme ledger`` and ``cdme ledger verify``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import click

from cdme_adapter.errors import CdmeError
from cdme_adapter.terminal.options import Common, common_options
from cdme_adapter.terminal.output import emit
from cdme_adapter.terminal.tables import fits, number, short, styled, table

_COUNTS = ("input", "contributed", "filtered", "error", "unaccounted", "consulted", "output")
_UNFINISHED = "; if it was killed, the next dbt command that runs nodes, or `cdme gc`, finishes its ledger"
_COLOURS = {"BALANCED": "green", "UNBALANCED": "red", "FAILED": "red", "COMPLETE": "green"}


@click.command("ledger")
@click.argument("verify", required=False, type=click.Choice(["verify"]))
@click.option("--run", help="The id of a run, or its beginning; the last one by default.")
@click.option(
    "--against", help="The id of an earlier run, or its beginning: show the shares of loss that changed."
)
@common_options
def command(common: Common, verify: str | None, run: str | None, against: str | None) -> int:
    """The accounting of the last run; `verify`: whether ledger.json is whole and true to the store.

    Exits 1 where the run FAILED, or where verify finds a difference.
    """
    if verify:
        answer = common.questions().verify_ledger(run)
        emit(common.output, answer, _verify_lines, _verify_rows)
        return 1 if answer["problems"] else 0
    answer, selection = _read(common, run, against)
    answer["edges"] = [edge for edge in answer["edges"] if selection.keeps(edge["model"])]
    if "against" in answer:
        kept = [one for one in answer["against"]["changes"] if selection.keeps(one["model"])]
        answer["against"]["changes"] = kept
    emit(common.output, answer, _lines, _rows)
    return 1 if answer["status"] == "FAILED" else 0


def _read(common: Common, run: str | None, against: str | None) -> tuple[dict[str, Any], Any]:
    """The ledger; from its file alone while the database is locked."""
    from cdme_adapter.lineage.ledger import read_file
    from cdme_adapter.project import Manifest, read_project

    try:
        questions = common.questions()
        return questions.ledger(run, against=against), common.selection(questions.manifest)
    except CdmeError as error:
        if error.code != "STORE_LOCKED" or common.database or against:
            raise
        project = read_project(common.project_dir, common.profiles_dir, common.target)
        ledger = read_file(project.target_path, run)
        if ledger is None:
            raise
        path = project.manifest_path
        return ledger, common.selection(Manifest.read(path) if path.exists() else Manifest())


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    status = styled(answer["status"], fg=_COLOURS.get(answer["status"], "yellow"), bold=True)
    yield f"run {answer['run_id']}: {status}" + (_UNFINISHED if answer["status"] == "RUNNING" else "")
    yield ""
    for model, edges in _by_model(answer["edges"]):
        outputs = {number(edge["output_count"]) for edge in edges}
        records = "record" if outputs == {"1"} else "records"
        yield f"{styled(short(model), bold=True)}: {' / '.join(sorted(outputs))} {records}"
        yield from _edges(edges)
        yield ""
    if "against" in answer:
        yield from _changes(answer["against"])
    for finding in answer.get("findings") or []:
        model = f"{short(finding['model'])}: " if finding.get("model") else ""
        place = f" ({finding['file']}:{finding['line']})" if finding.get("line") else ""
        yield f"{finding['severity']} {finding['code']}: {model}{finding['message']}{place}"
    yield from _sections(answer)


def _sections(answer: dict[str, Any]) -> Iterator[str]:
    """What plugins add to the report of a run."""
    from cdme_adapter import plugins

    for title, text in plugins.each("cdme_report_section", ledger=answer):
        yield ""
        yield styled(title, bold=True)
        yield from (f"  {line}" for line in text.splitlines())


def _changes(against: dict[str, Any]) -> Iterator[str]:
    """The shares of loss that differ from another run's, the greatest change first."""
    yield f"against run {against['run_id']}:" + ("" if against["changes"] else " no share of loss changed")
    rows = [
        [
            f"{100 * one['change']:+.3g}", f"{100 * one['share_before']:.4g}%",
            f"{100 * one['share']:.4g}%", number(one["count_before"]), number(one["count"]),
            f"{short(one['input'])} in {short(one['model'])}",
            f"{one['kind']} {one['verdict']}: {one['sql']}",
        ]
        for one in against["changes"]
    ]  # fmt: skip
    if rows:
        header = ["points", "before", "now", "records before", "now", "input", "lost to"]
        yield from table(header, rows, 2, right=range(5))
    yield ""


def _by_model(edges: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    models: dict[str, list[dict[str, Any]]] = {}
    for edge in edges:
        models.setdefault(edge["model"], []).append(edge)
    return list(models.items())


def _edges(edges: list[dict[str, Any]]) -> Iterator[str]:
    """The edges of one model, each with its reasons below it, in one alignment."""
    header = ["input", "role", *_COUNTS[:-1], "exactness", "status"]
    rows: list[list[str]] = []
    for edge in edges:
        counts = [number(edge[f"{name}_count"]) for name in _COUNTS[:-1]]
        counts = [count if count != "0" else "·" for count in counts]
        rows.append([short(edge["input"]), edge["role"], *counts, edge["exactness"], edge["status"]])
    header, rows = _without_empty(header, rows)
    lines = table(header, rows, 2, right=range(2, len(header) - 2))
    yield lines[0]
    for line, edge in zip(lines[1:], edges, strict=False):
        colour = _COLOURS.get(edge["status"], "yellow")
        yield line.replace(edge["status"], styled(edge["status"], fg=colour))
        yield from _reasons(edge)


def _without_empty(header: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Where a line is too wide for the terminal, without the counts that are zero all the way down: the
    status must not be what falls off the edge."""
    if fits(header, rows, 2):
        return header, rows
    kept = [at for at in range(len(header)) if any(row[at] != "·" for row in rows)]
    return [header[at] for at in kept], [[row[at] for at in kept] for row in rows]


def _reasons(edge: dict[str, Any]) -> Iterator[str]:
    for reason in sorted(edge.get("reasons") or [], key=lambda r: -r["count"]):
        line = f":{reason['line']}" if reason.get("line") else ""
        place = f"  {reason['file']}{line}" if reason.get("file") else ""
        yield (
            f"      {number(reason['count']):>11}  {reason['kind']} {reason['verdict']}:"
            f" {reason['sql']}{place}"
        )
    yield from _totals(edge)
    if edge.get("unused_count"):
        yield f"      {number(edge['unused_count']):>11}  of the filtered were looked up by nobody"
    if edge.get("why"):
        yield f"      {edge['why']}"


def _totals(edge: dict[str, Any]) -> Iterator[str]:
    """The control totals of an edge: how much of a sum is lost, in all and by reason."""
    kinds = {reason["id"]: reason["kind"] for reason in edge.get("reasons") or []}
    totals = edge.get("control_totals") or []
    for column in dict.fromkeys(total["column"] for total in totals):
        mine = [total for total in totals if total["column"] == column]
        whole = next((t["total"] for t in mine if t["class"] == "input"), None)
        lost = [t for t in mine if t["class"] not in ("input", "contributed") and t["total"] is not None]
        parts = [
            f"{kinds.get(t['reason_id'], t['class'])} {t['verdict'] or ''}".rstrip()
            + f" {_sum(t['total'])}"
            for t in lost
        ]
        added = str(sum(Decimal(t["total"]) for t in lost))
        why = f": {', '.join(parts)}" if parts else ""
        yield f"      {_sum(added):>11}  of {_sum(whole)} {column} lost with them{why}"


def _sum(total: str | None) -> str:
    """A sum with its thousands apart, as exact as it is."""
    if total is None:
        return "–"
    head, dot, tail = total.partition(".")
    return f"{int(head):,}{dot}{tail}" if head.lstrip("-").isdigit() else total


def _rows(answer: dict[str, Any]) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    header = (
        "run_id", "model", "input", "role", "exactness", "lineage_mode", "cardinality",
        *(f"{name}_count" for name in _COUNTS), "status", "reasons",
    )  # fmt: skip
    return header, (
        [answer["run_id"], *(edge.get(name) for name in header[1:])] for edge in answer["edges"]
    )


def _verify_lines(answer: dict[str, Any]) -> Iterator[str]:
    yield f"ledger of run {answer['run_id']}: {answer['verdict']}"
    for problem in (*answer["problems"], *answer["notes"]):
        yield f"  {problem}"


def _verify_rows(answer: dict[str, Any]) -> tuple[Sequence[str], list[Sequence[Any]]]:
    return ("run_id", "problem"), [[answer["run_id"], p] for p in answer["problems"]]
