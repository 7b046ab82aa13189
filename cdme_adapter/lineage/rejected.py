"""Why a record is in class error: the rejected record that descends from it, and its failure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from cdme_adapter.engines.rows import literal
from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.destinations import Destinations
from cdme_adapter.lineage.values import MASK
from cdme_adapter.store.reader import Edge, Generation, quote
from cdme_adapter.store.rejects import rejected

_SAID = ("failure_type", "failed", "run_id", "first_seen")


@dataclass(frozen=True)
class Failure:
    """What rejected records of one generation failed first: a refinement, a cast, a line."""

    generation: int
    failure_type: str
    id: str | None
    sql: str | None
    file: str | None
    line: int | None


def failures(ctx: Context, edge: Edge) -> list[Failure]:
    """What the rejected records that stand behind an edge failed; the place of each is its number."""
    schema = edge.store
    rows = ctx.store.rows(
        "SELECT DISTINCT x.generation, x.failure_type, r.reason_id, r.sql, r.file, r.line"
        f" FROM {schema}.store_rejects AS x LEFT JOIN {schema}.store_reject_reasons AS r"
        " ON r.generation = x.generation AND r.failure_type = x.failure_type"
        f" WHERE x.generation IN (SELECT generation FROM ({rejected(edge)})) ORDER BY ALL"
    )
    return [Failure(*row) for row in rows]


def failed(edge: Edge, found: list[Failure]) -> str:
    """A SELECT of (i, number): what the rejected records of each input record failed."""
    values = ", ".join(
        f"({one.generation}, {literal(one.failure_type)}, {number})" for number, one in enumerate(found)
    )
    return (
        f"SELECT r.i, v.number FROM ({rejected(edge)}) AS r JOIN {edge.store}.store_rejects AS x"
        " ON x.generation = r.generation AND x.reject = r.reject"
        f" JOIN (VALUES {values}) AS v(generation, failure_type, number)"
        " ON v.generation = x.generation AND v.failure_type = x.failure_type"
    )


def rejection(
    ctx: Context, went: Destinations, at: int, edge: Edge, failure: Failure
) -> dict[str, Any] | None:
    """The ``reason`` of a shown record of class error, as docs/commands.md has it."""
    node = ctx.graph.node(edge.input, edge.input_generation)
    test = f"t.ord IN (SELECT i FROM ({rejected(edge)}))"
    ordinals = went.reached(node, at, test)
    if not ordinals:
        return None
    values = ctx.store.rows(
        f"SELECT CAST(x.offending_values AS VARCHAR) FROM {edge.store}.store_rejects AS x"
        f" WHERE x.generation = {failure.generation} AND x.failure_type = {literal(failure.failure_type)}"
        f" AND (x.generation, x.reject) IN (SELECT (generation, reject) FROM ({rejected(edge)})"
        f" WHERE i IN ({', '.join(map(str, ordinals))})) ORDER BY x.reject LIMIT 1"
    )
    return {
        "id": failure.id,
        "kind": "error",
        "failure_type": failure.failure_type,
        "sql": failure.sql,
        "verdict": None,
        "values": _values(ctx, edge, values[0][0] if values else None),
        "file": failure.file,
        "line": failure.line,
    }


def present_errors(
    ctx: Context, model: str, generation: Generation | None = None, where: str | None = None
) -> str:
    """A SELECT of the present error records of a model, as a law has its rows.

    ``where`` is over the columns of the model, as its rejected records have them, and over
    ``failure_type``, ``failed``, ``run_id`` and ``first_seen``, where the model has no column of that name.
    """
    table = ctx.table(generation) if generation is not None else None
    columns = {c.name: c.type for c in table.columns} if table is not None and where else {}
    values = [
        f", TRY_CAST(x.record->>{literal(member(name))} AS {kind}) AS {quote(name)}"
        for name, kind in columns.items()
    ]
    taken = {name.lower() for name in columns}
    values += [f", x.{name}" for name in _SAID if name not in taken]
    return (
        "SELECT 'no_errors' AS law, __cdme_model AS model, NULL AS input, __cdme_failure AS problem,"
        " __cdme_reject AS record FROM (SELECT x.model AS __cdme_model, x.failure_type AS __cdme_failure,"
        f" x.reject AS __cdme_reject{''.join(values)} FROM {ctx.store.table('store_rejects')} AS x"
        f" WHERE x.model = {literal(model)} AND x.resolved_run_id IS NULL) AS e WHERE {where or 'TRUE'}"
    )


def member(name: str) -> str:
    """The JSON path of a member.

    >>> member("id")
    '$."id"'
    """
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'$."{escaped}"'


def _values(ctx: Context, edge: Edge, text: str | None) -> dict[str, Any]:
    values = json.loads(text) if text else {}
    masked = ctx.masking.of(edge.input) | ctx.masking.of(edge.model)
    return {k: MASK if k.lower() in masked and v is not None else v for k, v in values.items()}
