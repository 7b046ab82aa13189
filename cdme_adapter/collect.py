"""``cdme gc``: every database of a project, and the files that killed runs left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cdme_adapter.errors import ConfigError
from cdme_adapter.external import orphans_beside, remove_staged, repair
from cdme_adapter.lineage.opening import connect
from cdme_adapter.project import Manifest, project_of_file, read_project
from cdme_adapter.store.chain import chained_schemas
from cdme_adapter.store.cleaning import clean
from cdme_adapter.store.files import read_files
from cdme_adapter.store.keeping import DEFAULT
from cdme_adapter.store.recovery import finish_earlier

Answer = dict[str, Any]


def collect(
    project_dir: str | None, profiles_dir: str | None, target: str | None, database: str | None,
    keep_runs: int | None, dry_run: bool, attach: Sequence[str] = (),
) -> Answer:  # fmt: skip
    """Clean the databases that hold a cdme schema and can be written; what went, by database.

    Raises StoreReadOnlyError where another process holds a database.
    """
    if database:
        project, keep = project_of_file(database, Manifest()), keep_runs or DEFAULT
    else:
        project = read_project(project_dir, profiles_dir, target)
        keep = keep_runs or _configured(project.root)
    con = connect(project.with_files(attach), writable=True)

    def execute(sql: str) -> list[Any]:
        return list(con.execute(sql).fetchall())

    try:
        databases, files = [], []
        # Whoever runs dbt next tells OpenLineage of them, if a transport is configured there.
        finished = (
            [] if dry_run else finish_earlier(execute, None if database else project.target_path, True)
        )
        for schema in chained_schemas(execute):
            name = schema.rpartition(".")[0].strip('"').replace('""', '"')
            if not dry_run:
                repair(execute, schema)
            databases.append(clean(execute, name, keep, dry_run))
            rows = read_files(execute, schema)
            kept = {row.staged for row in rows if row.state == "pending"}
            files += [path for row in rows for path in orphans_beside(row.location, kept)]
    finally:
        con.close()
    if not dry_run:
        for path in files:
            remove_staged(path)
    return {"dry_run": dry_run, "keep_runs": keep, "databases": databases, "files": files,
            "finished": [ledger["run_id"] for ledger in finished]}  # fmt: skip


def _configured(root: Path) -> int:
    """``vars: cdme: keep_runs`` of the project's file."""
    import yaml

    found = yaml.safe_load((root / "dbt_project.yml").read_text(encoding="utf-8")) or {}
    options = (found.get("vars") or {}).get("cdme") or {}
    keep = options.get("keep_runs", DEFAULT) if isinstance(options, dict) else DEFAULT
    if not isinstance(keep, int) or isinstance(keep, bool) or keep < 1:
        raise ConfigError(
            f"vars: cdme: keep_runs is {keep!r}, expected a whole number from 1", code="CONFIG_TYPE",
            remedy="write keep_runs as a whole number such as 1000, or remove it",
        )  # fmt: skip
    return keep
