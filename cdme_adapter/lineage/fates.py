"""What became of input records on their way to a target: one code per record, set by set.

A code orders what can become of a record: the class first, then how far along the DAG, then the
place of the clause. The fate of a record is the greatest code among its derivations, so it is
computed by ``max`` over the reverse joins from the target back, factorised; nothing is multiplied
(docs/concepts.md, "Several models").
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cdme_adapter.lineage.asked import Asked
from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.graph import Node
from cdme_adapter.lineage.rejected import Failure, failed, failures
from cdme_adapter.lineage.scratch import Scratch
from cdme_adapter.lineage.walk import FEW
from cdme_adapter.provenance import Exactness, Role
from cdme_adapter.store.reader import VERDICTS, Edge, StoredReason
from cdme_adapter.store.rows import losses

UNACCOUNTED, FILTERED, ERROR, UNKNOWN, CONTRIBUTED = 1, 2, 3, 4, 5
CLASSES = {1: "unaccounted", 2: "filtered", 3: "error", 4: "unknown", 5: "contributed"}

_VERDICT_ORDER = ("null", "excluded", "rank", "no_match", "false")
_CLASS, _PLACE, _REASON, _EDGE = 1 << 56, 1 << 40, 1 << 24, 1 << 4


@dataclass(frozen=True)
class Fate:
    """A decoded code: the class, and for a loss the model, the edge, the reason and the verdict."""

    name: str
    model: str | None = None
    edge: Edge | None = None
    reason: StoredReason | None = None
    verdict: str | None = None
    failure: Failure | None = None
    """Of class error: what the rejected record failed."""


Hop = tuple[Edge, Node]


@dataclass
class Fates:
    """The fates of one input's records in one target.

    ``down`` gives the hops from each node towards the target, ``order`` the nodes from the input to
    the target. ``asked`` are the input's records that are judged, or None for all of them.
    """

    ctx: Context
    scratch: Scratch
    order: list[Node]
    down: dict[Node, list[Hop]]
    asked: Asked | None
    _present: dict[Node, str] = field(default_factory=dict)
    _few: dict[Node, list[int]] = field(default_factory=dict)
    _steps: dict[tuple[int, int, int], str] = field(default_factory=dict)
    _codes: dict[Node, str] = field(default_factory=dict)
    _failures: dict[int, list[Failure]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places = {node.relation: at + 1 for at, node in enumerate(self._by_distance())}
        self.edges = [edge for node in self.order for edge, _ in self.down.get(node, [])]
        self._edge_at = {edge.id: at for at, edge in enumerate(self.edges)}
        self._models = {place: relation for relation, place in self.places.items()}

    def _by_distance(self) -> list[Node]:
        """The nodes by their longest way from the input: the furthest last."""
        distance = dict.fromkeys(self.order, 0)
        for node in self.order:
            for _, following in self.down.get(node, []):
                distance[following] = max(distance[following], distance[node] + 1)
        return sorted(self.order, key=lambda n: (distance[n], n.relation, n.generation))

    def table(self) -> str:
        """A table (ord, code) of the input's records."""
        source, target = self.order[0], self.order[-1]
        self._spread(source)
        for node in reversed(self.order):
            if node != target:
                self._codes[node] = self._judge(node)
        return self._codes[source]

    # -- forward: the records of each node that descend from what was asked ----------------------

    def _spread(self, source: Node) -> None:
        if self.asked is None:
            return
        if self.asked.few is not None:
            self._few[source] = sorted(self.asked.few)
        self._present[source], _ = self.scratch.create(f"SELECT ord FROM {self.asked.in_table()}")
        arrived: dict[Node, list[str | list[int]]] = {}
        for node in self.order:
            if node != source:
                self._arrive(node, arrived.get(node, []))
            for edge, following in self.down.get(node, []):
                for path, chain in enumerate(edge.chains):
                    some = self._looked_up(edge, path, chain, self._few.get(node))
                    many = (
                        "" if some is not None else self._restrict(edge, path, chain, self._present[node])
                    )
                    arrived.setdefault(following, []).append(
                        f"SELECT o FROM {many}" if many else some or []
                    )

    def _arrive(self, node: Node, parts: list[str | list[int]]) -> None:
        """Note the records of a node that were reached: here while they are few, and as a table."""
        lists = [part for part in parts if isinstance(part, list)]
        if len(lists) == len(parts):
            self._few[node] = sorted({ordinal for part in lists for ordinal in part})
            self._present[node] = self.scratch.table_of(["ord"], [(o,) for o in self._few[node]])
            return
        selects = [
            part if isinstance(part, str) else "SELECT o FROM "
            + self.scratch.table_of(["o"], [(o,) for o in part]) for part in parts
        ]  # fmt: skip
        self._present[node], _ = self.scratch.create(f"SELECT ord FROM ({' UNION '.join(selects)}) t(ord)")

    def _looked_up(
        self, edge: Edge, path: int, chain: tuple[int, ...], present: list[int] | None
    ) -> list[int] | None:
        """Keep the pairs of a chain that lead on from few records; where they lead, None for many."""
        for step in reversed(range(len(chain))) if present is not None else ():
            pairs = self.ctx.store.follow(edge, chain[step], present or [], True, FEW)
            if pairs is None:
                return None
            kept = sorted(set(zip(*pairs, strict=True)))
            self._steps[edge.id, path, step] = self.scratch.table_of(["i", "o"], kept)
            present = sorted({o for _, o in kept})
        return present

    def _restrict(self, edge: Edge, path: int, chain: tuple[int, ...], present: str) -> str:
        """Keep the pairs of a chain that lead on from present records; the first map's table."""
        reached, column = present, "ord"
        for step in reversed(range(len(chain))):
            name, _ = self.scratch.create(
                f"SELECT p.o, p.i FROM {edge.pairs(chain[step])} p"
                f" JOIN (SELECT DISTINCT {column} AS i FROM {reached}) r ON r.i = p.i"
            )
            self._steps[edge.id, path, step] = name
            reached, column = name, "o"
        return reached

    def _pairs(self, edge: Edge, path: int, step: int, map_id: int) -> str:
        kept = self._steps.get((edge.id, path, step))
        return kept or edge.pairs(map_id)

    # -- backward: the code of every record of each node -----------------------------------------

    def _judge(self, node: Node) -> str:
        """The table (ord, code) of a node's records."""
        hops = self.down.get(node, [])
        parts = [part for edge, following in hops for part in self._evidence(node, edge, following)]
        unsure = [e for e, _ in hops if not e.known or e.sample is not None or self._undecided(e)]
        floor = UNKNOWN * _CLASS if unsure else 0
        default = max(self._unaccounted(node), floor)
        known = " UNION ALL ".join(parts) or "SELECT NULL::BIGINT, NULL::BIGINT WHERE false"
        best = f"SELECT ord, max(code) AS code FROM ({known}) e(ord, code) GROUP BY ord"
        table, _ = self.scratch.create(
            f"SELECT u.ord, greatest(coalesce(b.code, {default}), {floor})::BIGINT AS code"
            f" FROM {self._universe(node)} u LEFT JOIN ({best}) b ON b.ord = u.ord"
        )
        return table

    def _carried_code(self, source: Node, edge: Edge, following: Node) -> int:
        """What is known of a record that earlier runs carried: that it reached this model. Where its
        rows went from there is told by the earlier edges, as far as they start at the same node."""
        if following == self.order[-1]:
            return CONTRIBUTED * _CLASS
        earlier = [e for e, node in self.down.get(source, []) if node == following and not e.own]
        every = [o for o in self._earlier_edges(edge) if o not in earlier]
        return UNKNOWN * _CLASS if every else UNACCOUNTED * _CLASS

    def _earlier_edges(self, edge: Edge) -> list[Edge]:
        """The edges from the same input by which earlier runs wrote rows that are still there."""
        return [
            other for other in self.ctx.store.outputs_of(edge.output_generation)
            if other.input == edge.input and not other.own and other.role is Role.DIRECT
        ]  # fmt: skip

    def _undecided(self, edge: Edge) -> bool:
        """Whether what this edge lost may stand behind rows of earlier runs, nobody knows which."""
        if not edge.own or edge.rows is None or edge.input == edge.model:
            return False
        return any(not self._comparable(other, edge) for other in self._earlier_edges(edge))

    def _comparable(self, other: Edge, edge: Edge) -> bool:
        """Whether the records of two edges of one input can be told to be the same."""
        if other.exactness is Exactness.OPAQUE:
            return False
        if other.input_generation == edge.input_generation:
            return True
        found = self.ctx.store.generations
        then, now = (found.get(e.input_generation or 0) for e in (other, edge))
        return bool(then and now and then.key_columns and then.key_columns == now.key_columns)

    def _unaccounted(self, node: Node) -> int:
        places = [self.places[following.relation] for _, following in self.down.get(node, [])]
        return UNACCOUNTED * _CLASS + max(places, default=0) * _PLACE

    def _universe(self, node: Node) -> str:
        """All records of a node that are to be judged, as (ord)."""
        if node in self._present:
            return self._present[node]
        generation = self.ctx.graph.generation(node)
        if generation is not None and self.ctx.stale(node) is not True:
            table = self.ctx.table(generation)
            if table is not None:
                return f"(SELECT {table.ordinal} AS ord FROM {table.source})"
        rows = (generation.row_count if generation else None) or 0
        return f"(SELECT range AS ord FROM range({rows}))"

    def _evidence(self, source: Node, edge: Edge, following: Node) -> list[str]:
        """SELECTs of (ord, code): what an edge's metadata shows of its input's records."""
        parts = [self._carried(edge, path, chain, following) for path, chain in enumerate(edge.chains)]
        parts.append(
            f"SELECT i, {self._carried_code(source, edge, following)}"
            f" FROM ({edge.carried}) c{self._only(source)}"
        )
        place = self.places[following.relation] * _PLACE
        base = FILTERED * _CLASS + place + self._edge_at[edge.id] * _EDGE
        ranks = " ".join(
            f"WHEN {number} THEN {_VERDICT_ORDER.index(word)}" for number, word in enumerate(VERDICTS)
        )
        parts.append(
            f"SELECT i, {base} + CAST(reason AS BIGINT) * {_REASON} + CASE verdict {ranks} END"
            f" FROM {losses(edge.store, edge.id, self._present.get(source))}"
        )
        code = ERROR * _CLASS + place + self._edge_at[edge.id] * _EDGE
        found = self._failed(edge)
        if found:
            parts.append(
                f"SELECT i, {code} + CAST(number AS BIGINT) * {_REASON}"
                f" FROM ({failed(edge, found)}){self._only(source)}"
            )
        return parts

    def _failed(self, edge: Edge) -> list[Failure]:
        if not edge.rejected and not edge.held:
            return []
        if edge.id not in self._failures:
            self._failures[edge.id] = failures(self.ctx, edge)
        return self._failures[edge.id]

    def _only(self, node: Node) -> str:
        """Keeps the evidence to the records that were asked about."""
        present = self._present.get(node)
        return f" SEMI JOIN {present} s ON s.ord = i" if present else ""

    def _carried(self, edge: Edge, path: int, chain: tuple[int, ...], following: Node) -> str:
        """The codes of the outputs, brought back to the inputs over one chain."""
        table = self._codes.get(following)
        code = str(CONTRIBUTED * _CLASS)
        if table:
            code = f"coalesce(c.code, {self._unaccounted(following)})"
        for step, map_id in enumerate(chain):
            pairs = self._pairs(edge, path, step, map_id)
            join = f" LEFT JOIN {table} c ON c.ord = p.o" if table else ""
            table, _ = self.scratch.create(
                f"SELECT p.i AS ord, max({code}) AS code FROM {pairs} p{join} GROUP BY p.i"
            )
            code = "coalesce(c.code, 0)"
        return f"SELECT ord, code FROM {table}"

    def decode(self, code: int) -> Fate:
        """What a code says."""
        kind, rest = divmod(code, _CLASS)
        place, rest = divmod(rest, _PLACE)
        number, rest = divmod(rest, _REASON)
        at, verdict = divmod(rest, _EDGE)
        if kind in (CONTRIBUTED, UNKNOWN):
            return Fate(CLASSES[kind])
        model = self._models.get(place)
        if kind == UNACCOUNTED:
            return Fate("unaccounted", model)
        edge = self.edges[at]
        if kind == ERROR:
            return Fate("error", model, edge, failure=self._failed(edge)[number])
        reasons = {r.number: r for r in self.ctx.store.reasons(edge)}
        return Fate("filtered", model, edge, reasons.get(number), _VERDICT_ORDER[verdict])
