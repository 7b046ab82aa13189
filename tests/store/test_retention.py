"""What is kept of older runs, and what ``cdme gc`` removes."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pytest
from click.testing import CliRunner

from cdme_adapter.cli import cli
from cdme_adapter.store.chain import chain_problems
from cdme_adapter.store.retention import orphans
from tests.functional.project import Project, counts, release
from tests.store.dump import FILES

TABLES = ("ledger", "nodes", "findings", "documents", "planned", "outcomes")


def gc(project: Project, *options: str) -> dict[str, Any]:
    release()
    command = ["gc", "--project-dir", str(project.root), "--profiles-dir", str(project.root), "-o", "json"]
    done = CliRunner().invoke(cli, [*command, *options])
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    schema = (files("cdme_adapter") / "schemas" / "gc.json").read_text()
    jsonschema.validate(answer, json.loads(schema))
    return answer


def runs_in(project: Project, table: str) -> int:
    found = project.one(f"SELECT count(DISTINCT run_id) FROM cdme.store_{table}")
    assert isinstance(found, int)
    return found


@pytest.fixture
def built(project: Project) -> Project:
    """Five runs; ``b`` alone was built by the fourth, so that the third is still in a table."""
    project.write(FILES)
    for number in range(5):
        project.dbt("run", "--select", "b") if number == 3 else project.dbt("build")
    return project


def everything(project: Project) -> list[Any]:
    with project.connect() as con:
        names = con.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'cdme' ORDER BY 1")
        return [con.execute(f"FROM cdme.{name} ORDER BY ALL").fetchall() for (name,) in names.fetchall()]


def test_the_ledger_keeps_so_many_runs(project: Project) -> None:
    project.configure(vars={"cdme": {"keep_runs": 2}})
    project.write(FILES)
    for _ in range(4):
        project.dbt("build")
    assert project.one("SELECT count(*) FROM cdme.runs") == 4
    assert {runs_in(project, table) for table in TABLES if table != "findings"} == {2}
    with project.connect() as con:
        rows = lambda sql: con.execute(sql).fetchall()  # noqa: E731
        assert chain_problems(rows, "shop.cdme") == []
        assert set(orphans(rows, "shop.cdme").values()) == {0}


def test_what_is_in_a_table_keeps_its_account(project: Project) -> None:
    project.configure(vars={"cdme": {"keep_runs": 1}})
    project.write(FILES)
    project.dbt("build")
    for _ in range(3):
        project.dbt("run", "--select", "b")
    assert counts(project.ledger("a", 0)["raw"]) == (9, 8, 1, 0, 0, "BALANCED")
    assert runs_in(project, "ledger") == 2


def test_a_dry_run_says_what_would_go_and_leaves_everything(built: Project) -> None:
    before = everything(built)
    would = gc(built, "--dry-run", "--keep-runs", "2")
    assert everything(built) == before
    done = gc(built, "--keep-runs", "2")
    assert would["databases"][0]["rows"] == done["databases"][0]["rows"] != {}
    assert done["databases"][0]["runs"] == 3
    assert runs_in(built, "ledger") == 2
    assert gc(built, "--keep-runs", "2")["databases"][0]["rows"] == {}


def test_the_room_is_given_back(built: Project) -> None:
    """Metadata of a generation that a killed run left behind."""
    with built.connect() as con:
        con.execute("INSERT INTO cdme.store_generations (generation, relation) VALUES (1, 'model.shop.x')")
        con.execute("INSERT INTO cdme.store_edges (edge, output_generation) VALUES (1, 1)")
        con.execute("INSERT INTO cdme.store_steps VALUES (1, 0, 1, 1, 77)")
        con.execute("INSERT INTO cdme.store_keys SELECT 1, range, hash(range) FROM range(1000000)")
    before = Path(built.path).stat().st_size
    traced = built.sql("SELECT * FROM cdme.reverse_join ORDER BY ALL")
    (one,) = gc(built)["databases"]
    assert one["edges"] == 1 and one["rows"]["store_keys"] == 1_000_000
    now = Path(built.path).stat().st_size
    assert now - one["bytes_free"] < before / 2, "free in the file, or no longer in it"
    assert built.sql("SELECT * FROM cdme.reverse_join ORDER BY ALL") == traced != []
    assert set(orphans(built.sql, "shop.cdme").values()) == {0}


def test_a_locked_database_is_said(built: Project) -> None:
    import subprocess
    import sys

    release()
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    command = [sys.executable, "-c", hold, built.path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        done = CliRunner().invoke(cli, ["gc", "--database", built.path])
        assert done.exit_code == 2 and f"process {holder.pid}" in done.output
        outcome = built.dbt("run", ok=False)
        assert "[STORE_LOCKED]" in outcome.text and f"process {holder.pid}" in outcome.text
        assert "what to do" in outcome.text
        holder.communicate("\n")
    built.dbt("run")
    assert duckdb.connect(built.path).execute("SELECT count(*) FROM cdme.runs").fetchall() == [(6,)]
