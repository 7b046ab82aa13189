"""Who may build on what: dbt's groups and access, and ``roles`` (REQ-F-LDM-006)."""

from __future__ import annotations

from collections.abc import Iterable

from cdme_adapter.validation.project import Node, ProjectView


def denied(project: ProjectView, node: Node, inputs: Iterable[Node]) -> tuple[str, ...]:
    """Canonical names of the inputs that ``node`` may not build on."""
    return tuple(i.relation for i in inputs if i.id != node.id and _denied(project, node, i))


def _denied(project: ProjectView, node: Node, other: Node) -> bool:
    if other.access == "private" and other.group and other.group != node.group:
        return True
    if other.access == "protected" and other.package and other.package != node.package:
        restricted = other.resource_type == "model" and other.group is not None
        if restricted:
            return True
    roles = set(other.config.roles)
    return bool(roles) and not roles & set(project.as_roles)
