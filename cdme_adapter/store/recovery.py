"""Runs that never came to their end are finished by what comes after them (REQ-F-ACC-002)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import literal
from cdme_adapter.store.chain import chained_schemas, document, fill_in, seal
from cdme_adapter.store.ledger_file import write_ledger
from cdme_adapter.store.writer import StoreWriter


def finish_earlier(
    execute: Execute, target_path: Path | None, telling: bool = False
) -> list[dict[str, Any]]:
    """What a command does that is no run itself: finish what was killed; the ledgers of those runs."""
    open_ones = [schema for schema in chained_schemas(execute) if _unsealed(execute, schema)]
    for schema in open_ones:
        StoreWriter(execute, schema.rpartition(".")[0].strip('"').replace('""', '"')).prepare()
    return recover(execute, "", target_path, telling, latest=True)


def recover(
    execute: Execute, run_id: str, target_path: Path | None, telling: bool = False, latest: bool = False
) -> list[dict[str, Any]]:
    """Finish the runs before ``run_id`` that never came to their end; their ledgers.

    What such a run had committed stays as it is; what it had selected and not committed is
    ``interrupted`` and its edges are UNKNOWN. ``latest``: the last of them is the latest run. One that
    was killed between its ledger and the file of it gets its file.
    """
    schemas = chained_schemas(execute)
    unsealed: dict[str, list[str]] = {}
    for schema in schemas:
        for one in _unsealed(execute, schema, run_id):
            unsealed.setdefault(one, []).append(schema)
    found = []
    _restore_file(execute, schemas, target_path)
    for one, mine in unsealed.items():
        for schema in mine:
            fill_in(execute, schema, one, "interrupted", "the run was interrupted")
            execute(
                f"UPDATE {schema}.store_runs SET status = 'INTERRUPTED', finished_at = now()"
                f" WHERE status = 'RUNNING' AND run_id = {literal(one)}"
            )
        ledger = seal(execute, one, mine, telling)
        if target_path is not None:
            write_ledger(target_path, ledger, latest)
        found.append(ledger)
    return found


def _unsealed(execute: Execute, schema: str, run_id: str = "") -> list[str]:
    rows = execute(
        f"SELECT run_id FROM {schema}.store_runs WHERE ledger_hash IS NULL"
        f" AND run_id <> {literal(run_id)} ORDER BY started_at"
    )
    return [str(row[0]) for row in rows]


def _restore_file(execute: Execute, schemas: list[str], target_path: Path | None) -> None:
    """Write the file of the last run that has a ledger, where there is none."""
    for schema in schemas if target_path is not None else ():
        rows = execute(
            f"SELECT run_id FROM {schema}.store_runs WHERE ledger_hash NOT NULL"
            " ORDER BY started_at DESC LIMIT 1"
        )
        folder = Path(target_path or "") / "cdme"
        if not rows or (folder / str(rows[0][0]) / "ledger.json").exists():
            continue
        ledger = document(execute, schema, str(rows[0][0]))
        if ledger is not None:
            write_ledger(Path(target_path or ""), ledger, latest=not (folder / "ledger.json").exists())
