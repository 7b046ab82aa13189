"""A dbt project in a folder of its own, run in-process with ``type: cdme`` or ``type: duckdb``."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner, dbtRunnerResult

Rows = list[tuple[Any, ...]]


@dataclass
class Outcome:
    """What one dbt command gave."""

    success: bool
    exception: BaseException | None
    status: dict[str, str]
    """The status of each node, by name."""
    message: dict[str, str]
    log: str

    @property
    def text(self) -> str:
        """Everything that the user was told."""
        return "\n".join([self.log, *self.message.values(), str(self.exception or "")])


@dataclass
class Project:
    """Files, a profile and a database; ``dbt`` runs a command, ``sql`` looks at the result."""

    root: Path
    kind: str = "cdme"
    name: str = "shop"
    path: str = ""
    profile: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.path = self.path or str(self.root / "shop.duckdb")
        self.configure()

    def configure(self, **settings: Any) -> None:
        """Write dbt_project.yml and profiles.yml, with more of their settings."""
        self.settings |= settings
        config = {
            "name": self.name, "version": "1.0", "profile": self.name, "config-version": 2,
            "flags": {"send_anonymous_usage_stats": False}, **self.settings,
        }  # fmt: skip
        output = {"type": self.kind, "path": self.path, "schema": "main", "threads": 1}
        profile = {self.name: {"target": "dev", "outputs": {"dev": {**output, **self.profile}}}}
        (self.root / "dbt_project.yml").write_text(yaml.safe_dump(config))
        (self.root / "profiles.yml").write_text(yaml.safe_dump(profile))

    def write(self, files: Mapping[str, str]) -> Project:
        """Write files; a bare ``x.sql``, ``x.py`` or ``x.yml`` is a model, ``x.csv`` a seed."""
        for name, text in files.items():
            folder = "" if "/" in name else "seeds/" if name.endswith(".csv") else "models/"
            path = self.root / f"{folder}{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self

    def remove(self, *names: str) -> None:
        """Delete files or folders of the project."""
        for name in names:
            path = self.root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def twin(self, kind: str = "duckdb") -> Project:
        """The same project beside this one, with another adapter and another database."""
        root = self.root.with_name(f"{self.root.name}_{kind}")
        shutil.copytree(self.root, root)
        profile = json.loads(json.dumps(self.profile).replace(str(self.root), str(root)))
        return Project(root, kind, self.name, self.path.replace(str(self.root), str(root)),
                       profile, dict(self.settings))  # fmt: skip

    def dbt(self, *args: str, ok: bool | None = True) -> Outcome:
        """Run a dbt command; ``ok`` says whether it must succeed (None: either)."""
        release()
        lines: list[str] = []

        def listen(event: Any) -> None:
            if event.info.level in ("info", "warn", "error"):
                lines.append(event.info.msg)

        done = dbtRunner(callbacks=[listen]).invoke(
            [*args, "--project-dir", str(self.root), "--profiles-dir", str(self.root),
             "--log-path", str(self.root / "logs"), "--quiet"]
        )  # fmt: skip
        release()
        outcome = _outcome(done, "\n".join(lines))
        if ok is not None:
            assert outcome.success is ok, outcome.text
        return outcome

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A connection to the database, which nobody else has open."""
        release()
        return duckdb.connect(self.path)

    def sql(self, query: str) -> Rows:
        """Rows of a query on the database file."""
        with self.connect() as con:
            return con.execute(query).fetchall()

    def one(self, query: str) -> Any:
        """The one value of a query."""
        rows = self.sql(query)
        assert len(rows) == 1 and len(rows[0]) == 1, rows
        return rows[0][0]

    def ledger(self, model: str, run: int = -1) -> dict[str, dict[str, Any]]:
        """The ledger of a model in a run (the last by default), by the input's short name."""
        with self.connect() as con:
            runs = con.execute("SELECT run_id FROM cdme.runs ORDER BY started_at").fetchall()
            cursor = con.execute(
                "SELECT * FROM cdme.ledger WHERE run_id = ? AND split_part(model, '.', -1) = ?"
                " ORDER BY role = 'direct'",
                [runs[run][0], model],
            )
            names = [column[0] for column in cursor.description or []]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return {row["input"].split(".")[-1] if not row["input"].startswith("file.")
                else row["input"]: row for row in rows}  # fmt: skip

    def file_ledger(self) -> dict[str, Any]:
        """``target/cdme/ledger.json``."""
        found: dict[str, Any] = json.loads((self.root / "target/cdme/ledger.json").read_text())
        return found


def release() -> None:
    """Close dbt-duckdb's database of this process."""
    env = DuckDBConnectionManager._ENV
    if env is not None:
        env.close()
        DuckDBConnectionManager._ENV = None


def _outcome(done: dbtRunnerResult, log: str) -> Outcome:
    results = [r for r in getattr(done.result, "results", None) or [] if hasattr(r, "node")]
    results = [r for r in results if str(r.node.resource_type) != "operation"]
    return Outcome(
        bool(done.success), done.exception,
        {r.node.name: str(r.status) for r in results},
        {r.node.name: str(r.message or "") for r in results},
        log,
    )  # fmt: skip


def counts(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """input, contributed, filtered, error and unaccounted of a ledger row, and its status."""
    names = ("input", "contributed", "filtered", "error", "unaccounted")
    return (*(row[f"{name}_count"] for name in names), row["status"])


def listens() -> None:
    """In a child before it begins: Ctrl-C reaches it, also where the tests run in the background of a
    shell, which ignores it there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
