"""Where a clause stands in the user's file, given where it stands in the compiled SQL.

Jinja moves lines. Lines that both texts share anchor the compiled text to the file; a clause
between two anchors is put on the line that follows the nearest one above it, else as far above the
nearest one below it; texts of as many lines that share none are taken line by line.
"""

from __future__ import annotations

import difflib
import re
from functools import lru_cache

_TOKEN = re.compile(r"\w+|<>|!=|[^\s\w]")
_DROPPED = set('()";`')


@lru_cache(maxsize=256)
def _line_map(compiled: str, raw: str) -> tuple[int, ...]:
    """For each compiled line (from 0) the line of the file (from 0), -1 where unknown."""
    a = [line.strip() for line in compiled.splitlines()]
    b = [line.strip() for line in raw.splitlines()]
    lines = [-1] * len(a)
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    for block in matcher.get_matching_blocks():
        for offset in range(block.size):
            lines[block.a + offset] = block.b + offset
    return tuple(lines)


def file_line(compiled: str, raw: str, line: int | None) -> int | None:
    """The line of the file for a line of the compiled SQL, both from 1.

    >>> file_line("select *\\nfrom x\\nwhere a > 1", "{{ config() }}\\nselect *\\nfrom x\\nwhere a > 1", 3)
    4
    >>> file_line("select * from db.x join y", "select * from {{ ref('x') }} join y", 1)
    1
    """
    if line is None or not raw:
        return line if not raw else None
    lines = _line_map(compiled, raw)
    place = line - 1
    if place >= len(lines):
        return None
    if lines[place] >= 0:
        return lines[place] + 1
    for above in range(place, -1, -1):
        if lines[above] >= 0:
            return min(lines[above] + 1 + (place - above), len(raw.splitlines()))
    for below in range(place + 1, len(lines)):
        if lines[below] >= 0:
            return max(lines[below] + 1 - (below - place), 1)
    return line if len(lines) == len(raw.splitlines()) else None


def _tokens(text: str) -> list[tuple[str, int]]:
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        for token in _TOKEN.findall(line.lower()):
            if token not in _DROPPED:
                found.append(("<>" if token == "!=" else token, number))
    return found


def search_line(text: str, clause: str) -> int | None:
    """The line of ``text`` where the clause begins, written with other blanks or parentheses.

    >>> search_line("select *\\nfrom t\\nwhere k  > 1", "(k > 1)")
    3
    """
    wanted = [token for token, _ in _tokens(clause)]
    there = _tokens(text)
    words = [token for token, _ in there]
    for place in range(len(words) - len(wanted) + 1):
        if wanted and words[place : place + len(wanted)] == wanted:
            return there[place][1]
    return None
