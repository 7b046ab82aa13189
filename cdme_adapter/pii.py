"""Which columns hold personal data: those that a project declares, and what SQL makes of them.

Follows columns, not names: ``email AS contact`` stays personal, in a view, an ephemeral model or a
table. Whatever is not understood counts as personal as a whole, because a wrong guess here shows
what must not be shown. A count of values holds none of them. ``meta: {cdme: {pii: false}}`` on a
column says that it holds none either, such as an aggregate, and is obeyed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cdme_adapter.project import Manifest, Node

Columns = Callable[[str], Iterable[str]]
"""The columns of a node's relation by the node's id; none where they are not known."""


@dataclass(frozen=True)
class PiiNode:
    """What is known of one node. ``sql`` is its compiled SELECT, None where there is none."""

    id: str
    place: tuple[str, str, str]
    parents: tuple[str, ...] = ()
    declared: frozenset[str] = frozenset()
    cleared: frozenset[str] = frozenset()
    sql: str | None = None
    columns: tuple[str, ...] = ()


@dataclass
class PiiColumns:
    """The personal columns of every relation of a project, in lower case.

    ``columns`` asks the database for a relation's columns. Where it knows none, those that the
    project documents are masked, but no query is read with them: they may not be all.
    """

    nodes: Mapping[str, PiiNode]
    columns: Columns = lambda _: ()
    _known: dict[str, frozenset[str]] = field(default_factory=dict)

    def of(self, relation: str) -> frozenset[str]:
        """The personal columns of a relation; none for what the project does not know."""
        if not self.anything:
            return frozenset()
        if relation not in self._known:
            self._known[relation] = frozenset()  # what is left, should the graph have a circle
            self._known[relation] = self._find(relation)
        return self._known[relation]

    @property
    def anything(self) -> bool:
        """Whether the project declares any personal column at all."""
        return any(node.declared for node in self.nodes.values())

    def columns_of(self, relation: str) -> list[str]:
        """The relation's columns in lower case, in order."""
        node = self.nodes.get(relation)
        found = [column.lower() for column in self.columns(relation)]
        return found or [column.lower() for column in (node.columns if node else ())]

    def _find(self, relation: str) -> frozenset[str]:
        node = self.nodes.get(relation)
        if node is None:
            return frozenset()
        above = {parent: self.of(parent) for parent in node.parents if parent != node.id}
        if not any(above.values()):
            return node.declared - node.cleared
        found = node.declared - node.cleared
        while True:  # a model that reads itself makes columns of its own: until there are no more of them
            self._known[relation] = found
            more = found | (self._derived(node, above) - node.cleared)
            if more == found:
                return found
            found = more

    def _derived(self, node: PiiNode, above: Mapping[str, frozenset[str]]) -> frozenset[str]:
        from cdme_adapter.column_lineage import NotUnderstood, derived_columns

        every = frozenset(self.columns_of(node.id))
        named = frozenset[str]().union(*above.values())
        if node.sql is None:
            return every | named
        relations = {
            self.nodes[one].place: ([c.lower() for c in self.columns(one)], self.of(one))
            for one in (node.id, *self._beneath(node)) if one in self.nodes
        }  # fmt: skip
        try:
            found = derived_columns(node.sql, relations)
        except NotUnderstood as reason:
            logging.getLogger("cdme").debug("columns of %s are not followed: %s", node.id, reason)
            return every | named
        names = self.columns_of(node.id)
        if len(names) != len(found):
            names = [name for name, _ in found]
        return frozenset(name for name, (_, hit) in zip(names, found, strict=True) if hit)

    def _beneath(self, node: PiiNode) -> list[str]:
        """Everything above the node in the DAG: compiled SQL names what ephemeral models read."""
        found: list[str] = []
        todo = list(node.parents)
        while todo:
            one = todo.pop()
            if one not in found:
                found.append(one)
                todo += self.nodes[one].parents if one in self.nodes else ()
        return found


def of_manifest(manifest: Manifest, columns: Columns = lambda _: ()) -> PiiColumns:
    """From a manifest.json that was read."""
    needed = any(declared(node.cdme, node.raw.get("columns")) for node in manifest.nodes.values())
    return PiiColumns({key: _from_node(node, needed) for key, node in manifest.nodes.items()}, columns)


def _from_node(node: Node, needed: bool) -> PiiNode:
    """``needed``: whether anything is personal; else no file is read for what nobody asks."""
    described = node.raw.get("columns") or {}
    texts = node.compiled if needed else []
    kind_of_sql = node.type in ("model", "snapshot") and str(node.raw.get("language") or "sql") == "sql"
    return PiiNode(
        id=node.id,
        place=(node.database.lower(), node.schema.lower(), node.identifier.lower()),
        parents=tuple(node.parents),
        declared=frozenset(declared(node.cdme, described)),
        cleared=frozenset(column_flags(described, False)),
        sql=texts[0] if texts and kind_of_sql else None,
        columns=tuple(described),
    )


def declared(block: Mapping[str, Any] | None, described: Mapping[str, Any] | None = None) -> set[str]:
    """The columns that a ``meta.cdme`` block, or the columns' own ``meta.cdme``, declare ``pii``."""
    given = (block or {}).get("pii") or []
    names = [given] if isinstance(given, str) else list(given) if isinstance(given, list | tuple) else []
    return {str(name).lower() for name in names} | set(column_flags(described or {}, True))


def column_flags(described: Mapping[str, Any], wanted: bool) -> list[str]:
    """The columns whose own ``meta.cdme.pii`` is ``wanted``.

    >>> column_flags({"A": {"meta": {"cdme": {"pii": False}}}, "b": {}}, False)
    ['a']
    """
    found = []
    for name, said in described.items():
        given: Any = said
        config = given.get("config") if isinstance(given, Mapping) else None
        for holder in (given, config):
            meta = holder.get("meta") if isinstance(holder, Mapping) else None
            block = meta.get("cdme") if isinstance(meta, Mapping) else None
            if isinstance(block, Mapping) and block.get("pii") is wanted:
                found.append(str(name).lower())
                break
    return found
