"""The part of the adapter that captures, over any engine's dbt adapter.

It hooks into five places of a dbt run (docs/architecture.md): before a model, the statement that
builds its table, its commit, after it, and the end of the run.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from dbt.adapters.base.meta import AdapterMeta, available
from dbt.adapters.events.logging import AdapterLogger
from dbt_common.exceptions import DbtRuntimeError

from cdme_adapter.accounting import Status
from cdme_adapter.bind import bind_plan
from cdme_adapter.contents import remember_content
from cdme_adapter.custom import BUILT_IN, Custom
from cdme_adapter.dbt_events import Listener
from cdme_adapter.dbt_pii import pseudonyms_of
from cdme_adapter.dbt_session import (
    batch_window,
    command_name,
    invocation_id,
    retried_ids,
    selected_ids,
    versions,
    what_ended,
    whole_manifest,
)
from cdme_adapter.dbt_tests import renderer
from cdme_adapter.declared import settle_declared
from cdme_adapter.emission import COMMANDS, Early
from cdme_adapter.emit.switch import is_configured
from cdme_adapter.engines.base import Row
from cdme_adapter.errors import (
    CaptureError,
    CdmeError,
    ConfigError,
    GateError,
    unwritable,
)
from cdme_adapter.external_mixin import ExternalMixin
from cdme_adapter.increment import Increment, note_batch
from cdme_adapter.manifest import nodes_of
from cdme_adapter.nodes import Outcome
from cdme_adapter.pipeline import Journey, Target
from cdme_adapter.provenance import LineageMode
from cdme_adapter.python_models import NESTED, run_here, runs_here
from cdme_adapter.refine.kept import KeptErrors
from cdme_adapter.refine.long_lines import shorten
from cdme_adapter.refine.refinery import CircuitOpen
from cdme_adapter.run import Run
from cdme_adapter.seeds import settle_seed
from cdme_adapter.store.parts import PartStore
from cdme_adapter.store.writer import StoreWriter
from cdme_adapter.telemetry import record_spans, telemetry_line
from cdme_adapter.telling_mixin import TellingMixin
from cdme_adapter.views import account_view
from cdme_adapter.watch import total_rows

logger = AdapterLogger("CDME")
_NODES = frozenset({"model", "seed", "snapshot"})
_CAPTURED = frozenset({"table", "incremental", "snapshot", "external"})


class _Armed:
    """The query that the next statement of this thread carries."""

    def __init__(self, compiled: str, target: Target, temporary: bool) -> None:
        self.compiled = compiled
        self.target = target
        self.temporary = temporary


def _as_capture_error(error: Exception, redacted: Callable[[str], str]) -> CaptureError:
    """Why a capture failed, in one line; ``redacted`` takes personal values out of it."""
    if isinstance(error, CaptureError):
        return error
    text = error.message if isinstance(error, CdmeError) else str(error).strip()
    return CaptureError(redacted(text.splitlines()[0]) if text else type(error).__name__)


def told(journey: Journey, result: Any) -> Any:
    """The result of a model's statement, with the number of its error records for dbt's log line."""
    count = journey.refinery.told if journey.refinery is not None else ""
    if not count:
        return result
    response, table = result
    return replace(response, _message=f"{response._message}, {count}"), table


class CaptureMixin(ExternalMixin, TellingMixin, metaclass=AdapterMeta):
    """Mix in before the engine's adapter: ``class CdmeAdapter(CaptureMixin, DuckDBAdapter)``."""

    connections: Any
    config: Any
    _cdme_end_unbegun: Callable[[dict[str, Outcome], BaseException | None], bool]
    _cdme_ended = ""

    def __init__(self, config: Any, mp_context: Any) -> None:
        super().__init__(config, mp_context)  # type: ignore[call-arg]
        self._cdme_run: Run | None = None
        self._cdme_manifest: Any = None
        self._cdme_side: Any = None
        self._cdme_lock = threading.RLock()
        self._cdme_turns: dict[str, threading.Lock] = {}
        # The last of all locks: nothing is waited for while it is held.
        self._cdme_side_lock = threading.RLock()
        self._cdme_thread = threading.local()
        self._cdme_listener = Listener()
        self._cdme_listener.begin()

    # -- connections -----------------------------------------------------------------------------

    def _cdme_execute(self, sql: str) -> list[Row]:
        """Run on this thread's connection, in its transaction if there is one."""
        cursor = self.connections.get_thread_connection().handle.cursor()
        result = cursor.execute(sql)
        return list(result.fetchall())

    def _cdme_side_execute(self, sql: str, values: Sequence[Any] | None = None) -> list[Row]:
        """Run on a connection of CDME's own, committed at once."""
        with self._cdme_side_lock:
            if self._cdme_side is None:
                self._cdme_side = self.connections.env().handle()
            return list(self._cdme_side.cursor().execute(sql, values).fetchall())

    # -- run -------------------------------------------------------------------------------------

    def create_schema(self, relation: Any) -> None:
        """dbt's first write to a database: where it cannot be written, CDME's error says so."""
        try:
            super().create_schema(relation)  # type: ignore[misc]
        except DbtRuntimeError as error:
            if "read-only" not in str(error):
                raise
            raise DbtRuntimeError(str(unwritable(relation.database, error))) from error

    def _cdme_begin(self) -> Run:
        """The run of this process, begun before its first model."""
        with self._cdme_lock:
            if self._cdme_run is None or self._cdme_run.run_id != invocation_id():
                self._cdme_run = self._cdme_new_run()
            return self._cdme_run

    def _cdme_new_run(self, strict: bool = True) -> Run:
        """A run of this invocation; ``strict`` raises ConfigError for options that cannot be followed."""
        target_path = Path(self.config.project_root) / self.config.target_path
        manifest = whole_manifest(self.get_macro_resolver(), target_path)  # type: ignore[attr-defined]
        self._cdme_manifest = manifest
        project_vars = self._cdme_vars()
        self._cdme_early = Early(self._cdme_side_execute)
        run = Run(
            run_id=invocation_id(),
            command=command_name(),
            versions=versions(manifest),
            nodes=nodes_of(manifest, renderer(self.config, manifest, "refine" in str(project_vars))),
            project_vars=project_vars,
            target_path=target_path,
            side=self._cdme_side_execute,
            selected=selected_ids(),
            pseudonyms=pseudonyms_of(manifest, target_path, self._cdme_side_execute),
            telling=is_configured(),
            root=str(self.config.project_root),
        )
        self.connections.redacted = run.pseudonyms.redacted if run.pseudonyms.active else None
        if run.pseudonyms.keyed:
            self._cdme_side_execute(run.pseudonyms.session())
        # Every option of every selected node is read before the first model runs.
        for node in run.nodes.by_id.values():
            if strict and (not run.selected or node.id in run.selected):
                run.config_of(node)
        return run

    @property
    def _journey(self) -> Journey | None:
        return getattr(self._cdme_thread, "journey", None)

    def pre_model_hook(self, config: Any) -> Any:
        """Start the journey of a model, seed or snapshot."""
        context = super().pre_model_hook(config)  # type: ignore[misc]
        node = getattr(config, "model", None)
        self._cdme_thread.journey = None
        self._cdme_thread.armed = None
        self._cdme_thread.delta = self._cdme_thread.written = self._cdme_thread.short = None
        self._cdme_thread.staged = self._cdme_thread.noted = None
        if node is None or str(getattr(node, "resource_type", "")) not in _NODES:
            return context
        try:
            run = self._cdme_begin()
            info = run.nodes.by_id.get(node.unique_id)
            if info is not None:
                run.prepare(info.database)
                if info.database in run.unusable:
                    self._cdme_say_unusable(info.database, run.unusable[info.database])
                    return context
                compiled = getattr(node, "compiled_code", None) or ""
                batch = getattr(getattr(node, "batch", None), "id", None) or ""
                if batch:
                    self._cdme_take_turn(info.id)
                journey = run.journey(info, compiled, batch)
                journey.window = batch_window(node)
                if info.resource_type == "seed" and (journey.config.refine or journey.config.cast):
                    self._cdme_thread.short = shorten(node, self.config.project_root)
                if run.pseudonyms.keyed:
                    self._cdme_execute(run.pseudonyms.session())
                self._cdme_thread.journey = journey
                self._cdme_thread.started = time.perf_counter()
                self._cdme_thread.closed = False
        except CdmeError as error:
            raise DbtRuntimeError(str(error)) from error
        return context

    def _cdme_say_unusable(self, database: str, kind: str) -> None:
        """A database that is not DuckDB's own holds no account: said once, and nothing is claimed."""
        self.connections.warn_once(
            f"[STORE_KIND] the database {database} is of the kind {kind}, in which CDME keeps no account: "
            "its models are built as dbt-duckdb builds them, and are in the ledger as not captured"
        )

    # -- the statement that builds the table -----------------------------------------------------

    @available
    def cdme_arm(self, relation: Any, temporary: bool, compiled: str, header: str | None) -> str:
        """Called where a table's statement is rendered: the next one carries this query."""
        journey = self._journey
        self._cdme_thread.armed = None
        if journey is None or not self._cdme_captures(journey, relation, temporary):
            return ""
        if not temporary and (relation.schema or "").lower() != journey.node.schema.lower():
            return ""  # a delta that is kept in a schema of its own
        if header:
            journey.refuse(CaptureError("the model has a sql_header", code="CAPTURE_SQL_HEADER"))
            return ""
        journey.compiled = compiled
        target = Target(relation.database, relation.schema, relation.identifier)
        if temporary:
            target = Target("temp", "main", relation.identifier)
        self._cdme_thread.armed = _Armed(compiled, target, temporary)
        return ""

    def _cdme_captures(self, journey: Journey, relation: Any, temporary: bool) -> bool:
        """Whether the table that is about to be made is captured, as far as the materialization decides."""
        kind = journey.node.materialized
        if kind in _CAPTURED:
            return True
        if kind in BUILT_IN:
            return False
        if temporary or journey.custom is not None:
            made = journey.custom or Custom(kind, "", journey.node.identifier)
            made.spoil("makes a temporary table" if temporary else "makes several tables")
            journey.custom = made
            return False
        journey.custom = Custom(kind, relation.identifier, journey.node.identifier)
        return True

    @available
    def cdme_arm_python(self, relation: Any, temporary: bool) -> str:
        """The same for a python model: which table its code is going to write."""
        self._cdme_thread.written = (str(relation), temporary)
        return ""

    def execute(
        self, sql: str, auto_begin: bool = False, fetch: bool = False, limit: int | None = None
    ) -> Any:
        """Execute a statement; the one that builds a table is captured."""
        armed: _Armed | None = getattr(self._cdme_thread, "armed", None)
        journey = self._journey
        if armed and journey and armed.compiled in sql and "create" in sql.lower():
            self._cdme_thread.armed = None
            return self._cdme_build(journey, armed, sql, auto_begin, fetch, limit)
        increment = journey.increment if journey else None
        if journey and increment and increment.meddles(sql):
            journey.increment = None
            journey.refuse(CaptureError("the table is written before the delta is brought into it"))
        elif journey and increment and increment.is_change(sql):
            return self._cdme_change(journey, increment, sql, auto_begin, fetch, limit)
        sql = self._cdme_over_staged(sql)
        result = super().execute(sql, auto_begin, fetch, limit)  # type: ignore[misc]
        if journey is not None and journey.custom is not None:
            journey.custom.see(sql)
        if journey is None or (journey.node.materialized != "external" and journey.node.language == "sql"):
            return result
        return told(journey, result)  # dbt's log line has the message of a later statement

    def _cdme_build(
        self, journey: Journey, armed: _Armed, sql: str, auto_begin: bool, fetch: bool,
        limit: int | None,
    ) -> Any:  # fmt: skip
        plain: Any = super().execute  # type: ignore[misc]
        connection = self.connections.get_thread_connection()
        begin = auto_begin or armed.temporary
        if begin and not connection.transaction_open and not self.connections.disable_transactions:
            self.connections.begin()
        journey.in_place = armed.temporary
        if not connection.transaction_open:
            journey.prepare_errors()
            journey.refuse(CaptureError("the project disables transactions", code="CAPTURE_NO_TRANSACTION"))
            return self._cdme_uncaptured(journey, armed, sql, auto_begin, fetch, limit)
        try:
            journey.make_plan(self._cdme_execute)
            bind_plan(journey)
        except ConfigError as error:
            raise DbtRuntimeError(str(error)) from error
        if journey.plan is None:
            result = self._cdme_uncaptured(journey, armed, sql, auto_begin, fetch, limit)
            self._cdme_expect(journey, armed)
            return result
        done = list(self.connections.journal())
        started = time.perf_counter()
        try:
            journey.stages(self._cdme_execute)
            bare = sql.replace(armed.compiled, "", 1).lower()
            aside = "insert into" in bare and bool(journey.plan.root.hidden)
            query = journey.keep_full(self._cdme_execute) if aside else journey.root_select()
            result = plain(sql.replace(armed.compiled, query, 1), False, fetch, limit)
            (journey.pair_full if aside else journey.split)(self._cdme_execute, armed.target)
            journey.seconds["execute"] = time.perf_counter() - started
            if armed.temporary:
                self._cdme_thread.delta = (armed, sql)
                self.connections.journal()[:] = [*done, (sql, None)]
                self._cdme_expect(journey, armed)
                return result
            store = StoreWriter(self._cdme_execute, journey.node.database)
            journey.settle(self._cdme_execute, store, armed.target)
            return told(journey, result)
        except CircuitOpen as error:
            self._cdme_stop(journey, error)
        except ConfigError as error:  # the user's to mend: dbt rolls the model back
            raise DbtRuntimeError(str(error)) from error
        except Exception as error:
            if "INTERRUPT" in str(error):  # Ctrl-C, or dbt cancels the query: not to be run again
                raise DbtRuntimeError(str(error)) from error
            # The capture's fault, or the model's: the plain build tells.
            journey.increment = None
            result = self._cdme_fall_back(journey, armed, error, done, sql, fetch, limit)
            if armed.temporary:
                self._cdme_expect(journey, armed)
            return result

    def _cdme_expect(self, journey: Journey, armed: _Armed) -> None:
        """A delta is there: expect the statement that brings it into the table."""
        node = journey.node
        if not armed.temporary or journey.why_not == "lineage_mode is off":
            return
        if journey.increment is not None:
            journey.increment = None
            return journey.refuse(CaptureError("the model makes several deltas"))
        target = Target(node.database, node.schema, node.identifier)
        journey.increment = Increment(journey, armed.target, target)
        store = StoreWriter(self._cdme_execute, node.database)
        journey.increment.settle_delta(self._cdme_execute, store)

    def _cdme_change(
        self, journey: Journey, increment: Increment, sql: str, auto_begin: bool, fetch: bool,
        limit: int | None,
    ) -> Any:  # fmt: skip
        """Execute the statement that brings a delta into the table, and account for its rows."""
        plain: Any = super().execute  # type: ignore[misc]
        connection = self.connections.get_thread_connection()
        if auto_begin and not connection.transaction_open and not self.connections.disable_transactions:
            self.connections.begin()
        done = list(self.connections.journal())
        try:
            pairing = increment.before(self._cdme_execute, sql)
        except Exception as error:
            return self._cdme_give_up(journey, error, done, sql, fetch, limit)
        result = plain(sql, False, fetch, limit)
        started = time.perf_counter()
        try:
            store = StoreWriter(self._cdme_execute, journey.node.database)
            increment.after(self._cdme_execute, store, pairing)
        except ConfigError as error:
            raise DbtRuntimeError(str(error)) from error
        except Exception as error:
            return self._cdme_give_up(journey, error, done, sql, fetch, limit)
        journey.seconds["settle"] = time.perf_counter() - started
        return told(journey, result)

    def _cdme_give_up(
        self, journey: Journey, error: Exception, done: list[Any], sql: str, fetch: bool,
        limit: int | None,
    ) -> Any:  # fmt: skip
        """The change was not understood: the table is written, its edges will be opaque."""
        if "INTERRUPT" in str(error):
            raise DbtRuntimeError(str(error)) from error
        journey.increment = None
        return self._cdme_fall_back(journey, None, error, done, sql, fetch, limit)

    def _cdme_uncaptured(
        self, journey: Journey, armed: _Armed, sql: str, auto_begin: bool, fetch: bool,
        limit: int | None,
    ) -> Any:  # fmt: skip
        """Build a model without a plan; what it declares of refinements holds all the same."""
        plain: Any = super().execute  # type: ignore[misc]
        if journey.refinery is None:
            return plain(sql, auto_begin, fetch, limit)
        try:
            sql = journey.refined(self._cdme_execute, sql, armed.compiled)
        except CircuitOpen as error:
            self._cdme_stop(journey, error)
        except Exception as error:
            raise DbtRuntimeError(str(error)) from error
        return told(journey, plain(sql, False, fetch, limit))

    def _cdme_stop(self, journey: Journey, error: CircuitOpen, own: bool = False) -> NoReturn:
        """The circuit breaker opened: keep the errors of the sample and fail the model; ``own``: in a
        transaction that CDME began."""
        store = StoreWriter(self._cdme_execute, journey.node.database)
        journey.stop(self._cdme_execute, store, error)
        self._cdme_thread.closed = True
        self._cdme_reject(self._cdme_begin(), journey, own)
        raise DbtRuntimeError(str(error)) from error

    def _cdme_fall_back(
        self, journey: Journey, armed: _Armed | None, error: Exception, done: list[Any], sql: str,
        fetch: bool, limit: int | None,
    ) -> Any:  # fmt: skip
        """Build the model plain in a fresh transaction, after what its hooks had done in it."""
        reason = _as_capture_error(error, self._cdme_begin().pseudonyms.redacted)
        logger.debug(f"capture of {journey.node.id} failed: {reason.message}")
        self.connections.rollback_if_open()
        self.connections.begin()
        journey.refuse(reason)
        journey.prepare_errors()
        for statement, bindings in done:
            delta = getattr(self._cdme_thread, "delta", None)
            if delta is not None and statement == delta[1] and journey.refinery is not None:
                self._cdme_uncaptured(journey, delta[0], statement, False, False, None)
            else:
                self.connections.add_query(statement, auto_begin=False, bindings=bindings)
        if armed is None:
            result = super().execute(sql, False, fetch, limit)  # type: ignore[misc]
        else:
            result = self._cdme_uncaptured(journey, armed, sql, False, fetch, limit)
        journey.entries.clear()
        return result

    def submit_python_job(self, parsed_model: dict[str, Any], compiled_code: str) -> Any:
        """Run a python model in its model's transaction."""
        environment, journey = self.connections.env(), self._journey
        plain: Any = super().submit_python_job  # type: ignore[misc]
        if journey is None or self.connections.disable_transactions or not runs_here(environment):
            return plain(parsed_model, compiled_code)
        connection = self.connections.get_thread_connection()
        if not connection.transaction_open:
            self.connections.begin()
        try:
            run_here(environment, connection.handle.cursor(), parsed_model["alias"], compiled_code)
        except DbtRuntimeError as error:
            if not any(words in str(error) for words in NESTED):
                raise
            self.connections.rollback_if_open()
            journey.refuse(
                CaptureError("its code opens a transaction itself", code="CAPTURE_NO_TRANSACTION")
            )
            return plain(parsed_model, compiled_code)
        written = getattr(self._cdme_thread, "written", None)
        if written is not None:
            table, journey.in_place = written
            try:
                journey.refine_table(self._cdme_execute, table)
            except CircuitOpen as error:
                self._cdme_stop(journey, error)
            except ConfigError as error:
                raise DbtRuntimeError(str(error)) from error
        return told(journey, (self.connections.get_response(None), None))[0]

    def add_query(self, sql: str, *args: Any, **kwargs: Any) -> Any:
        """Execute a statement; the one that copies a seed's file notes lines that do not parse."""
        journey = self._journey
        if journey is not None and journey.node.resource_type == "seed":
            self._cdme_restore_seed()
            sql = journey.noting(self._cdme_execute, sql)
        return super().add_query(sql, *args, **kwargs)  # type: ignore[misc]

    def _cdme_restore_seed(self) -> None:
        short = getattr(self._cdme_thread, "short", None)
        if short is not None:
            short.restore()

    # -- commit ----------------------------------------------------------------------------------

    def commit_if_has_connection(self) -> None:
        """Write the account and ask the gate, then commit both with the model's rows."""
        journey = self._journey
        if journey is not None and not self._cdme_thread.closed:
            self._cdme_thread.closed = True
            try:
                self._cdme_close(journey)
            except ConfigError as error:
                raise DbtRuntimeError(str(error)) from error
        super().commit_if_has_connection()  # type: ignore[misc]
        self._cdme_place_file()
        if journey is not None and journey.overdrawn is not None:
            overdrawn, journey.overdrawn = journey.overdrawn, None
            self._cdme_begin().states[journey.node.id] = "rejected"
            raise DbtRuntimeError(str(overdrawn))

    def _cdme_close(self, journey: Journey) -> None:
        run = self._cdme_begin()
        node = journey.node
        if node.materialized == "view":
            journey.say_ungated()
            run.view_texts[node.id] = journey.compiled
            run.states[node.id] = "committed"
            return
        own = not self.connections.get_thread_connection().transaction_open
        if own:
            self._cdme_execute("BEGIN")
        store = StoreWriter(self._cdme_execute, node.database)
        target = Target(node.database, node.schema, node.identifier)
        journey.refine_table(self._cdme_execute, target.quoted)
        if node.resource_type == "seed":
            self._cdme_close_seed(journey, store, target, own)
        journey.mark_hooks(self._cdme_execute, store, target)
        if journey.config.witnesses:
            settle_declared(journey, self._cdme_execute, store, target)
        if journey.custom is not None:
            journey.judge_custom(self._cdme_execute, store)
        if not journey.captured:
            if not journey.why_not:
                journey.why_not = (
                    "nothing tells which rows a python model made of which: declare its witnesses"
                    if node.language == "python"
                    else f"the materialization {node.materialized} does not go through create_table_as"
                )
            journey.write_coarse(self._cdme_execute, store, target)
        journey.write_errors(self._cdme_execute, store)
        if journey.output_count is not None and journey.config.lineage_mode is not LineageMode.OFF:
            anew = node.materialized == "table" and journey.captured and not node.post_hooked
            known = (journey.written, journey.inputs) if anew and journey.written else (None, None)
            remember_content(self._cdme_execute, store, journey.generation, target.quoted, *known)
        verdict = journey.gate(store)
        journey.findings += verdict.findings
        if verdict.refused and not journey.keeps_good(verdict):
            self._cdme_reject(run, journey, own)
        if journey.batch:
            note_batch(journey, PartStore(store))
        self._cdme_write(store, journey, "committed", "")
        self._cdme_note_file(journey, store)
        if own:
            self._cdme_execute("COMMIT")
        if run.states.get(node.id) not in ("failed", "rejected"):  # another batch of it, say
            run.states[node.id] = "committed"
        run.note(journey.entries)
        for finding in verdict.findings:
            if finding.severity == "warn" and finding.code != "NOT_EXACT":
                logger.warning(f"[{finding.code}] {node.name}: {finding.message}")

    def _cdme_close_seed(self, journey: Journey, store: StoreWriter, target: Target, own: bool) -> None:
        try:
            settle_seed(journey, self._cdme_execute, store, target, self._cdme_seed(journey.node))
        except CircuitOpen as error:
            self._cdme_stop(journey, error, own)
        if journey.refinery is not None and journey.refinery.told:  # dbt's line has been made by now
            logger.info(f"{journey.node.name}: {journey.refinery.told}")

    def _cdme_seed(self, node: Any) -> dict[str, Any]:
        manifest_node = self._cdme_manifest.nodes[node.id]
        return {
            "path": str(Path(manifest_node.root_path or "") / manifest_node.original_file_path),
            "shown": manifest_node.original_file_path,
            "delimiter": getattr(manifest_node.config, "delimiter", None) or ",",
        }

    def _cdme_reject(self, run: Run, journey: Journey, own: bool) -> None:
        """Roll the model back and keep the evidence; raises."""
        kept = KeptErrors.of(journey, StoreWriter(self._cdme_execute, journey.node.database))
        if own:
            self._cdme_execute("ROLLBACK")
        else:
            self.connections.rollback_if_open()
        errors = [finding for finding in journey.findings if finding.severity == "error"]
        message = "; ".join(finding.message for finding in errors)
        store = StoreWriter(self._cdme_side_execute, journey.node.database)
        self._cdme_write(store, journey, "rejected", message)
        kept.restore(store)
        run.states[journey.node.id] = "rejected"
        run.note(journey.entries)
        first = errors[0]
        raise DbtRuntimeError(
            str(GateError(message, code=first.code, model=journey.node.id, place=first.place,
                          remedy=first.remedy))
        )  # fmt: skip

    def _cdme_write(self, store: StoreWriter, journey: Journey, state: str, message: str) -> None:
        seconds = journey.seconds
        store.ledger(journey.entries)
        store.totals(journey.run_id, journey.node.id, total_rows(journey))
        store.epochs(journey.run_id, journey.node.id, journey.epochs)
        store.unaccounted(journey.run_id, journey.node.id, journey.unaccounted)
        store.findings(journey.run_id, journey.findings)
        store.node(
            journey.run_id, journey.node.id, state, journey.node.materialized, journey.sql_hash,
            (seconds.get("plan", 0.0), seconds.get("execute", 0.0), seconds.get("settle", 0.0)),
            message,
        )  # fmt: skip
        logger.debug(telemetry_line(journey, state))

    def post_model_hook(self, config: Any, context: Any) -> None:
        """Close what never came to its commit; account for views that nobody reads."""
        super().post_model_hook(config, context)  # type: ignore[misc]
        self._cdme_drop_file()
        self._cdme_restore_seed()
        journey = self._journey
        self._cdme_thread.journey = None
        if journey is None:
            return
        try:
            self._cdme_end(journey)
        finally:
            self._cdme_give_turn(journey)

    def _cdme_take_turn(self, node: str) -> None:
        """Batches of one model that dbt runs at once change its table one after another."""
        with self._cdme_lock:
            turn = self._cdme_turns.setdefault(node, threading.Lock())
        turn.acquire()
        self._cdme_thread.turn = turn

    def _cdme_give_turn(self, journey: Journey) -> None:
        turn = getattr(self._cdme_thread, "turn", None)
        if turn is not None:
            self._cdme_thread.turn = None
            turn.release()

    def _cdme_end(self, journey: Journey) -> None:
        """What is left to do once dbt has done with a node."""
        run = self._cdme_begin()
        failed = sys.exc_info()[1]
        if failed is not None:
            self._cdme_failed(run, journey, failed)
        elif not self._cdme_thread.closed and journey.batch:
            self._cdme_failed(run, journey, DbtRuntimeError(f"batch {journey.batch} failed"))
        elif not self._cdme_thread.closed:
            self._cdme_thread.journey = journey
            self._cdme_close(journey)
            self._cdme_thread.journey = None
        elif journey.node.materialized == "view":
            self._cdme_view(run, journey)

    def _cdme_failed(self, run: Run, journey: Journey, failed: BaseException) -> None:
        if run.states.get(journey.node.id) == "rejected":
            return
        run.states[journey.node.id] = "failed"
        message = str(failed).strip()
        journey.entries = []
        if journey.node.stores and not journey.batch:
            journey.entries = [
                journey.unknown_entry(parent, "the node failed")
                for parent in run.nodes.stored_parents(journey.node)
            ]
        store = StoreWriter(self._cdme_side_execute, journey.node.database)
        with self._cdme_lock:
            self._cdme_write(store, journey, "failed", run.pseudonyms.redacted(message)[:2000])
        run.note(journey.entries)

    def _cdme_connect(self) -> Any:
        """A connection of its own in the same environment, which knows the key of pseudonyms."""
        handle = self.connections.env().handle()
        pseudonyms = self._cdme_begin().pseudonyms
        if pseudonyms.keyed:
            handle.cursor().execute(pseudonyms.session())
        return handle

    def _cdme_view(self, run: Run, journey: Journey) -> None:
        """A view that no stored model reads is accounted as of now; it cannot fail the run."""
        if run.nodes.is_read_by_stored(journey.node.id):
            store = StoreWriter(self._cdme_side_execute, journey.node.database)
            self._cdme_write(store, journey, "committed", "")
        else:
            account_view(
                journey, self._cdme_connect, lambda store: self._cdme_write(store, journey, "committed", "")
            )
        run.note([e for e in journey.entries if e.status is not Status.UNBALANCED])

    # -- end -------------------------------------------------------------------------------------

    def cleanup_connections(self) -> None:
        """End the run: dbt calls this when its nodes and on-run-end hooks are done."""
        try:
            self._cdme_finish()
        finally:
            super().cleanup_connections()  # type: ignore[misc]

    def _cdme_finish(self) -> None:
        run = self._cdme_run
        ending = what_ended()
        interrupted = isinstance(ending, (KeyboardInterrupt, SystemExit))
        outcomes = self._cdme_listener.take()
        if self._cdme_ended == invocation_id():  # dbt cleans its connections up more than once
            return
        if run is None:
            self._cdme_ended = invocation_id() if outcomes or ending else ""
            if not self._cdme_end_unbegun(outcomes, ending) and command_name() in COMMANDS:
                self._cdme_tell_outcomes(outcomes, ending)
            return
        self._cdme_run, self._cdme_ended = None, run.run_id
        retried = retried_ids(run.target_path)
        if retried is not None:
            run.selected = retried
        try:
            status = run.finish(interrupted, outcomes)
            logger.info(f"run {run.run_id} is {status.value}")
            if run.ledger:
                record_spans(run.ledger)
            if run.databases:
                self._cdme_tell(run.databases, [*run.recovered, run.ledger])
        finally:
            self._cdme_close_side()

    def _cdme_close_side(self) -> None:
        if self._cdme_side is not None:
            self._cdme_side.close()
            self._cdme_side = None
