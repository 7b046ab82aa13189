"""``cdme impact``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from cdme_adapter.terminal.options import Common, common_options
from cdme_adapter.terminal.output import emit
from cdme_adapter.terminal.tables import number, plural, records_table, short, styled
from cdme_adapter.terminal.trace import entry_lines, flat, stale_line, totals_table


@click.command("impact")
@click.argument("relation")
@click.option("--where", help="SQL over the relation's columns; all its records by default.")
@click.option("--role", type=click.Choice(["direct", "all"]), default="direct", show_default=True)
@click.option("--order-by", help="SQL over the relation's columns.")
@click.option(
    "--export", type=click.Path(file_okay=False, path_type=Path),
    help="A folder that gets a file per relation, with all records.",
)  # fmt: skip
@click.option("--format", type=click.Choice(["csv", "json", "parquet"]), default="csv")
@common_options
def command(
    common: Common,
    relation: str,
    where: str | None,
    role: str,
    order_by: str | None,
    export: Path | None,
    format: str,
) -> None:
    """Everything downstream of records of RELATION, to models and exposures.

    Example: cdme impact raw.flights --where "tailnum = 'N14228'"
    """
    questions = common.questions()
    answer = questions.impact(
        relation, where, role=role, limit=common.limit, order_by=order_by, export=export,
        format=format,
    )  # fmt: skip
    selection = common.selection(questions.manifest)
    for record in answer["records"]:
        record["reaches"] = [e for e in record["reaches"] if selection.keeps(e["relation"])]
    answer["totals"] = [e for e in answer["totals"] if selection.keeps(e["relation"])]
    emit(common.output, answer, _lines, _rows)


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    yield f"{styled(short(answer['relation']), bold=True)}: {plural(answer['count'], 'record')}"
    yield from stale_line(answer)
    yield ""
    yield from totals_table(answer["totals"], "→") or ["  nothing stored is downstream"]
    for entry in answer["errors"]:
        records = plural(entry["count"], "error record")
        yield f"  {records} of {short(entry['model'])}: {entry['failure_type']}"
    for view in answer["views"]:
        yield f"  view {short(view['relation'])} shows them"
    for exposure in answer["exposures"]:
        yield f"  {exposure['type'] or 'exposure'} {exposure['label'] or exposure['name']}"
    for file in answer.get("files") or []:
        if file["path"] is None:
            yield f"  no file of {short(file['relation'])}: it has changed since"
        else:
            yield f"  {file['path']}: {plural(file['count'], 'record')}"
    shown = len(answer["records"])
    if shown < answer["count"]:
        yield f"\nshowing {number(shown)} of {number(answer['count'])}"
    for record in answer["records"]:
        yield ""
        yield from records_table([record], 2)
        for entry in record["reaches"]:
            yield from entry_lines(entry, "→")


def _rows(answer: dict[str, Any]) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    header = (
        "input_key", "relation", "role", "exactness", "count", "path", "output_key", "record",
    )  # fmt: skip
    return header, flat(answer, "reaches")
