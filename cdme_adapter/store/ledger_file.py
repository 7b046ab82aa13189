"""``ledger.json``: the account of a run as a file, built from the store alone (REQ-F-ACC-002).

The file is replaced atomically: whoever reads it sees the whole old one or the whole new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cdme_adapter.store.schema import VERSION

Execute = Callable[[str], list[Any]]

COLUMNS = (
    "model", "input", "role", "exactness", "lineage_mode", "cardinality", "input_count",
    "contributed_count", "filtered_count", "error_count", "unaccounted_count", "consulted_count",
    "output_count", "status", "unused_count", "why",
)  # fmt: skip

CHAIN = "ledger_chain"
"""The name under which ``store_meta`` keeps the id of a database's chain of ledgers."""

_TIME = "strftime({} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ')"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def build_run(execute: Execute, run_id: str, schemas: Sequence[str]) -> dict[str, Any]:
    """The ledger of a run over all databases that it wrote; ``schemas`` are qualified and quoted."""
    parts = [build_ledger(execute, run_id, schema) for schema in schemas]
    merged = parts[0]
    for other in parts[1:]:
        for name in ("edges", "nodes", "findings", "discrepancies"):
            merged[name] += other[name]
        for name in ("chains", "previous_hashes"):
            merged[name] |= other[name]
    merged["ledger_hash"] = ledger_hash(merged)
    return merged


def build_ledger(execute: Execute, run_id: str, schema: str) -> dict[str, Any]:
    """The ledger of a run in one database, as docs/commands.md has it."""
    run = execute(
        f"SELECT command, {_TIME.format('started_at')}, {_TIME.format('finished_at')}, status, versions,"
        f" previous_hash FROM {schema}.store_runs WHERE run_id = {_text(run_id)}"
    )
    command, started, finished, status, versions, previous = run[0] if run else (None,) * 6
    chain = execute(f"SELECT value FROM {schema}.store_meta WHERE name = '{CHAIN}'")
    database = schema.rpartition(".")[0].strip('"')
    edges = _edges(execute, run_id, schema)
    ledger: dict[str, Any] = {
        "ledger_version": VERSION,
        "run_id": run_id,
        "command": command,
        "status": status or "UNKNOWN",
        "started_at": started,
        "finished_at": finished,
        "versions": json.loads(versions) if versions else {},
        "chains": {database: chain[0][0] if chain else None},
        "previous_hashes": {database: previous},
        "edges": edges,
        "nodes": _nodes(execute, run_id, schema),
        "findings": _findings(execute, run_id, schema),
        "discrepancies": _discrepancies(execute, run_id, schema, edges),
    }
    ledger["ledger_hash"] = ledger_hash(ledger)
    return ledger


def ledger_hash(ledger: dict[str, Any]) -> str:
    """A hash of everything in a ledger but the hash itself.

    >>> ledger_hash({"a": 1}) == ledger_hash({"a": 1, "ledger_hash": "x"}) != ledger_hash({"a": 2})
    True
    """
    content = {key: value for key, value in ledger.items() if key != "ledger_hash"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _edges(execute: Execute, run_id: str, schema: str) -> list[dict[str, Any]]:
    rows = execute(
        f"SELECT {', '.join(COLUMNS)}, settle_seconds, reasons, key_columns FROM {schema}.store_ledger l"
        " LEFT JOIN (SELECT relation, arg_max(key_columns, created_at) AS key_columns"
        f" FROM {schema}.store_generations GROUP BY relation) g"
        f" ON g.relation = l.input WHERE l.run_id = {_text(run_id)}"
        " ORDER BY l.model, l.input, l.role"
    )
    totals = _totals(execute, run_id, schema)
    edges = []
    batches = _batches(execute, run_id, schema)
    epochs = _epochs(execute, run_id, schema)
    for *values, seconds, reasons, keys in rows:
        edge = dict(zip(COLUMNS, values, strict=True))
        edge["settle_seconds"] = seconds
        edge["key"] = list(keys or []) or ["rowid"]
        edge["reasons"] = json.loads(reasons) if reasons else []
        found = totals.get((edge["model"], edge["input"], edge["role"]))
        if found:
            edge["control_totals"] = found
        own = batches.get((edge["model"], edge["input"], edge["role"]))
        if own:
            edge["batches"] = own
        if (edge["model"], edge["input"]) in epochs:
            edge["epoch"] = epochs[edge["model"], edge["input"]]
        edge["metadata"] = {
            "contributed": f"{schema}.reverse_join",
            "filtered": f"{schema}.filtered_keys",
            "errors": f"{schema}.errors",
        }
        edges.append(edge)
    return edges


def _epochs(execute: Execute, run_id: str, schema: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The epochs that were read of the inputs of models which declare ``temporal``, by (model, input)."""
    names = ("mode", "column", "value", "kind")
    return {
        (model, source): dict(zip(names, values, strict=True))
        for model, source, *values in execute(
            f"SELECT model, input, mode, column_name, epoch, kind FROM {schema}.store_epochs"
            f" WHERE run_id = {_text(run_id)}"
        )
    }


def _totals(execute: Execute, run_id: str, schema: str) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """Control totals by edge: one entry per column and class, those of ``filtered`` per reason."""
    names = ("column", "class", "reason_id", "verdict", "records", "nulls", "total", "exact")
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for *edge, column, kind, reason, verdict, records, nulls, total, exact in execute(
        "SELECT model, input, role, column_name, class, reason_id, verdict, records, nulls, total, exact"
        f" FROM {schema}.store_totals WHERE run_id = {_text(run_id)} ORDER BY ALL"
    ):
        values = (column, kind, reason, verdict, records, nulls, total, exact)
        found[edge[0], edge[1], edge[2]].append(dict(zip(names, values, strict=True)))
    return found


_BATCH = (
    "id", "input_count", "contributed_count", "filtered_count", "error_count", "unaccounted_count",
    "consulted_count", "delta_count", "new_rows", "updated_rows", "carried_rows", "deleted_rows",
)  # fmt: skip


def _batches(
    execute: Execute, run_id: str, schema: str
) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """A run's own equations of tables that are changed in place, by (model, input, role)."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for model, source, role, *values in execute(
        f"SELECT model, input, role, batch, {', '.join(_BATCH[1:])} FROM {schema}.store_batches"
        f" WHERE run_id = {_text(run_id)} ORDER BY batch"
    ):
        found.setdefault((model, source, role), []).append(dict(zip(_BATCH, values, strict=True)))
    return found


def _nodes(execute: Execute, run_id: str, schema: str) -> list[dict[str, Any]]:
    """Every node of the run: what CDME did with it, and when dbt began and ended it."""
    names = (
        "node", "state", "materialized", "sql_hash", "plan_seconds", "execute_seconds",
        "settle_seconds", "message", "started_at", "finished_at", "failures",
    )  # fmt: skip
    rows = execute(
        f"SELECT n.node, {', '.join(f'n.{name}' for name in names[1:8])},"
        f" {_TIME.format('o.started_at')}, {_TIME.format('o.finished_at')}, o.failures"
        f" FROM {schema}.store_nodes n LEFT JOIN {schema}.store_outcomes o"
        f" ON o.node = n.node AND o.run_id = n.run_id WHERE n.run_id = {_text(run_id)} ORDER BY 1"
    )
    return [dict(zip(names, row, strict=True)) for row in rows]


def _findings(execute: Execute, run_id: str, schema: str) -> list[dict[str, Any]]:
    names = ("code", "severity", "model", "file", "line", "message", "remedy")
    rows = execute(
        f"SELECT {', '.join(names)} FROM {schema}.store_findings"
        f" WHERE run_id = {_text(run_id)} ORDER BY ALL"
    )
    return [dict(zip(names, row, strict=True)) for row in rows]


def _discrepancies(
    execute: Execute, run_id: str, schema: str, edges: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The edges whose account does not hold, with the ordinals of records that are unaccounted."""
    wrong = [edge for edge in edges if edge["status"] == "UNBALANCED"]
    if not wrong:
        return []
    records: dict[tuple[str, str], list[int]] = defaultdict(list)
    for model, source, i in execute(
        f"SELECT model, input, i FROM {schema}.store_unaccounted"
        f" WHERE run_id = {_text(run_id)} ORDER BY ALL"
    ):
        records[model, source].append(i)
    return [{**_discrepancy(edge), "records": records[edge["model"], edge["input"]]} for edge in wrong]


def _discrepancy(edge: dict[str, Any]) -> dict[str, Any]:
    accounted = sum(edge[name] or 0 for name in ("contributed_count", "filtered_count", "error_count"))
    return {
        "model": edge["model"],
        "input": edge["input"],
        "role": edge["role"],
        "missing": (edge["input_count"] or 0) - accounted,
        "unaccounted_count": edge["unaccounted_count"],
    }


def write_ledger(target_path: Path | str, ledger: dict[str, Any], latest: bool = True) -> Path:
    """Write ``cdme/<run_id>/ledger.json``, and ``cdme/ledger.json`` for the latest run.

    Returns the path of the latter.
    """
    folder = Path(target_path) / "cdme"
    text = json.dumps(ledger, indent=2, ensure_ascii=False) + "\n"
    replace_file(folder / str(ledger["run_id"]) / "ledger.json", text)
    if latest:
        replace_file(folder / "ledger.json", text)
    return folder / "ledger.json"


def replace_file(path: Path, text: str) -> None:
    """Replace a file's content as one step: written beside it, synced, renamed over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    beside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o644)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    if os.name != "posix":
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
