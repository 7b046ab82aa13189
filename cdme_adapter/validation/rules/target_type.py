"""TARGET_TYPE_BRANCH: code that asks for type ``duckdb`` and no longer finds it under ``cdme``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cdme_adapter.errors import Finding, Place
from cdme_adapter.validation.project import ProjectView
from cdme_adapter.validation.view import ModelView, Said

_BRANCH = re.compile(
    r"""(target\s*\.\s*type|target\s*\[\s*['"]type['"]\s*\]|adapter\s*\.\s*type\s*\(\s*\))"""
    r"""\s*(==|!=|in\b|not\s+in\b)[^%}]*?['"]duckdb['"]"""
    r"""|['"]duckdb['"]\s*(==|!=|in)\s*(target\s*\.\s*type|adapter\s*\.\s*type\s*\(\s*\))""",
    re.IGNORECASE,
)


def check(view: ModelView) -> Iterator[Said]:
    """Branches in the model's own file."""
    for line in lines(view.node.raw):
        place = Place(view.node.file, line)
        yield finding(view.node.id, place)


def lines(text: str) -> Iterator[int]:
    """The lines on which such a branch begins."""
    for found in _BRANCH.finditer(text):
        after = text[found.start() : found.end() + 40]
        if "cdme" not in after.lower():
            yield text.count("\n", 0, found.start()) + 1


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
