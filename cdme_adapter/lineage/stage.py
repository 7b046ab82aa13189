"""A copy of a few records, under the names that the original SQL uses, in a DuckDB of its own.

The records are written to a temporary database file, types and all, which a second DuckDB instance
attaches under the name of the user's database. So the SQL runs as it was written, and can reach
nothing but the copy.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.relations import Table
from cdme_adapter.store.reader import Generation, literal, quote

RECORD = "__cdme_replay"
TAG = "__cdme_tag"
"""The column that says for which output record a row was copied."""

_SETTINGS = (
    "TimeZone", "Calendar", "default_null_order", "default_order", "integer_division",
    "ieee_floating_point_ops", "old_implicit_casting", "default_collation",
    "scalar_subquery_error_on_multiple_rows", "order_by_non_integer_literal",
    "preserve_insertion_order",
)  # fmt: skip

_WANTED = f"SELECT name, value FROM duckdb_settings() WHERE name IN ({', '.join(map(literal, _SETTINGS))})"
_NUMBERS = itertools.count()


def settings_of(ctx: Context) -> dict[str, Any]:
    """The settings of the user's connection that decide what SQL gives."""
    return dict(ctx.store.rows(_WANTED))


def _copied(filled: Path) -> Path:
    """A copy of a database file and its log: DuckDB keeps a detached file open, and refuses to open
    it again, as long as another thread of the process is in a transaction."""
    copy = filled.with_name(f"copy_{filled.name}")
    for suffix in ("", ".wal"):
        part = Path(f"{filled}{suffix}")
        if part.exists():
            shutil.copyfile(part, f"{copy}{suffix}")
    return copy


class Stage:
    """A copy that is filled relation by relation and then opened."""

    def __init__(self, ctx: Context, settings: dict[str, Any]) -> None:
        self.ctx, self.settings = ctx, settings
        self._folder = tempfile.TemporaryDirectory(prefix="cdme_replay_")
        self._files: dict[str, tuple[str, Path]] = {}
        self._runner: Any = None

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        if self._runner is not None:
            self._runner.close()
        self._detach()
        self._folder.cleanup()

    def _alias(self, database: str) -> str:
        """The name under which the copy of a database is filled."""
        if database not in self._files:
            # Attached for all threads of the process, so no two may share a name.
            alias = f"__cdme_stage{next(_NUMBERS)}"
            path = Path(self._folder.name) / f"{len(self._files)}.duckdb"
            self.ctx.store.con.execute(f"ATTACH {literal(str(path))} AS {alias}")
            self._files[database] = (alias, path)
        return self._files[database][0]

    def add(
        self,
        generation: Generation,
        table: Table,
        ordinals: str | None,
        suffix: str = "",
        tagged: bool = False,
    ) -> None:
        """Copy the records whose ordinals a SELECT of ``ord`` gives, or all, in their order; ``tagged``
        says that it gives ``tag`` too, for which each is copied."""
        alias = self._alias(generation.database)
        where = f"{alias}.{quote(generation.schema)}"
        self._create(where, quote(generation.name + suffix), table, ordinals, tagged)

    def add_record(self, generation: Generation, table: Table, ordinal: int) -> None:
        """Copy the output record that is to come out again."""
        where = f"{self._alias(generation.database)}.{RECORD}"
        self._create(where, "record", table, f"SELECT {ordinal}::BIGINT AS ord")

    def add_records(self, generation: Generation, table: Table, ordinals: Sequence[int]) -> None:
        """Copy output records, each under its ordinal as its tag."""
        where = f"{self._alias(generation.database)}.{RECORD}"
        wanted = f"SELECT x AS ord, x AS tag FROM (SELECT unnest({list(ordinals)}::BIGINT[]) AS x)"
        self._create(where, "record", table, wanted, tagged=True)

    def _create(
        self, schema: str, name: str, table: Table, ordinals: str | None, tagged: bool = False
    ) -> None:
        columns = ", ".join(f"r.{quote(c.name)}" for c in table.columns)
        if tagged:
            columns = f"w.tag AS {TAG}, {columns}"
        join = f" JOIN ({ordinals}) w ON {table.ordinal} = w.ord" if ordinals else ""
        self.ctx.store.con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        self.ctx.store.con.execute(
            f"CREATE TABLE {schema}.{name} AS SELECT {columns} FROM {table.source}{join}"
            f" ORDER BY {'w.tag, ' if tagged else ''}{table.ordinal}"
        )

    def _detach(self) -> None:
        attached = {row[0] for row in self.ctx.store.rows("SELECT database_name FROM duckdb_databases()")}
        for alias, _ in self._files.values():
            if alias in attached:
                self.ctx.store.con.execute(f"DETACH {alias}")

    def open(self, database: str, schema: str, statements: Sequence[str]) -> Any:
        """The second instance, with the copy under the user's names and the views made again.

        A statement that cannot run yet is tried again after the others: views read views.
        """
        import duckdb

        self._detach()
        # Not in memory: a user's own database may be called "memory".
        path = Path(self._folder.name) / "__cdme_runner.duckdb"
        self._runner = runner = duckdb.connect(str(path))
        self._settings(runner)
        for name, (_, filled) in self._files.items():
            runner.execute(f"ATTACH {literal(str(_copied(filled)))} AS {quote(name)}")
        runner.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(database)}.{quote(schema)}")
        runner.execute(f"USE {quote(database)}.{quote(schema)}")
        waiting = list(statements)
        while waiting:
            failed = [s for s in waiting if not _runs(runner, s)]
            if len(failed) == len(waiting):
                break
            waiting = failed
        return runner

    def _settings(self, runner: Any) -> None:
        here = dict(runner.execute(_WANTED).fetchall())
        for name, value in self.settings.items():
            if value is not None and here.get(name) != value:
                _runs(runner, f"SET {name} = {literal(str(value))}")


def _runs(runner: Any, statement: str) -> bool:
    import duckdb

    try:
        runner.execute(statement)
    except duckdb.Error:
        return False
    return True
