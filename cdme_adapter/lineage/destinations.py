"""Where the shown records of ``explain`` went: their descendants, and why they became several."""

from __future__ import annotations

from typing import Any

from cdme_adapter.lineage.asked import each
from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.fan_out import causes, ordinals_of
from cdme_adapter.lineage.graph import Node, ordered
from cdme_adapter.lineage.scratch import Scratch
from cdme_adapter.lineage.walk import Layer, Layers, Walk
from cdme_adapter.provenance import Role
from cdme_adapter.store.reader import Edge

_SHOWN_OUTPUTS = 5


class Destinations:
    """The descendants of a few input records at every node on their way to the target."""

    def __init__(
        self,
        ctx: Context,
        scratch: Scratch,
        down: dict[Node, list[tuple[Edge, Node]]],
        source: Node,
        target: Node,
        ordinals: list[int],
    ) -> None:
        self.ctx, self.scratch, self.down = ctx, scratch, down
        self.source, self.target, self.ordinals = source, target, ordinals
        self._layers: Layers | None = None
        self._outputs: dict[int, tuple[int, list[int]]] | None = None
        self._shown: dict[int, dict[str, Any]] = {}

    def _start(self) -> Layer:
        return each(self.scratch, self.ordinals)

    def layer(self, node: Node) -> Layer | None:
        """What the records reach at a node."""
        if node == self.source:
            return self._start()
        if self._layers is None:
            walk = Walk(self.ctx.graph, self.scratch, forward=True)
            self._layers = walk.run(self.source, self._start(), lambda n: self.down.get(n, []))
        return self._layers.get((node, Role.DIRECT))

    def first(self, node: Node, places: list[int], among: str) -> dict[int, int]:
        """For the records at some places their first descendant at a node that is in ``among``, a
        SELECT of (i); one statement for all of them."""
        layer = self.layer(node)
        if layer is None or not layer.count:
            return {}
        rows = self.ctx.store.rows(
            f"SELECT t.tag, min(t.ord) FROM {layer.in_table(self.scratch)} t"
            f" SEMI JOIN ({among}) f ON f.i = t.ord GROUP BY t.tag"
        )
        by_tag = dict(rows)
        found = {at: by_tag.get(layer.owner.get(at, -1)) for at in places}
        return {at: ordinal for at, ordinal in found.items() if ordinal is not None}

    def reached(self, node: Node, at: int, test: str) -> list[int]:
        """The ordinals at a node that descend from the record at a place, where a test over ``t`` holds."""
        layer = self.layer(node)
        if layer is None or not layer.count or at not in layer.owner:
            return []
        rows = self.ctx.store.rows(
            f"SELECT t.ord FROM {layer.in_table(self.scratch)} t WHERE t.tag = {layer.owner[at]} AND {test}"
            f" ORDER BY t.ord LIMIT {_SHOWN_OUTPUTS}"
        )
        return [row[0] for row in rows]

    def outputs(self, at: int) -> dict[str, Any]:
        """Into how many records of the target a record went, and what multiplied it."""
        if self._outputs is None:
            self._outputs = self._count_outputs()
            every = {o for _, ordinals in self._outputs.values() for o in ordinals}
            self._shown = self.ctx.show(self.target, sorted(every))
        count, ordinals = self._outputs.get(at, (0, []))
        found: dict[str, Any] = {
            "relation": self.target.relation,
            "count": count,
            "records": [self._shown[o] for o in ordinals],
        }
        if count > 1:
            found["fan_out"] = self._fan_out(at)
        return found

    def _count_outputs(self) -> dict[int, tuple[int, list[int]]]:
        layer = self.layer(self.target)
        if layer is None or not layer.count:
            return {}
        if layer.few is not None:
            few = layer.few
            return {at: (len(few[tag]), few[tag][:_SHOWN_OUTPUTS]) for at, tag in layer.owner.items()}
        rows = self.ctx.store.rows(
            f"SELECT tag, count(*), list(ord ORDER BY ord)[:{_SHOWN_OUTPUTS}]"
            f" FROM {layer.table} GROUP BY tag"
        )
        by_tag = {tag: (count, list(ordinals)) for tag, count, ordinals in rows}
        return {at: by_tag[tag] for at, tag in layer.owner.items() if tag in by_tag}

    def _fan_out(self, at: int) -> list[dict[str, Any]]:
        """The records that met this one, or what was made of it, model by model."""
        ctx = self.ctx
        reached = {self.source: [self.ordinals[at]]}
        for node in ordered(self.source, lambda n: self.down.get(n, [])):
            if node not in (self.source, self.target):
                reached[node] = ordinals_of(ctx, self.layer(node), at)
        return causes(ctx, self.scratch, self.down, reached)
