"""One answer on stdout, as a table, as one JSON document or as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from cdme_adapter.terminal import progress


def emit(
    output: str,
    document: dict[str, Any],
    lines: Callable[[dict[str, Any]], Iterable[str]],
    rows: Callable[[dict[str, Any]], tuple[Sequence[str], Iterable[Sequence[Any]]]],
) -> None:
    """Print a document: ``lines`` tells it to people, ``rows`` flattens it for CSV."""
    progress.hide()
    if output == "json":
        click.echo(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))
    elif output == "csv":
        header, values = rows(document)
        click.echo(to_csv(header, values), nl=False)
    else:
        for line in lines(document):
            click.echo(line)


def to_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """CSV with a header; NULL is empty, what is nested is JSON.

    >>> print(to_csv(["a", "b"], [[1, {"x": None}]]), end="")
    a,b
    1,"{""x"": null}"
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_plain(value) for value in row])
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
