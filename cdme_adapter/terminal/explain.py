"""``cdme explain``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from cdme_adapter.terminal.options import Common, common_options
from cdme_adapter.terminal.output import emit
from cdme_adapter.terminal.stories import story
from cdme_adapter.terminal.tables import cell, number, plural, records_table, short, styled, table
from cdme_adapter.terminal.trace import stale_line


@click.command("explain")
@click.argument("model")
@click.option("--input", "input_", required=True, help="The relation, any ancestor of MODEL.")
@click.option("--where", help="SQL over the input's columns; the whole input by default.")
@click.option("--order-by", help="SQL over the input's columns.")
@common_options
def command(common: Common, model: str, input_: str, where: str | None, order_by: str | None) -> None:
    """What became of records of an input on their way into MODEL.

    Example: cdme explain mart_daily --input raw.flights --where "tailnum IS NULL"
    """
    questions = common.questions()
    answer = questions.explain(model, input_, where, limit=common.limit, order_by=order_by)
    if common.select or common.exclude:
        keeps = common.selection(questions.manifest).keeps
        for name in ("records", "summary"):
            answer[name] = [e for e in answer[name] if e["first_lost_at"] and keeps(e["first_lost_at"])]
    emit(common.output, answer, _lines, _rows)


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    where = f"{short(answer['input'])} in {short(answer['model'])}"
    yield f"{styled(where, bold=True)}: {plural(answer['count'], 'record')}" + (
        "  (evaluated now)" if answer["recomputed"] else ""
    )
    yield from stale_line(answer)
    yield ""
    rows = [
        [
            number(entry["count"]),
            entry["class"],
            short(entry["first_lost_at"] or ""),
            _clause(entry),
            entry["verdict"] or "",
            _place(entry),
        ]
        for entry in answer["summary"]
    ]
    header = ["records", "class", "lost in", "clause", "verdict", "place"]
    yield from table(header, rows, 2, right=[0], long=[3, 5, 2])
    shown = len(answer["records"])
    if not shown:
        return
    yield ""
    if shown < answer["count"]:
        yield f"showing {number(shown)} of {number(answer['count'])}"
    for record in answer["records"]:
        yield f"  {styled(cell(record['key']), fg='cyan')}"
        yield f"    {story(record, answer)}"
    yield ""
    yield from records_table(answer["records"], 2)


def _clause(entry: dict[str, Any]) -> str:
    said = entry["sql"] or entry["kind"] or ""
    return f"{entry['failure_type']}: {said}" if entry.get("failure_type") else said


def _place(entry: dict[str, Any]) -> str:
    if not entry["file"]:
        return ""
    return f"{entry['file']}:{entry['line']}" if entry["line"] else str(entry["file"])


def _rows(answer: dict[str, Any]) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    facts = ("id", "kind", "sql", "verdict", "values", "file", "line")
    header = ("key", "class", "first_lost_at", *(f"reason_{f}" for f in facts), "record")
    return header, (
        [
            record["key"],
            record["class"],
            record["first_lost_at"],
            *((record["reason"] or {}).get(fact) for fact in facts),
            record["record"],
        ]
        for record in answer["records"]
    )
