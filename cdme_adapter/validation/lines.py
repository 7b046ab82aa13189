"""From a line of a model's compiled SQL to the line in the file that the user wrote."""

from __future__ import annotations

import difflib
from functools import lru_cache


def raw_line(compiled: str, raw: str, line: int | None) -> int | None:
    """The line of ``raw`` that the line of ``compiled`` came from: the same text, or the nearest.

    >>> raw_line("select a\\nfrom t\\nwhere b", "{{ c() }}\\nselect a\\nfrom {{ x }}\\nwhere b", 3)
    4
    """
    if line is None:
        return None
    table = _alignment(compiled, raw)
    return table[min(max(line, 1), len(table)) - 1] if table else None


@lru_cache(maxsize=64)
def _alignment(compiled: str, raw: str) -> list[int]:
    left = [text.strip() for text in compiled.splitlines()]
    right = [text.strip() for text in raw.splitlines()]
    table: list[int] = []
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        for i in range(i1, i2):
            inside = j1 + (i - i1) if tag == "equal" else _closest(left[i], right, j1, j2, i - i1)
            table.append(min(max(inside, 0), max(len(right) - 1, 0)) + 1)
    return table


def _closest(text: str, right: list[str], start: int, end: int, offset: int) -> int:
    """Within a replaced block: the most similar line, else the one at the same offset."""
    best, score = None, 0.5
    for j in range(start, min(end, start + 60)):
        ratio = difflib.SequenceMatcher(None, text, right[j]).quick_ratio()
        if ratio > score:
            best, score = j, ratio
    return best if best is not None else min(start + offset, max(end - 1, start))
