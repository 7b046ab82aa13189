"""The proof of a run that has just ended, written while its databases are open."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cdme_adapter import plugins
from cdme_adapter.engines.rows import literal
from cdme_adapter.proof.content import documents
from cdme_adapter.proof.folder import keep_hash, write_proof
from cdme_adapter.run import Run
from cdme_adapter.store.writer import StoreWriter
from cdme_adapter.validation.before_run import Preflight


def prove(run: Run, manifest: Mapping[str, Any], preflight: Preflight | None, project_dir: Path) -> None:
    """Write the proof folder of a run, and the hash of its manifest into the databases it wrote."""
    contents = documents(run.ledger, manifest, preflight, observed_types(run), project_dir)
    sections = [{"title": t, "text": x} for t, x in plugins.each("cdme_report_section", ledger=run.ledger)]
    if sections:
        contents["sections.json"] = {"sections": sections, "plugins": plugins.names()}
    value = write_proof(run.target_path, run.ledger, contents)
    for database in run.databases:
        keep_hash(run.side, StoreWriter(run.side, database).schema, run.run_id, value)


def observed_types(run: Run) -> dict[str, list[tuple[str, str]]]:
    """Columns and types in the database of the nodes that the run made, by unique id."""
    found: dict[str, list[tuple[str, str]]] = {}
    made = {row["node"] for row in run.ledger["nodes"]}
    databases = ", ".join(literal(database) for database in run.databases)
    for database, schema, table, column, kind in run.side(
        "SELECT database_name, schema_name, table_name, column_name, data_type FROM duckdb_columns()"
        f" WHERE NOT internal AND database_name IN ({databases}) ORDER BY 1, 2, 3, column_index"
    ):
        name = run.nodes.identify(database, schema, table)
        if name in made:
            found.setdefault(name, []).append((column, kind))
    return found
