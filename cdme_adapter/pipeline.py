"""The journey of one model, readable from top to bottom.

plan → materialise the stages → the model's own statement → split the hidden columns off → settle →
write the account → (dbt swaps tables, runs hooks) → gate → commit. Everything between the first
stage and the commit happens in the model's own transaction, on its own connection.

No dbt here: the adapter brings nodes, configuration and an ``execute``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from cdme_adapter.accounting import (
    LedgerEntry,
    Reason,
    ReasonCount,
    Status,
    Verdict,
    judge,
)
from cdme_adapter.capture.plan import HIDDEN, MACRO, CapturePlan, Coarse, RelationInfo
from cdme_adapter.capture.planner import plan_of_reads, plan_query
from cdme_adapter.capture.sqltext import normal, quote, refuse_semicolon
from cdme_adapter.config import CdmeConfig
from cdme_adapter.contents import Written
from cdme_adapter.custom import Custom
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.duckdb import DuckDbCatalog, prove_round_trip
from cdme_adapter.engines.rows import ordinals
from cdme_adapter.engines.scans import relations_scanned
from cdme_adapter.epochs import judge_epochs
from cdme_adapter.errors import CaptureError, ConfigError, Finding, GateError, Place, UnsupportedConstruct
from cdme_adapter.gate import EXACT_REQUIRED, NOT_EXACT, judge_model
from cdme_adapter.gate import Verdict as GateVerdict
from cdme_adapter.generations import Generations, InputGeneration
from cdme_adapter.hooks import Before, remember, settle_hooks
from cdme_adapter.increment import Increment
from cdme_adapter.locate import file_line, search_line
from cdme_adapter.modes import LIGHT, choose, keep, look_again, settlement_of
from cdme_adapter.nodes import NodeInfo, Nodes
from cdme_adapter.plan_cache import PlanCache
from cdme_adapter.provenance import Exactness, LineageMode, Role, cardinality, stable_id
from cdme_adapter.refine.files import forget_lines, noting_copy, write_lines
from cdme_adapter.refine.records import Hidden
from cdme_adapter.refine.refinery import CircuitOpen, Refinery
from cdme_adapter.refine.rewriting import without_lines
from cdme_adapter.refine.sources import resolve_all, write_chains, write_sources
from cdme_adapter.refine.verdict import THRESHOLD
from cdme_adapter.settle import ROOT_ROWS, InputAccount, Settlement
from cdme_adapter.settle_indirect import IndirectSettlement, Steps
from cdme_adapter.store.rejects import RejectEdge
from cdme_adapter.store.rows import opened
from cdme_adapter.store.writer import EdgeRow, Generation, StoreWriter
from cdme_adapter.totals import Total
from cdme_adapter.watch import account_totals, judge_drift

_VERDICTS = list(Verdict)
FULL_ROWS = "cdme_full"
EVIDENCE = 1000
UNGATED = ("expected_loss", "cardinality", "require", "refine", "refine_inputs", "cast", "temporal")


@dataclass(frozen=True)
class Target:
    """The table that the model's statement writes, as its parts."""

    database: str
    schema: str
    name: str

    @property
    def quoted(self) -> str:
        """The qualified name for SQL."""
        return ".".join(quote(part) for part in (self.database, self.schema, self.name))


@dataclass
class Journey:
    """One model in one run."""

    run_id: str
    node: NodeInfo
    config: CdmeConfig
    nodes: Nodes
    generations: Generations
    compiled: str
    view_texts: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    plan: CapturePlan | None = None
    why_not: str = ""
    captured: bool = False
    output_count: int | None = None
    root_rows: int | None = None
    """How many rows the query gave that has just run, where they were counted."""
    written: Written | None = None
    """The columns and row ids of the table that it wrote."""
    inputs: dict[str, int | None] = field(default_factory=dict)
    """The generation of each input that an edge of this journey leads to."""
    before: Before | None = None
    totals: dict[str, list[Total]] = field(default_factory=dict)
    """Control totals by input."""
    epochs: list[tuple[str | None, ...]] = field(default_factory=list)
    """Per input: mode and column of ``temporal``, epoch and its kind, where the model declares any."""
    unaccounted: dict[str, list[int]] = field(default_factory=dict)
    """The first unaccounted records by input: the evidence of a rejection."""
    beside: IndirectSettlement | None = None
    logic: str = ""
    """The snapshot's own query; what dbt makes of it, which is captured, has the time of the run in it."""
    batch: str = ""
    """Of a microbatch model: which batch this is. Each has a transaction and a generation of its own."""
    window: tuple[str, str, str] | None = None
    """The same: the column of the event's time and the batch's bounds."""
    seen: dict[str, InputGeneration] = field(default_factory=dict)
    """Generations of inputs that were looked up before the statement changed them."""
    increment: Increment | None = None
    """The change of a table in place, once its delta is there."""
    custom: Custom | None = None
    """Of a custom materialization: what became of the table that it made."""
    in_place: bool = False
    """Whether the model's query makes a delta of a table that stays."""
    refinery: Refinery | None = None
    file_edge: tuple[RejectEdge, int] | None = None
    """Of a seed: the edge from its file, and the ordinal of its first line that did not parse."""
    overdrawn: GateError | None = None
    ordered: bool = False
    """Whether it is known of the model that what it picks by position has a total order."""
    bound: bool = False
    """Whether the plan is one that DuckDB accepted before."""
    read_views: list[RelationInfo] | None = None
    """The views that the plan was made of, once it is made."""
    recipe_texts: dict[str, str] = field(default_factory=dict)
    """The SELECTs of the views that the plan was made of, by id."""
    hidden: Callable[[str], Hidden] = lambda node: {}
    """The SQL that stands for personal columns of a node, by column."""
    redacted: Callable[[str], str] = str
    """An engine's message without the values in it, where the project has personal columns."""
    root: str = ""
    """The project's folder."""

    @property
    def place(self) -> Place:
        """The model's file."""
        return Place(self.node.file)

    @property
    def plans(self) -> PlanCache | None:
        """Where plans are remembered, if this one can be: nothing may change beneath the run."""
        if self.refinery is not None or self.in_place or self.batch or not self.generations.calm:
            return None
        return self.generations.plans

    @property
    def inputs_summed(self) -> bool:
        """Whether some input declares control totals."""
        read = [self.nodes.by_id.get(name) for name in (self.plan.relations if self.plan else ())]
        return any((node.meta or {}).get("control_totals") for node in read if node is not None)

    @property
    def sql_hash(self) -> str:
        """The hash of the logic (REQ-NFR-VER-001)."""
        return hashlib.sha256((self.logic or self.compiled).encode()).hexdigest()

    @property
    def generation(self) -> int:
        """The number of the generation that this run makes of the model."""
        return stable_id("generation", self.node.id, self.stamp)

    @property
    def stamp(self) -> str:
        """What tells this journey from every other of the node."""
        return f"{self.run_id}/{self.batch}" if self.batch else self.run_id

    def edge_id(self, relation: str, role: Role) -> int:
        """The number of the edge from an input that this journey makes."""
        return stable_id("edge", self.stamp, self.node.id, relation, role.value)

    # -- plan ------------------------------------------------------------------------------------

    def make_plan(self, execute: Execute) -> None:
        """Plan the capture; on what is not understood, note why and go on without."""
        started = time.perf_counter()
        self.prepare_errors()
        text = self.compiled
        if self.refinery is not None:
            text = self.refinery.rewrite(execute, text, self.nodes)
        if self.config.lineage_mode is LineageMode.OFF:
            self.why_not = "lineage_mode is off"
            return
        catalog = DuckDbCatalog(execute, self.nodes.identify, self.view_texts)
        try:
            plan = self._planned(execute, catalog, text)
            self._refuse_hidden_names(catalog)
            self.take(plan if text == self.compiled else without_lines(plan))
            choose(self, catalog)
        except UnsupportedConstruct as reason:
            self.refuse(reason)
        self.seconds["plan"] = time.perf_counter() - started

    def take(self, plan: CapturePlan) -> None:
        """Go on with a plan, and say what is not exact in it."""
        known = self.plan.coarse if self.plan is not None else ()
        self.plan = plan
        self.findings += [self._coarse_finding(one) for one in plan.coarse if one not in known]
        look_again(self)

    def _planned(self, execute: Execute, catalog: DuckDbCatalog, text: str) -> CapturePlan:
        """The plan; of a text that cannot be read, what the engine says that it reads."""
        known = self._remembered(text)
        if known is not None:
            catalog.remember(known[1])
            self.bound = True
            return known[0]
        try:
            prove_round_trip(execute, text)
            refuse_semicolon(text)
            plan = plan_query(text, catalog)
            self.read_views = catalog.looked_at
            return plan
        except UnsupportedConstruct as reason:
            relations = relations_scanned(self.generations.side, catalog, text)
            if relations is None:
                raise
            return plan_of_reads(text, relations, reason.message)

    def _remembered(self, text: str) -> tuple[CapturePlan, list[RelationInfo]] | None:
        """The plan of an earlier run and the views that it read, where it still holds."""
        if self.plans is None:
            return None
        return self.plans.find(self.generations.side, text, self.view_texts, self.nodes.identify)

    def _coarse_finding(self, coarse: Coarse) -> Finding:
        """What was not understood and stands in a part that runs as it was written."""
        return Finding(
            "CAPTURE_SUPERSET", f"not understood: {coarse.why}", "warn", self.node.id,
            self._place(coarse.origin, coarse.line, ""),
            "what this part reads is behind its rows as a whole; the other edges are as exact as ever",
        )  # fmt: skip

    def _refuse_hidden_names(self, catalog: DuckDbCatalog) -> None:
        """A user's own column that is named like a hidden one would be taken for it."""
        texts = [self.compiled, *catalog.words]
        if any(HIDDEN in text.lower() for text in texts):
            raise UnsupportedConstruct(f"a name that begins with {HIDDEN}, which CDME uses itself")

    def refuse(self, reason: CaptureError) -> None:
        """Give up the capture, not the model: its edges will be opaque, and it is said."""
        self.plan = None
        self.captured = False
        self.why_not = reason.message
        place = self.place
        if isinstance(reason, UnsupportedConstruct):
            place = self._place(reason.origin, reason.line, "")
        self.findings.append(
            Finding(reason.code, f"not captured: {reason.message}", "warn", self.node.id,
                    place, "the model is built as dbt-duckdb would; its edges are opaque")
        )  # fmt: skip

    # -- build -----------------------------------------------------------------------------------

    def stages(self, execute: Execute) -> None:
        """Materialise the stages of the plan."""
        assert self.plan is not None
        for node in self.plan.nodes[:-1]:
            execute(f"CREATE OR REPLACE TEMP TABLE {node.name} AS {node.sql.format()}")
        if self.refinery is not None:
            root = self.plan.root
            self.refinery.emit(execute, root.sql.format(), root.hidden, defers_count=not self.in_place)

    def root_select(self) -> str:
        """The instrumented query that stands in the model's own statement."""
        assert self.plan is not None
        return self.refinery.good if self.refinery is not None else self.plan.root.sql.format()

    def split(self, execute: Execute, target: Target) -> None:
        """Take the hidden columns off the model's table, without a rewrite of its data."""
        assert self.plan is not None
        hidden = self.plan.root.hidden
        self.root_rows, self.written = None, None
        if not hidden:
            execute(f"CREATE OR REPLACE TEMP TABLE {ROOT_ROWS} AS SELECT 0::BIGINT AS o WHERE FALSE")
            return
        names = self._check_columns(execute, target, hidden)
        places = ordinals(execute, target.quoted)
        if not places.consecutive:
            raise CaptureError(f"row ids of {target.quoted} are not consecutive")
        execute(
            f"CREATE OR REPLACE TEMP TABLE {ROOT_ROWS} AS "
            f"SELECT {', '.join((f'{places.column()} AS o', *hidden))} FROM {target.quoted}"
        )
        for column in hidden:
            execute(f"ALTER TABLE {target.quoted} DROP COLUMN {column}")
        self.root_rows = places.count
        self.written = Written(names[: len(names) - len(hidden)], places)

    @staticmethod
    def _check_columns(execute: Execute, target: Target, hidden: tuple[str, ...]) -> tuple[str, ...]:
        """The table's columns: the hidden ones stand last under their own names, and nothing hides the
        row id."""
        rows = execute(f"SELECT column_name FROM (DESCRIBE {target.quoted})")
        names = [str(row[0]) for row in rows]
        if tuple(names[len(names) - len(hidden) :]) != hidden:
            raise CaptureError(f"{target.quoted} has other columns than were planned: {names}")
        if any(name.lower() == "rowid" for name in names):
            raise CaptureError(f"{target.quoted} has a column called rowid, which hides the row id")
        return tuple(names)

    def keep_full(self, execute: Execute) -> str:
        """Materialise the whole result aside, for a statement that cannot carry hidden columns.

        Returns the query that takes its place: the user's columns in the order of the result.
        """
        assert self.plan is not None
        execute(f"CREATE OR REPLACE TEMP TABLE {FULL_ROWS} AS {self.root_select()}")
        hidden = self.plan.root.hidden
        drop = f" EXCLUDE ({', '.join(hidden)})" if hidden else ""
        return f"SELECT *{drop} FROM temp.{FULL_ROWS} ORDER BY rowid"

    def pair_full(self, execute: Execute, target: Target) -> None:
        """Pair the rows kept aside with the rows written, and prove that they pair."""
        assert self.plan is not None
        self.root_rows, self.written = None, None
        hidden = ", ".join(("rowid - (SELECT min(rowid) FROM temp.{0}) AS o", *self.plan.root.hidden))
        execute(
            f"CREATE OR REPLACE TEMP TABLE {ROOT_ROWS} AS "
            f"SELECT {hidden.format(FULL_ROWS)} FROM temp.{FULL_ROWS}"
        )
        self._check_columns(execute, target, ())
        names = [r[0] for r in execute(f"SELECT column_name FROM (DESCRIBE {target.quoted})")]
        values = ", ".join(quote(name) for name in names)
        numbered = "SELECT hash({1}) AS h, rowid - (SELECT min(rowid) FROM {0}) AS o FROM {0}"
        cast = (
            f"(SELECT {values} FROM {target.quoted} WHERE FALSE UNION ALL BY NAME "
            f"SELECT {values}, rowid AS __cdme_o FROM temp.{FULL_ROWS})"
        )
        wrong = execute(
            f"SELECT count(*) FROM ({numbered.format(target.quoted, values)}) AS t FULL JOIN "
            f"(SELECT hash({values}) AS h, __cdme_o - (SELECT min(rowid) FROM temp.{FULL_ROWS}) "
            f"AS o FROM {cast}) AS f ON t.o = f.o WHERE t.h IS DISTINCT FROM f.h"
        )[0][0]
        execute(f"DROP TABLE temp.{FULL_ROWS}")
        if wrong:
            raise CaptureError(f"{wrong} rows of {target.quoted} are not where they were written")

    # -- settle ----------------------------------------------------------------------------------

    def settle(self, execute: Execute, store: StoreWriter, target: Target) -> None:
        """Account for every input and write the account beside the model's rows."""
        assert self.plan is not None
        started = time.perf_counter()
        settlement = self.settlement(execute)
        counted = f"SELECT count(*) FROM {target.quoted}"
        self.output_count = int(execute(counted)[0][0]) if self.root_rows is None else self.root_rows
        if self.refinery is not None:
            self.refinery.note_good(self.output_count)
        self._register_output(execute, store, target)
        if self.config.lineage_mode not in LIGHT:
            self.settle_beside(execute, frozenset())
        accounts = settlement.accounts()
        self.write_inputs(execute, store, accounts)
        keep(self, execute, store, settlement, accounts)
        settlement.clean()
        for node in self.plan.nodes[:-1]:
            execute(f"DROP TABLE temp.{node.name}")
        execute(f"DROP TABLE temp.{ROOT_ROWS}")
        if self.node.post_hooked and self.node.materialized != "external":
            self.before = remember(execute, target)
        self.captured = True
        self.seconds["settle"] = time.perf_counter() - started

    def write_inputs(self, execute: Execute, store: StoreWriter, accounts: Sequence[InputAccount]) -> None:
        """Write the edges of every input and note their entries."""
        assert self.plan is not None
        for account in accounts:
            began, before = time.perf_counter() - account.seconds, len(self.entries)
            self._write_account(execute, store, account)
            self._note_seconds(before, began)
        for consulted in self.plan.consulted:
            began, before = time.perf_counter(), len(self.entries)
            self._write_consulted(execute, store, consulted.relation, consulted.role,
                                  consulted.exactness, consulted.why)  # fmt: skip
            if consulted.role is Role.INDIRECT and self.beside is not None:
                self._write_beside(store, consulted.relation, self.beside.found.get(consulted.relation, ()))
            self._note_seconds(before, began)
        if self.beside is not None and self.increment is None:
            self.beside.clean()

    def _note_seconds(self, first: int, began: float) -> None:
        """Give the entries from ``first`` on the time since ``began``."""
        seconds = time.perf_counter() - began
        self.entries[first:] = [replace(entry, seconds=seconds) for entry in self.entries[first:]]

    def settle_beside(self, execute: Execute, changing: frozenset[str]) -> None:
        """Find what takes part indirectly, while the inputs are as the query saw them.

        ``changing`` are relations that will have changed by the time that it is written.
        """
        assert self.plan is not None
        rejects = self.refinery.rejects if self.refinery is not None else None
        self.beside = IndirectSettlement(execute, self.plan, changing, rejects)
        self.beside.settle()

    def _seen(
        self, execute: Execute, store: StoreWriter, relation: str, count: int | None = None
    ) -> InputGeneration:
        """The generation of an input that the query read; ``count`` are its rows, where it is known."""
        assert self.plan is not None
        if relation in self.seen:
            return self.seen[relation]
        info = self.plan.relations[relation]
        return self.generations.of_input(execute, store, info, self.node.pre_hooked, count)

    def _register_output(self, execute: Execute, store: StoreWriter, target: Target) -> None:
        node = self.node
        key: tuple[str, ...] = ()
        if self.output_count is not None:
            declared = self.nodes.declared_key(node.id, self.config.key)
            self.generations.require_key(execute, target.quoted, self.config.key, node)
            key = self.generations.storable(node.id, declared)
            if declared and not key:
                self.findings.append(
                    Finding("KEY_DROPPED", f"the key ({', '.join(declared)}) is personal and there is no "
                            "key to hash it with", "warn", node.id, self.place,
                            "set CDME_PII_KEY, or write cdme_pii.key beside profiles.yml")
                )  # fmt: skip
            key = self.generations.verified_key(execute, target.quoted, key, self)
        store.generation(
            Generation(self.generation, node.id, self.run_id, node.resource_type, node.database,
                       node.schema, node.identifier, self.output_count, None, key)
        )  # fmt: skip
        if key:
            ordinal = ordinals(execute, target.quoted).column()
            store.keys(self.generation, self.generations.key_rows(node.id, target.quoted, key, ordinal))
        store.make_current(node.id, self.generation, self.run_id)

    def _write_account(self, execute: Execute, store: StoreWriter, account: InputAccount) -> None:
        assert self.plan is not None
        seen = self._seen(execute, store, account.relation, account.input_count)
        edge = self.edge_id(account.relation, Role.DIRECT)
        fan = (account.inputs_per_output, account.outputs_per_input)
        observed = cardinality(*fan) if all(fan) else None
        reasons = self._reasons(account)
        status = judge(Role.DIRECT, Exactness.EXACT, account.input_count, account.contributed,
                       account.filtered, account.errors, account.unaccounted)  # fmt: skip
        if not account_totals(self, execute, account):
            status = Status.UNBALANCED
        self._edge(store, edge, account.relation, Role.DIRECT, Exactness.EXACT, observed, seen, "")
        for path, chain in enumerate(account.chains):
            maps = [
                (stable_id("map", str(edge), str(path), str(step)), f"SELECT o, i FROM {part.sql}")
                for step, part in enumerate(chain)
            ]
            in_order = {number for (number, _), part in zip(maps, chain, strict=True) if part.sorted_o}
            store.chain(edge, path, maps, sorted_o=in_order)
        write_sources(execute, store, self, edge, self.plan.relations[account.relation], seen, account)
        if not account.reasons:
            pass  # nothing is filtered: what was lost, if anything, is in error
        elif account.lost_chunks and account.lost == opened(account.lost_chunks):
            store.filtered_chunks(edge, self._by_rank(account, account.lost_chunks, "chunk, n, bits"))
        elif account.lost and self.config.lineage_mode not in LIGHT:
            store.filtered(edge, self._by_rank(account, account.lost, "i"))
        used = {clause for clause, _, _ in account.reasons}
        store.reasons([self._reason_row(edge, account.relation, clause) for clause in sorted(used)])
        self.entries.append(
            LedgerEntry(
                self.run_id, self.node.id, account.relation, Role.DIRECT, Exactness.EXACT,
                self.config.lineage_mode, observed, account.input_count, account.contributed,
                account.filtered, account.errors, account.unaccounted, 0, self.output_count, status,
                reasons, _unused(account, reasons), self._sample(execute, account),
            )
        )  # fmt: skip

    def _by_rank(self, account: InputAccount, lost: str, others: str) -> str:
        """The filtered records with the place of their clause in the picky order as its number."""
        assert self.plan is not None
        arms = " ".join(f"WHEN {c} THEN {self.plan.rank[c]}" for c, _, _ in account.reasons)
        return f"(SELECT CASE clause {arms} END AS clause, verdict, {others} FROM {lost})"

    def _sample(self, execute: Execute, account: InputAccount) -> str:
        """The first unaccounted records, for the gate's message."""
        if not account.unaccounted or not account.unaccounted_sql:
            return ""
        rows = execute(f"SELECT i FROM {account.unaccounted_sql} ORDER BY i LIMIT {EVIDENCE}")
        self.unaccounted[account.relation] = [int(row[0]) for row in rows]
        more = ", …" if account.unaccounted > 5 else ""
        return "unaccounted row ids: " + ", ".join(str(row[0]) for row in rows[:5]) + more

    def _write_beside(self, store: StoreWriter, relation: str, chains: tuple[Steps, ...]) -> None:
        """The reverse join of an indirect edge."""
        edge = self.edge_id(relation, Role.INDIRECT)
        for path, chain in enumerate(chains):
            numbers = [stable_id("map", str(edge), str(path), str(step)) for step in range(len(chain))]
            maps = [
                (number, f"SELECT {part.columns} FROM {part.sql}")
                for number, part in zip(numbers, chain, strict=True)
            ]
            ranged = {number for number, part in zip(numbers, chain, strict=True) if part.ranged}
            store.chain(edge, path, maps, ranged)

    def _write_consulted(
        self, execute: Execute, store: StoreWriter, relation: str, role: Role,
        exactness: Exactness, why: str,
    ) -> None:  # fmt: skip
        assert self.plan is not None
        seen = self._seen(execute, store, relation)
        edge = self.edge_id(relation, role)
        self._edge(store, edge, relation, role, exactness, None, seen, why)
        if role is Role.DIRECT:  # superset: what became of its records is not known
            unknown = self.unknown_entry(relation, why)
            self.entries.append(replace(unknown, exactness=exactness, input_count=seen.row_count))
            return
        self.entries.append(
            LedgerEntry(
                self.run_id, self.node.id, relation, role, exactness, self.config.lineage_mode,
                None, seen.row_count, 0, 0, 0, 0, seen.row_count, self.output_count,
                Status.BALANCED, (), None, why,
            )
        )  # fmt: skip

    def _edge(
        self, store: StoreWriter, edge: int, relation: str, role: Role, exactness: Exactness,
        observed: str | None, seen: InputGeneration, why: str,
    ) -> None:  # fmt: skip
        declared = {
            self.nodes.resolve(name, [relation]): value for name, value in self.config.cardinality.items()
        }.get(relation)
        self.inputs[relation] = seen.number
        store.edge(
            EdgeRow(edge, self.run_id, self.node.id, relation, role.value, exactness.value,
                    self.config.lineage_mode.value, declared, observed, self.generation,
                    seen.number, seen.run_id, why)
        )  # fmt: skip

    def _reasons(self, account: InputAccount) -> tuple[ReasonCount, ...]:
        assert self.plan is not None
        unused = self.plan.unused_clauses(account.relation)
        return tuple(
            ReasonCount(self._reason(clause), _VERDICTS[verdict], count, clause in unused)
            for clause, verdict, count in account.reasons
        )

    def reason_id(self, number: int) -> str:
        """The id of a clause."""
        return self._reason(number).id

    def _reason(self, number: int) -> Reason:
        """A clause as a reason: stable id, and its place in the user's file."""
        assert self.plan is not None
        clause = self.plan.clauses[number]
        owner = self._owner(clause.origin)
        ident = hashlib.sha256(
            "\x1f".join((self.node.id, owner.id, clause.kind.value, normal(clause.sql))).encode()
        ).hexdigest()[:16]
        return Reason(ident, clause.kind, clause.sql, self._place(clause.origin, clause.line, clause.sql))

    def _owner(self, origin: str) -> NodeInfo:
        """The node in whose text something stands."""
        return self.nodes.by_id.get(origin) or self._ephemeral(origin) or self.node

    def _place(self, origin: str, line: int | None, sql: str) -> Place:
        """A line of a node's text as a line of its file; ``sql`` is looked for where that fails."""
        owner = self._owner(origin)
        if origin.startswith(MACRO):  # its text is in no file that dbt knows
            return Place(owner.file)
        text = self.compiled if owner is self.node else self.view_texts.get(owner.id)
        found = file_line(text, owner.raw_code, line) if text is not None else None
        return Place(owner.file, found or (search_line(owner.raw_code, sql) if sql else None))

    def _ephemeral(self, origin: str) -> NodeInfo | None:
        name = origin.removeprefix("__dbt__cte__")
        if name == origin:
            return None
        found = [
            node for node in self.nodes.by_id.values()
            if node.materialized == "ephemeral" and node.identifier.lower() == name
        ]  # fmt: skip
        return found[0] if len(found) == 1 else None

    def _reason_row(self, edge: int, relation: str, number: int) -> tuple[object, ...]:
        assert self.plan is not None
        reason = self._reason(number)
        return (
            edge, self.plan.rank[number], reason.id, self.node.id, relation, reason.kind.value, reason.sql,
            reason.place.file, reason.place.line,
        )  # fmt: skip

    def settlement(self, execute: Execute) -> Settlement:
        """The settlement of the plan; it knows what was rejected."""
        assert self.plan is not None
        settlement = settlement_of(self, execute)
        if self.refinery is not None:
            settlement.rejects = self.refinery.rejects
            settlement.error_clauses = frozenset(self.refinery.error_clauses(self.plan))
        settlement.outputs = self.root_rows
        return settlement

    # -- the error domain ------------------------------------------------------------------------

    def prepare_errors(self) -> None:
        """What the model declares of refinements, read anew for each build."""
        if not self.node.stores:
            return
        self.refinery = Refinery.of(self.node, self.config, lambda: self.hidden(self.node.id))
        if self.refinery is not None:
            self.refinery.in_place = self.in_place or bool(self.batch)
            self.refinery.window = self.window
            self.refinery.whole = self.logic

    def refined(self, execute: Execute, sql: str, query: str) -> str:
        """The statement ``sql`` with the good rows of ``query`` in its place: a model without a plan."""
        if self.refinery is None:
            return sql
        if self.refinery.rewritten is None:
            self.refinery.rewrite(execute, query, self.nodes)
        assert self.refinery.rewritten is not None
        if self.refinery.rewritten.inputs:
            raise ConfigError(
                f"meta.cdme refine_inputs needs the model's lineage, which is not captured: {self.why_not}",
                code="REFINE_INPUTS_UNCAPTURED", model=self.node.id, place=self.place,
                remedy="write the predicate in the model, or refine its output",
            )  # fmt: skip
        self.refinery.emit(execute, self.refinery.rewritten.sql)
        return sql.replace(query, self.refinery.good, 1)

    def noting(self, execute: Execute, sql: str) -> str:
        """A seed's statement; where refinements are declared, its COPY notes lines that do not parse."""
        copy = noting_copy(sql)
        if copy == sql or not (self.config.refine or self.config.cast):
            return sql
        self.prepare_errors()
        forget_lines(execute)
        return copy

    def refine_table(self, execute: Execute, table: str) -> None:
        """Take the bad rows out of a table (its name for SQL) that no query made that could be wrapped."""
        if self.node.resource_type == "seed":
            return  # its file is compared with its table first
        if self.refinery is None:
            self.prepare_errors()
        if self.refinery is not None and self.refinery.emission is None:
            self.refinery.emit_table(execute, table)

    def resolve_errors(self, store: StoreWriter) -> None:
        """What was in error until now and is judged by this run is so no more, before the account of a
        table in place asks what earlier runs left."""
        if self.refinery is not None:
            self.refinery.begin(store, self.run_id)
        elif self.generations.had_errors(store, self.node.id):
            resolve_all(store, self.node.id, self.run_id)

    def write_errors(self, execute: Execute, store: StoreWriter) -> None:
        """Write the model's error records beside its account."""
        if self.refinery is None:
            if self.generations.had_errors(store, self.node.id):
                resolve_all(store, self.node.id, self.run_id)
            return
        lines, offset = self.refinery.lines, self.refinery.numbered
        self.refinery.write(execute, store, self.run_id, self.generation)
        if lines:
            write_lines(execute, store, self, offset, self.file_edge)

    def stop(self, execute: Execute, store: StoreWriter, error: CircuitOpen) -> None:
        """Write the errors of the sample that opened the circuit breaker, with their sources."""
        assert self.refinery is not None
        rejected = self.refinery.rejects
        if self.plan is not None and rejected:
            settlement = Settlement(execute, self.plan, rejected)
            for relation, chains in settlement.error_paths().items():
                info = self.plan.relations[relation]
                seen = self.generations.of_input(execute, store, info, self.node.pre_hooked)
                edge = self.edge_id(relation, Role.DIRECT)
                write_chains(execute, store, self, edge, info, seen, chains)
        self.refinery.write(execute, store, self.run_id, self.generation)
        self.findings.append(
            Finding(error.code, error.message, "error", self.node.id, self.place, error.remedy or "")
        )
        self.entries = [
            self.unknown_entry(parent, "the circuit breaker opened")
            for parent in self.nodes.stored_parents(self.node)
        ]

    def keeps_good(self, verdict: GateVerdict) -> bool:
        """Whether the model commits though the gate refuses it: only for too many errors, where its
        configuration says so. The model fails after its commit."""
        errors = [f for f in verdict.findings if f.severity == "error"]
        if self.refinery is None or not self.refinery.commits or any(f.code != THRESHOLD for f in errors):
            return False
        first = errors[0]
        self.overdrawn = GateError(
            first.message, code=first.code, model=self.node.id, place=first.place, remedy=first.remedy
        )
        return True

    def judge_custom(self, execute: Execute, store: StoreWriter) -> None:
        """Take the account of a custom materialization's table back where the table is another now."""
        assert self.custom is not None
        node = self.node
        why = self.custom.judge(execute, node.database, node.schema, self.output_count)
        if not why:
            return
        self.why_not = self.why_not or why
        if self.captured:
            store.forget(self.generation)
            self.entries.clear()
            self.captured = False

    # -- what is not captured --------------------------------------------------------------------

    def write_coarse(self, execute: Execute, store: StoreWriter, target: Target) -> None:
        """The account of a model that was not captured: its edges are there, and opaque."""
        self.entries.clear()
        exists = execute(
            "SELECT count(*) FROM duckdb_tables() WHERE lower(database_name) = "
            f"lower('{target.database}') AND lower(schema_name) = lower('{target.schema}') "
            f"AND lower(table_name) = lower('{target.name}')"
        )[0][0]
        if exists or self.node.materialized == "external":
            self.output_count = int(execute(f"SELECT count(*) FROM {target.quoted}")[0][0])
        self._register_output(execute, store, target)
        self.coarse_edges(store)

    def coarse_edges(self, store: StoreWriter) -> None:
        """Opaque edges from all that the node reads."""
        for relation in self.coarse_inputs():
            self.write_opaque(store, relation, self.why_not)

    def coarse_inputs(self) -> list[str]:
        """The files and stored relations that a node reads, as far as its text and dbt tell."""
        return [*files_read(self.compiled), *self.nodes.stored_parents(self.node)]

    def write_opaque(self, store: StoreWriter, parent: str, why: str) -> None:
        """An edge of which nothing is known below the relation."""
        current = None if parent.startswith("file.") else store.current(parent)
        seen = InputGeneration(current[0] if current else None, current[1] if current else None)
        edge = self.edge_id(parent, Role.DIRECT)
        self._edge(store, edge, parent, Role.DIRECT, Exactness.OPAQUE, None, seen, why)
        self.entries.append(self.unknown_entry(parent, why))

    def unknown_entry(self, parent: str, why: str) -> LedgerEntry:
        """The ledger row of an edge of which nothing is known: never balanced by omission."""
        return LedgerEntry(
            self.run_id, self.node.id, parent, Role.DIRECT, Exactness.OPAQUE,
            self.config.lineage_mode, None, None, None, None, None, None, None,
            self.output_count, Status.UNKNOWN, (), None, why,
        )  # fmt: skip

    def say_ungated(self) -> None:
        """A view stores nothing that could be rolled back: what it declares cannot gate it."""
        self.findings += ungated(self.config, self.node)

    # -- gate ------------------------------------------------------------------------------------

    def gate(self, store: StoreWriter) -> GateVerdict:
        """The gate's verdict on what was settled."""
        judged = judge_model(
            self.entries,
            self.config,
            self.nodes.resolve,
            self.place,
            dt.datetime.now(dt.timezone.utc).date(),
            lambda entry: f" ({entry.why})" if entry.why else "",
        )
        errors = self.refinery.findings() if self.refinery is not None else []
        found = [self._at_construct(finding) for finding in judged.findings]
        return GateVerdict((*found, *errors, *judge_drift(self, store), *judge_epochs(self, store)))

    def _at_construct(self, finding: Finding) -> Finding:
        """A finding on an edge that is not exact, at the construct that is not understood."""
        coarse = self.plan.coarse if self.plan is not None else ()
        for one in coarse if finding.code in (EXACT_REQUIRED, NOT_EXACT) else ():
            if finding.message.endswith(f": {one.why}"):
                return replace(finding, place=self._place(one.origin, one.line, ""))
        return finding

    def mark_hooks(self, execute: Execute, store: StoreWriter, target: Target) -> None:
        """Mend the account where hooks of the transaction changed the table after it."""
        if self.captured and self.before is not None:
            settle_hooks(self, self.before, execute, store, target)


def ungated(config: CdmeConfig, node: NodeInfo) -> list[Finding]:
    """What a node that stores nothing declares and nothing judges."""
    kind = "a view" if node.materialized == "view" else f"an {node.materialized} model"
    read = "read the view" if node.materialized == "view" else "read it"
    return [
        Finding("VIEW_NOT_GATED", f"{name} is not judged on {kind}", "warn", node.id, Place(node.file),
                f"declare it on the stored models that {read}")
        for name in UNGATED if getattr(config, name)
    ]  # fmt: skip


def _unused(account: InputAccount, reasons: Sequence[ReasonCount]) -> int | None:
    """How many records of a lookup nobody asked for; None where what was lost is not told by clause."""
    if account.filtered and not reasons:
        return None
    return sum(r.count for r in reasons if r.unused)


_FILES = re.compile(r"\bread_(?:csv|csv_auto|parquet|json|json_auto|ndjson\w*)\s*\(\s*'([^']+)'", re.I)


def files_read(sql: str) -> list[str]:
    """The ids of the files that a query names in read_csv and its like.

    >>> files_read("SELECT * FROM read_csv('a/*.csv') JOIN read_parquet('b.parquet') USING (x)")
    ['file.a/*.csv', 'file.b.parquet']
    """
    return list(dict.fromkeys(f"file.{path}" for path in _FILES.findall(sql)))
