"""Which row of a stored table a row that was made again is: by value, place only between equals."""

from __future__ import annotations

import re

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import columns_of, ordinals, quote
from cdme_adapter.errors import QuestionError

TOLERANCE = 1e-9
"""How far apart doubles may be, relative: a sum depends on the order in which threads add."""
RANKS = "temp.cdme_ranks"
_FLOAT = re.compile(r"^(FLOAT|DOUBLE|REAL)$", re.I)


def match_rows(execute: Execute, stored: str, made: str) -> str:
    """A table (old, new) of each made row's ordinal and its ordinal in the stored table; "" where every
    row stands at the same place. Raises QuestionError unless the rows match one to one.

    Rows that are equal in every column are told apart by place alone: nobody could tell them otherwise.
    """
    columns = columns_of(execute, stored)
    there = {name.lower() for name, _ in columns_of(execute, made)}
    if {name.lower() for name, _ in columns} != there:
        raise QuestionError("the table has other columns than its recipe makes")
    floats = [quote(name) for name, kind in columns if _FLOAT.match(kind)]
    exact = [quote(name) for name, kind in columns if not _FLOAT.match(kind)]
    wrong = " OR ".join(
        [
            "s.o IS NULL",
            "m.o IS NULL",
            *(f"s.{c} IS DISTINCT FROM m.{c}" for c in exact),
            *map(_apart, floats),
        ]
    )
    numbered = "(SELECT *, {0} AS o FROM {1})"
    rows = {
        "s": numbered.format(ordinals(execute, stored).column(), stored),
        "m": numbered.format(ordinals(execute, made).column(), made),
    }
    at_place = execute(
        f"SELECT count(*) FROM {rows['s']} AS s FULL JOIN {rows['m']} AS m ON s.o = m.o WHERE {wrong}"
    )
    if not at_place[0][0]:
        return ""
    key = f"hash({', '.join(exact)})" if exact else "0"
    order = ", ".join([*floats, "o"])
    for name, source in rows.items():
        rows[name] = (
            f"(SELECT *, {key} AS h, row_number() OVER (PARTITION BY {key} ORDER BY {order}) AS k"
            f" FROM {source})"
        )
    both = f"{rows['s']} AS s FULL JOIN {rows['m']} AS m ON s.h = m.h AND s.k = m.k"
    other = execute(f"SELECT count(*) FROM {both} WHERE {wrong}")[0][0]
    if other:
        raise QuestionError(f"{other:,} rows of the table are not those that its recipe makes")
    execute(
        f"CREATE OR REPLACE TEMP TABLE {RANKS.partition('.')[2]} AS"
        f" SELECT m.o AS old, s.o AS new FROM {both}"
    )
    return RANKS


def _apart(column: str) -> str:
    """Whether two doubles are further apart than the order of a sum can make them."""
    same = f"s.{column} IS NOT DISTINCT FROM m.{column}"
    near = f"abs(s.{column} - m.{column}) <= {TOLERANCE} * greatest(abs(s.{column}), abs(m.{column}))"
    return f"NOT ({same} OR coalesce({near}, FALSE))"
