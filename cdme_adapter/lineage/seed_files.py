"""The file of a seed as a relation: each record with its file and the line that it begins in."""

from __future__ import annotations

import csv
from pathlib import Path

from cdme_adapter.engines.files import seed_file
from cdme_adapter.store.reader import Generation, literal, quote

MOST = 1000
Shifts = list[tuple[int, int]]
"""(ordinal, line - ordinal), wherever the difference changes."""


def seed_records(generation: Generation, columns: list[str]) -> tuple[str, tuple[str, ...]]:
    """A FROM item of the file's records with ``__cdme_ordinal``, and its columns that say where a record
    stands: ``file`` and ``line``; fewer where the file has a column of that name, or is not read alike."""
    taken = {name.lower() for name in columns}
    shown = {"file": literal(generation.relation.removeprefix("file."))}
    found = seed_file(generation.name)
    shifts = line_shifts(*found, len(columns), generation.row_count) if found else None
    if shifts is not None:
        shown["line"] = _line(shifts)
    place = {name: sql for name, sql in shown.items() if name not in taken}
    more = "".join(f", {sql} AS {quote(name)}" for name, sql in place.items())
    inner = f"SELECT *, row_number() OVER () - 1 AS __cdme_ordinal FROM {generation.name}"
    return f"(SELECT *{more} FROM ({inner}) AS n)", tuple(place)


def _line(shifts: Shifts) -> str:
    """The line of a record by its ordinal."""
    if len(shifts) == 1:
        return f"n.__cdme_ordinal + {shifts[0][1]}"
    values = ", ".join(f"({ordinal}, {shift})" for ordinal, shift in shifts)
    before = f"SELECT max(s) FROM (VALUES {values}) AS v(o, s) WHERE v.o <= n.__cdme_ordinal"
    return f"n.__cdme_ordinal + ({before})"


def line_shifts(path: str, delimiter: str, width: int, count: int | None) -> Shifts | None:
    """Where each record of a CSV file begins, counted from 1; a record may have several lines.

    None where the file cannot be read as ``count`` records of ``width`` values below a header, or has
    more than ``MOST`` records of several lines.
    """
    shifts: Shifts = []
    ordinal = -1  # the header's
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader, before = csv.reader(file, delimiter=delimiter, strict=True), 0
            for row in reader:
                begins, before = before + 1, reader.line_num
                if not row and width > 1:
                    continue  # an empty line is no record of several values
                if len(row) not in (width, 0 if width == 1 else width):
                    return None
                if ordinal >= 0 and (not shifts or shifts[-1][1] != begins - ordinal):
                    shifts.append((ordinal, begins - ordinal))
                    if len(shifts) > MOST:
                        return None
                ordinal += 1
    except (OSError, UnicodeDecodeError, csv.Error, TypeError):
        return None
    return shifts if ordinal == count and shifts else None
