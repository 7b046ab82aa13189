"""What the manifest says of the nodes of a run, as plain values; the only part that knows its shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TestFacts:
    """A test: the kind of its assertion, the column and the node that it is about."""

    kind: str
    column: str | None
    attached: str | None
    severity: str


@dataclass(frozen=True)
class NodeFacts:
    """A node as a collector shall see it; ``columns`` holds descriptions."""

    id: str
    kind: str
    materialized: str
    name: str
    database: str
    schema: str
    identifier: str
    parents: tuple[str, ...]
    description: str = ""
    file: str = ""
    tags: tuple[str, ...] = ()
    owners: tuple[tuple[str, str], ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    compiled: str = ""
    test: TestFacts | None = None

    @property
    def is_dataset(self) -> bool:
        """Whether the node stands for a relation."""
        return self.kind in ("model", "seed", "snapshot", "source") and self.materialized != "ephemeral"


@dataclass(frozen=True)
class ProjectFacts:
    """The project and its nodes, by unique id."""

    name: str
    root: str
    dbt_version: str
    nodes: Mapping[str, NodeFacts]

    def parents_of(self, node: NodeFacts) -> list[NodeFacts]:
        """The datasets that a node reads, through ephemeral models."""
        found: dict[str, NodeFacts] = {}
        todo, seen = list(node.parents), set()
        while todo:
            one = self.nodes.get(todo.pop(0))
            if one is None or one.id in seen:
                continue
            seen.add(one.id)
            if one.is_dataset:
                found[one.id] = one
            else:
                todo += one.parents
        return list(found.values())


def project_facts(manifest: Any, root: str) -> ProjectFacts:
    """The facts of a manifest in memory."""
    groups = {group.name: group for group in manifest.groups.values()}
    nodes = {
        node.unique_id: _facts(node, groups)
        for node in (*manifest.nodes.values(), *manifest.sources.values())
    }
    metadata = manifest.metadata
    return ProjectFacts(str(metadata.project_name or ""), root, str(metadata.dbt_version), nodes)


def _facts(node: Any, groups: Mapping[str, Any]) -> NodeFacts:
    kind = str(getattr(node.resource_type, "value", node.resource_type))
    config = node.config
    columns = getattr(node, "columns", None) or {}
    return NodeFacts(
        id=node.unique_id,
        kind=kind,
        materialized=str(getattr(config, "materialized", kind) or kind),
        name=node.name,
        database=node.database or "",
        schema=node.schema or "",
        identifier=getattr(node, "identifier", None) or getattr(node, "alias", node.name),
        parents=tuple(getattr(getattr(node, "depends_on", None), "nodes", None) or ()),
        description=getattr(node, "description", "") or "",
        file=node.original_file_path or "",
        tags=tuple(getattr(node, "tags", None) or ()),
        owners=_owners(node, groups),
        columns={name.lower(): column.description or "" for name, column in columns.items()},
        compiled=getattr(node, "compiled_code", None) or "",
        test=_test(node) if kind in ("test", "unit_test") else None,
    )


def _owners(node: Any, groups: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(name, kind): the owner of the node's group, and ``meta.owner``."""
    found: list[tuple[str, str]] = []
    group = groups.get(getattr(node.config, "group", None) or "")
    if group is not None:
        name = group.owner.name or group.owner.email
        found.append((str(name[0] if isinstance(name, list) else name), "GROUP"))
    meta = getattr(node.config, "meta", None) or getattr(node, "meta", None) or {}
    if isinstance(meta, Mapping) and isinstance(meta.get("owner"), str):
        found.append((meta["owner"], "OWNER"))
    return tuple(found)


def _test(node: Any) -> TestFacts:
    metadata = getattr(node, "test_metadata", None)
    kwargs = getattr(metadata, "kwargs", None) or {}
    column = getattr(node, "column_name", None) or kwargs.get("column_name")
    name = metadata.name if metadata else node.name
    if metadata is not None and metadata.namespace:
        name = f"{metadata.namespace}.{name}"
    severity = str(getattr(node.config, "severity", "error") or "error").lower()
    return TestFacts(name, column, getattr(node, "attached_node", None), severity)
