"""``ledger``: the account of a run, from its file or from the store, and whether both agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cdme_adapter.drift import changes, losses
from cdme_adapter.errors import QuestionError
from cdme_adapter.lineage.runs import named_run
from cdme_adapter.store.chain import chain_problems, document
from cdme_adapter.store.ledger_file import CHAIN, COLUMNS, build_run, ledger_hash
from cdme_adapter.store.reader import Store, literal


def read_ledger(store: Store, target_path: Path | None, run: str | None = None) -> dict[str, Any]:
    """The ledger of a run, by its id or the beginning of it, the last one by default; the file where it
    is of that run."""
    try:
        run_id = named_run(store, run)
    except QuestionError:
        ledger = read_file(target_path, run) if run else None
        if ledger is None:
            raise
        return ledger
    return read_file(target_path, run_id) or from_store(store, run_id)


def against(ledger: dict[str, Any], earlier: dict[str, Any]) -> dict[str, Any]:
    """How the shares of loss of a ledger differ from those of an earlier one, of edges in both."""
    named = [{(e["model"], e["input"]) for e in one["edges"]} for one in (ledger, earlier)]
    both = named[0] & named[1]
    found = [
        losses([e for e in one["edges"] if (e["model"], e["input"]) in both]) for one in (earlier, ledger)
    ]
    return {"run_id": earlier["run_id"], "changes": [c.as_json() for c in changes(found[0], found[1])]}


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
    """The ledger of a run as the store kept it; of a run that has not ended, as its rows have it."""
    for schema in store.schemas:
        kept = document(store.rows, schema, run_id)
        if kept is not None:
            return kept
    return from_rows(store, run_id)


def from_rows(store: Store, run_id: str) -> dict[str, Any]:
    """The ledger of a run over all databases that it wrote, built from its rows."""
    schemas = [
        schema
        for schema in store.schemas
        if store.rows(f"SELECT 1 FROM {schema}.store_runs WHERE run_id = {literal(run_id)}")
    ]
    if not schemas:
        raise QuestionError(f"there is no run {run_id!r} in the store", code="NO_RUN")
    return build_run(store.rows, run_id, schemas)


def verify_ledger(store: Store, target_path: Path | None, run: str | None = None) -> dict[str, Any]:
    """Whether the ledgers of all runs are whole, say what the store says and follow on each other.

    Files below the target path are judged where they are there. That ``run``, the last one by default,
    has none is said, and is no fault: `dbt clean` takes files away, and the database keeps their text.
    """
    run_id = named_run(store, run)
    problems: list[str] = []
    notes: list[str] = []
    if target_path is not None and read_file(target_path, run_id) is None:
        kept = any(document(store.rows, schema, run_id) for schema in store.schemas)
        where = "`cdme ledger` prints what the database keeps of it" if kept else "nor is one kept"
        (notes if kept else problems).append(f"there is no readable ledger.json of run {run_id}: {where}")
        if not kept and "RUNNING" in _statuses(store, run_id):
            problems[-1] = (
                f"run {run_id} has not come to its end: if it was killed, the next dbt command that runs"
                " nodes, or `cdme gc`, finishes its ledger"
            )
    hashes: dict[str, str] = {}
    for schema in store.schemas:
        problems += chain_problems(store.rows, schema)
        found = store.rows(_KEPT.format(schema))
        hashes |= dict(found)
    chains = {row[0] for row in store.rows(_CHAINS.format(store.table("store_meta")))}
    problems += _file_problems(store, target_path, hashes, chains)
    for one in hashes:
        problems += row_problems(store, one)
    problems = list(dict.fromkeys(problems))
    return {
        "run_id": run_id,
        "verdict": "violation" if problems else "exact",
        "problems": problems,
        "notes": notes,
        "runs": len(hashes),
    }


def _statuses(store: Store, run_id: str) -> set[str]:
    """What the databases say of a run."""
    rows = store.rows(
        f"SELECT status FROM {store.table('store_runs')} AS r WHERE r.run_id = {literal(run_id)}"
    )
    return {str(row[0]) for row in rows}


_KEPT = "SELECT run_id, ledger_hash FROM {}.store_runs WHERE ledger_hash NOT NULL"
_CHAINS = f"SELECT value FROM {{}} WHERE name = '{CHAIN}'"


def _file_problems(
    store: Store, target_path: Path | None, hashes: dict[str, str], chains: set[str]
) -> list[str]:
    """What is wrong with the ledger files below the target path; other databases' are not judged."""
    problems = []
    folder = target_path / "cdme" if target_path else None
    for path in sorted(folder.glob("**/ledger.json")) if folder else []:
        name = path.relative_to(path.parents[1] if path.parent == folder else path.parents[2])
        try:
            ledger = json.loads(path.read_text(encoding="utf-8"))
            run, stated = ledger["run_id"], ledger["ledger_hash"]
            theirs = set((ledger.get("chains") or {}).values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            problems.append(f"{name} cannot be read as a ledger")
            continue
        if stated != ledger_hash(ledger):
            problems.append(f"{name} does not have the hash that it states")
            if run in hashes:
                problems += [f"{name}: {line}" for line in _differences(ledger, from_store(store, run))]
        if run not in hashes and theirs & chains:
            problems.append(f"{name} is of run {run}, of which the store kept no ledger")
        elif run in hashes and hashes[run] != stated:
            problems.append(f"{name} is not the ledger whose hash the store kept of run {run}")
    return problems


def row_problems(store: Store, run_id: str) -> list[str]:
    """How the kept ledger of a run differs from its rows; nothing where both were collected."""
    kept = from_store(store, run_id)
    if not any(document(store.rows, schema, run_id) for schema in store.schemas):
        return []
    return [f"run {run_id}: {line}" for line in _differences(kept, from_rows(store, run_id))]


def _differences(kept: dict[str, Any], rows: dict[str, Any]) -> list[str]:
    """How the edges of a kept ledger differ from those of the rows."""
    ours = {_name(edge): edge for edge in kept.get("edges") or []}
    theirs = {_name(edge): edge for edge in rows["edges"]}
    found = [f"{' · '.join(name)}: only in the ledger" for name in ours.keys() - theirs.keys()]
    found += [f"{' · '.join(name)}: only in the store" for name in theirs.keys() - ours.keys()]
    for name in ours.keys() & theirs.keys():
        for column in (*COLUMNS, "reasons", "control_totals"):
            here, there = ours[name].get(column), theirs[name].get(column)
            if here != there:
                found.append(f"{' · '.join(name)}: {column} is {here!r}, in the store {there!r}")
    states = [{(n["node"], n["state"]) for n in one["nodes"]} for one in (kept, rows)]
    found += [f"node {node}: {state} in one of both only" for node, state in sorted(states[0] ^ states[1])]
    if kept.get("status") != rows["status"]:
        found.append(f"status is {kept.get('status')!r}, in the rows {rows['status']!r}")
    return found


def _name(edge: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(edge.get(name)) for name in ("model", "input", "role"))
