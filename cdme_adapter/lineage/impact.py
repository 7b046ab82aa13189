"""``impact``: everything downstream of some records, to models and exposures (REQ-F-ADJ-007)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdme_adapter.errors import QuestionError
from cdme_adapter.lineage.asked import Asked, each
from cdme_adapter.lineage.by_key import ByKey
from cdme_adapter.lineage.context import DEFAULT_LIMIT, Context
from cdme_adapter.lineage.downstream import exposures_of, views_of
from cdme_adapter.lineage.export import export_layers
from cdme_adapter.lineage.freshness import Stale, worst
from cdme_adapter.lineage.graph import Node, ordered
from cdme_adapter.lineage.impact_errors import errors_of
from cdme_adapter.lineage.listing import Shown, collect, is_cut, totals
from cdme_adapter.lineage.scratch import Scratch
from cdme_adapter.lineage.walk import Layer, Layers, Walk
from cdme_adapter.provenance import Role
from cdme_adapter.store.reader import Edge, Generation


@dataclass(frozen=True)
class ImpactQuestion:
    """What ``cdme impact`` was asked; ``export`` is a folder for one file per relation."""

    relation: str
    where: str | None = None
    role: str = "direct"
    limit: int = DEFAULT_LIMIT
    order_by: str | None = None
    export: Path | None = None
    format: str = "csv"


def impact(ctx: Context, question: ImpactQuestion) -> dict[str, Any]:
    """The answer of docs/commands.md, ``impact``."""
    with Scratch(ctx.store.con) as scratch, reached(ctx, scratch, question) as found:
        relation, down, layers, asked = found.relation, found.down, found.layers, found.asked
        count = asked.count
        picked = asked.first(question.limit)
        reaches = totals(ctx, layers)
        apart = layers if count == 1 else down.run(found.walk, each(scratch, picked))
        records = _records(ctx, question, down.start, picked, apart)
        whole = asked.together()
        held = [(node, Role.DIRECT, whole) for node in down.fresh]
        rejects = errors_of(ctx, scratch, held + [(n, role, layer) for (n, role), layer in layers.items()])
        rejected = rejects.counts()
        files = _export(ctx, scratch, question, down.start, whole, layers)
        files += rejects.export(question.export, question.format) if question.export else []
    named = {entry["relation"] for entry in reaches} | ({relation} if count else set())
    stale, ends = down.staleness(ctx, layers)
    return {
        "relation": relation,
        "stale": stale,
        "stale_ends": ends,
        "count": count,
        "truncated": count > len(records) or any(is_cut(r["reaches"]) for r in records),
        "records": records,
        "totals": reaches,
        "errors": rejected,
        "views": views_of(ctx.manifest, named),
        "exposures": exposures_of(ctx.manifest, named),
        **({"files": files} if question.export else {}),
    }


@dataclass
class Found:
    """What the records of one relation reach together, and how to ask for some of them."""

    relation: str
    asked: Asked
    walk: Walk
    down: _Downstream
    layers: Layers


@contextmanager
def reached(ctx: Context, scratch: Scratch, question: ImpactQuestion) -> Iterator[Found]:
    """What the records that match reach; good as long as the context is open."""
    relation = ctx.resolve(question.relation)
    generation = _present(ctx, relation)
    start, fresh = _starts(ctx, generation)
    with ByKey(ctx) as by_key:
        down = _Downstream(ctx, question.role, start, fresh, by_key)
        asked = Asked.of(ctx, scratch, ctx.need_table(generation), question.where, question.order_by)
        walk = Walk(ctx.graph, scratch, forward=True)
        yield Found(relation, asked, walk, down, down.run(walk, asked.together()))


def _present(ctx: Context, relation: str) -> Generation:
    """The generation through which a relation's table is found."""
    generation = ctx.store.latest_generation(relation)
    if generation is not None:
        return generation
    node = ctx.manifest.nodes.get(relation)
    if node and not node.stored:
        raise QuestionError(
            f"{relation} stores no records",
            code="NOT_STORED",
            remedy=f"ask for what it is built on: {', '.join(sorted(node.parents))}",
        )
    raise QuestionError(
        f"no captured model reads {relation}",
        code="NOT_CAPTURED",
        remedy="run `dbt build` with `type: cdme`, then ask again",
    )


def _starts(ctx: Context, generation: Generation) -> tuple[Node, list[Node]]:
    """The node to start from, and all nodes that hold what is in the relation now."""
    relation = generation.relation
    nodes = {ctx.graph.node(relation, generation.id)}
    for edge in ctx.store.live_edges_from(relation):
        nodes.add(ctx.graph.node(relation, edge.input_generation))
    fresh = sorted(node for node in nodes if ctx.stale(node) is not True)
    return ctx.graph.node(relation, generation.id), fresh


class _Downstream:
    """The hops from what is in a relation now, and the models that read something older."""

    def __init__(self, ctx: Context, role: str, start: Node, fresh: list[Node], by_key: ByKey) -> None:
        self.ctx, self.role, self.start, self.fresh = ctx, role, start, fresh
        self.by_key = by_key
        self.then: set[Node] = set()

    def run(self, walk: Walk, layer: Layer) -> Layers:
        """What a layer of the start reaches; contents of then, on the way by key, are not shown."""
        found = walk.run(self.start, layer, self.hops)
        self.then |= {node for (node, _), held in found.items() if held.count and node in self.by_key.nodes}
        return {key: held for key, held in found.items() if key[0] not in self.by_key.nodes}

    def hops(self, node: Node) -> list[tuple[Edge, Node]]:
        """The live edges that lead on from a node."""
        nodes = self.fresh if node == self.start else [node]
        found = [hop for each in nodes for hop in self.ctx.graph.children(each)]
        if self.role == "direct":
            found = [hop for hop in found if hop[0].role is Role.DIRECT]
        return found + self.by_key.hops(node, node == self.start)

    def staleness(self, ctx: Context, layers: Layers) -> tuple[Stale, list[str]]:
        """Whether something downstream was made from an older content of what was reached."""
        nodes = {self.start, *(node for node, _ in layers), *ordered(self.start, self.hops)}
        followed = {e.id for node in nodes for e, _ in self.hops(node)}
        behind = {
            edge.model
            for node in nodes - self.by_key.nodes
            for edge in ctx.store.live_edges_from(node.relation)
            if edge.id not in followed and (self.role == "all" or edge.role is Role.DIRECT)
        }
        reached = {node for (node, _), held in layers.items() if held.count}
        behind |= {edge.model for then in self.then for edge, made in self.hops(then) if made in reached}
        states: list[Stale] = [ctx.stale(node) for node in self.fresh]
        if behind:
            states.append(True)
        doubtful = [self.start.relation] if "unknown" in states else []
        return worst(states), sorted({*behind, *doubtful})


def _records(
    ctx: Context, question: ImpactQuestion, start: Node, picked: list[int], layers: Layers
) -> list[dict[str, Any]]:
    reached = collect(ctx, layers, question.limit)
    shown = Shown(ctx, reached)
    own = ctx.show(start, picked, present=True)
    return [
        {
            **own[ordinal],
            "reaches": [shown.entry(e, question.limit) for e in reached.get(at, [])],
        }
        for at, ordinal in enumerate(picked)
    ]


def _export(
    ctx: Context, scratch: Scratch, question: ImpactQuestion, start: Node, whole: Layer, layers: Layers
) -> list[dict[str, Any]]:
    if question.export is None:
        return []
    every = {(start, Role.DIRECT): whole, **layers}
    return export_layers(ctx, scratch, every, question.export, question.format)
