"""Maps: which rows beneath made which of the model's rows, as chains of pairs.

An edge's reverse join is a union of chains, a chain a sequence of maps. Two maps are composed where
the result is no larger than its parts; a window's partition or a cross product that would expand
stays factorised (docs/concepts.md, Size).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cdme_adapter.capture.plan import ROOT, CapturePlan, Node, Port
from cdme_adapter.engines.base import Execute
from cdme_adapter.provenance import Role
from cdme_adapter.shared_sets import WORTH, shared_sets

FEW = 100_000
"""Rows whose different values are counted as quickly by a hash table as by a bit string."""


@dataclass(frozen=True)
class Map:
    """A relation of distinct pairs (o, i); ``pairs`` is their number.

    ``one_i``: no o has two i; ``one_o``: no i has two o. Both may be False where that is not known.
    ``sorted_o``: a scan gives the pairs in the order of o, so that they need no sorting to be stored.
    """

    sql: str
    pairs: int
    one_i: bool = False
    one_o: bool = False
    sorted_o: bool = False

    def over(self, sql: str) -> Map:
        """The same map with its pairs written otherwise."""
        return replace(self, sql=sql, sorted_o=self.sorted_o and sql == self.sql)


Chain = tuple[Map, ...]


@dataclass
class Maps:
    """The maps of one plan over its materialised nodes.

    ``rows`` gives a node's rows as (o, hidden columns), ``size`` their number where it is known;
    ``new`` materialises a SELECT, ``count`` counts a FROM item.
    """

    execute: Execute
    plan: CapturePlan
    rows: Callable[[Node], str]
    new: Callable[[str, str], str]
    count: Callable[[str], int]
    size: Callable[[Node], int | None]
    _links: dict[tuple[str, str], Map] = field(default_factory=dict)

    def link(self, node: Node, port: Port) -> str:
        """The pairs (o, i) of a port as a FROM item."""
        return self.map(node, port).sql

    def map(self, node: Node, port: Port) -> Map:
        """The map of a port."""
        key = (node.name, port.column)
        if key not in self._links:
            self._links[key] = self._many(node, port) if port.many else self._single(node, port)
        return self._links[key]

    def made(self, node: Node, port: Port) -> Map | None:
        """The map of a port, where it was needed before."""
        return self._links.get((node.name, port.column))

    def _single(self, node: Node, port: Port) -> Map:
        column, rows = port.column, self.rows(node)
        pairs, distinct = self._sizes(f"SELECT {column} AS i FROM {rows}", self.size(node))
        where = f" WHERE {column} IS NOT NULL"
        return Map(f"(SELECT o, {column} AS i FROM {rows}{where})", pairs, True, pairs == distinct, True)

    def _many(self, node: Node, port: Port) -> Map:
        unnested = f"SELECT o, unnest({port.column}) AS i FROM {self.rows(node)}"
        flat = self.new("link", unnested)
        pairs, distinct = self._sizes(f"SELECT i FROM {flat}", self.count(flat))
        if pairs == distinct:
            return Map(flat, pairs, False, True, True)
        flat = self.new("link", f"SELECT DISTINCT o, i FROM {flat}")
        return Map(flat, self.count(flat))

    def _sizes(self, select: str, rows: int | None) -> tuple[int, int]:
        """How many ordinals there are, and how many different ones; of few ``rows`` by one statement."""
        if rows is not None and rows <= FEW:
            every, different = self.execute(f"SELECT count(i), count(DISTINCT i) FROM ({select})")[0]
            return int(every), int(different)
        low, high, count = self.execute(f"SELECT min(i), max(i), count(i) FROM ({select})")[0]
        if not count:
            return 0, 0
        if high - low >= 1_000_000_000:
            return count, int(self.execute(f"SELECT count(DISTINCT i) FROM ({select})")[0][0])
        bits = f"SELECT bit_count(bitstring_agg(i, {low}, {high})) FROM ({select})"
        return int(count), int(self.execute(bits)[0][0])

    def chains(self, node: Node, relation: str) -> list[Chain]:
        """The maps from a node's rows to a relation, factorised where that is smaller."""
        chains: list[Chain] = []
        flat: list[Map] = []
        for port in node.ports:
            if port.role is not Role.DIRECT:
                continue
            if port.target == relation:
                flat.append(self.map(node, port))
                continue
            stage = next((s for s in self.plan.nodes if s.name == port.target), None)
            for chain in self.chains(stage, relation) if stage else ():
                composed = self._compose(self.map(node, port), chain)
                if len(composed) == 1:
                    flat.append(composed[0])
                else:
                    chains.append(composed)
        if len(flat) == 1:
            chains.insert(0, (flat[0],))
        elif flat:
            union = " UNION ALL ".join(f"SELECT o, i FROM {part.sql}" for part in flat)
            table = self.new("map", f"SELECT DISTINCT o, i FROM ({union})")
            chains.insert(0, (Map(table, self.count(table)),))
        return chains

    def _compose(self, link: Map, chain: Chain) -> Chain:
        """One map where the composition is no larger than its parts, else the chain itself."""
        first = chain[0]
        rows = f"{link.sql} AS a JOIN {first.sql} AS b ON a.i = b.o"
        if link.one_o or first.one_i or self._expanded(link, first) <= max(link.pairs, first.pairs):
            distinct = "" if link.one_i or first.one_o else "DISTINCT "
            table = self.new("map", f"SELECT {distinct}a.o, b.i FROM {rows}")
            one_i, one_o = link.one_i and first.one_i, link.one_o and first.one_o
            return (Map(table, self.count(table), one_i, one_o), *chain[1:])
        used = f"SELECT o, i FROM {first.sql} WHERE o IN (SELECT i FROM {link.sql})"
        inner = self.new("map", used)
        return (link, Map(inner, self.count(inner), first.one_i, first.one_o), *chain[1:])

    def _expanded(self, link: Map, first: Map) -> int:
        """How many pairs the composition has, repetitions included, without making them."""
        counted = self.execute(
            f"SELECT sum(a.n * b.n) FROM (SELECT i, count(*) AS n FROM {link.sql} GROUP BY i) AS a "
            f"JOIN (SELECT o, count(*) AS n FROM {first.sql} GROUP BY o) AS b ON a.i = b.o"
        )
        return int(counted[0][0] or 0)

    def shared(self, chain: Chain, most: int) -> Chain:
        """The chain with maps of more than ``most`` pairs, twice over, as shared sets."""
        found: list[Map] = []
        for part in chain:
            large = part.pairs > WORTH * most and not part.one_i and not part.one_o
            sets = (
                shared_sets(self.execute, lambda sql: self.new("sets", sql), part.sql, part.pairs)
                if large else None
            )  # fmt: skip
            found += [part] if sets is None else [
                Map(sets.to, sets.outputs, True), Map(sets.of, sets.held),
            ]  # fmt: skip
        return tuple(found)

    def fan(self, chains: tuple[Chain, ...], contributed: int) -> tuple[int, int]:
        """Whether an output has several inputs and an input several outputs: 1 or 2 (many).

        A chain that was left factorised expands beyond both of its parts, so both are many.
        """
        if not chains:
            return 1, 1
        if len(chains) > 1 or len(chains[0]) > 1:
            return 2, 2
        only = chains[0][0]
        rows = self.size(self.plan.root)
        if rows is not None and rows < only.pairs:  # some row has two inputs: there are too few of them
            return 2, (2 if contributed < only.pairs else 1)
        outputs = only.pairs if only.one_i else self._sizes(f"SELECT o AS i FROM {only.sql}", only.pairs)[1]
        return (2 if outputs < only.pairs else 1), (2 if contributed < only.pairs else 1)


__all__ = ["ROOT", "Chain", "Map", "Maps"]
