"""The graph of generations that the live edges span, backward and forward.

A node is a relation in one generation. Generations of a source with one fingerprint are one
content, so they are one node: models built in different runs from an
unchanged source meet again there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

from cdme_adapter.project import Manifest
from cdme_adapter.store.reader import Edge, Generation, Store

UNSEEN = 0
"""The generation of an input whose content nobody saw (an opaque edge)."""

Hops = Callable[["Node"], list[tuple[Edge, "Node"]]]


@dataclass(frozen=True, order=True)
class Node:
    """A relation in one generation; ``generation`` stands for all that are the same content."""

    relation: str
    generation: int


@dataclass
class Graph:
    """The edges of a store as hops between nodes."""

    store: Store
    manifest: Manifest
    _views: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def _canonical(self) -> dict[int, int]:
        best: dict[tuple[str, str | None, int | None], Generation] = {}
        for g in self.store.generations.values():
            other = best.get(self._content(g))
            if other is None or (g.created_at, g.id) > (other.created_at, other.id):
                best[self._content(g)] = g
        return {g.id: best[self._content(g)].id for g in self.store.generations.values()}

    def _content(self, generation: Generation) -> tuple[str, str | None, int | None]:
        if generation.relation in self.store.current:
            return generation.relation, None, generation.id
        return generation.relation, generation.fingerprint, generation.row_count

    def node(self, relation: str, generation: int | None) -> Node:
        """The node that a generation belongs to."""
        if generation is None:
            return Node(relation, UNSEEN)
        return Node(relation, self._canonical.get(generation, generation))

    def generation(self, node: Node) -> Generation | None:
        """What the store knows of a node; None where its metadata is gone."""
        return self.store.generations.get(node.generation)

    def seen_at(self, node: Node) -> str:
        """When a node's content was first seen; "" where nothing is known of it."""
        generation = self.generation(node)
        return generation.created_at if generation else ""

    def parents(self, node: Node) -> list[tuple[Edge, Node]]:
        """The hops from an output generation to its inputs' generations."""
        return [(e, self.node(e.input, e.input_generation)) for e in self.store.outputs_of(node.generation)]

    def children(self, node: Node) -> list[tuple[Edge, Node]]:
        """The hops from a generation to the models that are made from it now."""
        return [
            (e, Node(e.model, e.output_generation))
            for e in self.store.live_edges_from(node.relation)
            if self.node(e.input, e.input_generation) == node
        ]

    def path(self, edge: Edge) -> tuple[str, ...]:
        """The nodes from a model to an input, the views in between included, both ends too."""
        ends = (edge.model, edge.input)
        if edge.id < 0:  # by key, from one content of a relation to another
            return (edge.input,)
        if ends not in self._views:
            self._views[ends] = (edge.model, *self._between(*ends), edge.input)
        return self._views[ends]

    def _between(self, model: str, wanted: str) -> tuple[str, ...]:
        """The shortest way from a model to what it reads, through nodes that store nothing."""
        nodes = self.manifest.nodes
        ways: list[tuple[str, tuple[str, ...]]] = [(model, ())]
        seen: set[str] = set()
        for name, way in ways:
            for parent in sorted(nodes[name].parents) if name in nodes else []:
                if parent == wanted:
                    return way
                if parent in nodes and not nodes[parent].stored and parent not in seen:
                    seen.add(parent)
                    ways.append((parent, (*way, parent)))
        return ()


def ordered(start: Node, hops: Hops) -> list[Node]:
    """The nodes that can be reached, each before those that its hops lead to."""
    done: dict[Node, None] = {}
    open_: set[Node] = set()

    def visit(node: Node) -> None:
        if node in done or node in open_:
            return
        open_.add(node)
        for _, following in hops(node):
            visit(following)
        open_.discard(node)
        done[node] = None

    visit(start)
    return list(done)[::-1]


def leading_to(order: Iterable[Node], hops: Hops, wanted: Callable[[Node], bool]) -> set[Node]:
    """The nodes of an order from which a wanted node can be reached, those included."""
    found: set[Node] = set()
    for node in reversed(list(order)):
        if wanted(node) or any(following in found for _, following in hops(node)):
            found.add(node)
    return found
