"""The journey of a table that is changed in place: incremental models and snapshots.

The delta (dbt's temporary table) is captured and settled like a table; then dbt's statements change
the target; then the target's rows are paired with those of before and with the delta's
(``pairing.py``), and the account is written: the edges of this run for the rows that it wrote, those
of earlier runs for the rows that are left, and the table's equation (``carry.py``). Everything happens
in the model's transaction (docs/decisions/0020-in-place.md).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cdme_adapter.accounting import Kind, LedgerEntry
from cdme_adapter.capture.dml import read_changes
from cdme_adapter.capture.plan import Clause
from cdme_adapter.carry import Carry
from cdme_adapter.contents import is_content
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.duckdb import DuckDbCatalog
from cdme_adapter.generations import InputGeneration
from cdme_adapter.hooks import remember
from cdme_adapter.pairing import HOOKED, KEPT, PUT, Pairing, RowCounts
from cdme_adapter.provenance import Exactness, Role, stable_id
from cdme_adapter.settle import ROOT_ROWS, InputAccount, Map, Settlement
from cdme_adapter.store.parts import Batch, Part, PartStore, StoredEdge, rows_map
from cdme_adapter.store.writer import EdgeRow, StoreWriter

if TYPE_CHECKING:
    from cdme_adapter.pipeline import Journey, Target

_WRITES = ("insert", "merge", "delete", "update")
_MINE = "cdme_mine"
_NOT_KEPT = "what an earlier run consulted of the table's own rows of then is not kept"


def _verb(sql: str) -> str:
    """The first word of a statement, in lower case.

    >>> _verb("/* dbt */ -- so\\n  INSERT INTO updates")
    'insert'
    """
    found = re.match(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)", sql, re.S)
    return found.group(1).lower() if found else ""


class _OwnWriter(StoreWriter):
    """Writes this run's edges: every chain begins with the map to the delta's rows."""

    def __init__(self, store: StoreWriter, rows: int) -> None:
        super().__init__(store.execute, store.database)
        self.rows = rows
        self.parts = PartStore(self)

    def edge(self, e: EdgeRow) -> None:
        super().edge(e)
        self.parts.of_part(e.number, self.rows)

    def chain(
        self, edge: int, path: int, maps: Sequence[tuple[int, str]], ranged: Collection[int] = (),
        sorted_o: Collection[int] = (),
    ) -> None:  # fmt: skip
        self.steps(edge, path, [self.rows, *(number for number, _ in maps)])
        for number, pairs in maps:
            self.map(number, pairs, number in ranged, number in sorted_o)


@dataclass
class Increment:
    """One change of a model's table by a delta; ``source`` is dbt's temporary table."""

    journey: Journey
    source: Target
    target: Target
    settlement: Settlement | None = None
    accounts: list[InputAccount] = field(default_factory=list)
    seen: dict[str, InputGeneration] = field(default_factory=dict)
    previous: tuple[int, str] | None = None
    previous_count: int | None = None
    done: bool = False
    counts: RowCounts | None = None
    hooked: bool = False
    """Whether a hook deleted rows after the change: ``temp.cdme_hooked`` has what was there before."""
    _temp: list[str] = field(default_factory=list)

    # -- the delta -------------------------------------------------------------------------------

    def settle_delta(self, execute: Execute, store: StoreWriter) -> None:
        """Account for the inputs of the delta, while they are as its query saw them."""
        self._look_back(execute, store)
        plan = self.journey.plan
        if plan is None:
            return
        for relation, info in plan.relations.items():
            written = self.journey.node.pre_hooked
            self.seen[relation] = self.journey.generations.of_input(execute, store, info, written)
        self.settlement = self.journey.settlement(execute)
        own = self.journey.node.id
        self.accounts = [
            self._set_aside(execute, account) if account.relation == own else account
            for account in self.settlement.accounts()
        ]
        self.journey.settle_beside(execute, frozenset({own}))

    def _look_back(self, execute: Execute, store: StoreWriter) -> None:
        """Which generation the table holds, if it is still as that run left it."""
        self.previous = store.current(self.journey.node.id)
        self.previous_count = store.row_count(self.previous[0]) if self.previous else None
        count = int(execute(f"SELECT count(*) FROM {self.target.quoted}")[0][0])
        if self.previous is not None:
            mark = store.fingerprint(self.previous[0])
            if count != self.previous_count or is_content(execute, self.target.quoted, mark) is False:
                self.previous = None

    def _set_aside(self, execute: Execute, account: InputAccount) -> InputAccount:
        """The account of the table as its own input, free of what the table is about to become."""

        def aside(select: str) -> str:
            name = f"{_MINE}_{len(self._temp)}"
            execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {select}")
            self._temp.append(name)
            return f"temp.{name}"

        chains = tuple(
            (*chain[:-1], Map(aside(f"SELECT o, i FROM {chain[-1].sql}"), chain[-1].pairs))
            for chain in account.chains
        )
        lost = aside(f"SELECT i, clause, verdict FROM {account.lost}") if account.lost else None
        missing = aside(f"SELECT i FROM {account.unaccounted_sql}") if account.unaccounted_sql else None
        errors = tuple(
            (*chain[:-1], Map(aside(f"SELECT o, i FROM {chain[-1].sql}"), chain[-1].pairs))
            for chain in account.error_chains
        )
        routed = aside(f"SELECT i FROM {account.routed}") if account.routed else None
        return replace(
            account, chains=chains, lost=lost, unaccounted_sql=missing, error_chains=errors, routed=routed
        )

    # -- the change ------------------------------------------------------------------------------

    def is_change(self, sql: str) -> bool:
        """Whether a statement is the one that brings the delta into the table."""
        return not self.done and self.source.name.lower() in sql.lower() and _verb(sql) in _WRITES

    def meddles(self, sql: str) -> bool:
        """Whether a statement writes the table before the delta is brought into it."""
        named = self.target.name.lower() in sql.lower() and self.source.name.lower() not in sql.lower()
        return not self.done and named and _verb(sql) in (*_WRITES, "truncate")

    def before(self, execute: Execute, sql: str) -> Pairing:
        """Read the statement and remember the rows that are there."""
        journey = self.journey
        catalog = DuckDbCatalog(execute, journey.nodes.identify, {})
        names = (self.target.database, self.target.schema, self.target.name)
        changes = read_changes(sql, names, self.source.name)
        snapshot = journey.node.resource_type == "snapshot"
        pairing = Pairing(
            execute, self.target.quoted, self.source.quoted, changes, snapshot, catalog.is_volatile
        )
        pairing.before()
        return pairing

    def after(self, execute: Execute, store: StoreWriter, pairing: Pairing) -> None:
        """Pair the rows and write the account of the table as it is now."""
        self.counts = counts = pairing.after()
        self.done = True
        if self.previous is not None and self.previous_count != pairing.before_count:
            self.previous = None  # written to since the delta was made
        journey = self.journey
        journey.output_count = counts.new + counts.updated + counts.carried
        if journey.plan is not None:
            self._name_what_discards(pairing.skipped)
        self._write(execute, store, counts)
        if journey.node.post_hooked:
            journey.before = remember(execute, self.target)
        else:
            self.clean(execute)

    def without(self, execute: Execute, store: StoreWriter, ranks: str, left: int) -> None:
        """Write the account anew without the rows that a hook deleted; ``ranks`` has (old, new) of those
        that are left. Rows of earlier runs go with their reverse join; records of which this run's rows
        were deleted are unaccounted, for no clause of the model removed them."""
        journey, parts = self.journey, PartStore(store)
        assert self.counts is not None
        store.forget(journey.generation)
        parts.forget_batch(journey.run_id, journey.node.id, self.name)
        journey.entries.clear()
        journey.output_count = left
        execute(f"CREATE OR REPLACE TEMP TABLE {HOOKED} AS SELECT d FROM temp.{PUT}")
        for table, column in ((PUT, "d"), (KEPT, "was")):
            execute(
                f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT r.new AS o, t.{column}"
                f" FROM temp.{table} AS t JOIN {ranks} AS r ON r.old = t.o"
            )
        self.hooked = True
        self._write(execute, store, self.counts)

    @property
    def name(self) -> str:
        """What this run's own equation is called in the ledger."""
        return self.journey.batch or self.journey.run_id

    def _write(self, execute: Execute, store: StoreWriter, counts: RowCounts) -> None:
        """The account of the table as it is now."""
        journey = self.journey
        journey._register_output(execute, store, self.target)
        journey.resolve_errors(store)
        parts = PartStore(store)
        own = self._write_rows(parts, counts)
        writer = _OwnWriter(store, own)
        carry = Carry(execute, parts, self, counts)
        if journey.plan is None:
            journey.coarse_edges(writer)
        else:
            journey.seen = self.seen
            accounts = [carry.table_account(account) for account in self.accounts]
            carry.judge_errors()
            journey.write_inputs(execute, writer, accounts)
        journey.entries = [carry.judged(entry) for entry in journey.entries]
        carry.keep(journey)
        parts.batches(journey.run_id, journey.node.id, self._batches(execute, counts))
        journey.captured = True

    def _name_what_discards(self, text: str) -> None:
        """Make the clause that may discard delta rows a clause of the plan, the last of all."""
        plan = self.journey.plan
        assert plan is not None
        clause = Clause(Kind.MERGE_SKIPPED, " ".join(text.split()) or "the statement that writes the table")
        rank = max(plan.rank, default=-1) + 1
        self.journey.plan = replace(plan, clauses=(*plan.clauses, clause), rank=(*plan.rank, rank))

    def _write_rows(self, parts: PartStore, counts: RowCounts) -> int:
        """The maps from the table's rows to who wrote them, and the edges of those; the own map."""
        journey = self.journey
        generation = journey.generation
        own = rows_map(generation, generation)
        parts.writer.map(own, f"SELECT DISTINCT o, d AS i FROM temp.{PUT}")
        found = [Part(generation, journey.run_id, own)]
        if self.previous is not None:
            number, run_id = self.previous
            new = parts.carry_over(parts.parts(number, run_id), generation, f"temp.{KEPT}")
            found += new.values()
            for edge in parts.edges(number):
                part = new.get(edge.rows)
                if part is None or part.map is None or self._says_nothing(parts, edge, part.map):
                    continue
                name = stable_id("edge", str(edge.row.number), str(generation))
                row = replace(edge.row, number=name, output_generation=generation)
                if row.input == row.model and row.role != Role.DIRECT.value:
                    row = replace(
                        row, exactness=Exactness.OPAQUE.value, input_generation=None, why=_NOT_KEPT
                    )
                    edge = replace(edge, paths=())
                parts.add_edge(row, part.map, edge.paths)
        elif counts.carried or parts.writer.execute(f"SELECT 1 FROM temp.{KEPT} LIMIT 1"):
            found.append(self._unknown_rows(parts))
        parts.register(generation, found)
        return own

    def _says_nothing(self, parts: PartStore, edge: StoredEdge, rows: int) -> bool:
        """Whether an edge that the last run made has no witness of any row that is left."""
        assert self.previous is not None
        own = edge.rows in (None, rows_map(self.previous[0], self.previous[0]))
        if not own or not edge.paths:
            full = edge.row.role == Role.DIRECT.value and edge.row.exactness == Exactness.EXACT.value
            return own and full and edge.row.input == edge.row.model
        pairs = parts.pairs([(rows, *maps) for maps in edge.paths])
        return not parts.writer.execute(f"SELECT 1 FROM ({pairs}) LIMIT 1")

    def _unknown_rows(self, parts: PartStore) -> Part:
        """Rows of which nothing is known: opaque edges, of these rows alone."""
        journey = self.journey
        part = stable_id("unknown", str(journey.generation))
        rows = rows_map(journey.generation, part)
        parts.writer.map(rows, f"SELECT o, was AS i FROM temp.{KEPT}")
        why = "these rows were there before CDME captured the model, or were changed behind its back"
        for relation in journey.coarse_inputs():
            parts.add_edge(
                EdgeRow(
                    stable_id("edge", str(part), relation), journey.run_id, journey.node.id, relation,
                    Role.DIRECT.value, Exactness.OPAQUE.value, journey.config.lineage_mode.value, None,
                    None, journey.generation, None, None, why,
                ),
                rows, (),
            )  # fmt: skip
        return Part(part, journey.run_id, rows)

    def _batches(self, execute: Execute, counts: RowCounts) -> list[Batch]:
        """This run's own equations."""
        journey = self.journey
        delta = int(execute(f"SELECT count(*) FROM {self.source.quoted}")[0][0])
        rows = (counts.new, counts.updated, counts.carried, counts.deleted)
        own = {account.relation: account for account in self.accounts}

        def numbers(entry: LedgerEntry) -> tuple[int | None, ...]:
            account = own.get(entry.input) if entry.role is Role.DIRECT else None
            if account is None:
                return (
                    entry.input_count, entry.contributed_count, entry.filtered_count,
                    entry.error_count, entry.unaccounted_count, entry.consulted_count,
                )  # fmt: skip
            return (
                account.input_count, account.contributed, account.filtered, account.errors,
                account.unaccounted, 0,
            )  # fmt: skip

        return [
            Batch(entry.input, entry.role.value, self.name, (*numbers(entry), delta, *rows))
            for entry in journey.entries
        ]

    def clean(self, execute: Execute) -> None:
        """Drop every temporary table."""
        if self.settlement is not None:
            self.settlement.clean()
        if self.journey.beside is not None:
            self.journey.beside.clean()
        plan = self.journey.plan
        names = [*self._temp, KEPT, PUT, HOOKED]
        names += [node.name for node in plan.nodes[:-1]] + [ROOT_ROWS] if plan else []
        for name in names:
            execute(f"DROP TABLE IF EXISTS temp.{name}")
        self._temp.clear()


def note_batch(journey: Journey, parts: PartStore) -> None:
    """A batch of a microbatch model: its account takes the place of the one before it in the run; the
    first one, which makes the table, has its own equation too."""
    parts.forget_account(journey.run_id, journey.node.id)
    if journey.increment is None:
        rows = journey.output_count
        batches = [
            Batch(
                entry.input, entry.role.value, journey.batch,
                (
                    entry.input_count, entry.contributed_count, entry.filtered_count,
                    entry.error_count, entry.unaccounted_count, entry.consulted_count,
                    rows, rows, 0, 0, 0,
                ),
            )
            for entry in journey.entries
        ]  # fmt: skip
        parts.batches(journey.run_id, journey.node.id, batches)
