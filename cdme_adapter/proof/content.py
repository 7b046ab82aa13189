"""The documents of a proof, from plain values: lineage, trace, types, rules, intent, versions, SQL."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cdme_adapter.validation.before_run import Preflight

Document = dict[str, Any]


def documents(
    ledger: Mapping[str, Any],
    manifest: Mapping[str, Any],
    preflight: Preflight | None,
    observed: Mapping[str, Sequence[tuple[str, str]]],
    project_dir: Path,
) -> dict[str, Document]:
    """File name → content. ``observed``: columns and types in the database, by unique id."""
    raw = {**(manifest.get("nodes") or {}), **(manifest.get("sources") or {})}
    ran = [node["node"] for node in ledger["nodes"]]
    involved = {*ran, *(e["model"] for e in ledger["edges"]), *(e["input"] for e in ledger["edges"])}
    nodes = {name: raw[name] for name in sorted(involved) if name in raw}
    compiled = dict(preflight.compiled) if preflight is not None else {}
    return {
        "lineage.json": _lineage(ledger, nodes),
        "trace.json": _trace(ledger),
        "types.json": _types(preflight, observed),
        "rules.json": _rules(preflight),
        "intent.json": _intent(manifest, nodes, project_dir),
        "versions.json": _versions(ledger, nodes, compiled, project_dir),
        "sql.json": {"compiled": {name: compiled[name] for name in ran if name in compiled}},
    }


def _lineage(ledger: Mapping[str, Any], nodes: Mapping[str, Any]) -> Document:
    names = ("model", "input", "role", "exactness", "lineage_mode", "cardinality", "status")
    return {
        "nodes": [
            {
                "id": name,
                "type": node.get("resource_type"),
                "materialized": (node.get("config") or {}).get("materialized"),
                "relation": node.get("relation_name"),
                "file": node.get("original_file_path"),
                "depends_on": list((node.get("depends_on") or {}).get("nodes") or []),
            }
            for name, node in nodes.items()
        ],
        "edges": [{name: edge.get(name) for name in names} for edge in ledger["edges"]],
    }


def _trace(ledger: Mapping[str, Any]) -> Document:
    names = ("run_id", "command", "status", "started_at", "finished_at")
    return {**{name: ledger.get(name) for name in names}, "nodes": list(ledger["nodes"])}


def _types(preflight: Preflight | None, observed: Mapping[str, Sequence[tuple[str, str]]]) -> Document:
    inferred = preflight.report.relations if preflight is not None else {}
    found = {}
    for name in sorted({*inferred, *observed}):
        relation = inferred.get(name)
        there = dict(observed.get(name) or [])
        columns = [c.name for c in relation.columns] if relation is not None else list(there)
        found[name] = {
            "columns": [
                {
                    "name": column,
                    "inferred": _type(relation, column),
                    "in_database": there.get(column),
                }
                for column in columns
            ],
            "keys": sorted(sorted(key) for key in relation.keys) if relation is not None else [],
        }
    return {"models": found}


def _type(relation: Any, name: str) -> str | None:
    column = relation.column(name) if relation is not None else None
    return column.type if column is not None else None


def _rules(preflight: Preflight | None) -> Document:
    if preflight is None:
        return {"judged": False, "why": "the command runs no mapping, or the judging failed"}
    verdicts: dict[str, dict[str, str]] = {}
    for one in preflight.report.verdicts:
        verdicts.setdefault(one.model, {})[one.rule] = one.verdict
    return {"judged": True, **preflight.report.as_json(), "verdicts": verdicts}


def _intent(manifest: Mapping[str, Any], nodes: Mapping[str, Any], project_dir: Path) -> Document:
    groups = {g.get("name"): g.get("owner") for g in (manifest.get("groups") or {}).values()}
    found = {}
    for name, node in nodes.items():
        config = node.get("config") or {}
        meta = {**(node.get("meta") or {}), **(config.get("meta") or {})}
        block = meta.get("cdme") or {}
        losses = block.get("expected_loss") or []
        found[name] = {
            "description": node.get("description") or "",
            "owner": meta.get("owner") or groups.get(node.get("group") or config.get("group")),
            "approved_by": meta.get("approved_by"),
            "tags": list(node.get("tags") or []),
            "cdme": block,
            "approvals": [one for one in losses if isinstance(one, Mapping) and one.get("approved_by")],
        }
    return {
        "commit": _git(project_dir, "rev-parse", "HEAD"),
        "changed": _changed(project_dir),
        "models": found,
    }


def _versions(
    ledger: Mapping[str, Any], nodes: Mapping[str, Any], compiled: Mapping[str, str], project_dir: Path
) -> Document:
    files = [project_dir / name for name in ("dbt_project.yml", "packages.yml", "package-lock.yml")]
    captured = {node["node"]: node.get("sql_hash") for node in ledger["nodes"]}
    return {
        "versions": ledger.get("versions"),
        "ledger_hash": ledger.get("ledger_hash"),
        "previous_hashes": ledger.get("previous_hashes"),
        "files": {f.name: sha256(f.read_bytes()) for f in files if f.is_file()},
        "models": {
            name: {
                "raw": sha256(str(node.get("raw_code") or "").encode()),
                "compiled": sha256(compiled[name].encode()) if name in compiled else None,
                "captured": captured.get(name),
            }
            for name, node in nodes.items()
        },
    }


def sha256(content: bytes) -> str:
    """The hash by which a proof knows a file."""
    return hashlib.sha256(content).hexdigest()


def _changed(project_dir: Path) -> bool | None:
    """Whether the working tree differs from the commit; None outside a repository."""
    status = _git(project_dir, "status", "--porcelain", "--untracked-files=no")
    return None if status is None else bool(status)


def _git(project_dir: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(project_dir), *arguments], capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
