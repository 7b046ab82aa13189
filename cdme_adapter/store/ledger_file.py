"""``ledger.json``: the account of a run as a file, built from the store alone (REQ-F-ACC-002).

The file is replaced atomically: whoever reads it sees the whole old one or the whole new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cdme_adapter.store.schema import VERSION

Execute = Callable[[str], list[Any]]

COLUMNS = (
    "model", "input", "role", "exactness", "lineage_mode", "cardinality", "input_count",
    "contributed_count", "filtered_count", "error_count", "unaccounted_count", "consulted_count",
    "output_count", "status", "unused_count", "why",
)  # fmt: skip


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def build_ledger(execute: Execute, run_id: str, schema: str) -> dict[str, Any]:
    """The ledger of a run, as docs/commands.md has it; ``schema`` is qualified and quoted."""
    run = execute(
        "SELECT command, strftime(started_at AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ'),"
        " strftime(finished_at AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ'), status, versions"
        f" FROM {schema}.store_runs WHERE run_id = {_text(run_id)}"
    )
    command, started, finished, status, versions = run[0] if run else (None,) * 5
    edges = _edges(execute, run_id, schema)
    ledger: dict[str, Any] = {
        "ledger_version": VERSION,
        "run_id": run_id,
        "command": command,
        "status": status or "UNKNOWN",
        "started_at": started,
        "finished_at": finished,
        "versions": json.loads(versions) if versions else {},
        "edges": edges,
        "nodes": _nodes(execute, run_id, schema),
        "findings": _findings(execute, run_id, schema),
        "discrepancies": [_discrepancy(e) for e in edges if e["status"] == "UNBALANCED"],
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
        f"SELECT {', '.join(COLUMNS)}, reasons, key_columns FROM {schema}.store_ledger l"
        " LEFT JOIN (SELECT relation, arg_max(key_columns, created_at) AS key_columns"
        f" FROM {schema}.store_generations GROUP BY relation) g"
        f" ON g.relation = l.input WHERE l.run_id = {_text(run_id)}"
        " ORDER BY l.model, l.input, l.role"
    )
    edges = []
    for *values, reasons, keys in rows:
        edge = dict(zip(COLUMNS, values, strict=True))
        edge["key"] = list(keys or []) or ["rowid"]
        edge["reasons"] = json.loads(reasons) if reasons else []
        edge["metadata"] = {
            "contributed": f"{schema}.reverse_join",
            "filtered": f"{schema}.filtered_keys",
            "errors": f"{schema}.errors",
        }
        edges.append(edge)
    return edges


def _nodes(execute: Execute, run_id: str, schema: str) -> list[dict[str, Any]]:
    names = (
        "node", "state", "materialized", "sql_hash", "plan_seconds", "execute_seconds",
        "settle_seconds", "message",
    )  # fmt: skip
    rows = execute(
        f"SELECT {', '.join(names)} FROM {schema}.store_nodes WHERE run_id = {_text(run_id)} ORDER BY node"
    )
    return [dict(zip(names, row, strict=True)) for row in rows]


def _findings(execute: Execute, run_id: str, schema: str) -> list[dict[str, Any]]:
    names = ("code", "severity", "model", "file", "line", "message", "remedy")
    rows = execute(
        f"SELECT {', '.join(names)} FROM {schema}.store_findings"
        f" WHERE run_id = {_text(run_id)} ORDER BY ALL"
    )
    return [dict(zip(names, row, strict=True)) for row in rows]


def _discrepancy(edge: dict[str, Any]) -> dict[str, Any]:
    accounted = sum(edge[name] or 0 for name in ("contributed_count", "filtered_count", "error_count"))
    return {
        "model": edge["model"],
        "input": edge["input"],
        "role": edge["role"],
        "missing": (edge["input_count"] or 0) - accounted,
        "unaccounted_count": edge["unaccounted_count"],
    }


def write_ledger(target_path: Path | str, ledger: dict[str, Any]) -> Path:
    """Write ``cdme/<run_id>/ledger.json`` and ``cdme/ledger.json``; the latter's path."""
    folder = Path(target_path) / "cdme"
    text = json.dumps(ledger, indent=2, ensure_ascii=False) + "\n"
    replace_file(folder / str(ledger["run_id"]) / "ledger.json", text)
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
