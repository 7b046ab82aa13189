"""The values in a failing clause: which columns it names, and what this record holds in them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.destinations import Destinations
from cdme_adapter.lineage.fates import Fate
from cdme_adapter.lineage.relations import Table, at_places
from cdme_adapter.lineage.values import MASK, Column
from cdme_adapter.store.reader import Edge
from cdme_adapter.store.rows import losses

_IDENTIFIER = re.compile(r'"((?:[^"]|"")+)"|\b([A-Za-z_]\w*)\b')


def failing_values(ctx: Context, went: Destinations, fates: list[Fate]) -> dict[int, dict[str, Any]]:
    """For each shown record that was lost, the values that the clause saw."""
    found: dict[int, dict[str, Any]] = {}
    places: dict[tuple[int, int], list[int]] = defaultdict(list)
    for at, fate in enumerate(fates):
        if fate.edge is not None and fate.reason is not None:
            places[fate.edge.id, fate.reason.number].append(at)
    for ats in places.values():
        fate = fates[ats[0]]
        if fate.edge is None or fate.reason is None:
            continue
        node = ctx.graph.node(fate.edge.input, fate.edge.input_generation)
        generation = ctx.graph.generation(node)
        if generation is None or ctx.stale(node) is True:
            continue
        table = ctx.table(generation)
        if table is None:
            continue
        lost = f"SELECT i FROM {losses(fate.edge.store, fate.edge.id)} WHERE reason = {fate.reason.number}"
        firsts = went.first(node, ats, lost)
        values = _values(ctx, table, fate.edge, fate.reason.sql, set(firsts.values()))
        found |= {at: values.get(ordinal, {}) for at, ordinal in firsts.items()}
    return found


def _values(
    ctx: Context, table: Table, edge: Edge, clause: str, ordinals: set[int]
) -> dict[int, dict[str, Any]]:
    """The values of the columns that a clause names, as far as this relation has them."""
    from cdme_adapter.lineage.scopes import Scopes

    return _evaluate(ctx, table, Scopes.of(ctx, edge, table).values(clause), sorted(ordinals))


def _evaluate(
    ctx: Context, table: Table, chosen: dict[str, str], ordinals: list[int]
) -> dict[int, dict[str, Any]]:
    """For each record the values of expressions over it."""
    if not chosen or not ordinals:
        return {}
    typed = ", ".join(f'({sql}) AS "c{at}"' for at, sql in enumerate(chosen.values()))
    inner, values = at_places(
        f"SELECT {table.ordinal} AS ord, {typed} FROM {table.source}", table, ordinals
    )
    try:
        types = [str(row[1]) for row in ctx.store.rows(f"DESCRIBE {inner}", values)]
        columns = [Column(f"c{at}", kind) for at, kind in enumerate(types[1:])]
        shown = ", ".join(column.sql("v") for column in columns)
        rows = ctx.store.rows(f"SELECT v.ord, {shown} FROM ({inner}) v", values)
    except Exception:
        return {}
    hidden = {name: _masked(name, sql, table.masked) for name, sql in chosen.items()}
    return {
        row[0]: {
            name: MASK if hidden[name] and value is not None else column.plain(value)
            for name, column, value in zip(chosen, columns, row[1:], strict=True)
        }
        for row in rows
    }


def _masked(name: str, sql: str, masked: Iterable[str]) -> bool:
    words = {(a.replace('""', '"') or b).lower() for a, b in _IDENTIFIER.findall(sql)}
    return bool((words | {name.lower()}) & set(masked))
