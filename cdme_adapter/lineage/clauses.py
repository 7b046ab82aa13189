"""The values in a failing clause: which columns it names, and what this record holds in them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.destinations import Destinations
from cdme_adapter.lineage.fates import Fate
from cdme_adapter.lineage.graph import Node
from cdme_adapter.lineage.relations import Table
from cdme_adapter.lineage.values import MASK, Column
from cdme_adapter.store.reader import Edge
from cdme_adapter.store.rows import losses

_IDENTIFIER = re.compile(r'"((?:[^"]|"")+)"|\b([A-Za-z_]\w*)\b')


def failing_values(ctx: Context, went: Destinations, fates: list[Fate]) -> dict[int, dict[str, Any]]:
    """For each shown record that was lost, the values that the clause saw."""
    found: dict[int, dict[str, Any]] = {}
    for at, fate in enumerate(fates):
        if fate.edge is None or fate.reason is None:
            continue
        node = ctx.graph.node(fate.edge.input, fate.edge.input_generation)
        ordinal = _failing_record(went, at, node, fate)
        if ordinal is None:
            continue
        generation = ctx.graph.generation(node)
        if generation is None or ctx.stale(node) is True:
            continue
        table = ctx.table(generation)
        if table is not None:
            found[at] = _values(ctx, table, fate.edge, fate.reason.sql, ordinal)
    return found


def _failing_record(went: Destinations, at: int, node: Node, fate: Fate) -> int | None:
    """The first descendant of a record at the node where the clause removed it."""
    if fate.edge is None or fate.reason is None:
        return None
    test = (
        f"t.ord IN (SELECT i FROM {losses(fate.edge.store, fate.edge.id)}"
        f" WHERE reason = {fate.reason.number})"
    )
    return next(iter(went.reached(node, at, test)), None)


def _values(ctx: Context, table: Table, edge: Edge, clause: str, ordinal: int) -> dict[str, Any]:
    """The values of the columns that a clause names, as far as this relation has them."""
    from cdme_adapter.lineage.scopes import Scopes

    return _evaluate(ctx, table, Scopes.of(ctx, edge, table).values(clause), ordinal)


def _evaluate(ctx: Context, table: Table, chosen: dict[str, str], ordinal: int) -> dict[str, Any]:
    if not chosen:
        return {}
    typed = ", ".join(f'({sql}) AS "c{at}"' for at, sql in enumerate(chosen.values()))
    inner = f"SELECT {typed} FROM {table.source} WHERE {table.ordinal} = {ordinal}"
    try:
        types = [str(row[1]) for row in ctx.store.rows(f"DESCRIBE {inner}")]
        columns = [Column(f"c{at}", kind) for at, kind in enumerate(types)]
        shown = ", ".join(column.sql("v") for column in columns)
        rows = ctx.store.rows(f"SELECT {shown} FROM ({inner}) v")
    except Exception:
        return {}
    if not rows:
        return {}
    return {
        name: MASK if _masked(name, sql, table.masked) and value is not None else column.plain(value)
        for (name, sql), column, value in zip(chosen.items(), columns, rows[0], strict=True)
    }


def _masked(name: str, sql: str, masked: Iterable[str]) -> bool:
    words = {(a.replace('""', '"') or b).lower() for a, b in _IDENTIFIER.findall(sql)}
    return bool((words | {name.lower()}) & set(masked))
