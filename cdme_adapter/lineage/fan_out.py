"""Why a record became several: model by model on its way, the other records that met one of its kind.

Where a model groups and several records stand behind one of its groups, each met somebody there, and not
always this record: the cause says ``grouped``. Where nobody met it, the model itself makes several of one
(it reads a relation twice, or unnests): the cause is the model, with what it made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdme_adapter.lineage.asked import each
from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.graph import Node
from cdme_adapter.lineage.scratch import Scratch
from cdme_adapter.lineage.shape import shape_of
from cdme_adapter.lineage.walk import Layer, Walk
from cdme_adapter.provenance import Role
from cdme_adapter.store.reader import Edge

_SHOWN = 5
_FOLLOWED = 200
"""How many of its descendants in one table are asked whether they became several."""


def causes(
    ctx: Context,
    scratch: Scratch,
    hops: Mapping[Node, list[tuple[Edge, Node]]],
    reached: dict[Node, list[int]],
) -> list[dict[str, Any]]:
    """The inputs of which several records met one, in each model that made several of one record.

    ``reached`` has the ordinals of what descends from the record, by node, the record's own first.
    """
    found: list[dict[str, Any]] = []
    for at, (node, ordinals) in enumerate(reached.items()):
        for edge, following in hops.get(node, []):
            several = _several(ctx, scratch, edge, ordinals[:_FOLLOWED])
            if several is None:
                continue
            met = _met(ctx, scratch, edge, following, *several)
            if not met and at:
                shown = ctx.show(following, several[1][:_SHOWN])
                met = [_cause(following, following, several[1], shown, itself=False, grouped=False)]
            found += met
    return found


def _several(
    ctx: Context, scratch: Scratch, edge: Edge, ordinals: list[int], forward: bool = True
) -> tuple[int, list[int]] | None:
    """The first of some records that an edge leads to several others, and those."""
    parts = Walk(ctx.graph, scratch, forward=forward).hop(each(scratch, ordinals), edge)
    for at, ordinal in enumerate(ordinals):
        outputs = {found for part in parts for found in ordinals_of(ctx, part, at)}
        if len(outputs) > 1:
            return ordinal, sorted(outputs)
    return None


def ordinals_of(ctx: Context, layer: Layer | None, origin: int) -> list[int]:
    """What one origin reaches in a layer, in order."""
    if layer is None or not layer.count or origin not in layer.owner:
        return []
    tag = layer.owner[origin]
    if layer.few is not None:
        return layer.few[tag]
    return [
        row[0] for row in ctx.store.rows(f"SELECT ord FROM {layer.table} WHERE tag = {tag} ORDER BY ord")
    ]


def _met(
    ctx: Context, scratch: Scratch, edge: Edge, node: Node, record: int, outputs: list[int]
) -> list[dict[str, Any]]:
    """The records beside the one that stand behind the outputs it has in a model, where they are several.

    Of its own relation, that is in a self-join, one is enough: it does not count itself.
    """
    met = []
    layer = Layer.of({0: outputs}, {0: 0})
    joins = _only_joins(ctx, node.relation)
    for other, parent in ctx.graph.parents(node):
        itself = other.input == edge.input
        if other.role is not Role.DIRECT or (itself and not joins):
            continue
        parts = Walk(ctx.graph, scratch).hop(layer, other)
        found = sorted(
            {o for part in parts for o in ordinals_of(ctx, part, 0)} - ({record} if itself else set())
        )
        if len(found) > (0 if itself else 1):
            shown = ctx.show(parent, found[:_SHOWN])
            grouped = not joins and _several(ctx, scratch, other, outputs[:_FOLLOWED], False) is not None
            met.append(_cause(node, parent, found, shown, itself, grouped))
    return met


def _cause(
    model: Node, cause: Node, found: list[int], shown: Mapping[int, Any], itself: bool, grouped: bool
) -> dict[str, Any]:
    return {
        "model": model.relation,
        "relation": cause.relation,
        "count": len(found),
        "itself": itself,
        "grouped": grouped,
        "records": [shown[o] for o in found[:_SHOWN]],
    }


def _only_joins(ctx: Context, model: str) -> bool:
    """Whether records can only meet in a join: nothing groups them."""
    shape = shape_of(ctx.manifest, model)
    return shape.readable and shape.row_by_row and bool(shape.reads)
