"""HARDCODED_RELATION: a model of the project is read by its name, so dbt does not know the edge."""

from __future__ import annotations

from collections.abc import Iterator

from cdme_adapter.validation.view import ModelView, Said


def check(view: ModelView) -> Iterator[Said]:
    """Relations that are nodes but not parents."""
    if view.analysis is None or not view.node.raw:
        return
    parents = _all_parents(view)
    for name, _, node in view.inputs():
        if node is not None and node.id not in parents and node.id != view.node.id:
            call = (
                f"{{{{ source('{node.id.split('.')[-2]}', '{node.name}') }}}}"
                if node.resource_type == "source"
                else f"{{{{ ref('{node.name}') }}}}"
            )
            yield view.found(
                "HARDCODED_RELATION",
                "warn",
                f"{name} is written out, so dbt does not know that this model needs {node.name}",
                f"write {call}",
                view.analysis.places.get(name),
            )


def _all_parents(view: ModelView) -> set[str]:
    """Parents, and the parents of ephemeral parents, whose SQL is pasted in."""
    found: set[str] = set()
    node = view.node
    stack = list(node.depends_on if node.named is None else node.named)
    while stack:
        current = stack.pop()
        if current in found:
            continue
        found.add(current)
        parent = view.project.nodes.get(current)
        if parent is not None and not parent.stored:
            stack += parent.depends_on
    return found
