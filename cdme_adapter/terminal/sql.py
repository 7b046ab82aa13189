"""``cdme sql``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from cdme_adapter.terminal.options import Common, common_options
from cdme_adapter.terminal.output import emit
from cdme_adapter.terminal.tables import number, table


@click.command("sql")
@click.argument("query")
@common_options
def command(common: Common, query: str) -> None:
    """Run one SELECT over the project's tables and the lineage views, read-only.

    The views are cdme.runs, ledger, edges, reverse_join, filtered_keys, reasons and errors. Columns of
    the result that hold personal values, or what is made of them, are masked unless --show-pii.

    Example: cdme sql "SELECT model, sum(filtered_count) FROM cdme.ledger GROUP BY 1"
    """
    emit(common.output, common.questions().sql(query, limit=common.limit), _lines, _rows)


def _names(answer: dict[str, Any]) -> list[str]:
    return [column["name"] for column in answer["columns"]]


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    yield from table(_names(answer), answer["rows"])
    if answer["masked"]:
        yield f"masked: {', '.join(answer['masked'])} (--show-pii shows them)"
    if answer["truncated"]:
        yield f"showing {number(len(answer['rows']))} of {number(answer['count'])}"


def _rows(answer: dict[str, Any]) -> tuple[Sequence[str], list[Sequence[Any]]]:
    return _names(answer), answer["rows"]
