"""The part of the adapter that judges the selected models before the first of them runs.

dbt asks the adapter for the schemas of a database before it creates any, before on-run-start hooks
and before the first model: there a run can be refused with nothing written, with or without the dbt
package (docs/decisions/0042-refusal-before-the-run.md). A run that does not ask is judged at its
first model.
"""

from __future__ import annotations

import json
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.base.meta import AdapterMeta
from dbt.adapters.events.logging import AdapterLogger
from dbt_common.exceptions import DbtRuntimeError

from cdme_adapter import plugins
from cdme_adapter.dbt_session import (
    command_name,
    invocation_id,
    manifest_dict,
    retried_ids,
    selected_ids,
    whole_manifest,
)
from cdme_adapter.engines.base import Row
from cdme_adapter.errors import CdmeError, QuestionError
from cdme_adapter.nodes import Outcome
from cdme_adapter.precompile import Precompiler
from cdme_adapter.prove import prove
from cdme_adapter.unbegun import close_unbegun
from cdme_adapter.validation.before_run import Preflight, announce, judge, kept, refusal
from cdme_adapter.validation.candidate import Compile
from cdme_adapter.validation.catalog import load_catalog
from cdme_adapter.validation.command import candidate_of, exit_code, render, run_validate

logger = AdapterLogger("CDME")
_JUDGED = frozenset({"run", "build", "snapshot"})
_LEDGERED = _JUDGED | {"seed", "retry"}
_READS = frozenset({"SELECT", "EXPLAIN", "PRAGMA", "CALL"})


class PreflightMixin(metaclass=AdapterMeta):
    """Mix in before the capture, whose ``execute`` it guards while models are compiled ahead."""

    connections: Any
    config: Any
    _cdme_tell: Any

    def __init__(self, config: Any, mp_context: Any) -> None:
        super().__init__(config, mp_context)  # type: ignore[call-arg]
        self._cdme_preflight: tuple[str, Preflight | None, DbtRuntimeError | None] | None = None
        self._cdme_preflight_lock = threading.RLock()
        self._cdme_ahead = threading.local()
        self._cdme_asked = ""
        # dbt's main thread, before it replaces run_results.json.
        self._cdme_retried = retried_ids(self._cdme_target)

    @property
    def _cdme_target(self) -> Path:
        return Path(str(self.config.project_root), str(self.config.target_path))

    # -- where dbt asks --------------------------------------------------------------------------

    def list_schemas(self, database: str) -> list[str]:
        """Before dbt creates a schema, the run is judged."""
        self._cdme_asked = invocation_id()
        self._cdme_judge()
        found: list[str] = super().list_schemas(database)  # type: ignore[misc]
        return found

    def pre_model_hook(self, config: Any) -> Any:
        """Where dbt did not ask for schemas, the first model is the last moment."""
        if getattr(config, "model", None) is not None:
            self._cdme_judge()
        return super().pre_model_hook(config)  # type: ignore[misc]

    def _cdme_new_run(self, strict: bool = True) -> Any:
        run = super()._cdme_new_run(strict)  # type: ignore[misc]
        judged = self._cdme_preflight[1] if self._cdme_preflight else None
        unheard = run.not_judged() if strict else []
        for finding in unheard:
            logger.warning(f"[{finding.code}] {run.nodes.by_id[finding.model].name}: {finding.message}")
        run.judged = (*unheard, *(kept(judged) if judged is not None else ()))
        if judged is not None:
            ordered = [v for v in judged.report.verdicts if v.rule == "total_order"]
            fine = [v.model for v in ordered if v.verdict == "fine"]
            run.ordered = {model: judged.compiled.get(model, "") for model in fine}
        run.sinks += [self._cdme_prove, self._cdme_sink]
        return run

    def _cdme_end_unbegun(self, outcomes: dict[str, Outcome], failure: BaseException | None) -> bool:
        """Write the ledger of a run whose selection was known and of which no model began.

        Whether there is one: a database that cannot be written has said so already.
        """
        chosen = self._cdme_asked == invocation_id() and command_name() in _LEDGERED
        if not chosen or not (outcomes or failure):
            return False
        interrupted = isinstance(failure, (KeyboardInterrupt, SystemExit))
        try:
            run = self._cdme_new_run(strict=False)
            if self._cdme_retried is not None:
                run.selected = self._cdme_retried
            if self._cdme_preflight is not None and self._cdme_preflight[1] is not None:
                refusals = self._cdme_preflight[1].report.refusals
                run.judged = (*run.judged, *(f for f in refusals if f not in run.judged))
            why = str(failure).strip() if failure and not interrupted else ""
            if not close_unbegun(run, outcomes, why, interrupted):
                return False
            logger.info(f"run {run.run_id} is {run.ledger['status']}")
            self._cdme_tell(run.databases, [*run.recovered, {**run.ledger, "problem": why}])
        except Exception as error:
            logger.debug(f"no ledger of the run that did not begin: {error}\n{traceback.format_exc()}")
            return False
        finally:
            self._cdme_close_side()  # type: ignore[attr-defined]
        return True

    def _cdme_sink(self, run: Any) -> None:
        """Hand the ledger to the plugins; a fault of theirs never fails the run."""
        try:
            list(plugins.each("cdme_ledger_sink", ledger=run.ledger))
        except CdmeError as error:
            logger.warning(str(error))

    def _cdme_prove(self, run: Any) -> None:
        """Write the run's proof, while its databases are open; a fault in it never fails the run."""
        try:
            raw = self._cdme_manifest_file() or manifest_dict(self._cdme_manifest)  # type: ignore[attr-defined]
            preflight = self._cdme_preflight[1] if self._cdme_preflight else None
            prove(run, raw, preflight, Path(str(self.config.project_root)))
        except Exception as error:
            logger.warning(f"[PROOF_FAILED] the proof of run {run.run_id} was not written: {error}")
            logger.debug(traceback.format_exc())

    def list_relations_without_caching(self, schema_relation: Any) -> list[Any]:
        """Looking whether a relation exists does not make a model's text volatile."""
        before = self._cdme_queries()
        found: list[Any] = super().list_relations_without_caching(schema_relation)  # type: ignore[misc]
        self._cdme_ahead.queries = before
        return found

    def execute(
        self, sql: str, auto_begin: bool = False, fetch: bool = False, limit: int | None = None
    ) -> Any:
        """While models are compiled ahead, Jinja may read and not write."""
        if getattr(self._cdme_ahead, "active", False):
            self._cdme_ahead.queries = self._cdme_queries() + 1
            if not _reads_only(sql):
                raise DbtRuntimeError("its Jinja runs a statement that is no query")
        return super().execute(sql, auto_begin, fetch, limit)  # type: ignore[misc]

    def _cdme_queries(self) -> int:
        return int(getattr(self._cdme_ahead, "queries", 0))

    # -- the judgement ---------------------------------------------------------------------------

    def _cdme_judge(self) -> None:
        """Judge once a run; raises where the run is refused, at every model that asks again."""
        if command_name() not in _JUDGED:
            return
        with self._cdme_preflight_lock:
            if self._cdme_preflight is None or self._cdme_preflight[0] != invocation_id():
                self._cdme_preflight = (invocation_id(), None, None)  # also for calls from within
                self._cdme_preflight = (invocation_id(), *self._cdme_judged())
            refused = self._cdme_preflight[2]
        if refused is not None:
            raise refused

    def _cdme_judged(self) -> tuple[Preflight | None, DbtRuntimeError | None]:
        began = time.perf_counter()
        try:
            preflight = self._cdme_look()
        except CdmeError as error:
            return None, DbtRuntimeError(str(error))
        except Exception as error:
            # A fault in the judging is CDME's own; it must not stop a run that nothing speaks against.
            logger.warning(f"[VALIDATION_FAILED] the models were not judged before the run: {error}")
            logger.debug(traceback.format_exc())
            return None, None
        seconds = time.perf_counter() - began
        logger.debug(f"judged {len(preflight.report.models())} models in {seconds:.2f} s")
        for severity, line in announce(preflight.report):
            (logger.warning if severity != "info" else logger.info)(line)
        refused = refusal(preflight.report)
        return preflight, DbtRuntimeError(str(refused)) if refused else None

    def _cdme_look(self) -> Preflight:
        manifest = whole_manifest(self.get_macro_resolver(), self._cdme_target)  # type: ignore[attr-defined]
        raw = self._cdme_manifest_file() or manifest_dict(manifest)
        selected = self._cdme_retried if self._cdme_retried is not None else selected_ids()
        return judge(
            raw,
            self._cdme_read,
            compile_ahead=lambda wanted, existing: self._cdme_compile(manifest, wanted, existing),
            project_dir=str(self.config.project_root),
            target_path=self._cdme_target,
            project_vars={**self.config.vars.to_dict(), **(self.config.cli_vars or {})},
            selected=selected,
            database=str(self.config.credentials.database or ""),
            schema=str(self.config.credentials.schema or ""),
        )

    def _cdme_manifest_file(self) -> dict[str, Any] | None:
        """manifest.json where this invocation has written it: reading it is faster than making it."""
        try:
            raw: dict[str, Any] = json.loads((self._cdme_target / "manifest.json").read_bytes())
        except (OSError, ValueError):
            return None
        same = (raw.get("metadata") or {}).get("invocation_id") == invocation_id()
        return raw if same else None

    def _cdme_read(self, sql: str) -> list[Row]:
        handle = self.connections.get_thread_connection().handle
        return list(handle.cursor().execute(sql).fetchall())

    def _cdme_validate(self, arguments: dict[str, Any]) -> tuple[str, bool]:
        """``dbt run-operation cdme_validate``: text, and whether it is fine (docs/commands.md)."""
        given = dict(arguments)
        output, fail_on = given.pop("output", "table"), given.pop("fail_on", "error")
        dry_run = bool(given.pop("dry_run", False))
        select = given.pop("select", None)
        candidate = candidate_of(given.pop("sql", None), given.pop("name", None), given.pop("yaml", None))
        if given:
            raise QuestionError(
                f"cdme_validate has no argument {', '.join(sorted(given))}", code="BAD_ARGUMENTS",
                remedy="arguments are select, sql, name, yaml, dry_run, fail_on and output",
            )  # fmt: skip
        manifest = whole_manifest(self.get_macro_resolver(), self._cdme_target)  # type: ignore[attr-defined]
        existing = frozenset(load_catalog(self._cdme_read, statistics=False).relations)
        compiled, _ = self._cdme_compile(manifest, list(manifest.nodes), existing, keep=not dry_run)
        if candidate is not None:
            inline = self._cdme_inline(manifest, existing)
            candidate = replace(candidate, compile_sql=inline)
        report = run_validate(
            manifest_dict(manifest),
            self._cdme_read,
            project_dir=str(self.config.project_root),
            target_path=self._cdme_target,
            project_vars={**self.config.vars.to_dict(), **(self.config.cli_vars or {})},
            compiled=compiled,
            database=str(self.config.credentials.database or ""),
            schema=str(self.config.credentials.schema or ""),
            select=[select] if isinstance(select, str) else select,
            candidate=candidate,
            dry_run=dry_run,
        )
        text = json.dumps(report.as_json(), indent=2) if output == "json" else render(report)
        return text, exit_code(report, fail_on) == 0

    def _cdme_compile(
        self, manifest: Any, wanted: list[str], existing: frozenset[str], keep: bool = True
    ) -> tuple[dict[str, str], dict[str, str]]:
        path = self._cdme_target / "cdme" / "compiled.json" if keep else None
        with self._cdme_precompiler(manifest, existing, path) as ahead:
            found = ahead.texts(wanted)
        return found.sql, found.why_not

    def _cdme_inline(self, manifest: Any, existing: frozenset[str]) -> Compile:
        """What has dbt compile a text that is no model."""

        def compile_sql(sql: str, name: str) -> tuple[str, list[str]]:
            with self._cdme_precompiler(manifest, existing, None) as ahead:
                return ahead.inline(sql, name)

        return compile_sql

    @contextmanager
    def _cdme_precompiler(
        self, manifest: Any, existing: frozenset[str], path: Path | None
    ) -> Iterator[Precompiler]:
        """A compiler whose Jinja may read and not write."""
        if not hasattr(manifest, "ref_lookup"):  # before dbt 1.10 it was read from manifest.json
            from dbt.contracts.graph.manifest import Manifest

            manifest = Manifest.from_writable_manifest(manifest)
        self._cdme_ahead.active = True
        try:
            yield Precompiler(
                self.config, manifest, existing=existing, queries=self._cdme_queries, path=path
            )
        finally:
            self._cdme_ahead.active = False


def _reads_only(sql: str) -> bool:
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error:
        return True  # it will not run either
    return all(str(s.type).rsplit(".", 1)[-1] in _READS for s in statements)
