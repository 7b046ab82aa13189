"""The Python API of the questions: what ``cdme`` and the dbt run-operations call too.

>>> questions = Questions(con, manifest)            # doctest: +SKIP
>>> questions.trace("daily", "day = DATE '2013-01-01'")["records"][0]["witnesses"]  # doctest: +SKIP

Every method returns the document of docs/commands.md as plain Python values. The connection is only
read; temporary tables are made on it and dropped again. ``frozen=True`` says that nobody can write
while the connection is open (a read-only one), so that metadata and fingerprints are read once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cdme_adapter.lineage.context import DEFAULT_LIMIT, Context
from cdme_adapter.project import Manifest
from cdme_adapter.provenance import LineageMode
from cdme_adapter.store.reader import Store


class Questions:
    """Questions over the stores of a DuckDB connection."""

    def __init__(
        self,
        con: Any,
        manifest: Manifest | None = None,
        *,
        target_path: Path | None = None,
        frozen: bool = False,
        show_pii: bool = False,
    ) -> None:
        self.con = con
        self.manifest = manifest or Manifest()
        self.target_path = target_path
        self.frozen = frozen
        self.show_pii = show_pii
        self._context: Context | None = None
        self._derived: dict[tuple[int, bool], Any] = {}

    def close(self) -> None:
        """Close the connection, where it is the questions' own (``open_questions``)."""
        if self.frozen:
            self.con.close()

    def __enter__(self) -> Questions:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def context(self) -> Context:
        """What a question is answered from; read again unless the connection is frozen."""
        if self._context is None or not self.frozen:
            store = Store(self.con, self.frozen).load()
            self._context = Context.over(store, self.manifest, self.show_pii)
        return self._context

    @contextmanager
    def _asked_about(self, model: str) -> Iterator[Context]:
        """The context for a question about a model; a view is evaluated now, and then let go, and what
        is derivable is derived."""
        ctx = self.context()
        ident = ctx.resolve(model, "model")
        if not ctx.is_view(ident):
            with self._with_upstream(ctx, ident) as found:
                yield found
            return
        from cdme_adapter.lineage.recompute import evaluated

        with evaluated(ctx, model) as now, self._with_upstream(now, ident) as found:
            yield found

    @contextmanager
    def _with_upstream(self, ctx: Context, model: str) -> Iterator[Context]:
        if not _any_derivable(ctx):  # what derives is not even imported
            yield ctx
            return
        from cdme_adapter.lineage.derive import derived, upstream

        with derived(ctx, upstream(ctx, model), self._derived, model) as found:
            yield found

    @contextmanager
    def _with_downstream(self, relation: str) -> Iterator[Context]:
        ctx = self.context()
        if not _any_derivable(ctx):
            yield ctx
            return
        from cdme_adapter.lineage.derive import derived, downstream

        with derived(ctx, downstream(ctx, ctx.resolve(relation)), self._derived) as found:
            yield found

    def trace(
        self,
        model: str,
        where: str | None = None,
        *,
        to: str = "sources",
        role: str = "direct",
        limit: int = DEFAULT_LIMIT,
        order_by: str | None = None,
        fetch: bool = True,
    ) -> dict[str, Any]:
        """The records behind the output records of ``model`` that satisfy ``where``.

        ``to`` is ``sources``, ``parents`` or a relation; ``role`` is ``direct`` or ``all``;
        ``fetch=False`` gives ordinals only.
        """
        from cdme_adapter.lineage.trace import TraceQuestion, trace

        question = TraceQuestion(model, where, to, role, limit, order_by, fetch)
        with self._asked_about(model) as ctx:
            return trace(ctx, question)

    def explain(
        self,
        model: str,
        input: str,
        where: str | None = None,
        *,
        limit: int = DEFAULT_LIMIT,
        order_by: str | None = None,
    ) -> dict[str, Any]:
        """What became, in ``model``, of the records of ``input`` (any ancestor).

        Without ``where`` the whole input is answered for; ``summary`` is complete in any case.
        """
        from cdme_adapter.lineage.explain import ExplainQuestion, explain

        with self._asked_about(model) as ctx:
            return explain(ctx, ExplainQuestion(model, input, where, limit, order_by))

    def ledger(self, run: str | None = None, *, against: str | None = None) -> dict[str, Any]:
        """The account of a run, of the last one by default; ``against`` another, what changed since."""
        from cdme_adapter.lineage import ledger

        store = self.context().store
        found = ledger.read_ledger(store, self.target_path, run)
        if against:
            earlier = ledger.read_ledger(store, self.target_path, against)
            found["against"] = ledger.against(found, earlier)
        return found

    def verify_ledger(self, run: str | None = None) -> dict[str, Any]:
        """Whether the ledger file of a run is whole and says what the store says."""
        from cdme_adapter.lineage.ledger import verify_ledger

        return verify_ledger(self.context().store, self.target_path, run)

    def reconcile(
        self,
        models: Sequence[str] = (),
        *,
        sample: int = 100,
        seed: int = 0,
        limit: int = DEFAULT_LIMIT,
        against: str | None = None,
        progress: Callable[[list[str]], Any] = iter,
        replaying: Callable[[list[int]], Any] = iter,
    ) -> dict[str, Any]:
        """The laws of docs/concepts.md over ``models``, all by default.

        Replay takes ``sample`` output records of each model, chosen by ``seed``; 0 is all of them.
        ``against`` is a run: the tables are compared with what it left in them, and nothing else is done.
        ``progress`` wraps the models as they are done, ``replaying`` the records of each.
        """
        from cdme_adapter.lineage.reconcile import ReconcileQuestion, reconcile

        question = ReconcileQuestion(tuple(models), sample, seed, limit, against, replaying)
        return reconcile(self.context(), question, self.target_path, progress)

    def law_sql(self, law: str, model: str, where: str | None = None) -> str:
        """A SELECT of what breaks a law in a model: what the generic dbt tests run. ``where`` keeps
        ``no_errors`` to some of the error records."""
        from cdme_adapter.lineage.derive import derived, is_derivable
        from cdme_adapter.lineage.laws import law_sql

        ctx = self.context()
        ident = ctx.resolve(model, "model")
        if not is_derivable(ctx, ident):
            return law_sql(law, model, ctx, where=where)
        from cdme_adapter.lineage.laws import as_values

        with derived(ctx, [ident], self._derived, ident) as found:  # its maps are gone when the test runs
            return as_values(found, law_sql(law, model, found, where=where))

    def impact(
        self,
        relation: str,
        where: str | None = None,
        *,
        role: str = "direct",
        limit: int = DEFAULT_LIMIT,
        order_by: str | None = None,
        export: Path | None = None,
        format: str = "csv",
    ) -> dict[str, Any]:
        """Everything downstream of the records of ``relation`` that satisfy ``where``.

        ``export`` is a folder that gets one file (csv, json or parquet) per relation with all
        records that were reached.
        """
        from cdme_adapter.lineage.impact import ImpactQuestion, impact

        question = ImpactQuestion(relation, where, role, limit, order_by, export, format)
        with self._with_downstream(relation) as ctx:
            return impact(ctx, question)

    def errors(
        self,
        model: str | None = None,
        *,
        run: str | None = None,
        history: bool = False,
        limit: int = DEFAULT_LIMIT,
        keeps: Callable[[str], bool] = lambda name: True,
        export: Path | None = None,
    ) -> dict[str, Any]:
        """The present error records, of one model or of all, in groups and one by one.

        ``run`` asks for what a run was the last to reject; ``history`` adds what is resolved;
        ``export`` is a file (csv, json, parquet) that gets every present record with its sources.
        """
        from cdme_adapter.lineage.rejects import errors

        return errors(
            self.context(), model, run=run, history=history, limit=limit, keeps=keeps, export=export
        )

    def witnesses(self, model: str, where: str | None = None, *, to: str, role: str = "direct") -> Any:
        """A DuckDB relation of the records of ``to`` behind records of ``model``, whole and each once.

        It lives as long as the connection; ``.arrow()``, ``.df()`` or more SQL go on from it. Raises
        QuestionError where the records are not known (OPAQUE) or no longer there (STALE_INPUT).
        """
        from cdme_adapter.lineage import frames
        from cdme_adapter.lineage.trace import TraceQuestion

        with self._asked_about(model) as ctx:
            return self._table(frames.witnesses(ctx, TraceQuestion(model, where, to, role)))

    def descendants(self, relation: str, where: str | None = None, *, of: str, role: str = "direct") -> Any:
        """A DuckDB relation of the records of ``of`` that were made from records of ``relation``."""
        from cdme_adapter.lineage import frames
        from cdme_adapter.lineage.impact import ImpactQuestion

        with self._with_downstream(relation) as ctx:
            return self._table(frames.descendants(ctx, ImpactQuestion(relation, where, role), of))

    def fates(self, model: str, input: str, where: str | None = None) -> Any:
        """A DuckDB relation of records of ``input`` with what became of them in ``model``: class,
        first_lost_at, kind, sql, verdict, file and line before the record's own columns."""
        from cdme_adapter.lineage import frames
        from cdme_adapter.lineage.explain import ExplainQuestion

        with self._asked_about(model) as ctx:
            return self._table(frames.fates(ctx, ExplainQuestion(model, input, where)))

    def _table(self, name: str) -> Any:
        return self.con.sql(f"FROM {name}")

    def relation(self, query: str) -> Any:
        """A DuckDB relation of one SELECT, its personal columns masked, for ``.arrow()`` or ``.df()``.

        >>> questions.relation("FROM cdme.filtered_keys").df()  # doctest: +SKIP
        """
        from cdme_adapter.lineage.freesql import masked_query

        return self.con.sql(masked_query(self.context(), query))

    def sql(self, query: str, *, limit: int = DEFAULT_LIMIT) -> dict[str, Any]:
        """The rows of one SELECT over the user's tables and the views of the schema ``cdme``."""
        from cdme_adapter.lineage.freesql import run_sql

        return run_sql(self.context(), query, limit)


def _any_derivable(ctx: Context) -> bool:
    """Whether any model keeps a recipe in place of its reverse joins."""
    return any(edge.mode is LineageMode.KEY_DERIVABLE for edge in ctx.store.edges)
