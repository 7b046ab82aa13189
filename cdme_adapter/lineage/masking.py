"""Which columns are masked: those declared ``pii``, and those of that name further down."""

from __future__ import annotations

from functools import cached_property

from cdme_adapter.project import Manifest, Node


class Masking:
    """The masked columns of each relation; none of them where the user may see them."""

    def __init__(self, manifest: Manifest, show_pii: bool = False) -> None:
        self.manifest = manifest
        self.show_pii = show_pii

    def of(self, relation: str) -> frozenset[str]:
        """The masked columns of a relation, in lower case."""
        if self.show_pii or not self._declaring:
            return frozenset()
        masked: set[str] = set()
        seen: set[str] = set()
        todo = [relation]
        while todo:
            name = todo.pop()
            node = self.manifest.nodes.get(name)
            if node is None or name in seen:
                continue
            seen.add(name)
            masked |= declared(node)
            todo += node.parents
        return frozenset(masked)

    @cached_property
    def _declaring(self) -> bool:
        return any(declared(node) for node in self.manifest.nodes.values())


def declared(node: Node) -> set[str]:
    """The columns that a node itself declares ``pii``."""
    given = node.cdme.get("pii") or []
    names = [given] if isinstance(given, str) else list(given)
    for column, said in (node.raw.get("columns") or {}).items():
        meta = (said or {}).get("meta") or {}
        block = meta.get("cdme")
        if isinstance(block, dict) and block.get("pii") is True:
            names.append(column)
    return {str(name).lower() for name in names}
