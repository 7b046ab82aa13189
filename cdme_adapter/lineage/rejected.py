"""Why a record is in class error: the rejected record that descends from it, and its failure."""

from __future__ import annotations

import json
from typing import Any

from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.destinations import Destinations
from cdme_adapter.lineage.fates import Fate
from cdme_adapter.lineage.values import MASK
from cdme_adapter.store.reader import Edge
from cdme_adapter.store.rejects import routed


def rejections(ctx: Context, went: Destinations, fates: list[Fate]) -> dict[int, dict[str, Any]]:
    """For each shown record of class error its ``reason``, as docs/commands.md has it."""
    found: dict[int, dict[str, Any]] = {}
    for at, fate in enumerate(fates):
        if fate.name != "error" or fate.edge is None:
            continue
        node = ctx.graph.node(fate.edge.input, fate.edge.input_generation)
        test = f"t.ord IN (SELECT i FROM ({routed(fate.edge)}))"
        ordinal = next(iter(went.reached(node, at, test)), None)
        if ordinal is not None:
            found[at] = _rejection(ctx, fate.edge, ordinal)
    return found


def _rejection(ctx: Context, edge: Edge, ordinal: int) -> dict[str, Any]:
    """The first rejected record that an input record took part in."""
    rows = ctx.store.rows(
        "SELECT x.failure_type, r.reason_id, r.sql, r.file, r.line,"
        f" CAST(x.offending_values AS VARCHAR) FROM {edge.store}.store_rejects AS x"
        f" LEFT JOIN {edge.store}.store_reject_reasons AS r"
        " ON r.generation = x.generation AND r.failure_type = x.failure_type"
        f" WHERE x.generation = {edge.output_generation} AND x.reject IN"
        f" (SELECT o FROM ({routed(edge)}) WHERE i = {ordinal}) ORDER BY x.reject LIMIT 1"
    )
    if not rows:
        return {}
    failure, ident, sql, file, line, values = rows[0]
    return {
        "id": ident,
        "kind": "error",
        "failure_type": failure,
        "sql": sql,
        "verdict": None,
        "values": _values(ctx, edge, values),
        "file": file,
        "line": line,
    }


def _values(ctx: Context, edge: Edge, text: str | None) -> dict[str, Any]:
    values = json.loads(text) if text else {}
    masked = ctx.masking.of(edge.input) | ctx.masking.of(edge.model)
    return {k: MASK if k.lower() in masked and v is not None else v for k, v in values.items()}
