"""Answers as tables for notebooks: whole records, as many as there are, nothing of them in Python.

Each is a temporary table of the connection, so that a DuckDB relation over it can be filtered, joined
with the user's own tables, or handed on as Arrow or a data frame. Masked columns are masked.
"""

from __future__ import annotations

import itertools
from typing import Any

from cdme_adapter.errors import QuestionError
from cdme_adapter.lineage.asked import Asked
from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.explain import ExplainQuestion, judged
from cdme_adapter.lineage.export import masked_select
from cdme_adapter.lineage.graph import Node
from cdme_adapter.lineage.impact import ImpactQuestion, reached
from cdme_adapter.lineage.relations import Table
from cdme_adapter.lineage.scratch import Scratch
from cdme_adapter.lineage.then import Then
from cdme_adapter.lineage.trace import TraceQuestion, walked
from cdme_adapter.lineage.walk import Layers
from cdme_adapter.store.reader import literal

_NUMBERS = itertools.count(1)


def witnesses(ctx: Context, question: TraceQuestion) -> str:
    """The records of the relation ``question.to`` behind the records that match; each once."""
    model, generation = ctx.stored_model(question.model)
    start, wanted = ctx.graph.node(model, generation.id), ctx.resolve(question.to)
    with Scratch(ctx.store.con) as scratch:
        asked = Asked.of(ctx, scratch, ctx.need_table(generation), question.where, question.order_by)
        origins = Then.of(ctx, scratch, start).layer(asked.together())
        layers, _ = walked(ctx, question, start, scratch, origins)
        return _records(ctx, scratch, layers, wanted)


def descendants(ctx: Context, question: ImpactQuestion, wanted: str) -> str:
    """The records of a model that descend from the records that match; each once."""
    target = ctx.resolve(wanted, "model")
    with Scratch(ctx.store.con) as scratch, reached(ctx, scratch, question) as found:
        return _records(ctx, scratch, found.layers, target)


def fates(ctx: Context, question: ExplainQuestion) -> str:
    """What became of the records that match: class, first_lost_at, kind, sql, verdict, file, line, and
    the record itself."""
    with Scratch(ctx.store.con) as scratch:
        source, found, codes = judged(ctx, question, scratch)
        rows = []
        for (code,) in ctx.store.rows(f"SELECT DISTINCT code FROM {codes}"):
            fate = found.decode(code)
            reason = fate.reason
            said: list[Any] = [fate.name, fate.model, *([None] * 5)]
            if fate.failure is not None:
                failure = fate.failure
                said[2:] = [failure.failure_type, failure.sql, None, failure.file, failure.line]
            if reason is not None:
                said[2:] = [reason.kind.value, reason.sql, fate.verdict, reason.file, reason.line]
            rows.append(f"({code}, {', '.join(_literal(value) for value in said)})")
        names = "code, class, first_lost_at, kind, sql, verdict, file, line"
        what = f"(VALUES {', '.join(rows) or '(NULL, ' + ', '.join(['NULL'] * 7) + ')'}) w({names})"
        typed = (
            "w.class::VARCHAR AS class, w.first_lost_at::VARCHAR AS first_lost_at, w.kind::VARCHAR AS kind,"
            " w.sql::VARCHAR AS sql, w.verdict::VARCHAR AS verdict, w.file::VARCHAR AS file,"
            " w.line::INTEGER AS line, "
        )
        table = _table(ctx, source)
        return _kept(
            ctx,
            f"{masked_select(table, typed)} JOIN {codes} c ON c.ord = {table.ordinal}"
            f" JOIN {what} ON w.code = c.code ORDER BY c.ord",
        )


def _literal(value: Any) -> str:
    return "NULL" if value is None else literal(str(value))


def _table(ctx: Context, node: Node) -> Table:
    generation = ctx.graph.generation(node)
    if generation is None or ctx.stale(node) is True:
        raise QuestionError(
            f"{node.relation} has changed since it was read, so the records of then are not there",
            code="STALE_INPUT",
            remedy="run `dbt build` and ask again; `trace` gives their keys",
        )
    return ctx.need_table(generation)


def _records(ctx: Context, scratch: Scratch, layers: Layers, wanted: str) -> str:
    """The records of one relation that a walk reached."""
    nodes = {node for node, _ in layers if node.relation == wanted}
    selects, table = [], None
    for (node, _), layer in layers.items():
        if node.relation != wanted:
            continue
        if layer.opaque:
            raise QuestionError(
                f"which records of {wanted} they are is not known: an edge on the way is opaque",
                code="OPAQUE",
                remedy="`cdme ledger` says which edge, and why",
            )
        if layer.count:
            table = _table(ctx, node)
            selects.append(f"SELECT ord FROM {layer.in_table(scratch)}")
    if table is None:
        generation = ctx.store.latest_generation(wanted)
        if generation is None:
            raise ctx.no_such_upstream("what was asked about", wanted, {n.relation for n in nodes})
        table = ctx.need_table(generation)
        selects = ["SELECT NULL::BIGINT AS ord WHERE false"]
    chosen = f"({' UNION '.join(selects)}) w"
    return _kept(ctx, f"{masked_select(table)} JOIN {chosen} ON {table.ordinal} = w.ord ORDER BY w.ord")


def _kept(ctx: Context, select: str) -> str:
    name = f"temp.main.cdme_answer_{next(_NUMBERS)}"
    ctx.store.con.execute(f"CREATE TEMP TABLE {name} AS {select}")
    return name
