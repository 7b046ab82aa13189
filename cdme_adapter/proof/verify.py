"""``cdme proof verify``: whether a proof is whole, and says what the database says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cdme_adapter.errors import QuestionError
from cdme_adapter.lineage.ledger import row_problems
from cdme_adapter.lineage.runs import named_run
from cdme_adapter.proof.content import sha256
from cdme_adapter.proof.folder import MANIFEST, kept_hash, proof_folder
from cdme_adapter.store.ledger_file import ledger_hash
from cdme_adapter.store.reader import Store, literal


def verify_proof(
    store: Store, target_path: Path | None, run: str | None = None, folder: Path | None = None
) -> dict[str, Any]:
    """What is wrong with the proof of a run: that in ``folder``, else the last one of a project.

    Raises QuestionError where no run is in the store, or the folder is none.
    """
    if folder is not None and not folder.is_dir():
        raise QuestionError(f"{folder} is no folder", code="BAD_ARGUMENTS", remedy="name a run's proof")
    problems: list[str] = []
    files: dict[str, str] = {}
    manifest = _manifest(folder / MANIFEST, problems) if folder is not None else None
    told = str(manifest["run_id"]) if manifest is not None and run is None else None
    run_id = told or named_run(store, run)
    if folder is None:
        assert target_path is not None
        folder = proof_folder(target_path, run_id)
        manifest = _manifest(folder / MANIFEST, problems)
    if manifest is not None:
        files = dict(manifest["files"])
        problems += _folder_problems(folder, files)
        problems += _database_problems(store, folder, run_id, manifest)
    return {
        "run_id": run_id,
        "folder": str(folder),
        "verdict": "violation" if problems else "exact",
        "files": files,
        "problems": problems,
    }


def _manifest(path: Path, problems: list[str]) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found["files"], dict) and found["run_id"]:
            return dict(found)
        problems.append(f"{path.name} is not a proof's manifest")
    except OSError:
        problems.append(f"{path} is missing")
    except (ValueError, KeyError, TypeError) as error:
        problems.append(f"{path.name} cannot be read: {error}")
    return None


def _folder_problems(folder: Path, files: dict[str, str]) -> list[str]:
    found = []
    for name, stated in sorted(files.items()):
        path = folder / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif sha256(path.read_bytes()) != stated:
            found.append(f"{name} was changed: it does not have the hash in {MANIFEST}")
    there = {p.name for p in folder.iterdir() if p.is_file()}
    found += [f"{name} is not named in {MANIFEST}" for name in sorted(there - {*files, MANIFEST})]
    return found


def _database_problems(store: Store, folder: Path, run_id: str, manifest: dict[str, Any]) -> list[str]:
    found: list[str] = []
    if manifest["run_id"] != run_id:
        found.append(f"{MANIFEST} is of run {manifest['run_id']}, not of {run_id}")
    mine = sha256((folder / MANIFEST).read_bytes())
    schemas = [
        schema
        for schema in store.schemas
        if store.rows(f"SELECT 1 FROM {schema}.store_runs WHERE run_id = {literal(run_id)}")
    ]
    if not schemas:
        return [*found, f"the database has no run {run_id}"]
    for schema in schemas:
        kept = kept_hash(store.rows, schema, run_id)
        if kept is None:
            found.append(f"{schema} keeps no hash of this proof")
        elif kept != mine:
            found.append(f"{MANIFEST} was changed: the database keeps another hash of it")
        for (stated,) in store.rows(
            f"SELECT ledger_hash FROM {schema}.store_runs WHERE run_id = {literal(run_id)}"
        ):
            if stated != manifest.get("ledger_hash"):
                found.append(f"the ledger whose hash {schema} keeps is another one")
    found += _ledger_problems(folder, manifest)
    return found + row_problems(store, run_id)


def _ledger_problems(folder: Path, manifest: dict[str, Any]) -> list[str]:
    try:
        ledger = json.loads((folder / "ledger.json").read_text(encoding="utf-8"))
        stated = ledger_hash(ledger)
    except (OSError, ValueError, TypeError, AttributeError):
        return []  # said already: missing or changed
    return [] if stated == manifest.get("ledger_hash") else ["ledger.json is not the ledger of the run"]
