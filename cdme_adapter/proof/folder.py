"""``target/cdme/<run_id>/proof/``: written once after a run, bound by a manifest of hashes.

``manifest.json`` names each file with its SHA-256; the manifest's own hash is kept in the database,
beside the chain of ledgers, so that a folder whose manifest was made anew shows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import literal
from cdme_adapter.proof.content import sha256
from cdme_adapter.store.ledger_file import replace_file

MANIFEST = "manifest.json"


def proof_folder(target_path: Path, run_id: str) -> Path:
    """Where the proof of a run lies."""
    return target_path / "cdme" / run_id / "proof"


def write_proof(
    target_path: Path, ledger: Mapping[str, Any], contents: Mapping[str, Mapping[str, Any]]
) -> str:
    """Write the files and their manifest; returns the manifest's hash."""
    run_id = str(ledger["run_id"])
    folder = proof_folder(target_path, run_id)
    hashes = {}
    for name, content in sorted({**contents, "ledger.json": ledger}.items()):
        text = json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"
        replace_file(folder / name, text)
        hashes[name] = sha256(text.encode())
    manifest = {
        "proof_version": 1,
        "run_id": run_id,
        "finished_at": ledger.get("finished_at"),
        "ledger_hash": ledger.get("ledger_hash"),
        "files": hashes,
    }
    text = json.dumps(manifest, indent=1) + "\n"
    replace_file(folder / MANIFEST, text)
    return sha256(text.encode())


def keep_hash(execute: Execute, schema: str, run_id: str, value: str) -> None:
    """Keep the hash of a proof's manifest in a database that the run wrote."""
    execute(f"INSERT INTO {schema}.store_meta VALUES ({literal(f'proof:{run_id}')}, {literal(value)})")


def kept_hash(execute: Execute, schema: str, run_id: str) -> str | None:
    """The hash that :func:`keep_hash` kept."""
    rows = execute(f"SELECT value FROM {schema}.store_meta WHERE name = {literal(f'proof:{run_id}')}")
    return str(rows[0][0]) if rows else None
