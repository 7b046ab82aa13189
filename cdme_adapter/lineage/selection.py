"""``--select`` and ``--exclude`` without dbt: names, wildcards, ``tag:``, ``path:`` and ``+``."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass

from cdme_adapter.project import Manifest, Node


@dataclass(frozen=True)
class Selection:
    """Which nodes a question is about; all of them where nothing was selected."""

    manifest: Manifest
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def keeps(self, name: str) -> bool:
        """Whether a relation is among those selected."""
        chosen = not self.select or name in self._matching(self.select)
        return chosen and not (self.exclude and name in self._matching(self.exclude))

    def _matching(self, terms: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for term in (part for text in terms for part in text.split()):
            pieces = [self._term(piece) for piece in term.split(",")]
            found |= set.intersection(*pieces)
        return found

    def _term(self, term: str) -> set[str]:
        up, down = term.startswith("+"), term.endswith("+")
        core = term.strip("+")
        found = {node.id for node in self.manifest.nodes.values() if _matches(node, core)}
        found |= {core} if core.count(".") >= 2 else set()
        ancestors = self._closure(found, self._parents()) if up else set()
        descendants = self._closure(found, self._children()) if down else set()
        return found | ancestors | descendants

    def _parents(self) -> dict[str, list[str]]:
        return {node.id: node.parents for node in self.manifest.nodes.values()}

    def _children(self) -> dict[str, list[str]]:
        children: dict[str, list[str]] = {}
        for name, parents in self._parents().items():
            for parent in parents:
                children.setdefault(parent, []).append(name)
        return children

    @staticmethod
    def _closure(start: set[str], edges: dict[str, list[str]]) -> set[str]:
        found, todo = set(start), list(start)
        while todo:
            for following in edges.get(todo.pop(), []):
                if following not in found:
                    found.add(following)
                    todo.append(following)
        return found


def _matches(node: Node, term: str) -> bool:
    """Whether a node answers to one term of a selection.

    >>> node = Node("model.p.a", "model", "a", "d", "s", "a", "", "table", {"tags": ["x"]})
    >>> _matches(node, "tag:x"), _matches(node, "a*"), _matches(node, "b")
    (True, True, False)
    """
    method, _, value = term.rpartition(":")
    if method == "tag":
        config = node.raw.get("config") or {}
        return value in [*(node.raw.get("tags") or []), *(config.get("tags") or [])]
    if method == "path":
        path = str(node.raw.get("original_file_path") or "")
        return path == value or path.startswith(value.rstrip("/") + "/")
    if method == "resource_type":
        return node.type == value
    if method == "source":
        names = {node.source_name, f"{node.source_name}.{node.name}"}
        return node.type == "source" and value in names
    names = {node.id, node.name, f"{node.source_name}.{node.name}"}
    return any(fnmatch.fnmatchcase(name, value) for name in names)
