"""A project in which much can meet, and what its account says without naming runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from tests.crash.boundary import in_child, read_project
from tests.functional.project import Project

THREADS = (1, 4, 8)
TABLE = "{{ config(materialized='table') }} "
IN_PLACE = "{{ config(materialized='incremental', unique_key='id', incremental_strategy='%s') }} "
FILES = {
    "raw.csv": "id,v\n" + "".join(f"{n},{n % 7}\n" for n in range(1, 60)),
    "some.sql": TABLE + "select id, v from {{ ref('raw') }} where id % 5 <> 1",
    "grouped.sql": TABLE + "select v, count(*) as n from {{ ref('raw') }} group by v",
    "joined.sql": TABLE + "select a.id, b.v from {{ ref('raw') }} a join {{ ref('seen') }} b using (id)",
    "seen.sql": "{{ config(materialized='view') }} select * from {{ ref('raw') }} where v <> 3",
    "merged.sql": IN_PLACE % "merge" + "select id, v from {{ ref('raw') }}",
    "replaced.sql": IN_PLACE % "delete+insert" + "select id, v from {{ ref('raw') }} where v > 1",
    "mart.sql": "{{ config(materialized='table', database='mart') }} select id from {{ ref('raw') }}",
    "mart_two.sql": "{{ config(materialized='table', database='mart') }} select v from {{ ref('raw') }}",
    "coded.py": "def model(dbt, session):\n    dbt.config(materialized='table')\n"
    "    return dbt.ref('raw').filter('id > 9')\n",
    "snapshots/kept.sql": "{% snapshot kept %}{{ config(unique_key='id', strategy='check',"
    " check_cols=['v'], target_schema='main') }} select id, v from {{ ref('raw') }}{% endsnapshot %}",
}  # fmt: skip
_ACCOUNT = {
    "ledger": "SELECT * EXCLUDE (run_id) FROM {s}.ledger AS l WHERE run_id ="
    " (SELECT arg_max(run_id, started_at) FROM {s}.runs)",
    "reverse_join": "SELECT model, input, output_key, input_key, role FROM {s}.reverse_join",
    "filtered_keys": "SELECT model, input, input_key, reason_id, verdict FROM {s}.filtered_keys",
    "runs": "SELECT DISTINCT status FROM {s}.runs",
}


@dataclass
class Shop:
    """The project on disk; runs begin in children, as the parent holds no database open."""

    root: Path

    def __post_init__(self) -> None:
        self.project = Project(self.root)
        self.project.profile["attach"] = [{"path": str(self.root / "mart.duckdb"), "alias": "mart"}]
        self.project.configure()
        self.project.write(FILES)
        where = {"--project-dir": self.root, "--profiles-dir": self.root, "--log-path": self.root / "logs"}
        self.common = ["--quiet", *(str(part) for option in where.items() for part in option)]
        self.manifest = read_project(self.common)

    def settle(self) -> dict[str, Any]:
        """Build until incremental models are no longer new, with one thread; the account then."""
        for _ in range(2):
            fault = self.run(1)
            assert not fault, fault
        return self.account()

    def run(self, threads: int) -> str:
        """One build; what went wrong, empty if nothing did."""
        arguments = ["build", *self.common, "--threads", str(threads)]
        said: str = in_child(_build, self.manifest, arguments)
        return said

    def account(self) -> dict[str, Any]:
        """What the store says of the present generations, in an order of its own."""
        return {
            f"{name} {view}": rows
            for name in ("shop", "mart")
            for view, rows in in_child(_read, str(self.root / f"{name}.duckdb")).items()
        }


def _build(manifest: Any, arguments: list[str]) -> str:
    from dbt.cli.main import dbtRunner

    done = dbtRunner(manifest=manifest).invoke(arguments)
    results = getattr(done.result, "results", None) or []
    failed = [f"{r.node.name}: {r.message}" for r in results if str(r.status) not in ("success", "pass")]
    return "" if done.success else "; ".join([*failed, str(done.exception or "")])


def _read(path: str) -> dict[str, Any]:
    with duckdb.connect(path, read_only=True) as con:
        return {
            view: [[str(value) for value in row] for row in con.execute(
                f"SELECT * FROM ({query.format(s='cdme')}) ORDER BY ALL").fetchall()]
            for view, query in _ACCOUNT.items()
        }  # fmt: skip
