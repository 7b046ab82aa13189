"""The chain of ledgers: each run's ledger is kept with its hash and the hash of the one before it.

One chain per database, in ``store_runs``; ``store_meta`` knows its last link. Every ledger names, by
database, the hash it follows on (``previous_hashes``), so that a ledger that was changed, a run that
was taken out and a last run that was cut off all show (``cdme ledger verify``). It is a chain of
hashes, not a signature: whoever may write the database can forge all of it.

The ledger's text is kept as it was hashed: what a later version would build from the tables may
differ. Whatever deletes rows of ``store_ledger`` must delete the run's document too, and never its
row in ``store_runs``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import literal, quote
from cdme_adapter.store.ledger_file import CHAIN, build_run, ledger_hash
from cdme_adapter.store.schema import SCHEMA

TIP = "ledger_tip"
UNTOLD = "untold:"
"""Begins the name of the note that a run's events are not in the outbox yet (untold.py)."""
SKIPPED = "the node was skipped"


def chained_schemas(execute: Execute) -> list[str]:
    """The schemas of attached databases that hold a chain and can be written."""
    rows = execute(
        "SELECT t.database_name FROM duckdb_tables() t JOIN duckdb_databases() d"
        " ON d.database_name = t.database_name WHERE NOT d.readonly"
        f" AND t.schema_name = '{SCHEMA}' AND t.table_name = 'store_documents' ORDER BY 1"
    )
    return [f"{quote(row[0])}.{SCHEMA}" for row in rows]


def fill_in(execute: Execute, schema: str, run_id: str, state: str, why: str) -> int:
    """Give every node that was planned and has no state yet one, and UNKNOWN edges; how many edges.

    Nothing is balanced by omission (docs/concepts.md).
    """
    run = literal(run_id)
    missing = (
        f"FROM {schema}.store_planned p LEFT JOIN {schema}.store_outcomes o USING (run_id, node)"
        f" WHERE p.run_id = {run}"
        f" AND p.node NOT IN (SELECT node FROM {schema}.store_nodes WHERE run_id = {run})"
    )
    edges = int(execute(f"SELECT coalesce(sum(len(inputs)), 0) {missing}")[0][0])
    execute(
        f"INSERT INTO {schema}.store_ledger (run_id, model, input, role, exactness, lineage_mode,"
        " status, reasons, why, written_at)"
        " SELECT p.run_id, node, unnest(inputs), 'direct', 'opaque', lineage_mode, 'UNKNOWN', '[]',"
        f" {_WHY.format(literal(why))}, now() {missing}"
    )
    execute(
        f"INSERT INTO {schema}.store_nodes SELECT p.run_id, node, {_STATE.format(literal(state))},"
        " materialized, '', 0, 0, 0, CASE WHEN materialized IN ('test', 'unit_test') THEN ''"
        f" ELSE coalesce(o.message, '') END {missing}"
    )
    return edges


_STATE = (
    "CASE WHEN materialized = 'ephemeral' AND o.status = 'success' THEN 'inlined'"
    " WHEN o.status IN ('error', 'runtime error', 'fail') THEN 'failed'"
    " WHEN o.status = 'pass' THEN 'passed' WHEN o.status = 'warn' THEN 'warned'"
    " WHEN o.status = 'success' THEN 'not_captured'"
    " WHEN o.status IS NULL OR o.status = 'skipped' THEN {} ELSE o.status END"
)
"""What became of a node that CDME has no word of its own about; a test's message may hold values."""

_WHY = (
    "CASE WHEN o.status = 'success' THEN 'the node was not captured'"
    " WHEN o.status IN ('error', 'runtime error', 'fail') THEN 'the node failed' ELSE {} END"
)


def seal(execute: Execute, run_id: str, schemas: Sequence[str], telling: bool = False) -> dict[str, Any]:
    """Keep the ledger of a run that has ended, and its hash behind the hash before it.

    ``telling``: the run's events are to be made of it, which is noted until they are.

    Every database gets the whole ledger. One that another database kept already is taken as it is:
    a crash between the two must not give a run two ledgers.
    """
    ledger = next((d for d in (document(execute, s, run_id) for s in chained_schemas(execute)) if d), None)
    if ledger is None:
        for schema in schemas:
            execute(
                f"INSERT INTO {schema}.store_meta SELECT '{CHAIN}', uuid()::VARCHAR WHERE NOT EXISTS"
                f" (SELECT 1 FROM {schema}.store_meta WHERE name = '{CHAIN}')"
            )
            execute(
                f"UPDATE {schema}.store_runs SET previous_hash ="
                f" (SELECT value FROM {schema}.store_meta WHERE name = '{TIP}')"
                f" WHERE run_id = {literal(run_id)}"
            )
        ledger = build_run(execute, run_id, schemas)
    kept = literal(ledger["ledger_hash"])
    text = json.dumps(ledger, ensure_ascii=False)
    note = literal(UNTOLD + run_id)
    for schema in schemas:
        execute(
            ";\n".join(
                (
                    "BEGIN",
                    f"INSERT INTO {schema}.store_documents VALUES ({literal(run_id)}, {literal(text)})",
                    f"UPDATE {schema}.store_runs SET ledger_hash = {kept} WHERE run_id = {literal(run_id)}",
                    f"DELETE FROM {schema}.store_meta WHERE name = '{TIP}'",
                    f"INSERT INTO {schema}.store_meta VALUES ('{TIP}', {kept})",
                    *([f"INSERT INTO {schema}.store_meta VALUES ({note}, 'ledger')"] if telling else []),
                    "COMMIT",
                )
            )
        )
    return ledger


def document(execute: Execute, schema: str, run_id: str) -> dict[str, Any] | None:
    """The ledger of a run as it was kept, None where there is none."""
    rows = execute(f"SELECT ledger FROM {schema}.store_documents WHERE run_id = {literal(run_id)} LIMIT 1")
    found: dict[str, Any] | None = json.loads(rows[0][0]) if rows else None
    return found


def chain_problems(execute: Execute, schema: str) -> list[str]:
    """What is wrong with the chain of a database: changed, missing and cut off runs."""
    rows = execute(
        f"SELECT run_id, status, ledger_hash, previous_hash FROM {schema}.store_runs ORDER BY started_at"
    )
    sealed = [(run, kept, before) for run, _, kept, before in rows if kept]
    found = [
        f"run {run} has ended and no ledger of it was kept"
        for run, status, kept, _ in rows
        if not kept and status != "RUNNING"
    ]
    hashes = {kept for _, kept, _ in sealed}
    followed: dict[str | None, str] = {}
    for run, _, before in sealed:
        if before is not None and before not in hashes:
            found.append(f"the run before {run} is missing: no ledger has the hash {before[:12]}…")
        if before in followed:
            found.append(f"runs {followed[before]} and {run} both follow on the same ledger")
        followed[before] = run
    found += _tip_problems(execute, schema, hashes - followed.keys())
    found += _document_problems(execute, schema, sealed)
    return found + _unknown_runs(execute, schema)


def _tip_problems(execute: Execute, schema: str, ends: set[str]) -> list[str]:
    tip = execute(f"SELECT value FROM {schema}.store_meta WHERE name = '{TIP}'")
    last = tip[0][0] if tip else None
    if ends == ({last} if last else set()):
        return []
    shown = f"{last[:12]}…" if last else "none"
    return [f"the last ledger of the chain is not the last that was kept ({shown})"]


def _document_problems(execute: Execute, schema: str, sealed: list[tuple[Any, ...]]) -> list[str]:
    """Kept ledgers that do not have their hash, or do not follow on what their run follows on."""
    found = []
    for run, kept, before in sealed:
        ledger = document(execute, schema, run)
        if ledger is None:
            continue
        if ledger_hash(ledger) != kept:
            found.append(f"the ledger that was kept of run {run} does not have its hash")
        elif before not in ledger["previous_hashes"].values():
            found.append(f"run {run} follows on another ledger than it says")
    return found


def _unknown_runs(execute: Execute, schema: str) -> list[str]:
    """Runs that rows of the store name and that ``runs`` does not have."""
    named = " UNION ".join(
        f"SELECT run_id FROM {schema}.{table}" for table in ("store_ledger", "store_nodes", "store_current")
    )
    rows = execute(
        f"SELECT run_id FROM ({named})"
        f" WHERE run_id NOT IN (SELECT run_id FROM {schema}.store_runs) ORDER BY 1"
    )
    return [f"run {row[0]} left rows in the store and is not in cdme.runs" for row in rows]
