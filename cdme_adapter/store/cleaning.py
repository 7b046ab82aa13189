"""``cdme gc`` on one database: what goes, and how much room that makes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import literal, quote
from cdme_adapter.store.keeping import forget_runs
from cdme_adapter.store.retention import collect_garbage
from cdme_adapter.store.schema import SCHEMA
from cdme_adapter.store.writer import StoreWriter


def clean(execute: Execute, database: str, keep: int, dry_run: bool) -> dict[str, Any]:
    """Bring the schema up to date, delete what nothing refers to and old runs, and free the room.

    With ``dry_run`` all of it is rolled back. ``execute`` is alone on the database.
    """
    schema = f"{quote(database)}.{SCHEMA}"
    before, bytes_before = {}, _bytes(execute, database)
    with _transaction(execute, dry_run) as inner:
        StoreWriter(inner, database).prepare()
        before = _rows(execute, database)
        edges = collect_garbage(inner, schema)
        runs = forget_runs(inner, schema, keep)
        after = _rows(execute, database)
    if not dry_run:
        # The first writes the tables anew, and the second gives back what was free at the end.
        for _ in range(2):
            execute(f"CHECKPOINT {quote(database)}")
    free = execute(f"SELECT free_blocks * block_size FROM pragma_database_size() WHERE"
                   f" database_name = {literal(database)}")[0][0]  # fmt: skip
    return {
        "database": database, "edges": edges, "runs": runs,
        "rows": {name: before[name] - count for name, count in after.items() if before[name] != count},
        "bytes_before": bytes_before, "bytes_after": _bytes(execute, database), "bytes_free": int(free),
    }  # fmt: skip


@contextlib.contextmanager
def _transaction(execute: Execute, dry_run: bool) -> Iterator[Execute]:
    """What runs in it; a dry run is one transaction that is rolled back."""
    if not dry_run:
        yield execute
        return

    def inner(sql: str) -> list[Any]:
        words = [part for part in sql.split(";\n") if part.upper() not in ("BEGIN", "COMMIT", "ROLLBACK")]
        return list(execute(";\n".join(words))) if words else []

    execute("BEGIN")
    try:
        yield inner
    finally:
        execute("ROLLBACK")


def _rows(execute: Execute, database: str) -> dict[str, int]:
    """The rows of each physical table."""
    names = execute(
        f"SELECT table_name FROM duckdb_tables() WHERE database_name = {literal(database)}"
        f" AND schema_name = '{SCHEMA}' AND table_name LIKE 'store%' ORDER BY 1"
    )
    schema = f"{quote(database)}.{SCHEMA}"
    return {name: int(execute(f"SELECT count(*) FROM {schema}.{name}")[0][0]) for (name,) in names}


def _bytes(execute: Execute, database: str) -> int:
    """The bytes of the database file."""
    rows = execute(
        "SELECT total_blocks * block_size FROM pragma_database_size()"
        f" WHERE database_name = {literal(database)}"
    )
    return int(rows[0][0])
