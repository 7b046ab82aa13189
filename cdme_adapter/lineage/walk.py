"""Composes reverse joins over the graph, factorised: sets of ordinals, never their product.

Each record that is asked about is an *origin*. At a node, origins that have reached the same set
of records share one *tag*, so a window's partition or a group of a million rows is passed once,
however many of its rows are asked about. Few records are kept here and looked up, many are a
temporary table and joined. Roles compose by ``Role.then`` and exactness by ``Exactness.meet``
(REQ-F-ADJ-004, REQ-F-ADJ-005).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cdme_adapter.lineage.graph import Graph, Hops, Node, ordered
from cdme_adapter.lineage.scratch import Scratch
from cdme_adapter.provenance import Exactness, Role
from cdme_adapter.store.reader import Edge

Path = tuple[str, ...]
PATH_LIMIT = 1000
FEW = 1 << 16
"""How many (tag, record) pairs are kept here instead of in a temporary table."""


@dataclass
class Layer:
    """What the origins reach at one node in one role.

    ``few`` has the ordinals of each tag in order, or ``table`` holds them as rows of (tag, ord); they
    are ``count``, 0 where there is nothing. ``owner`` gives each origin its tag; ``opaque`` are the
    origins of which nothing more is known from here on.
    """

    table: str | None
    owner: dict[int, int]
    count: int = 0
    few: dict[int, list[int]] | None = None
    exactness: Exactness = Exactness.EXACT
    opaque: set[int] = field(default_factory=set)
    paths: dict[Path, set[int]] = field(default_factory=dict)

    @staticmethod
    def of(few: dict[int, list[int]], owner: dict[int, int]) -> Layer:
        """A layer of few records."""
        return Layer(None, owner, sum(map(len, few.values())), few=few)

    def in_table(self, scratch: Scratch) -> str:
        """The table of (tag, ord), made where it is not there yet."""
        if self.table is None:
            rows = [(tag, ordinal) for tag, found in (self.few or {}).items() for ordinal in found]
            self.table = scratch.table_of(["tag", "ord"], rows)
        return self.table

    @property
    def origins(self) -> set[int]:
        """The origins that reach anything here, or may."""
        return set(self.owner) | self.opaque

    def exactness_of(self, origin: int) -> Exactness:
        """How exactly the records of one origin are known."""
        return Exactness.OPAQUE if origin in self.opaque else self.exactness


Layers = dict[tuple[Node, Role], Layer]


@dataclass
class Walk:
    """One walk, backward (from outputs to witnesses) or forward."""

    graph: Graph
    scratch: Scratch
    forward: bool = False

    def run(self, start: Node, layer: Layer, hops: Hops, stop: set[Node] | None = None) -> Layers:
        """All layers that are reached from ``start``; nothing is passed beyond ``stop``."""
        arrived: dict[tuple[Node, Role], list[Layer]] = defaultdict(list)
        found: Layers = {}
        for node in ordered(start, hops):
            here = [(None, layer)] if node == start else self._layers_at(node, arrived, found)
            if stop is not None and node in stop and node != start:
                continue
            for edge, following in hops(node):
                for role, held in here:
                    composed = edge.role if role is None else role.then(edge.role)
                    arrived[following, composed] += self.hop(held, edge)
        return found

    def _layers_at(
        self, node: Node, arrived: dict[tuple[Node, Role], list[Layer]], found: Layers
    ) -> list[tuple[Role | None, Layer]]:
        here: list[tuple[Role | None, Layer]] = []
        for role in Role:
            parts = [p for p in arrived.pop((node, role), []) if p.origins]
            if parts:
                found[node, role] = self.merge(parts)
                here.append((role, found[node, role]))
        return here

    def hop(self, layer: Layer, edge: Edge) -> list[Layer]:
        """What one edge leads to: a layer for each of its chains of maps."""
        exactness = layer.exactness.meet(edge.exactness)
        opaque = set(layer.opaque)
        found: list[Layer] = []
        if edge.rows is not None and not edge.chains and not self.forward:
            layer = self._of_part(layer, edge)
        if not edge.known and not edge.whole:
            opaque |= set(layer.owner)
        elif layer.count and edge.whole:
            found.append(self._whole(layer, edge))
        elif layer.count:
            opaque |= self._unsampled(layer, edge)
            found += [self._chain(layer, edge, chain) for chain in edge.chains]
        if opaque:
            found.append(Layer(None, {}, opaque=opaque))
        step = self.graph.path(edge)
        for part in found:
            part.exactness = exactness
            part.paths = _extend(layer, step[::-1] if self.forward else step, part.origins)
        return found

    def _unsampled(self, layer: Layer, edge: Edge) -> set[int]:
        """The origins of which an edge may not hold everything, for it holds a sample of rows."""
        if edge.sample is None:
            return set()
        if self.forward:
            return set(layer.owner)
        rows = self.graph.store.rows(
            f"SELECT DISTINCT tag FROM {layer.in_table(self.scratch)} WHERE ord NOT IN ({edge.sampled})"
        )
        tags = {row[0] for row in rows}
        return {origin for origin, tag in layer.owner.items() if tag in tags}

    def _of_part(self, layer: Layer, edge: Edge) -> Layer:
        """The origins that reach rows of the part of the table that an edge without maps speaks of."""
        if not layer.count:
            return layer
        rows = self.graph.store.rows(
            f"SELECT DISTINCT t.tag FROM {layer.in_table(self.scratch)} t"
            f" SEMI JOIN ({edge.part}) p ON p.o = t.ord"
        )
        tags = {row[0] for row in rows}
        owner = {origin: tag for origin, tag in layer.owner.items() if tag in tags}
        return replace(layer, owner=owner) if owner else Layer(None, {}, paths=layer.paths)

    def _chain(self, layer: Layer, edge: Edge, chain: tuple[int, ...]) -> Layer:
        part = layer
        for map_id in reversed(chain) if self.forward else chain:
            part = self._looked_up(part, edge, map_id) or self._joined(part, edge, map_id)
            if not part.count:
                break
        return part

    def _looked_up(self, part: Layer, edge: Edge, map_id: int) -> Layer | None:
        """Where few records lead to over a map; None where they or what they lead to are many."""
        if part.few is None:
            return None
        store = self.graph.store
        if len(part.few) == 1:
            ((tag, ordinals),) = part.few.items()
            only = store.reach(edge, map_id, ordinals, self.forward, FEW)
            return None if only is None else _collapsed({tag: only}, part.owner)
        every = sorted({ordinal for found in part.few.values() for ordinal in found})
        pairs = store.follow(edge, map_id, every, self.forward, FEW)
        if pairs is None:
            return None
        leads: dict[int, list[int]] = defaultdict(list)
        for ordinal, found in zip(*pairs, strict=True):
            leads[ordinal].append(found)
        reached: dict[int, list[int]] = {}
        spare = FEW
        for tag, ordinals in part.few.items():
            reached[tag] = sorted({found for o in ordinals for found in leads.get(o, ())})
            spare -= len(reached[tag])
            if spare < 0:
                return None
        return _collapsed(reached, part.owner)

    def _joined(self, part: Layer, edge: Edge, map_id: int) -> Layer:
        """Where many records lead to over a map."""
        have, get = ("i", "o") if self.forward else ("o", "i")
        step = (
            f"SELECT DISTINCT t.tag, p.{get} AS ord FROM {part.in_table(self.scratch)} t"
            f" JOIN {edge.store}.store_pairs p ON p.{have} = t.ord WHERE p.map = {map_id}"
        )
        if map_id in edge.ranged:
            step = self._over_ranges(part, edge, map_id)
        table, count = self.scratch.create(step)
        return self._collapse(Layer(table, part.owner, count))

    def _over_ranges(self, part: Layer, edge: Edge, map_id: int) -> str:
        """A step over a map that is kept as ranges."""
        rows = f"FROM {part.in_table(self.scratch)} t JOIN {edge.store}.store_ranges r ON"
        if self.forward:
            return (
                f"SELECT DISTINCT t.tag, r.o AS ord {rows} t.ord BETWEEN r.lo AND r.hi"
                f" WHERE r.map = {map_id}"
            )
        places = f"SELECT t.tag, unnest(range(r.lo, r.hi + 1)) AS ord {rows} r.o = t.ord"
        return f"SELECT DISTINCT tag, ord FROM ({places} WHERE r.map = {map_id})"

    def _whole(self, layer: Layer, edge: Edge) -> Layer:
        """Every record on the other side: all that an edge without maps allows to say."""
        generation = edge.output_generation if self.forward else edge.input_generation
        known = self.graph.store.generations.get(generation or 0)
        rows = known.row_count if known else None
        if rows is None:
            return Layer(None, {}, opaque=set(layer.owner))
        table, count = self.scratch.create(f"SELECT 0 AS tag, range AS ord FROM range({rows})")
        return Layer(table, dict.fromkeys(layer.owner, 0), count)

    def _collapse(self, layer: Layer) -> Layer:
        """Drop origins without records; let origins with the same records share a tag."""
        if layer.count == 0:
            return Layer(None, {})
        if layer.count <= FEW:
            few: dict[int, list[int]] = defaultdict(list)
            for tag, ordinal in self.graph.store.rows(f"SELECT tag, ord FROM {layer.table} ORDER BY ALL"):
                few[tag].append(ordinal)
            return _collapsed(dict(few), layer.owner)
        if len(set(layer.owner.values())) == 1:
            return layer
        same: dict[tuple[object, ...], int] = {}
        shared: dict[int, int] = {}
        for tag, *signature in self.graph.store.rows(
            "SELECT tag, count(*), min(ord), max(ord), bit_xor(hash(ord)),"
            f" sum(CAST(hash(ord) AS HUGEINT)) FROM {layer.table} GROUP BY tag ORDER BY tag"
        ):
            shared[tag] = same.setdefault(tuple(signature), tag)
        spare = [tag for tag, kept in shared.items() if tag != kept]
        if spare:
            self.scratch.execute(f"DELETE FROM {layer.table} WHERE tag IN (SELECT unnest(?))", spare)
        owner = {o: shared[tag] for o, tag in layer.owner.items() if tag in shared}
        return Layer(layer.table, owner, layer.count)

    def merge(self, parts: list[Layer]) -> Layer:
        """The union of what arrives at a node over several edges and chains."""
        merged = _merge_facts(parts)
        held = [part for part in parts if part.count]
        if len(held) == 1:
            merged.table, merged.owner, merged.few = held[0].table, held[0].owner, held[0].few
            merged.count = held[0].count
        if len(held) < 2:
            return merged
        combined: dict[tuple[int | None, ...], int] = {}
        for origin in sorted({o for part in held for o in part.owner}):
            tags = tuple(part.owner.get(origin) for part in held)
            merged.owner[origin] = combined.setdefault(tags, len(combined))
        if all(part.few is not None for part in held):
            few = {
                new: sorted({
                    ordinal for part, tag in zip(held, tags, strict=True) if tag is not None
                    for ordinal in (part.few or {})[tag]
                })
                for tags, new in combined.items()
            }  # fmt: skip
            united = _collapsed(few, merged.owner)
        else:
            selects = [self._retagged(part, combined, at) for at, part in enumerate(held)]
            merged.table, count = self.scratch.create(" UNION ".join(selects))
            united = self._collapse(Layer(merged.table, merged.owner, count))
        merged.table, merged.few = united.table, united.few
        merged.owner, merged.count = united.owner, united.count
        return merged

    def _retagged(self, part: Layer, combined: dict[tuple[int | None, ...], int], at: int) -> str:
        pairs = [(tags[at], tag) for tags, tag in combined.items() if tags[at] is not None]
        if len(combined) == 1:
            return f"SELECT 0 AS tag, ord FROM {part.in_table(self.scratch)}"
        table = self.scratch.table_of(["old", "new"], pairs)
        own = part.in_table(self.scratch)
        return f"SELECT n.new AS tag, t.ord FROM {own} t JOIN {table} n ON n.old = t.tag"


def _collapsed(few: dict[int, list[int]], owner: dict[int, int]) -> Layer:
    """A layer of few records without empty tags, origins with the same records sharing one."""
    if len(few) == 1:
        return Layer.of(few, dict(owner)) if any(few.values()) else Layer(None, {})
    same: dict[tuple[int, ...], int] = {}
    shared = {tag: same.setdefault(tuple(found), tag) for tag, found in few.items() if found}
    kept = {origin: shared[tag] for origin, tag in owner.items() if tag in shared}
    return Layer.of({tag: few[tag] for tag in set(kept.values())}, kept) if kept else Layer(None, {})


def _extend(layer: Layer, step: Path, origins: set[int]) -> dict[Path, set[int]]:
    if not layer.paths:
        return {step: set(origins)}
    kept = {(*path, *step[1:]): held & origins for path, held in layer.paths.items()}
    return {path: held for path, held in kept.items() if held}


def _merge_facts(parts: Iterable[Layer]) -> Layer:
    """Exactness, opacity and paths of a union; the shortest paths where there are too many."""
    merged = Layer(None, {})
    paths: dict[Path, set[int]] = defaultdict(set)
    for part in parts:
        if part.count:
            merged.exactness = merged.exactness.meet(part.exactness)
        merged.opaque |= part.opaque
        for path, origins in part.paths.items():
            paths[path] |= origins
    chosen = sorted(paths, key=lambda p: (len(p), p))[:PATH_LIMIT]
    merged.paths = {path: paths[path] for path in chosen}
    return merged
