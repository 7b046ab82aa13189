"""Pieces of SQL over one edge: who contributed, who was removed, what is there. Plain SELECTs, so
that a dbt test can run them on any connection (no temporary tables)."""

from __future__ import annotations

from dataclasses import dataclass

from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.graph import Node
from cdme_adapter.store.reader import Edge
from cdme_adapter.store.rejects import rejected
from cdme_adapter.store.rows import losses

NOTHING = "SELECT NULL::BIGINT AS i WHERE false"


@dataclass(frozen=True)
class Evidence:
    """The SQL of one edge; ``records`` and ``outputs`` are None where the relations are gone."""

    edge: Edge
    records: str | None
    outputs: str | None
    evaluated: bool = False

    @property
    def pairs(self) -> str:
        """(o, i) of the composed maps, from rows of the model that exist."""
        return self._chains(self.outputs)

    def _chains(self, outputs: str | None) -> str:
        selects = []
        for chain in self.edge.chains:
            if outputs:
                sql, maps = f"SELECT q.i AS o, q.i FROM ({outputs}) q(i)", chain
            else:
                sql, maps = f"SELECT o, i FROM {self.edge.pairs(chain[0])}", chain[1:]
            for map_id in maps:
                sql = self.edge.following(sql, map_id)
            selects.append(f"SELECT DISTINCT o, i FROM ({sql})")
        return " UNION ".join(selects) or "SELECT NULL::BIGINT AS o, NULL::BIGINT AS i WHERE false"

    @property
    def claimed(self) -> str:
        """(i) that the last map of a chain names, whether or not an output leads to it; of a table
        that is changed in place, those behind rows that are in the map of its part."""
        if self.edge.rows is not None:
            return f"SELECT DISTINCT i FROM ({self._chains(None)})"
        selects = [
            f"SELECT DISTINCT i FROM {self.edge.store}.store_pairs WHERE map = {chain[-1]}"
            for chain in self.edge.chains
        ]
        return " UNION ".join(selects) or NOTHING

    @property
    def contributed(self) -> str:
        """(i) of the witnesses of rows that exist, those that earlier runs carried included."""
        return f"SELECT DISTINCT i FROM ({self.pairs}) UNION {self.edge.carried}"

    @property
    def filtered(self) -> str:
        """(i) that a clause removed."""
        return (
            f"SELECT DISTINCT i FROM {losses(self.edge.store, self.edge.id)}"
            f" WHERE verdict IN (0, 1, 2, 3, 4) AND reason IN"
            f" (SELECT reason FROM {self.edge.store}.store_reasons WHERE edge = {self.edge.id})"
        )

    @property
    def routed(self) -> str:
        """(i) of records in the error domain."""
        return f"SELECT DISTINCT i FROM ({rejected(self.edge)})"

    @property
    def errors(self) -> str:
        """(i) of the error class: routed there, and no derivation arrived."""
        return f"({self.routed}) EXCEPT ({self.contributed})"

    @property
    def everyone(self) -> str:
        """(i) of all classes together."""
        return f"({self.contributed}) UNION ({self.filtered}) UNION ({self.routed})"


def evidence_of(ctx: Context, edge: Edge) -> Evidence:
    """The evidence of an edge, over the relations as far as they are still what was read."""
    source = ctx.graph.node(edge.input, edge.input_generation)
    target = ctx.graph.node(edge.model, edge.output_generation)
    made = ctx.graph.generation(target)
    evaluated = made is not None and made.evaluated
    return Evidence(edge, _ordinals(ctx, source), _ordinals(ctx, target), evaluated)


def _ordinals(ctx: Context, node: Node) -> str | None:
    """A SELECT of the ordinals that a relation has now."""
    generation = ctx.graph.generation(node)
    if generation is None or ctx.stale(node) is True:
        return None
    table = ctx.table(generation)
    return f"SELECT {table.ordinal} AS i FROM {table.source}" if table else None
