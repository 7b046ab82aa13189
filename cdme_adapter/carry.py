"""The table's equation: what this run's query left out may stand behind a row of an earlier run.

A record of an input is a witness of the table as it is now if it is one of a row that this run wrote,
or of a row that an earlier run wrote and that is still there. The latter is read from the earlier
edges: by ordinal where they speak of the same generation of the input, by the declared key where it
is another. Where there is no key it cannot be decided, and the ledger says UNKNOWN.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cdme_adapter.accounting import LedgerEntry, Status, Verdict
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import ordinals
from cdme_adapter.pairing import HOOKED, KEPT, PUT, RowCounts
from cdme_adapter.provenance import Exactness, Role
from cdme_adapter.settle import InputAccount
from cdme_adapter.store.parts import PartStore, StoredEdge, rows_map
from cdme_adapter.store.rejects import earlier, resolve
from cdme_adapter.store.writer import StoreWriter

if TYPE_CHECKING:
    from cdme_adapter.increment import Increment
    from cdme_adapter.pipeline import Journey

UNDECIDED = "which of its records stand behind rows of earlier runs cannot be decided without a stable key"


@dataclass
class Carry:
    """The equations of one increment, input by input."""

    execute: Execute
    parts: PartStore
    increment: Increment
    counts: RowCounts
    undecided: dict[str, str] = field(default_factory=dict)
    """By input: why it cannot be decided what earlier runs carried."""
    _carried: dict[str, str] = field(default_factory=dict)
    _held: dict[str, str] = field(default_factory=dict)
    _errors: list[str] = field(default_factory=list)
    """SELECTs of (generation, reject, again): earlier errors, and whether a source was judged again."""
    _number: int = 0

    def _new(self, select: str) -> str:
        self._number += 1
        name = f"cdme_carry_{self._number}"
        self.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {select}")
        self.increment._temp.append(name)
        return f"temp.{name}"

    def _count(self, rows: str) -> int:
        return int(self.execute(f"SELECT count(*) FROM {rows}")[0][0])

    # -- one input -------------------------------------------------------------------------------

    def table_account(self, account: InputAccount) -> InputAccount:
        """The account of the delta's query as that of the table."""
        whole = account.contributed == account.input_count
        every = self._reached(account)
        fresh = every if self._all_landed() else self._reached(account, PUT)
        landed = self._reached(account, HOOKED) if self.increment.hooked else fresh
        skipped = self._new(f"SELECT i FROM {every} EXCEPT SELECT i FROM {landed}")
        self._look_at_errors(account, fresh)
        if whole and not self._count(skipped) and not self.increment.hooked:
            return account
        carried = self._earlier(account.relation, fresh)
        self._carried[account.relation] = carried
        lost = self._lost(account, skipped, carried)
        held, waiting = self._rejected_before(account.relation, lost)
        if waiting:
            lost = self._new(f"SELECT * FROM {lost} ANTI JOIN {held} USING (i)")
        reasons = self.execute(f"SELECT clause, verdict, count(*) FROM {lost} GROUP BY ALL ORDER BY ALL")
        missing = None
        nowhere = [f"SELECT i FROM {account.unaccounted_sql}"] if account.unaccounted_sql else []
        if self.increment.hooked:
            nowhere.append(f"(SELECT i FROM {landed} EXCEPT SELECT i FROM {fresh})")
        if nowhere:
            missing = self._new(f"({' UNION '.join(nowhere)}) EXCEPT SELECT i FROM {carried}")
        filtered = self._count(lost)
        routed = (
            self._new(f"SELECT i FROM {account.routed} EXCEPT SELECT i FROM {carried}")
            if account.routed
            else None
        )
        return replace(
            account,
            contributed=self._count(fresh) + self._count(carried),
            filtered=filtered,
            errors=(self._count(routed) if routed else 0) + waiting,
            unaccounted=self._count(missing) if missing else 0,
            lost=lost if filtered else None,
            unaccounted_sql=missing,
            reasons=tuple((int(a), int(b), int(c)) for a, b, c in reasons),
            reached=f"(SELECT i FROM {fresh} UNION SELECT i FROM {carried})",
        )

    def _all_landed(self) -> bool:
        """Whether every row of the delta is in the table."""
        landed = self._count(f"(SELECT DISTINCT d FROM temp.{PUT})")
        return landed == self._count(self.increment.source.quoted)

    def _reached(self, account: InputAccount, landed: str = "") -> str:
        """The records (i) that are witnesses of the delta's rows, or of those that a table lists."""
        arms = []
        for chain in account.chains:
            maps = " JOIN ".join(
                f"{part.sql} AS m{n}" + (f" ON m{n}.o = m{n - 1}.i" if n else "")
                for n, part in enumerate(chain)
            )
            only = f" WHERE m0.o IN (SELECT d FROM temp.{landed})" if landed else ""
            arms.append(f"SELECT DISTINCT m{len(chain) - 1}.i FROM {maps}{only}")
        return self._new(" UNION ".join(arms) or "SELECT NULL::BIGINT AS i WHERE FALSE")

    def _lost(self, account: InputAccount, skipped: str, carried: str) -> str:
        """The filtered records (i, clause, verdict): those of the query, then what was discarded."""
        plan = self.increment.journey.plan
        assert plan is not None
        last = len(plan.clauses) - 1
        arms = [f"SELECT i, {last} AS clause, {Verdict.EXCLUDED.number} AS verdict FROM {skipped}"]
        if account.lost:
            arms.append(f"SELECT i, clause, verdict FROM {account.lost}")
        earlier = self._lost_before(account.relation)
        now = f"SELECT * FROM ({' UNION ALL '.join(arms)}) AS l ANTI JOIN {carried} AS c USING (i)"
        if not earlier:
            return self._new(now)
        ranks = "CASE clause " + " ".join(f"WHEN {c} THEN {r}" for c, r in enumerate(plan.rank)) + " END"
        return self._new(
            f"WITH now AS ({now}), every AS (SELECT *, 1 AS turn FROM now UNION ALL"
            f" SELECT e.*, 0 FROM ({earlier}) AS e SEMI JOIN now USING (i))"
            f" SELECT i, clause, verdict FROM every"
            f" QUALIFY row_number() OVER (PARTITION BY i ORDER BY {ranks} DESC, turn DESC) = 1"
        )

    def _lost_before(self, relation: str) -> str:
        """What the batch of this run before this one lost of the same content, (i, clause, verdict):
        a record that only the bounds of this batch left out was judged further in its own batch."""
        journey, previous = self.increment.journey, self.increment.previous
        assert journey.plan is not None
        if not journey.batch or previous is None or previous[1] != journey.run_id:
            return ""
        now = self.increment.seen[relation].number
        arms = []
        for edge in self.parts.edges(previous[0]):
            own = edge.rows in (None, rows_map(previous[0], previous[0]))
            same = edge.row.input == relation and edge.row.input_generation == now
            if own and same and edge.row.role == Role.DIRECT.value:
                clauses = [
                    (clause.sql, clause.kind.value, journey.plan.rank[n], n)
                    for n, clause in enumerate(journey.plan.clauses)
                ]
                arms.append(self.parts.filtered(edge.row.number, clauses))
        return " UNION ALL ".join(arms)

    # -- earlier runs ----------------------------------------------------------------------------

    def _look_at_errors(self, account: InputAccount, fresh: str) -> None:
        """Note which errors of earlier runs stand on records that this run's query judged again."""
        relation = account.relation
        now, schema = self.increment.seen[relation].number, self.parts.writer.schema
        judged = self._new(
            f"SELECT i FROM {fresh}" + (f" UNION SELECT i FROM {account.routed}" if account.routed else "")
        )
        journey = self.increment.journey
        for one in earlier(self.parts.writer, journey.node.id, relation, journey.generation):
            pairs, own = one.pairs(schema), relation == journey.node.id
            here = None if own else self._now(relation, one.input_generation, now, pairs, "LEFT JOIN")
            again = f"coalesce(i IN (SELECT i FROM {judged}), FALSE)" if here else "FALSE"
            self._errors.append(
                f"SELECT {one.generation} AS generation, reject, {again} AS again FROM ({here or pairs})"
            )

    def judge_errors(self) -> None:
        """An error of an earlier run all of whose sources this run judged again is one no more: where
        it still fails it has come again."""
        if self._errors:
            every = f"SELECT generation, reject FROM ({' UNION ALL '.join(self._errors)})"
            journey = self.increment.journey
            again = f"{every} GROUP BY ALL HAVING bool_and(again)"
            resolve(self.parts.writer, journey.node.id, journey.run_id, again)

    def _rejected_before(self, relation: str, lost: str) -> tuple[str, int]:
        """What the query left out and an error of an earlier run stands on that is still present: a
        table of (i, generation, reject), and the number of the records. These are in error, not filtered:
        no run has judged them since."""
        journey = self.increment.journey
        now, arms = self.increment.seen[relation].number, []
        found = earlier(self.parts.writer, journey.node.id, relation, journey.generation)
        for one in found if relation != journey.node.id else ():
            pairs = one.pairs(self.parts.writer.schema)
            here = self._now(relation, one.input_generation, now, f"SELECT reject, i FROM ({pairs})")
            if here is None:
                self.undecided[relation] = UNDECIDED
            else:
                arms.append(f"SELECT i, {one.generation} AS generation, reject FROM ({here})")
        if not arms:
            return "", 0
        held = self._new(f"SELECT DISTINCT * FROM ({' UNION ALL '.join(arms)}) SEMI JOIN {lost} USING (i)")
        self._held[relation] = held
        return held, self._count(f"(SELECT DISTINCT i FROM {held})")

    def _now(
        self, relation: str, then: int | None, now: int | None, pairs: str, join: str = "JOIN"
    ) -> str | None:
        """``pairs``, with an ordinal ``i`` of an earlier generation, by the ordinals of the present one;
        None where its records cannot be told."""
        if then == now and now is not None:
            return pairs
        keys = self.parts.key_columns(then) if then is not None else ()
        if now is None or then is None or not keys or keys != self._key_of(now):
            return None
        return (
            f"SELECT p.* REPLACE (n.ordinal AS i) FROM ({pairs}) AS p {join} {self.parts.keys(then)} AS t"
            f" ON t.ordinal = p.i {join} {self._present_keys(relation, keys)} AS n ON n.key = t.key"
        )

    def _earlier(self, relation: str, fresh: str) -> str:
        """The records (i) that are witnesses of rows of earlier runs, and not of this one's."""
        journey = self.increment.journey
        seen = self.increment.seen[relation]
        if relation == journey.node.id:
            known = self.increment.previous is not None and seen.number == self.increment.previous[0]
            if not known:
                self.undecided[relation] = UNDECIDED
            rows = f"SELECT was AS i FROM temp.{KEPT}" if known else "SELECT NULL::BIGINT AS i WHERE FALSE"
            return self._new(f"({rows}) EXCEPT SELECT i FROM {fresh}")
        arms = []
        for edge in self.parts.edges(journey.generation):
            mine = edge.rows == rows_map(journey.generation, journey.generation)
            if edge.row.input == relation and edge.row.role == Role.DIRECT.value and not mine:
                arms += self._through(edge, seen.number)
        rows = " UNION ".join(arms) or "SELECT NULL::BIGINT AS i WHERE FALSE"
        return self._new(f"({rows}) EXCEPT SELECT i FROM {fresh}")

    def _through(self, edge: StoredEdge, now: int | None) -> list[str]:
        """A SELECT of the present ordinals behind an earlier run's rows; none where undecidable."""
        relation = edge.row.input
        if edge.row.exactness == Exactness.OPAQUE.value or edge.rows is None:
            self.undecided[relation] = "rows of earlier runs may stand on it, of which nothing is known"
            return []
        pairs = self.parts.pairs([(edge.rows, *maps) for maps in edge.paths])
        same = edge.row.input_generation == now and now is not None
        if not same and not self._count(f"({pairs})"):
            return []
        here = self._now(relation, edge.row.input_generation, now, pairs)
        if here is None:
            self.undecided[relation] = UNDECIDED
            return []
        return [f"SELECT i FROM ({here})"]

    def _key_of(self, generation: int) -> tuple[str, ...]:
        """The key columns of an input's present generation, which may have been registered on another
        connection since this transaction began."""
        generations = self.increment.journey.generations
        outside = PartStore(StoreWriter(generations.side, self.parts.writer.database))
        return self.parts.key_columns(generation) or outside.key_columns(generation)

    def _present_keys(self, relation: str, keys: tuple[str, ...]) -> str:
        """A FROM item of (ordinal, key) of what the input holds now, read from itself."""
        plan = self.increment.journey.plan
        assert plan is not None
        name = plan.relations[relation].quoted
        ordinal = ordinals(self.execute, name).column()
        return self.increment.journey.generations.key_rows(relation, name, keys, ordinal)

    # -- what is written -------------------------------------------------------------------------

    def judged(self, entry: LedgerEntry) -> LedgerEntry:
        """The entry; UNKNOWN where it was not decidable what earlier runs carried."""
        why = self.undecided.get(entry.input)
        if why is None or entry.role is not Role.DIRECT or not (entry.filtered_count or entry.error_count):
            return entry
        return replace(entry, status=Status.UNKNOWN, why=why)

    def keep(self, journey: Journey) -> None:
        """Write the carried records of each input beside its edge."""
        for relation, rows in self._carried.items():
            self.parts.carried(journey.edge_id(relation, Role.DIRECT), rows)
        for relation, rows in self._held.items():
            self.parts.held(journey.edge_id(relation, Role.DIRECT), rows)
