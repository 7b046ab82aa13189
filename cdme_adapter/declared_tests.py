"""A node's own dbt tests as plain values: what ``refine: tests`` enforces."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class DeclaredTest:
    """One generic test of a node, with its arguments as dbt renders them.

    ``severity`` is ``error`` or ``warn``; ``parent`` is the quoted relation that a relationships test
    looks into, ``parent_id`` its unique id."""

    id: str
    name: str
    column: str | None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    where: str | None = None
    severity: str = "error"
    parent: str = ""
    parent_id: str = ""
    file: str | None = None


Render = Callable[[Any], Mapping[str, Any]]


def tests_of(manifest: Any, render: Render | None = None) -> dict[str, tuple[DeclaredTest, ...]]:
    """The generic tests of each node of a manifest in memory, in the order of their ids; ``render`` gives
    the arguments of a test, where they may hold Jinja."""
    found: dict[str, list[DeclaredTest]] = defaultdict(list)
    for node in sorted(manifest.nodes.values(), key=lambda n: str(n.unique_id)):
        said = getattr(node, "test_metadata", None)
        owner = getattr(node, "attached_node", None)
        if said is None or owner is None or not getattr(node.config, "enabled", True):
            continue
        parent = _parent(manifest, node, owner)
        arguments = dict((render(node) if render is not None else said.kwargs) or {})
        arguments |= arguments.pop("arguments", None) or {}
        found[owner].append(
            DeclaredTest(
                node.unique_id,
                f"{said.namespace}.{said.name}" if said.namespace else said.name,
                getattr(node, "column_name", None) or arguments.get("column_name"),
                arguments,
                getattr(node.config, "where", None),
                str(getattr(node.config, "severity", "error") or "error").lower(),
                _quoted(parent) if parent is not None else "",
                parent.unique_id if parent is not None else "",
                getattr(node, "original_file_path", None),
            )
        )
    return {owner: tuple(tests) for owner, tests in found.items()}


def _parent(manifest: Any, node: Any, owner: str) -> Any:
    """The other node of a relationships test."""
    if node.test_metadata.name not in ("relationships", "relationships_where"):
        return None
    wanted = re.findall(r"['\"]([^'\"]+)['\"]", str(node.test_metadata.kwargs.get("to", "")))
    known = {**manifest.nodes, **manifest.sources}
    beneath = [known[one] for one in node.depends_on.nodes if one in known]
    named = [one for one in beneath if wanted and one.name == wanted[-1]]
    others = [one for one in beneath if one.unique_id != owner]
    return next(iter(named or others or beneath), None)


def _quoted(node: Any) -> str:
    name = getattr(node, "identifier", None) or getattr(node, "alias", None) or node.name
    parts = [part for part in (node.database, node.schema, name) if part]
    return ".".join('"' + str(part).replace('"', '""') + '"' for part in parts)
