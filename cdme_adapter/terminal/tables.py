"""Aligned tables and colours, plain where stdout is no terminal or NO_COLOR is set."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any

import click

_WIDEST = 48
_NARROWEST = 14


def styled(text: str, **style: Any) -> str:
    """The text with a style, on a terminal that wants colour."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return click.style(text, **style)


def width() -> int | None:
    """The columns of the terminal; None where nothing limits a line."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def number(value: Any) -> str:
    """A count with separators; a dash where it is not known.

    >>> number(52606), number(None)
    ('52,606', '–')
    """
    return "–" if value is None else f"{value:,}"


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    >>> plural(1, "record"), plural(2000, "record")
    ('1 record', '2,000 records')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def cell(value: Any) -> str:
    """A value as a table shows it.

    >>> cell(None), cell({"id": 7}), cell(True)
    ('NULL', 'id=7', 'true')
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return ", ".join(f"{key}={cell(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return str(value).replace("\n", " ")


def short(name: str) -> str:
    """A unique id without the parts that only machines need.

    >>> short("model.flights.mart_daily"), short("source.flights.raw.planes")
    ('mart_daily', 'raw.planes')
    """
    parts = name.split(".")
    if parts[0] == "source" and len(parts) >= 4:
        return ".".join(parts[2:])
    if parts[0] in ("model", "seed", "snapshot", "exposure") and len(parts) >= 3:
        return ".".join(parts[2:])
    return name


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[Any]],
    indent: int = 0,
    right: Sequence[int] = (),
    long: Sequence[int] = (),
) -> list[str]:
    """Aligned lines. On a terminal the columns ``long`` are shortened until all fit; columns that still
    do not are named below instead."""
    texts = [[_cut(cell(value)) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[at]) for row in texts)]) for at, name in enumerate(header)]
    for at in long:
        over = indent + sum(widths) + 2 * (len(widths) - 1) - (width() or 10**6)
        if over > 0:
            widths[at] = max(min(_NARROWEST, widths[at]), widths[at] - over)
            for row in texts:
                row[at] = _shortened(row[at], widths[at])
    fitting = _fitting(widths, indent)

    def line(cells: Sequence[str]) -> str:
        parts = [
            text.rjust(widths[at]) if at in right else text.ljust(widths[at])
            for at, text in enumerate(cells[:fitting])
        ]
        return " " * indent + "  ".join(parts).rstrip()

    lines = [styled(line(header), bold=True), *(line(row) for row in texts)]
    if fitting < len(header):
        lines.append(" " * indent + f"… and {', '.join(header[fitting:])}")
    return lines


def fits(header: Sequence[str], rows: Sequence[Sequence[Any]], indent: int = 0) -> bool:
    """Whether a table's lines are no wider than the terminal."""
    widths = [max(len(name), *(len(cell(row[at])) for row in rows)) for at, name in enumerate(header)]
    return _fitting(widths, indent) == len(widths)


def _cut(text: str) -> str:
    return _shortened(text, _WIDEST if width() else 1000)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _fitting(widths: Sequence[int], indent: int) -> int:
    room = width()
    if room is None:
        return len(widths)
    used, count = indent, 0
    for wide in widths:
        used += wide + 2
        if used - 2 > room and count:
            break
        count += 1
    return count


def records_table(records: Sequence[dict[str, Any]], indent: int = 0) -> list[str]:
    """Records with their keys; one that is gone shows its key alone, one of an earlier generation that was
    found again by its key is shown as it is now, and that is said."""
    if not records:
        return []
    columns = list(dict.fromkeys(c for r in records for c in r["record"] or {}))
    rows = [
        [_key(r), *((r["record"] or {}).get(c, "") for c in columns)]
        if r["record"] is not None
        else [cell(r["key"]), *("(gone)" for _ in columns[:1]), *("" for _ in columns[1:])]
        for r in records
    ]
    return table(["key", *columns], rows, indent)


def _key(record: dict[str, Any]) -> str:
    return cell(record["key"]) + (" (as now)" if record.get("refetched") else "")
