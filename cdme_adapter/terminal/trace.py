"""``cdme trace``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from cdme_adapter.terminal.options import Common, common_options
from cdme_adapter.terminal.output import emit
from cdme_adapter.terminal.tables import number, plural, records_table, short, styled, table


@click.command("trace")
@click.argument("model")
@click.option("--where", help="SQL over the model's columns; all its records by default.")
@click.option("--to", default="sources", show_default=True, help="sources, parents or a relation.")
@click.option("--role", type=click.Choice(["direct", "all"]), default="direct", show_default=True)
@click.option("--order-by", help="SQL over the model's columns.")
@common_options
def command(
    common: Common, model: str, where: str | None, to: str, role: str, order_by: str | None
) -> None:
    """The records behind the output records of MODEL.

    Example: cdme trace mart_daily --where "flight_date = DATE '2013-01-01'"
    """
    questions = common.questions()
    answer = questions.trace(model, where, to=to, role=role, limit=common.limit, order_by=order_by)
    selection = common.selection(questions.manifest)
    for record in answer["records"]:
        record["witnesses"] = [w for w in record["witnesses"] if selection.keeps(w["relation"])]
    emit(common.output, answer, _lines, _rows)


def made(answer: dict[str, Any]) -> str:
    """When the records that are asked about were made."""
    return "evaluated now" if answer["recomputed"] else f"run {answer['run_id']}"


def stale_line(answer: dict[str, Any]) -> Iterator[str]:
    """What is to be said where an answer rests on records that may have changed."""
    ends = ", ".join(short(name) for name in answer.get("stale_ends") or [])
    if answer["stale"] is True:
        what = f"stale: {ends or 'the input'} changed since or is not there; null is what is gone"
        yield styled(what, fg="yellow")
    elif answer["stale"] == "unknown":
        yield styled(f"whether {ends or 'the input'} changed since cannot be told", fg="yellow")


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    shown = len(answer["records"])
    head = f"{styled(short(answer['model']), bold=True)}: {plural(answer['count'], 'record')}"
    if shown < answer["count"]:
        head += f", showing {number(shown)} of {number(answer['count'])}"
    yield f"{head}  ({answer['exactness']}, {made(answer)})"
    yield from stale_line(answer)
    if answer["count"] > 1 and answer["totals"]:
        yield ""
        yield from totals_table(answer["totals"], "←")
    for record in answer["records"]:
        yield ""
        yield from records_table([record], 2)
        if record["generated"]:
            yield "    made by the query itself: no record is behind it"
        for entry in record["witnesses"]:
            yield from entry_lines(entry, "←")


def totals_table(totals: list[dict[str, Any]], arrow: str) -> list[str]:
    """How many records are reached in each relation, all asked records together."""
    rows = [
        [
            number(entry["count"]),
            short(entry["relation"]),
            entry["role"],
            entry["exactness"],
            f" {arrow} ".join(short(name) for name in entry["path"]),
        ]
        for entry in totals
    ]
    header = ["records", "relation", "role", "exactness", "path"]
    return table(header, rows, 2, right=[0], long=[4]) if rows else []


def entry_lines(entry: dict[str, Any], arrow: str) -> Iterator[str]:
    """What one record reaches in one relation."""
    shown, count = len(entry["records"]), entry["count"]
    head = f"    {styled(short(entry['relation']), fg='cyan')}: "
    if count is None:
        yield head + "not known (opaque)"
    else:
        role = "" if entry["role"] == "direct" else f" {entry['role']}"
        head += plural(count, "record").replace(" record", f"{role} record")
        head += "" if entry["exactness"] == "exact" else f" ({entry['exactness']})"
        yield head + (f", showing {number(shown)}" if shown < count else "")
    ways = len(entry["paths"])
    path = f" {arrow} ".join(short(name) for name in entry["path"])
    yield f"      {path}" + (f"  (and {plural(ways - 1, 'other way')})" if ways > 1 else "")
    yield from records_table(entry["records"], 6)


def _rows(answer: dict[str, Any]) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    header = (
        "output_key", "relation", "role", "exactness", "count", "path", "input_key", "record",
    )  # fmt: skip
    return header, flat(answer, "witnesses")


def flat(answer: dict[str, Any], name: str) -> Iterator[Sequence[Any]]:
    """One line per record pair; an entry without listed records keeps its line."""
    for record in answer["records"]:
        for entry in record[name]:
            facts = [record["key"], entry["relation"]]
            facts += [entry["role"], entry["exactness"], entry["count"], " > ".join(entry["path"])]
            for found in entry["records"] or [{"key": None, "record": None}]:
                yield [*facts, found["key"], found["record"]]
