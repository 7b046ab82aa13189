"""``ledger``: the account of a run, from its file or from the store, and whether both agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cdme_adapter.errors import QuestionError
from cdme_adapter.store.ledger_file import COLUMNS, build_ledger, ledger_hash
from cdme_adapter.store.reader import Store, literal


def last_run(store: Store) -> str | None:
    """The run that began last."""
    rows = store.rows(f"SELECT run_id FROM {store.table('store_runs')} ORDER BY started_at DESC LIMIT 1")
    return str(rows[0][0]) if rows else None


def read_ledger(store: Store, target_path: Path | None, run: str | None = None) -> dict[str, Any]:
    """The ledger of a run, the last one by default; the file where it is of that run."""
    run_id = run or last_run(store)
    if run_id is None:
        raise QuestionError("no run is in the store", code="NO_RUN", remedy="run `dbt build`")
    return read_file(target_path, run_id) or from_store(store, run_id)


def read_file(target_path: Path | None, run_id: str | None = None) -> dict[str, Any] | None:
    """The ledger file of a run, or the latest one; None where there is none that can be read."""
    if target_path is None:
        return None
    folder = target_path / "cdme"
    paths = [folder / run_id / "ledger.json"] if run_id else []
    for path in [*paths, folder / "ledger.json"]:
        try:
            ledger = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(ledger, dict) and (run_id is None or ledger.get("run_id") == run_id):
            return ledger
    return None


def from_store(store: Store, run_id: str) -> dict[str, Any]:
    """The ledger of a run over all databases that it wrote."""
    parts = [
        build_ledger(store.rows, run_id, schema)
        for schema in store.schemas
        if store.rows(f"SELECT 1 FROM {schema}.store_runs WHERE run_id = {literal(run_id)}")
    ]
    if not parts:
        raise QuestionError(f"there is no run {run_id!r} in the store", code="NO_RUN")
    merged = parts[0]
    for other in parts[1:]:
        for name in ("edges", "nodes", "findings", "discrepancies"):
            merged[name] += other[name]
    merged["ledger_hash"] = ledger_hash(merged)
    return merged


def verify_ledger(store: Store, target_path: Path | None, run: str | None = None) -> dict[str, Any]:
    """Whether a run's ledger file is whole and says what the store says."""
    run_id = run or last_run(store)
    if run_id is None:
        raise QuestionError("no run is in the store", code="NO_RUN", remedy="run `dbt build`")
    problems = _file_problems(store, target_path, run_id)
    problems += _chain_problems(store)
    return {
        "run_id": run_id,
        "verdict": "violation" if problems else "exact",
        "problems": problems,
    }


def _file_problems(store: Store, target_path: Path | None, run_id: str) -> list[str]:
    ledger = read_file(target_path, run_id)
    if ledger is None:
        return [f"there is no readable ledger.json of run {run_id}"] if target_path else []
    problems = []
    if ledger.get("ledger_hash") != ledger_hash(ledger):
        problems.append("ledger.json does not have the hash that it states")
    problems += _differences(ledger, from_store(store, run_id))
    for (kept,) in store.rows(
        f"SELECT ledger_hash FROM {store.table('store_runs')} WHERE run_id = {literal(run_id)}"
    ):
        if kept and kept != ledger.get("ledger_hash"):
            problems.append("ledger.json is not the one whose hash the store kept")
    return problems


def _differences(file: dict[str, Any], stored: dict[str, Any]) -> list[str]:
    """How the edges of a file differ from those of the store."""
    ours = {_name(edge): edge for edge in file.get("edges") or []}
    theirs = {_name(edge): edge for edge in stored["edges"]}
    found = [f"{' · '.join(name)}: only in ledger.json" for name in ours.keys() - theirs.keys()]
    found += [f"{' · '.join(name)}: only in the store" for name in theirs.keys() - ours.keys()]
    for name in ours.keys() & theirs.keys():
        for column in (*COLUMNS, "reasons"):
            here, there = ours[name].get(column), theirs[name].get(column)
            if here != there:
                found.append(f"{' · '.join(name)}: {column} is {here!r}, in the store {there!r}")
    if file.get("status") != stored["status"]:
        found.append(f"status is {file.get('status')!r}, in the store {stored['status']!r}")
    return sorted(found)


def _name(edge: dict[str, Any]) -> tuple[str, str, str]:
    return str(edge.get("model")), str(edge.get("input")), str(edge.get("role"))


def _chain_problems(store: Store) -> list[str]:
    """Runs whose ``previous_hash`` is not the hash that the run before them kept."""
    found, previous = [], None
    for run_id, kept, before in store.rows(
        f"SELECT run_id, ledger_hash, previous_hash FROM {store.table('store_runs')} ORDER BY started_at"
    ):
        if before is not None and previous is not None and before != previous:
            found.append(f"run {run_id} does not follow on the ledger before it")
        previous = kept or previous
    return found
