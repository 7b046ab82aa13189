"""``reconcile --against RUN``: what is in the tables now against what a run left there.

A difference is a violation only where nothing explains it: the same SQL over the same inputs gave
something else. Where the inputs or the SQL have changed too, it is unknown whether the model is
reproducible, and the reason is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cdme_adapter.contents import Content, content_of
from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.runs import named_run
from cdme_adapter.lineage.values import parse_key
from cdme_adapter.store.changes import BASE
from cdme_adapter.store.reader import Generation, literal

LAW = "reproducible"


@dataclass(frozen=True)
class Past:
    """What the store still knows of a generation that a run wrote."""

    generation: int
    store: str
    content: Content | None


def against(ctx: Context, models: Sequence[str], run: str, limit: int) -> list[dict[str, Any]]:
    """One entry for each model that the run wrote: ``missing`` are lost keys, ``added`` new ones."""
    run_id = named_run(ctx.store, run)
    found = []
    for model in models:
        generation = ctx.store.current_generation(model)
        if generation is not None and not generation.evaluated:
            found.append(_compare(ctx, model, generation, run_id, limit))
    return found


def _compare(ctx: Context, model: str, now: Generation, run_id: str, limit: int) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "model": model, "input": None, "law": LAW, "checked": 0, "verdict": "unknown", "why": "",
        "missing": [], "added": [], "columns": [], "rows_then": None, "rows_now": None,
        "missing_count": None, "added_count": None,
    }  # fmt: skip
    then = _past(ctx, model, run_id)
    if then is None:
        return {**entry, "why": f"run {run_id} did not write it, or before contents were kept"}
    table = ctx.table(now)
    here = content_of(ctx.store.rows, table.name) if table else None
    if table is None or then.content is None or here is None:
        why = "it is gone" if table is None else "it has too many values to be hashed"
        return {**entry, "why": why}
    entry |= {"checked": here.rows, "rows_then": then.content.rows, "rows_now": here.rows}
    changed = then.content.changed(here)
    if not changed and (then.content.whole, then.content.rows) == (here.whole, here.rows):
        return {**entry, "verdict": "exact", "missing_count": 0, "added_count": 0}
    reasons = _reasons(ctx, model, now, then, run_id, here)
    entry["columns"] = changed
    entry["verdict"] = "unknown" if reasons else "violation"
    entry["why"] = "; ".join([_said(then.content, here, changed), *reasons])
    _keys(ctx, entry, now, then, limit)
    return entry


def _said(then: Content, now: Content, changed: list[str]) -> str:
    if not changed:
        return "the same values in other rows" if then.columns else "other values"
    rows = f"{then.rows:,} rows then, {now.rows:,} now; " if then.rows != now.rows else ""
    return f"{rows}other values in {', '.join(changed)}"


def _past(ctx: Context, model: str, run_id: str) -> Past | None:
    for schema in ctx.store.schemas:
        rows = ctx.store.rows(
            f"SELECT generation, fingerprint FROM {schema}.store_generations"
            f" WHERE relation = {literal(model)} AND run_id = {literal(run_id)}"
        )
        if rows:
            return Past(rows[0][0], schema, Content.parse(rows[0][1]))
    return None


def _reasons(
    ctx: Context, model: str, now: Generation, then: Past, run_id: str, here: Content
) -> list[str]:
    """What may explain a difference: the table was changed since, other SQL, other inputs."""
    assert then.content is not None
    reasons = []
    held = _held(ctx, now.store, now.id)
    if held is not None and held.changed(here) and then.generation != now.id:
        reasons.append(f"the table was changed after run {now.run_id} had written it")
    hashes = dict(
        ctx.store.rows(
            f"SELECT run_id, sql_hash FROM {ctx.store.table('store_nodes')} AS n"
            f" WHERE node = {literal(model)} AND state = 'committed'"
        )
    )
    if hashes.get(run_id) != hashes.get(now.run_id):
        reasons.append("its SQL has changed")
    if held is None:
        return [*reasons, "which inputs were read is not known"]
    for name in sorted({*held.inputs, *then.content.inputs}):
        before, after = then.content.inputs.get(name), held.inputs.get(name)
        if not _same_input(ctx, now.store, before, after):
            known = before is not None and after is not None
            reasons.append(f"it read {'another' if known else 'an unknown'} generation of {name}")
    return reasons


def _held(ctx: Context, schema: str, generation: int) -> Content | None:
    rows = ctx.store.rows(
        f"SELECT fingerprint FROM {schema}.store_generations WHERE generation = {generation}"
    )
    return Content.parse(rows[0][0]) if rows else None


def _same_input(ctx: Context, schema: str, before: int | None, after: int | None) -> bool:
    """Whether two generations of an input hold the same: one number, or one content."""
    if before is None or after is None:
        return False
    if before == after:
        return True
    one, other = _held(ctx, schema, before), _held(ctx, schema, after)
    return one is not None and other is not None and (one.whole, one.rows) == (other.whole, other.rows)


def _keys(ctx: Context, entry: dict[str, Any], now: Generation, then: Past, limit: int) -> None:
    """Added and lost keys, where the store still has them (store/changes.py)."""
    keys = f"{then.store}.store_keys"
    base = ctx.store.rows(
        f"SELECT key FROM {keys} WHERE generation = {then.generation} AND ordinal = {BASE}"
    )
    if base and base[0][0] == str(now.id):
        mine = f"FROM {keys} WHERE generation = {then.generation}"
        lost, added = f"{mine} AND ordinal >= 0", f"{mine} AND ordinal < 0 AND ordinal > {BASE}"
    elif not base and now.key_columns and then.generation != now.id and _whole(ctx, keys, then):
        other = (
            "FROM {0} WHERE generation = {1} AND key NOT IN (SELECT key FROM {0} WHERE generation = {2})"
        )
        lost = other.format(keys, then.generation, now.id)
        added = other.format(keys, now.id, then.generation)
    else:
        return
    masked = ctx.masking.of(now.relation)
    for name, part in (("missing", lost), ("added", added)):
        entry[f"{name}_count"] = int(ctx.store.rows(f"SELECT count(*) {part}")[0][0])
        rows = ctx.store.rows(f"SELECT key {part} ORDER BY key" + (f" LIMIT {limit}" if limit else ""))
        entry[name] = [parse_key(row[0], 0, masked) for row in rows]


def _whole(ctx: Context, keys: str, then: Past) -> bool:
    """Whether all keys of a past generation are still there: something that is live reads it."""
    assert then.content is not None
    count = ctx.store.rows(f"SELECT count(*) FROM {keys} WHERE generation = {then.generation}")[0][0]
    return int(count) == then.content.rows > 0
