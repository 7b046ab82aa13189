"""Writes what a walk reached as files, one per relation, for people to hand over."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.graph import Node
from cdme_adapter.lineage.relations import Table
from cdme_adapter.lineage.scratch import Scratch
from cdme_adapter.lineage.values import MASK
from cdme_adapter.lineage.walk import Layers
from cdme_adapter.store.reader import literal, quote

FORMATS = ("csv", "json", "parquet")


def export_layers(
    ctx: Context, scratch: Scratch, layers: Layers, folder: Path, kind: str
) -> list[dict[str, Any]]:
    """A file of all records that were reached in each relation; masked columns stay masked."""
    folder.mkdir(parents=True, exist_ok=True)
    parts: dict[Node, list[str]] = defaultdict(list)
    for (node, _), layer in layers.items():
        if layer.count:
            parts[node].append(f"SELECT ord FROM {layer.in_table(scratch)}")
    files = []
    for node, selects in sorted(parts.items()):
        generation = ctx.graph.generation(node)
        table = ctx.table(generation) if generation else None
        if table is None or ctx.stale(node) is True:
            files.append({"relation": node.relation, "path": None, "count": None})
            continue
        path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', node.relation)}.{kind}"
        made = ctx.store.rows(
            f"COPY ({masked_select(table)} JOIN ({' UNION '.join(selects)}) w"
            f" ON {table.ordinal} = w.ord ORDER BY w.ord)"
            f" TO {literal(str(path))} ({options(kind)})"
        )
        files.append({"relation": node.relation, "path": str(path), "count": made[0][0]})
    return files


def options(kind: str) -> str:
    """The options of COPY for a kind of file."""
    return {"csv": "FORMAT csv, HEADER", "json": "FORMAT json, ARRAY true"}.get(kind, "FORMAT parquet")


def masked_select(table: Table, more: str = "") -> str:
    """A SELECT of a table's records, after ``more`` columns, with masked columns masked."""
    columns = []
    for column in table.columns:
        name = quote(column.name)
        if column.name.lower() in table.masked:
            columns.append(f"CASE WHEN r.{name} IS NOT NULL THEN {literal(MASK)} END AS {name}")
        else:
            columns.append(f"r.{name}")
    return f"SELECT {more}{', '.join(columns)} FROM {table.source}"
