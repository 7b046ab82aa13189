"""TARGET_TYPE_BRANCH: code that asks for type ``duckdb`` and no longer finds it under ``cdme``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cdme_adapter.errors import Finding, Place
from cdme_adapter.validation.project import ProjectView
from cdme_adapter.validation.view import ModelView, Said

_ASKED = (
    r"""(?:target\s*\.\s*type\b|target\s*\[\s*['"]type['"]\s*\]|"""
    r"""target\s*\.\s*get\s*\(\s*['"]type['"][^)]*\)|adapter\s*\.\s*type\s*\(\s*\))"""
)
_SET = re.compile(rf"{{%-?\s*set\s+(\w+)\s*=\s*{_ASKED}\s*(?:\|[^%]*)?-?%}}", re.IGNORECASE)


def _branch(asked: str) -> re.Pattern[str]:
    """Comparisons of ``asked`` with the word duckdb, either way round."""
    return re.compile(
        rf"""{asked}[^=!%}}]{{0,20}}?\s*(==|!=|\bin\b|\bnot\s+in\b)[^%}}]*?['"]duckdb['"]"""
        rf"""|['"]duckdb['"]\s*(==|!=|in\b|not\s+in\b)\s*{asked}""",
        re.IGNORECASE,
    )


_BRANCH = _branch(_ASKED)


def check(view: ModelView) -> Iterator[Said]:
    """Branches in the model's own file."""
    for line in lines(view.node.raw):
        place = Place(view.node.file, line)
        yield finding(view.node.id, place)


def lines(text: str) -> Iterator[int]:
    """The lines on which such a branch begins; a name that was set to the type is followed."""
    names = {found[1] for found in _SET.finditer(text)}
    patterns = [_BRANCH, *(_branch(rf"\b{name}\b") for name in sorted(names))]
    starts = set()
    for pattern in patterns:
        for found in pattern.finditer(text):
            after = text[found.start() : found.end() + 40]
            if "cdme" not in after.lower():
                starts.add(text.count("\n", 0, found.start()) + 1)
    yield from sorted(starts)


def in_macros(project: ProjectView) -> Iterator[Finding]:
    """Branches in the macros of the project and of its packages."""
    for macro_id, (file, text) in project.macros.items():
        for line in lines(text):
            yield finding(macro_id, Place(file, line))


def finding(model: str, place: Place) -> Finding:
    """The finding, for a model or a macro."""
    return Finding(
        "TARGET_TYPE_BRANCH",
        "target.type is 'cdme' here, so a branch for 'duckdb' is not taken any more",
        "warn",
        model,
        place,
        "write target.type in ['duckdb', 'cdme'], or dispatch a macro as duckdb__…",
    )
