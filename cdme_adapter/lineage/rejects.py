"""``errors``: the error domain, record by record (REQ-F-ERR-001..004)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cdme_adapter.lineage.context import DEFAULT_LIMIT, Context
from cdme_adapter.lineage.values import MASK, parse_key
from cdme_adapter.store.reader import literal

_COLUMNS = (
    "run_id", "model", "input", "input_generation", "i", "failure_type", "offending_values",
    "source_entity", "source_epoch", "morphism_path", "record",
)  # fmt: skip


def errors(
    ctx: Context,
    run: str | None = None,
    limit: int = DEFAULT_LIMIT,
    keeps: Callable[[str], bool] = lambda name: True,
) -> dict[str, Any]:
    """The error records of a run; by default of the last run of each model."""
    names = [name for name in _models(ctx) if keeps(name)]
    chosen = f"x.model IN ({', '.join(map(literal, names)) or 'NULL'})"
    chosen += f" AND {_run_test(ctx, run)}"
    origin = f"FROM {ctx.store.table('store_errors')} AS x WHERE {chosen}"
    count = int(ctx.store.rows(f"SELECT count(*) {origin}")[0][0])
    selected = ", ".join(f"x.{name}" for name in _COLUMNS)
    rows = ctx.store.rows(
        f"SELECT {selected} {origin} ORDER BY x.model, x.input, x.i, x.failure_type"
        + (f" LIMIT {limit}" if limit else "")
    )
    found = [_entry(ctx, dict(zip(_COLUMNS, row, strict=True))) for row in rows]
    return {"count": count, "truncated": count > len(found), "errors": found}


def _models(ctx: Context) -> list[str]:
    rows = ctx.store.rows(f"SELECT DISTINCT model FROM {ctx.store.table('store_errors')} AS x")
    return sorted(str(row[0]) for row in rows)


def _run_test(ctx: Context, run: str | None) -> str:
    if run is not None:
        return f"x.run_id = {literal(run)}"
    last = (
        f"SELECT l.model, arg_max(l.run_id, r.started_at) FROM {ctx.store.table('store_ledger')}"
        f" AS l JOIN {ctx.store.table('store_runs')} AS r ON r.run_id = l.run_id GROUP BY l.model"
    )
    return f"(x.model, x.run_id) IN ({last})"


def _entry(ctx: Context, row: dict[str, Any]) -> dict[str, Any]:
    masked = ctx.masking.of(row["input"]) | ctx.masking.of(row["model"])
    ordinal, generation = row.pop("i"), row.pop("input_generation")
    row["input_key"] = parse_key(_key(ctx, generation, ordinal), ordinal, masked)
    for name in ("offending_values", "record"):
        row[name] = _masked(row[name], masked)
    return row


def _key(ctx: Context, generation: int | None, ordinal: int) -> str | None:
    if generation is None:
        return None
    rows = ctx.store.rows(
        f"SELECT key FROM {ctx.store.table('store_keys')} AS k"
        f" WHERE generation = {generation} AND ordinal = {ordinal} LIMIT 1"
    )
    return str(rows[0][0]) if rows else None


def _masked(text: Any, masked: frozenset[str]) -> Any:
    """Stored JSON as a value, with the masked columns masked."""
    try:
        value = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text
    if not isinstance(value, dict):
        return value
    return {k: MASK if k.lower() in masked and v is not None else v for k, v in value.items()}
