"""``trace``: the records behind output records, from metadata alone (REQ-F-ADJ-005, -007)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cdme_adapter.lineage.asked import Asked, each
from cdme_adapter.lineage.context import DEFAULT_LIMIT, Context
from cdme_adapter.lineage.freshness import Stale, worst
from cdme_adapter.lineage.graph import Node, leading_to, ordered
from cdme_adapter.lineage.listing import Reached, Shown, collect, is_cut, summed, totals
from cdme_adapter.lineage.scratch import Scratch
from cdme_adapter.lineage.then import Then
from cdme_adapter.lineage.walk import Layer, Layers, Walk
from cdme_adapter.provenance import Exactness, Role
from cdme_adapter.store.reader import Edge


@dataclass(frozen=True)
class TraceQuestion:
    """What ``cdme trace`` was asked."""

    model: str
    where: str | None = None
    to: str = "sources"
    role: str = "direct"
    limit: int = DEFAULT_LIMIT
    order_by: str | None = None
    fetch: bool = True


def trace(ctx: Context, question: TraceQuestion) -> dict[str, Any]:
    """The answer of docs/commands.md, ``trace``."""
    model, generation = ctx.stored_model(question.model)
    start = ctx.graph.node(model, generation.id)
    with Scratch(ctx.store.con) as scratch:
        asked = Asked.of(ctx, scratch, ctx.need_table(generation), question.where, question.order_by)
        count = asked.count
        picked = asked.first(question.limit)
        then = Then.of(ctx, scratch, start)
        layers, ends = walked(ctx, question, start, scratch, then.layer(each(scratch, picked)))
        asked_for = {key: layer for key, layer in layers.items() if key[0] in ends}
        witnessed = _witnessed(layers, start, ctx)
        reached = collect(ctx, asked_for, question.limit)
        sums = summed(reached.get(0, []))
        if count > 1:
            sums = _totals(ctx, question, start, scratch, then.layer(asked.together()))
        records = _records(ctx, question, start, picked, reached, witnessed, then)
    stale, stale_ends = _staleness(ctx, start, {node for node, _ in layers}, ends)
    return {
        "model": model,
        "run_id": generation.run_id,
        "exactness": _exactness(reached).value,
        "stale": stale,
        "stale_ends": stale_ends,
        "recomputed": model in ctx.recomputed,
        "count": count,
        "totals": sums,
        "truncated": count > len(records) or any(is_cut(r["witnesses"]) for r in records),
        "records": records,
    }


def walked(
    ctx: Context, question: TraceQuestion, start: Node, scratch: Scratch, origins: Layer
) -> tuple[Layers, set[Node]]:
    """The layers behind the origins, and the nodes that the question is about."""

    def hops(node: Node) -> list[tuple[Edge, Node]]:
        every = ctx.graph.parents(node)
        if question.role == "direct":
            every = [hop for hop in every if hop[0].role is Role.DIRECT]
        return every

    order = ordered(start, hops)
    if question.to == "sources":
        ends = {node for node in order if node != start and not ctx.graph.parents(node)}
    elif question.to == "parents":
        ends = {node for _, node in hops(start)}
    else:
        wanted = ctx.resolve(question.to)
        ends = {node for node in order if node.relation == wanted and node != start}
        if not ends:
            raise ctx.no_such_upstream(start.relation, wanted, {n.relation for n in order[1:]})
    useful = leading_to(order, hops, lambda node: node in ends)

    def pruned(node: Node) -> list[tuple[Edge, Node]]:
        return [hop for hop in hops(node) if node == start or hop[1] in useful]

    stop = ends if question.to == "parents" else None
    return Walk(ctx.graph, scratch).run(start, origins, pruned, stop), ends


def _totals(
    ctx: Context, question: TraceQuestion, start: Node, scratch: Scratch, every: Layer
) -> list[dict[str, Any]]:
    """What stands behind all records that match together, each record counted once."""
    if not question.fetch:
        return []
    layers, ends = walked(ctx, question, start, scratch, every)
    return totals(ctx, {key: layer for key, layer in layers.items() if key[0] in ends})


def _witnessed(layers: Layers, start: Node, ctx: Context) -> set[int]:
    """The origins that have a direct witness in what the model reads, or may have."""
    inputs = {node for edge, node in ctx.graph.parents(start) if edge.role is Role.DIRECT}
    return {
        origin
        for (node, role), layer in layers.items()
        if node in inputs and role is Role.DIRECT
        for origin in layer.origins
    }


def _records(
    ctx: Context,
    question: TraceQuestion,
    start: Node,
    picked: list[int],
    reached: dict[int, list[Reached]],
    witnessed: set[int],
    then: Then,
) -> list[dict[str, Any]]:
    shown = Shown(ctx, reached, question.fetch)
    own = (
        ctx.show(start, picked, present=then.changed)
        if question.fetch
        else {o: {"key": {"rowid": o}, "record": None} for o in picked}
    )
    generation = ctx.graph.generation(start)
    was = then.ordinals(picked)
    known = ctx.store.writers(generation, list(was.values())) if generation and was else {}
    wrote = {now: known[ordinal] for now, ordinal in was.items() if ordinal in known}
    latest = generation.run_id if generation else ""
    return [
        {
            **own[ordinal],
            "run_id": latest if latest in wrote.get(ordinal, [latest]) else wrote[ordinal][-1],
            "generated": origin not in witnessed,
            "witnesses": [shown.entry(e, question.limit) for e in reached.get(origin, [])],
        }
        for origin, ordinal in enumerate(picked)
    ]


def _exactness(reached: dict[int, list[Reached]]) -> Exactness:
    found = Exactness.EXACT
    for entries in reached.values():
        for entry in entries:
            found = found.meet(entry.exactness)
    return found


def _staleness(ctx: Context, start: Node, reached: set[Node], ends: set[Node]) -> tuple[Stale, list[str]]:
    """The state of the answer's ends, and whether it passes through a content that a run has replaced."""
    between = ctx.changed(ordered(start, ctx.graph.parents))
    states = {node: ctx.stale(node) for node in sorted({start, *(reached & ends), *between})}
    for node in sorted(reached - states.keys()):
        generation = ctx.graph.generation(node)
        current = ctx.store.current.get(node.relation)
        if generation is not None and current is not None and generation.id != current:
            states[node] = True
    named = sorted({node.relation for node, state in states.items() if state is not False})
    return worst(list(states.values())), named
