"""Reads layers out: counts that are complete, and as many ordinals as are to be shown."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.graph import Node
from cdme_adapter.lineage.walk import Layer, Layers, Path
from cdme_adapter.provenance import Exactness, Role


@dataclass
class Reached:
    """What one origin reaches in one relation and role."""

    relation: str
    role: Role
    exactness: Exactness = Exactness.EXACT
    count: int | None = 0
    paths: set[Path] = field(default_factory=set)
    ordinals: list[tuple[Node, int]] = field(default_factory=list)


def collect(ctx: Context, layers: Layers, limit: int) -> dict[int, list[Reached]]:
    """Per origin what it reaches, ordered by relation and role; one entry for each pair."""
    found: dict[int, dict[tuple[str, Role], Reached]] = defaultdict(dict)
    for (node, role), layer in layers.items():
        counts, ordinals = _read(ctx, layer, limit)
        for origin in layer.origins:
            entry = found[origin].setdefault((node.relation, role), Reached(node.relation, role))
            entry.exactness = entry.exactness.meet(layer.exactness_of(origin))
            entry.paths |= {path for path, origins in layer.paths.items() if origin in origins}
            if origin in layer.opaque or entry.count is None:
                entry.count = None
                continue
            tag = layer.owner[origin]
            entry.count += counts.get(tag, 0)
            entry.ordinals += [(node, ordinal) for ordinal in ordinals.get(tag, [])]
    return {origin: _finish(entries, limit) for origin, entries in found.items()}


def _finish(entries: dict[tuple[str, Role], Reached], limit: int) -> list[Reached]:
    order = sorted(entries.values(), key=lambda e: (e.relation, list(Role).index(e.role)))
    for entry in order:
        if entry.count is None:
            entry.ordinals = []
        if limit:
            entry.ordinals = entry.ordinals[:limit]
    return order


def _read(ctx: Context, layer: Layer, limit: int) -> tuple[dict[int, int], dict[int, list[int]]]:
    """Per tag the number of records and the first ordinals."""
    if layer.few is not None:
        some = {tag: found[:limit] if limit else found for tag, found in layer.few.items()}
        return {tag: len(found) for tag, found in layer.few.items()}, some
    if layer.table is None:
        return {}, {}
    tags = set(layer.owner.values())
    if len(tags) == 1:
        counts = dict.fromkeys(tags, layer.count)
    else:
        counts = dict(ctx.store.rows(f"SELECT tag, count(*) FROM {layer.table} GROUP BY tag"))
    select = f"SELECT tag, ord FROM {layer.table} ORDER BY tag, ord"
    if limit and len(counts) == 1:
        select += f" LIMIT {limit}"
    elif limit:
        select = (
            f"SELECT tag, ord FROM (SELECT tag, ord, row_number() OVER"
            f" (PARTITION BY tag ORDER BY ord) AS n FROM {layer.table})"
            f" WHERE n <= {limit} ORDER BY tag, ord"
        )
    ordinals: dict[int, list[int]] = defaultdict(list)
    for tag, ordinal in ctx.store.rows(select):
        ordinals[tag].append(ordinal)
    return counts, ordinals


def totals(ctx: Context, layers: Layers) -> list[dict[str, Any]]:
    """How many records one origin reaches in each relation and role, without listing them."""
    return summed(collect(ctx, layers, 1).get(0, []))


def summed(found: list[Reached]) -> list[dict[str, Any]]:
    """The same of what was collected already."""
    shown = [(entry, sorted(entry.paths, key=lambda p: (len(p), p))) for entry in found]
    return [
        {
            "relation": entry.relation,
            "role": entry.role.value,
            "exactness": entry.exactness.value,
            "count": entry.count,
            "path": list(paths[0]) if paths else [],
        }
        for entry, paths in shown
    ]


class Shown:
    """Records by node and ordinal, fetched once for all that is to be shown."""

    def __init__(self, ctx: Context, wanted: dict[int, list[Reached]], fetch: bool = True) -> None:
        self._records: dict[tuple[Node, int], dict[str, Any]] = {}
        by_node: dict[Node, set[int]] = defaultdict(set)
        for entries in wanted.values():
            for entry in entries:
                for node, ordinal in entry.ordinals:
                    by_node[node].add(ordinal)
        for node, ordinals in by_node.items():
            shown = (
                ctx.show(node, sorted(ordinals))
                if fetch
                else {o: {"key": {"rowid": o}, "record": None} for o in ordinals}
            )
            self._records.update({(node, o): record for o, record in shown.items()})

    def entry(self, reached: Reached, limit: int) -> dict[str, Any]:
        """An entry of ``witnesses`` or ``reaches``."""
        paths = sorted(reached.paths, key=lambda p: (len(p), p))
        return {
            "relation": reached.relation,
            "role": reached.role.value,
            "exactness": reached.exactness.value,
            "count": reached.count,
            "path": list(paths[0]) if paths else [],
            "paths": [list(path) for path in (paths[:limit] if limit else paths)],
            "records": [self._records[key] for key in reached.ordinals],
        }


def is_cut(entries: list[dict[str, Any]]) -> bool:
    """Whether any entry lists fewer records than it counts."""
    return any(e["count"] is not None and len(e["records"]) < e["count"] for e in entries)
