"""``errors``: the error domain, record by record and in groups (REQ-F-ERR-001..004).

A rejected record stands once in the answer, however many source records it was made of: their number
per input is complete, of their keys a few are shown.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cdme_adapter.lineage.context import DEFAULT_LIMIT, Context
from cdme_adapter.lineage.runs import named_run
from cdme_adapter.lineage.values import MASK, parse_key
from cdme_adapter.store.reader import literal
from cdme_adapter.store.rejects import chains_of, routed_by

SHOWN_SOURCES = 5
NOT_PARSED = "not_parsed"
_COLUMNS = (
    "run_id", "model", "generation", "reject", "failure_type", "failed", "offending_values", "record",
    "record_hash", "first_run_id", "first_seen", "resolved_run_id", "resolved_at",
)  # fmt: skip


def errors(
    ctx: Context,
    model: str | None = None,
    *,
    run: str | None = None,
    history: bool = False,
    limit: int = DEFAULT_LIMIT,
    keeps: Callable[[str], bool] = lambda name: True,
    export: Path | None = None,
) -> dict[str, Any]:
    """The present error records, of one model or of all; docs/commands.md, ``errors``.

    ``run`` asks for those that a run was the last to reject; ``history`` adds those that are
    resolved. ``export`` is a file (csv, json or parquet) that gets all of them, one row a source.
    """
    wanted = ctx.resolve(model, "model") if model else None
    names = [name for name in _models(ctx) if keeps(name) and wanted in (None, name)]
    test = f"x.model IN ({', '.join(map(literal, names)) or 'NULL'})"
    if run is not None:
        test += f" AND x.run_id = {literal(named_run(ctx.store, run))}"
    elif not history:
        test += " AND x.resolved_run_id IS NULL"
    origin = f"FROM {ctx.store.table('store_rejects')} AS x WHERE {test}"
    groups = [
        {"model": row[0], "failure_type": row[1], "count": row[2]}
        for row in ctx.store.rows(
            f"SELECT x.model, x.failure_type, count(*) {origin} GROUP BY ALL ORDER BY 1, 3 DESC, 2"
        )
    ]
    selected = ", ".join(f"CAST(x.{c} AS VARCHAR)" if c.endswith(("_at", "_seen")) else f"x.{c}"
                         for c in _COLUMNS)  # fmt: skip
    rows = ctx.store.rows(
        f"SELECT {selected} {origin} ORDER BY x.model, x.run_id, x.reject"
        + (f" LIMIT {limit}" if limit else "")
    )
    found = [_entry(ctx, dict(zip(_COLUMNS, row, strict=True))) for row in rows]
    count = sum(group["count"] for group in groups)
    answer = {"count": count, "truncated": count > len(found), "groups": groups, "errors": found}
    if export is not None:
        answer["export"] = str(_export(ctx, names, export))
    return answer


def _models(ctx: Context) -> list[str]:
    rows = ctx.store.rows(f"SELECT DISTINCT model FROM {ctx.store.table('store_rejects')} AS x")
    return sorted(str(row[0]) for row in rows)


def _entry(ctx: Context, row: dict[str, Any]) -> dict[str, Any]:
    generation, reject = row.pop("generation"), row.pop("reject")
    sources = _sources(ctx, generation, reject)
    masked = ctx.masking.of(row["model"]).union(*(ctx.masking.of(s["input"]) for s in sources))
    for name in ("offending_values", "record"):
        row[name] = _masked(row[name], masked)
    row["failed"] = list(row["failed"] or ())
    if row["failure_type"] == NOT_PARSED and isinstance(row["offending_values"], dict):
        said = row["offending_values"]
        for source in sources:
            source["keys"] = [{"file": said.get("file"), "line": said.get("line")}]
    first = sources[0] if sources else {}
    keys = first.get("keys") or [None]
    return {
        **row,
        "input": first.get("input"),
        "input_key": keys[0],
        "source_entity": first.get("source_entity"),
        "source_epoch": first.get("source_epoch"),
        "morphism_path": first.get("morphism_path"),
        "sources": sources,
    }


def _sources(ctx: Context, generation: int, reject: int) -> list[dict[str, Any]]:
    """Per input how many records made a rejected record, and the keys of the first."""
    found = []
    for schema in ctx.store.schemas:
        rows = ctx.store.rows(
            "SELECT generation, edge, path, map, input, input_generation, source_entity, source_epoch,"
            f" morphism_path FROM {schema}.store_reject_edges WHERE generation = {generation}"
            " ORDER BY input, edge, path, step"
        )
        edges = {row[1]: row[4:] for row in rows}
        chains = chains_of(row[:4] for row in rows)
        for edge, (source, seen, entity, epoch, path) in edges.items():
            pairs = f"SELECT i FROM ({routed_by(schema, chains[generation, edge])}) WHERE o = {reject}"
            count = int(ctx.store.rows(f"SELECT count(*) FROM ({pairs})")[0][0])
            if count:
                masked = ctx.masking.of(source)
                keys = _keys(ctx, seen, pairs, masked)
                found.append(
                    {"input": source, "count": count, "keys": keys, "source_entity": entity,
                     "source_epoch": epoch, "morphism_path": path}
                )  # fmt: skip
    return found


def _keys(ctx: Context, generation: int | None, pairs: str, masked: frozenset[str]) -> list[Any]:
    known: dict[int, str] = defaultdict(str)
    shown = [row[0] for row in ctx.store.rows(f"{pairs} ORDER BY i LIMIT {SHOWN_SOURCES}")]
    if generation is not None and shown:
        known |= dict(
            ctx.store.rows(
                f"SELECT ordinal, key FROM {ctx.store.table('store_keys')} AS k"
                f" WHERE generation = {generation} AND ordinal IN ({', '.join(map(str, shown))})"
            )
        )
    return [parse_key(known[i] or None, i, masked) for i in shown]


def _masked(text: Any, masked: frozenset[str]) -> Any:
    """Stored JSON as a value, with the masked columns masked."""
    try:
        value = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text
    if not isinstance(value, dict):
        return value
    return {k: MASK if k.lower() in masked and v is not None else v for k, v in value.items()}


def _export(ctx: Context, names: list[str], file: Path) -> Path:
    """All present error records with all their sources, in a file of their own."""
    from cdme_adapter.errors import QuestionError

    kinds = {".csv": "csv, header true", ".json": "json", ".parquet": "parquet"}
    if file.suffix not in kinds:
        raise QuestionError(
            f"{file} has no ending that says what it is",
            code="BAD_EXPORT",
            remedy=f"end it in {', '.join(kinds)}",
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    chosen = ", ".join(map(literal, names)) or "NULL"
    selects = " UNION ALL ".join(
        f"SELECT * FROM {schema}.errors WHERE model IN ({chosen})" for schema in ctx.store.schemas
    )
    target = f"{literal(str(file))} (FORMAT {kinds[file.suffix]})"
    ctx.store.con.execute(f"COPY ({selects} ORDER BY ALL) TO {target}")
    return file
