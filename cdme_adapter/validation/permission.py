"""Who may build on what: dbt's groups and access, and ``roles`` (REQ-F-LDM-006).

A right is one of an edge: of what ref() and source() name, and of what the SQL writes out. What an
ephemeral parent pastes in is the edge of that parent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cdme_adapter.validation.project import Node, ProjectView
from cdme_adapter.validation.relations import Column, Relation


def denied(project: ProjectView, node: Node, inputs: Iterable[Node]) -> tuple[Node, ...]:
    """Those of these inputs that ``node`` may not build on."""
    found = {i.id: i for i in inputs if i.id != node.id and _denied(project, node, i)}
    return tuple(found.values())


def named(project: ProjectView, node: Node) -> list[Node]:
    """What ref() and source() name, ephemeral models among them."""
    listed = node.depends_on if node.named is None else node.named
    return [project.nodes[one] for one in listed if one in project.nodes]


def pasted(project: ProjectView, node: Node) -> frozenset[str]:
    """The relations that stand in the SQL because an ephemeral parent reads them."""
    found: set[str] = set()
    stack, seen = [n for n in named(project, node) if not n.stored], set()
    while stack:
        current = stack.pop()
        if current.id in seen:
            continue
        seen.add(current.id)
        for below in named(project, current):
            if below.stored:
                found.add(below.relation)
            else:
                stack.append(below)
    return frozenset(found)


def asked(project: ProjectView, node: Node, other: Node) -> str:
    """How ``node`` names ``other``: as ref() and source() do, else as a stored relation."""
    if all(one.id != other.id for one in named(project, node)):
        return other.relation
    return ".".join(other.id.split(".")[-2:]) if other.resource_type == "source" else other.name


def restricted(project: ProjectView) -> list[Node]:
    """The nodes on which not everybody may build."""
    return [n for n in project.nodes.values() if n.group or n.config.roles]


class Sight:
    """What one model sees of the stored relations: to it, one that it may not build on is not there."""

    def __init__(
        self, project: ProjectView, node: Node,
        lookup: Callable[[str], Relation | None], describe: Callable[[str], list[Column] | None],
    ) -> None:  # fmt: skip
        self._project, self._node, self._lookup, self._describe = project, node, lookup, describe
        self._pasted = pasted(project, node)
        self._hides = False
        self.denied: dict[str, Node] = {n.id: n for n in denied(project, node, named(project, node))}

    def may_read(self, name: str) -> bool:
        """Whether the SQL may name this stored relation."""
        other = self._project.by_relation(name.lower())
        if other is None or other.relation in self._pasted:
            return True
        if other.id not in self.denied and denied(self._project, self._node, [other]):
            self.denied[other.id] = other
        return other.id not in self.denied

    def lookup(self, name: str) -> Relation | None:
        """What is known of a stored relation that may be read."""
        self._hides = not self.may_read(name)
        return None if self._hides else self._lookup(name)

    def describe(self, sql: str) -> list[Column] | None:
        """The columns of what is no known relation: of the one just hidden, none."""
        hides, self._hides = self._hides, False
        return None if hides else self._describe(sql)


def _denied(project: ProjectView, node: Node, other: Node) -> bool:
    if other.access == "private" and other.group and other.group != node.group:
        return True
    elsewhere = other.package and other.package != node.package
    if other.access == "protected" and elsewhere and other.resource_type == "model" and other.group:
        return True
    roles = set(other.config.roles)
    return bool(roles) and not roles & set(project.as_roles)
