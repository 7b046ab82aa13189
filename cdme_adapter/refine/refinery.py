"""One model's refinements in one run: from what is declared to what is written.

The model's journey asks, in this order: :meth:`Refinery.rewrite` of its SQL, :meth:`emit` of the query
(once), :attr:`good` for its own statement, :attr:`rejects` for the settlement, :meth:`write` beside
the account, :meth:`findings` for the gate. Nothing here knows which materialization it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cdme_adapter.capture.plan import CapturePlan
from cdme_adapter.config import CdmeConfig
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import Columns, columns_of, literal, quote
from cdme_adapter.errors import CdmeError, Finding, Place
from cdme_adapter.nodes import NodeInfo, Nodes
from cdme_adapter.pseudonyms import LEFT_OUT
from cdme_adapter.refine.checks import Check, bind
from cdme_adapter.refine.declared import checks_of, late_parents, skipped_tests
from cdme_adapter.refine.emission import EMITTED, ORDINAL, Emission
from cdme_adapter.refine.files import ERRORS, collect_lines, forget_lines, reads_csv
from cdme_adapter.refine.inputs import error_clauses
from cdme_adapter.refine.records import (
    INPUT_REJECTS,
    Hidden,
    InputErrors,
    emission_of_table,
    rows_of_table,
    write_input_records,
    write_records,
)
from cdme_adapter.refine.repeatable import volatile_functions
from cdme_adapter.refine.rewriting import Rewritten, rewrite
from cdme_adapter.refine.verdict import describe, judge_errors, judge_sample
from cdme_adapter.store import rejects
from cdme_adapter.store.writer import StoreWriter

_ENDS = ("'update'", "'delete'")
"""How a snapshot's delta marks the ends of versions: replaced by another, and of a record that is gone."""


class CircuitOpen(CdmeError):
    """The first records failed too often; the model is stopped, its errors so far are kept."""

    code = "CIRCUIT_BREAKER"


@dataclass
class Refinery:
    """The refinements of one node; ``hidden`` gives the SQL that stands for personal columns."""

    node: NodeInfo
    config: CdmeConfig
    hidden: Callable[[], Hidden] = dict
    emission: Emission | None = None
    rewritten: Rewritten | None = None
    input_emitted: int = 0
    input_rejected: int = 0
    """The records of refined inputs, and those of them that were kept out."""
    in_place: bool = False
    """Whether the rows are a delta of a table that stays: earlier errors are not all judged anew."""
    window: tuple[str, str, str] | None = None
    """Of a microbatch: the column of the event's time, and the batch's bounds, the second outside it."""
    whole: str = ""
    """Of a snapshot: the query that its delta is made of. Its rows that are not in the delta are what the
    table has already, and so are judged too."""
    lines: int = 0
    """Lines of files that did not parse."""
    _begun: bool = False
    _late: tuple[str, ...] = ()
    """Relations that are looked into and may be built later than the node."""

    @classmethod
    def of(cls, node: NodeInfo, config: CdmeConfig, hidden: Callable[[], Hidden]) -> Refinery | None:
        """The refinery of a node that declares any refinement, else None."""
        if config.refine or config.refine_inputs or config.cast:
            return cls(node, config, hidden)
        return None

    @property
    def place(self) -> Place:
        """The node's file."""
        return Place(self.node.file)

    # -- before the query runs ---------------------------------------------------------------------

    def rewrite(self, execute: Execute, compiled: str, nodes: Nodes) -> str:
        """The model's SQL with what ``cast`` and ``refine_inputs`` ask for; raises ConfigError."""
        if reads_csv(compiled):
            forget_lines(execute)
        self._late = tuple(late_parents(self.config.refine, self.node, nodes))
        self.rewritten = rewrite(execute, compiled, self.node, nodes, self.config)
        return self.rewritten.sql

    def error_clauses(self, plan: CapturePlan) -> dict[int, Check]:
        """The clauses of a plan that keep bad input records out, with the check of each."""
        inputs = self.rewritten.inputs if self.rewritten else ()
        return {clause: inputs[number][1] for clause, number in error_clauses(plan).items()}

    # -- emit ------------------------------------------------------------------------------------

    def emit(
        self, execute: Execute, select: str, hidden: tuple[str, ...] = (), defers_count: bool = False
    ) -> None:
        """Run ``select`` once and part its rows; ``defers_count``: :meth:`note_good` follows.

        Raises ConfigError for a refinement that does not bind, CircuitOpen where the first records
        fail too often; then the sample's errors are what was emitted.
        """
        self.emission = emission = self._emission(execute, select, hidden)
        emission.defers_count = defers_count
        if self._sample_is_all(execute, emission, select):
            return
        emission.run(execute, select)
        if self.rewritten is not None and ERRORS in self.rewritten.sql:
            self.lines = collect_lines(execute)

    def _sample_is_all(self, execute: Execute, emission: Emission, select: str) -> bool:
        """Judge the first records, where there is a circuit breaker; whether these were all there are."""
        breaker = self.config.circuit_breaker
        if breaker is None:
            return False
        emission.run(execute, select, breaker.sample)
        opened = judge_sample(emission, self.config, self.node.id, self.place)
        if opened:
            raise CircuitOpen(
                opened[0].message, model=self.node.id, place=self.place, remedy=opened[0].remedy
            )
        return emission.rows < breaker.sample

    def emit_table(self, execute: Execute, relation: str) -> None:
        """Take the bad rows out of a table that was built without CDME; raises as :meth:`emit` does."""
        emission = self._emission(execute, f"SELECT * FROM {relation}", ())
        self.emission = replace(emission, extra=("__cdme_row",), may_repeat=False)
        self._sample_is_all(execute, self.emission, rows_of_table(relation))
        emission_of_table(execute, self.emission, relation)

    def _emission(self, execute: Execute, select: str, hidden: tuple[str, ...]) -> Emission:
        drop = f" EXCLUDE ({', '.join(hidden)})" if hidden else ""
        columns: Columns = columns_of(execute, f"SELECT *{drop} FROM ({select})")
        helpers = self.rewritten.helpers if self.rewritten else {}
        checks = [*helpers.values(), *checks_of(self.config.refine, self.node)]
        volatile = volatile_functions(execute)
        bound = bind(execute, checks, columns, self.node, volatile)
        emission = Emission(bound, columns, hidden, tuple(helpers), volatile=volatile)
        emission.may_repeat = not self.in_place
        if self.node.resource_type == "snapshot":
            emission.technical = names = tuple(name for name, _ in columns if name.startswith("dbt_"))
            if "dbt_change_type" in names:
                emission.follows, emission.unjudged = (f"dbt_change_type = {w}" for w in _ENDS)
                emission.partner = tuple(name for name in names if name.startswith("dbt_unique_key"))
        return emission

    def note_good(self, count: int) -> None:
        """How many good rows are in the table."""
        assert self.emission is not None
        self.emission.note_good(count)

    @property
    def good(self) -> str:
        """The query of the good rows."""
        assert self.emission is not None
        return self.emission.good

    @property
    def rejects(self) -> str | None:
        """The rejected rows for the settlement; None where there are none."""
        if self.emission is None or not self.emission.rejected:
            return None
        return self.emission.rejects

    # -- write -----------------------------------------------------------------------------------

    def write(self, execute: Execute, store: StoreWriter, run_id: str, generation: int) -> None:
        """Write the rejected records in the model's transaction; once."""
        emission, model = self.emission, self.node.id
        if emission is None:
            return
        self.begin(store, run_id)
        write_records(store, emission, run_id, model, generation, self.hidden())
        emitted, rejected = self.totals
        rejects.judged(store, run_id, model, generation, emitted, rejected)
        emission.clean(execute)

    def begin(self, store: StoreWriter, run_id: str) -> None:
        """What was in error until now is resolved, once, before this run's errors are written."""
        if not self._begun:
            if rejects.any_present(store, self.node.id):
                rejects.begin(store, self.node.id, run_id, self._judged_again())
            self._begun = True

    def _judged_again(self) -> str:
        """Which present errors this run judges anew: all of them, or of a delta those with the
        unique key of a record that it emitted."""
        if not self.in_place:
            return "TRUE"
        if self.window is not None:
            return self._in_window(*self.window)
        emission, keys = self.emission, self.node.snapshot_key or self.node.unique_key
        there = {name.lower(): name for name, _ in emission.columns} if emission else {}
        if not keys or any(key.lower() not in there for key in keys):
            return "FALSE"
        hidden = self.hidden()
        if any(literal(LEFT_OUT) in hidden.get(key.lower(), "") for key in keys):
            return "FALSE"  # all of them are alike
        then = ", ".join(f"record->>{literal(there[key.lower()])}" for key in keys)
        now = ", ".join(hidden.get(key.lower()) or f"{quote(there[key.lower()])}::VARCHAR" for key in keys)
        judged = [f"temp.{EMITTED}"]
        if self.whole and not self.config.cast:
            judged.append(f"({self.whole}\n)")
        return " OR ".join(f"({then}) IN (SELECT ({now}) FROM {rows})" for rows in judged)

    def _in_window(self, column: str, start: str, end: str) -> str:
        """Of a microbatch: the errors whose event is of the batch; it replaces these rows as a whole."""
        names = [name for name, _ in self.emission.columns] if self.emission else []
        found = [name for name in names if name.lower() == column.lower()]
        if not found or column.lower() in self.hidden():
            return "FALSE"
        at = f"TRY_CAST(record->>{literal(found[0])} AS TIMESTAMP)"
        return f"{at} >= {literal(start)}::TIMESTAMP AND {at} < {literal(end)}::TIMESTAMP"

    def write_inputs(
        self, execute: Execute, store: StoreWriter, run_id: str, generation: int, found: InputErrors
    ) -> str:
        """Write the records of one input that were kept out. Returns a FROM item of (o, i) that leads
        from them to the input, "" where there are none."""
        self.input_emitted += found.count
        if not found.errors:
            return ""
        self.begin(store, run_id)
        offset = (self.emission.rejected if self.emission else 0) + self.input_rejected
        self.input_rejected += found.errors
        write_input_records(execute, store, run_id, self.node.id, generation, found, offset)
        return f"(SELECT {ORDINAL} + {offset} AS o, i FROM temp.{INPUT_REJECTS})"

    @property
    def numbered(self) -> int:
        """How many error records have a number already: the lines of files come after them."""
        return self.totals[1] - self.lines

    @property
    def totals(self) -> tuple[int, int]:
        """Records that were judged, and records that were rejected, of inputs and output together."""
        emission = self.emission
        emitted, rejected = (emission.emitted, emission.rejected) if emission else (0, 0)
        beside = self.input_rejected + self.lines
        return emitted + self.input_emitted + self.lines, rejected + beside

    def findings(self) -> list[Finding]:
        """What the error domain has to say to the gate."""
        found = []
        skipped = skipped_tests(self.config.refine, self.node)
        if skipped:
            found.append(
                Finding(
                    "REFINE_TEST_SKIPPED",
                    f"tests that `refine` does not enforce: {', '.join(skipped)}", "info",
                    self.node.id, self.place, "`dbt test` still runs them",
                )
            )  # fmt: skip
        for late in self._late:
            said = f"relationships looks into {late} as it is now: nothing says that dbt builds it first"
            remedy = "write `-- depends_on: {{ ref('" + late.split(".")[-1] + "') }}` into the model"
            found.append(Finding("REFINE_PARENT_ORDER", said, "warn", self.node.id, self.place, remedy))
        emission = self.emission
        if emission is None:
            return found
        exceeded = judge_errors(emission, self.totals, self.config, self.node.id, self.place)
        if exceeded:
            return found + exceeded
        rejected = self.totals[1]
        if rejected:
            what = describe(emission, rejected - emission.rejected)
            found.append(
                Finding("ERRORS", f"{self.told}, {what}", "info",
                        self.node.id, self.place, "look at them with `cdme errors`")
            )  # fmt: skip
        return found

    @property
    def commits(self) -> bool:
        """Whether the good rows stay though there are more errors than allowed."""
        limit = self.config.error_threshold
        return limit is not None and limit.commits

    @property
    def told(self) -> str:
        """What dbt's log line says of the errors."""
        count = self.totals[1]
        return f"{count:,} error record{'' if count == 1 else 's'}" if count else ""


__all__ = ["CircuitOpen", "Refinery"]
