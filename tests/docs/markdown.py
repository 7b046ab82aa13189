"""The little of Markdown that the tests of the documentation read: tables, code blocks, links."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


def section(text: str, heading: str) -> str:
    """The text beneath a heading, to the next one of the same or a higher level."""
    match = re.search(rf"^(#+) {re.escape(heading)}\s*$", text, re.MULTILINE)
    assert match, f"there is no heading {heading!r}"
    rest = text[match.end() :]
    end = re.search(rf"^#{{1,{len(match[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    r"""The cells of every table row but headers and lines that only part the table; ``\|`` is |."""
    found: list[list[str]] = []
    lines = text.splitlines()
    for place, line in enumerate(lines):
        if not line.startswith("|") or set(line) <= set("|-: "):
            continue
        if place + 1 < len(lines) and re.fullmatch(r"[|\-: ]+", lines[place + 1]):
            continue
        cells = [c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if sum(bool(cell) for cell in cells) > 1:
            found.append(cells)
    return found


def code(cell: str) -> str:
    """What stands in backticks."""
    assert cell.startswith("`") and cell.endswith("`"), f"not in backticks: {cell}"
    return cell[1:-1]


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
