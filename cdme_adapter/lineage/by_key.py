"""From what is in a relation now to what was in it when some model read it: by the declared key.

Rows of a table that is changed in place were made from contents of its inputs that may be gone by now.
A record of now stands for the one with its key of then (docs/concepts.md, Record key). Such a hop is an
edge like any other, over pairs that are worked out for the question.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.graph import Node
from cdme_adapter.lineage.relations import Table
from cdme_adapter.provenance import Exactness, LineageMode, Role
from cdme_adapter.store.reader import Edge, Generation, literal, quote

_SCHEMA = "temp.main"


@dataclass
class ByKey:
    """The hops of one question; ``nodes`` are the contents of then that were reached."""

    ctx: Context
    nodes: set[Node] = field(default_factory=set)
    _hops: dict[Node, list[tuple[Edge, Node]]] = field(default_factory=dict)
    _made: int = 0

    def __enter__(self) -> ByKey:
        return self

    def __exit__(self, *_: object) -> None:
        if self._made:
            self.ctx.store.con.execute(f"DROP TABLE IF EXISTS {_SCHEMA}.store_pairs")

    def hops(self, node: Node, start: bool = False) -> list[tuple[Edge, Node]]:
        """The hops from a content that is there now; ``start``: from what is in the relation, whatever
        generation it is."""
        if node in self.nodes:
            return []
        if node not in self._hops:
            self._hops[node] = self._find(node, start)
            self.nodes |= {then for _, then in self._hops[node]}
        return self._hops[node]

    def _find(self, node: Node, start: bool) -> list[tuple[Edge, Node]]:
        generation = self.ctx.graph.generation(node)
        if generation is None or (not start and self.ctx.stale(node) is True):
            return []
        table = self.ctx.table(generation)
        if table is None or not table.numbered:
            return []
        read = {
            self.ctx.graph.node(edge.input, edge.input_generation)
            for edge in self.ctx.store.live_edges_from(node.relation)
        }
        found = []
        for then in sorted(read):
            held = self.ctx.graph.generation(then)
            gone = self.ctx.stale(then) is True
            if held is not None and gone and held.key_columns and _has(table, held.key_columns):
                found.append((self._edge(node, then, held, table), then))
        return found

    def _edge(self, node: Node, then: Node, held: Generation, table: Table) -> Edge:
        """An edge over the pairs (record of then, record of now) of one key."""
        if not self._made:
            self.ctx.store.con.execute(
                "CREATE OR REPLACE TEMP TABLE store_pairs (map BIGINT, o BIGINT, i BIGINT)"
            )
        self._made += 1
        parts = ", ".join(f"{literal(name)}, r.{quote(name)}" for name in held.key_columns)
        now = f"SELECT {table.ordinal} AS i, json_object({parts})::VARCHAR AS key FROM {table.source}"
        self.ctx.store.con.execute(
            f"INSERT INTO {_SCHEMA}.store_pairs SELECT {self._made}, k.ordinal, n.i"
            f" FROM {held.store}.store_keys k JOIN ({now}) n ON n.key = k.key"
            f" WHERE k.generation = {held.id} AND k.ordinal >= 0"
        )
        return Edge(
            -self._made, held.run_id, node.relation, node.relation, Role.DIRECT, Exactness.EXACT,
            LineageMode.FULL, None, None, then.generation, node.generation, None, "", _SCHEMA,
            ((self._made,),),
        )  # fmt: skip


def _has(table: Table, columns: tuple[str, ...]) -> bool:
    return all(table.column(name) is not None for name in columns)
