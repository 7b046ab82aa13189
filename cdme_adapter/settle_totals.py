"""Settlement without reverse joins: what the modes ``key_derivable`` and ``summary`` write of an input.

Class totals by the same evidence as in mode ``full``: records that reached the output are counted in
the rows that were written, records that were filtered where a clause is shown to have removed them.
Neither is what is left of the other. What is saved is the reverse join and the list of lost records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cdme_adapter.accounting import Verdict
from cdme_adapter.capture.plan import ROOT, Node
from cdme_adapter.engines.sets import Universe
from cdme_adapter.maps import Chain, Map
from cdme_adapter.provenance import Role
from cdme_adapter.settle import ALL_NULL, ROOT_ROWS, InputAccount, Settlement, dense_of

SAMPLED = "cdme_sampled"
SAMPLE = 1000
"""How many of a model's rows keep their witnesses in mode ``summary``."""
PAIRS = 200_000
"""How many witnesses are kept of one input at most."""


@dataclass
class TotalsSettlement(Settlement):
    """The class totals of every direct input; with ``sample`` also the witnesses of some rows.

    ``keys`` says that somebody needs the records themselves (control totals).
    """

    sample: bool = False
    keys: bool = False
    kept: dict[str, str] = field(default_factory=dict)
    """By relation, a FROM item of (o): the rows whose witnesses the sample holds."""

    def accounts(self) -> list[InputAccount]:
        """The accounts of :class:`Settlement`, with chains for the sampled rows alone."""
        if self.sample:
            self.execute(
                f"CREATE OR REPLACE TEMP TABLE {SAMPLED} AS SELECT o FROM temp.{ROOT_ROWS} "
                f"ORDER BY hash(o), o LIMIT {SAMPLE}"
            )
            self._temp.append(SAMPLED)
        return super().accounts()

    def _account(self, relation: str, universe: Universe) -> InputAccount:
        live, pending = self._judge(relation, universe)
        fate, dense = self._fates[relation].lost, dense_of(universe)
        if fate and self.keys:
            fate = self._new("lost", f"FROM {fate}")
        reasons = self._by_clause(fate) if fate else ()
        filtered = sum(count for _, _, count in reasons)
        unaccounted, missing = universe.count - live.count - filtered, None
        if unaccounted:
            explained = self.sets.of(universe, f"SELECT i FROM {fate}") if fate else None
            unknown = self.sets.minus(pending, explained) if explained else pending
            missing, unaccounted = unknown.rows, unknown.count
        chains = self._sampled(relation) if self.sample else ()
        return InputAccount(
            relation, universe.count, live.count, filtered, unaccounted,
            tuple((*c[:-1], c[-1].over(dense.over(c[-1].sql, "o"))) for c in chains),
            dense.over(self._lost(fate), "clause, verdict") if fate and self.keys else None,
            dense.over(missing, "") if missing and unaccounted else None,
            reasons, 0, 0, reached=dense.over(live.rows, ""),
        )  # fmt: skip

    def _lost(self, fate: str) -> str:
        """(i, clause, verdict) of the filtered records of (i, loss)."""
        arms = " ".join(f"WHEN {rank} THEN {clause}" for clause, rank in enumerate(self.plan.rank))
        verdict = f"CASE 7 - loss % 8 WHEN {ALL_NULL} THEN {Verdict.NULL.number} ELSE 7 - loss % 8 END"
        return (
            f"(SELECT i, (CASE loss // 8 {arms} END)::INTEGER AS clause, ({verdict})::TINYINT AS verdict "
            f"FROM {fate})"
        )

    def _by_clause(self, fate: str) -> tuple[tuple[int, int, int], ...]:
        """How many records each clause removed, by verdict."""
        if not self.plan.rank:
            return ()
        clauses = {rank: clause for clause, rank in enumerate(self.plan.rank)}
        found: dict[tuple[int, int], int] = {}
        for loss, count in self.execute(f"SELECT loss, count(*) FROM {fate} GROUP BY loss ORDER BY loss"):
            rank, verdict = divmod(int(loss), 8)
            verdict = Verdict.NULL.number if 7 - verdict == ALL_NULL else 7 - verdict
            key = clauses[rank], verdict
            found[key] = found.get(key, 0) + int(count)
        return tuple((clause, verdict, count) for (clause, verdict), count in sorted(found.items()))

    # -- the sample ------------------------------------------------------------------------------

    def _sampled(self, relation: str) -> tuple[Chain, ...]:
        """The witnesses of the sampled rows, each pair once, as one map."""
        arms = list(self._down(self.plan.root, relation, f"(SELECT o AS y, o FROM temp.{SAMPLED})"))
        if not arms:
            return ()
        pairs = self._new("pairs", f"SELECT DISTINCT y AS o, i FROM ({' UNION ALL '.join(arms)})")
        kept, held = f"temp.{SAMPLED}", self._count(pairs)
        if held > PAIRS:
            sums = (
                f"SELECT s.o, sum(coalesce(n, 0)) OVER (ORDER BY hash(s.o), s.o) AS n FROM {kept} AS s "
                f"LEFT JOIN (SELECT o, count(*) AS n FROM {pairs} GROUP BY o) AS p ON p.o = s.o"
            )
            kept = self._new("kept", f"SELECT o FROM ({sums}) WHERE n <= {PAIRS}")
            pairs = self._new("pairs", f"SELECT o, i FROM {pairs} WHERE o IN (SELECT o FROM {kept})")
            held = self._count(pairs)
        self.kept[relation] = kept
        return ((Map(pairs, held),),)

    def _down(self, node: Node, relation: str, rows: str) -> Iterator[str]:
        """SELECTs of (y, i) from ``rows`` (y, o) of a node to a relation."""
        for port in node.ports:
            if port.role is not Role.DIRECT:
                continue
            value = f"unnest(n.{port.column})" if port.many else f"n.{port.column}"
            named = f"SELECT y, i FROM (SELECT r.y, {value} AS i FROM {rows} AS r "
            named += f"JOIN {self._rows(node)} AS n ON n.o = r.o) WHERE i IS NOT NULL"
            if port.target == relation:
                yield named
                continue
            stage = next((s for s in self.plan.nodes if s.name == port.target), None)
            if stage is not None and stage.name != ROOT and self._leads(stage, relation):
                reached = self._new("down", f"SELECT DISTINCT y, i AS o FROM ({named})")
                yield from self._down(stage, relation, reached)

    def _leads(self, node: Node, relation: str) -> bool:
        """Whether rows of a node can have direct witnesses in a relation."""
        for port in node.ports:
            if port.role is not Role.DIRECT:
                continue
            stage = next((s for s in self.plan.nodes if s.name == port.target), None)
            if port.target == relation or (stage is not None and self._leads(stage, relation)):
                return True
        return False
