"""Checks of what the store says against what can be seen: contents, keys and reasons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cdme_adapter.accounting import Kind
from cdme_adapter.contents import Content, content_of
from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.graph import Node
from cdme_adapter.lineage.relations import Table
from cdme_adapter.lineage.values import parse_key
from cdme_adapter.provenance import Role
from cdme_adapter.store.reader import Edge, Generation, StoredReason, literal, quote
from cdme_adapter.store.rows import losses

_SHOWN = 20


@dataclass(frozen=True)
class Audit:
    """The outcome of one check of an edge or, with ``input`` None, of a model."""

    input: str | None
    law: str
    checked: int
    verdict: str
    why: str = ""
    missing: tuple[Any, ...] = ()


def audit_content(ctx: Context, edge: Edge, node: Node) -> Audit:
    """Whether the input is still the generation that was read."""
    generation = ctx.graph.generation(node)
    count = (generation.row_count if generation else None) or 0
    stale = ctx.stale(node)
    if stale is False:
        return Audit(edge.input, "generation", count, "exact")
    if stale == "unknown":
        return Audit(edge.input, "generation", count, "unknown", "no sound fingerprint tells")
    current = ctx.store.current.get(edge.input)
    if current is not None and generation is not None and current == generation.id:
        why = f"its table no longer has the {count:,} records that its run wrote"
        return Audit(edge.input, "generation", count, "violation", why)
    why = "it has changed since it was read: run dbt again"
    return Audit(edge.input, "generation", count, "unknown", why)


def audit_table(ctx: Context, generation: Generation) -> Audit | None:
    """Whether the table is what its run left there, every value of it (REQ-F-ADJ-006)."""
    held, table = Content.parse(generation.fingerprint), ctx.table(generation)
    now = content_of(ctx.store.rows, table.name) if held and table else None
    if held is None or now is None:
        return None
    changed = held.changed(now)
    moved = bool(held.ordered and now.ordered) and held.ordered != now.ordered
    if not changed and held.whole == now.whole and not moved:
        return Audit(None, "content", now.rows, "exact")
    said = f"other values in {', '.join(changed)}" if changed else "the same values in other rows"
    if held.whole == now.whole:
        said = "the same rows in another order, so that ordinals name others"
    elif not held.columns:
        said = "other values"
    why = f"its table is not what its run left there: {said}"
    return Audit(None, "content", now.rows, "violation", why)


def audit_keys(ctx: Context, relation: str, generation: Generation) -> Audit | None:
    """Whether the stored keys are those of the records that they stand for."""
    table = ctx.table(generation)
    if not generation.key_columns or table is None:
        return None
    tests = []
    for name in generation.key_columns:
        column = table.column(name)
        if column is None:
            return Audit(relation, "keys", 0, "violation", f"the key column {name} is gone")
        said = f"json_extract_string(k.key, {literal('$.' + quote(name))})"
        tests.append(
            f"coalesce({said} NOT LIKE 'pii:%', TRUE) AND TRY_CAST({said} AS {column.type})"
            f" IS DISTINCT FROM r.{quote(column.name)}"
        )
    rows = ctx.store.rows(
        f"SELECT k.ordinal, k.key FROM {generation.store}.store_keys k"
        f" LEFT JOIN {table.source} ON {table.ordinal} = k.ordinal"
        f" WHERE k.generation = {generation.id} AND ({' OR '.join(tests)}) ORDER BY 1"
    )
    count = ctx.store.rows(
        f"SELECT count(*) FROM {generation.store}.store_keys WHERE generation = {generation.id}"
    )[0][0]
    if not rows:
        return Audit(relation, "keys", count, "exact")
    masked = ctx.masking.of(relation)
    missing = tuple(parse_key(key, ordinal, masked) for ordinal, key in rows[:_SHOWN])
    return Audit(relation, "keys", count, "violation", "keys that their records do not have", missing)


def audit_reasons(ctx: Context, edge: Edge, node: Node, size: int, seed: int) -> Iterator[Audit]:
    """Whether conjuncts of WHERE judge the records as the store says, where that can be seen."""
    generation = ctx.graph.generation(node)
    table = ctx.table(generation) if generation and ctx.stale(node) is not True else None
    if table is None or edge.role is not Role.DIRECT:
        return
    from cdme_adapter.lineage.scopes import Scopes

    scopes = Scopes.of(ctx, edge, table)
    for reason in ctx.store.reasons(edge):
        if reason.kind is not Kind.WHERE:
            continue
        clause = scopes.over(reason.sql)
        if clause is not None:
            yield _audit_reason(ctx, edge, table, reason, clause, size, seed)


def _audit_reason(
    ctx: Context,
    edge: Edge,
    table: Table,
    reason: StoredReason,
    clause: str,
    size: int,
    seed: int,
) -> Audit:
    """Evaluate a clause on the records that it is said to have removed."""
    import duckdb

    limit = f" ORDER BY hash(i + {seed} * 7919), i LIMIT {size}" if size else ""
    chosen = f"SELECT i, verdict FROM {losses(edge.store, edge.id)} WHERE reason = {reason.number}{limit}"
    said = f"CASE WHEN TRY({clause}) THEN 9 WHEN NOT TRY({clause}) THEN 0 ELSE 1 END"
    try:
        rows = ctx.store.rows(
            f"SELECT f.i, f.verdict, {said} FROM ({chosen}) f"
            f" JOIN {table.source} ON {table.ordinal} = f.i ORDER BY 1"
        )
    except duckdb.Error as error:
        why = f"{reason.sql} cannot be evaluated: {ctx.masking.message(error)}"
        return Audit(edge.input, "reason", 0, "unknown", why)
    wrong = tuple({"rowid": i} for i, verdict, seen in rows if verdict != seen)
    if not wrong:
        return Audit(edge.input, "reason", len(rows), "exact")
    why = f"`{reason.sql}` does not judge these records as the store says"
    return Audit(edge.input, "reason", len(rows), "violation", why, wrong[:_SHOWN])
