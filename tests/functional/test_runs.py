"""A run's own row and status, its selection, its threads, and what is kept of older runs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from itertools import pairwise

from tests.functional.project import Project, counts, listens, release

RAW = "id,v\n" + "".join(f"{n},{n % 3}\n" for n in range(1, 10))
TABLE = "{{ config(materialized='table') }}\n"
CHAIN = {
    "raw.csv": RAW,
    "a.sql": TABLE + "select * from {{ ref('raw') }} where id > 1",
    "b.sql": TABLE + "select v, count(*) as n from {{ ref('a') }} group by v",
    "c.sql": TABLE + "select a.id, b.n from {{ ref('a') }} a join {{ ref('b') }} b using (v)",
}


def runs(project: Project) -> list[str]:
    return [row[0] for row in project.sql("SELECT status FROM cdme.runs ORDER BY started_at")]


def test_the_run_is_there_before_its_first_model(project: Project) -> None:
    project.write({"first.sql": TABLE + "select run_id, status, command from shop.cdme.runs"})
    project.dbt("run", ok=None)  # the schema cdme does not exist when the first run is compiled
    project.dbt("run")
    rows = project.sql("SELECT status, command FROM first ORDER BY status")
    assert ("RUNNING", "run") in rows
    assert runs(project)[-1] in ("COMPLETE", "COMPLETE_WITH_WARNINGS")


def test_an_orphan_is_marked_by_the_next_command(project: Project) -> None:
    project.write(CHAIN)
    project.dbt("build")
    with project.connect() as con:
        con.execute(
            "UPDATE cdme.store_runs SET status = 'RUNNING', finished_at = NULL, ledger_hash = NULL;"
            "DELETE FROM cdme.store_documents; DELETE FROM cdme.store_meta WHERE name = 'ledger_tip'"
        )
    project.dbt("run", "--select", "c")
    assert runs(project) == ["INTERRUPTED", "COMPLETE"]


def test_ctrl_c_leaves_an_interrupted_run(project: Project) -> None:
    slow = "select sum(a.range * b.range) as s from range(1000000) a, range(1000000) b"
    project.write({**CHAIN, "slow.sql": TABLE + slow})
    project.dbt("seed")
    release()
    command = [
        sys.executable,
        "-m",
        "dbt.cli.main",
        "run",
        "--project-dir",
        str(project.root),
        "--profiles-dir",
        str(project.root),
        "--log-path",
        str(project.root / "logs"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=listens) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "START sql table model main.slow" in line:
                break
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(timeout=60) != 0
    project.dbt("run", "--select", "a")
    assert runs(project) == ["COMPLETE", "INTERRUPTED", "COMPLETE"]
    assert not project.sql("SELECT 1 FROM duckdb_tables() WHERE table_name LIKE 'slow%'")


def test_failed_and_skipped_nodes_are_unknown(project: Project) -> None:
    project.write({**CHAIN, "b.sql": TABLE + "select v, error('no') as n from {{ ref('a') }}"})
    project.dbt("build", ok=False)
    assert runs(project) == ["FAILED"]
    assert project.ledger("a")["raw"]["status"] == "BALANCED"
    assert project.ledger("b")["a"]["status"] == "UNKNOWN"
    assert {name: row["status"] for name, row in project.ledger("c").items()} == {
        "a": "UNKNOWN", "b": "UNKNOWN",
    }  # fmt: skip
    states = dict(project.sql("SELECT split_part(node, '.', -1), state FROM cdme.store_nodes"))
    assert states == {"raw": "committed", "a": "committed", "b": "failed", "c": "skipped"}
    assert project.file_ledger()["status"] == "FAILED"


def test_fail_fast_and_a_retry(project: Project) -> None:
    project.write({**CHAIN, "b.sql": TABLE + "select v, error('no') as n from {{ ref('a') }}"})
    project.dbt("build", "--fail-fast", ok=False)
    project.write({"b.sql": CHAIN["b.sql"]})
    project.dbt("retry")
    assert runs(project) == ["FAILED", "COMPLETE"]
    assert counts(project.ledger("c")["a"]) == (8, 8, 0, 0, 0, "BALANCED")


def test_a_failing_model_keeps_its_older_table_and_account(project: Project) -> None:
    project.write(CHAIN)
    project.dbt("build")
    before = project.sql("SELECT * FROM cdme.reverse_join WHERE model LIKE '%.b' ORDER BY ALL")
    project.write({"b.sql": TABLE + "select v, error('no') as n from {{ ref('a') }}"})
    project.dbt("run", "--select", "b", ok=False)
    assert project.one("SELECT count(*) FROM b") == 3
    after = project.sql("SELECT * FROM cdme.reverse_join WHERE model LIKE '%.b' ORDER BY ALL")
    assert before == after != []


def test_a_part_of_the_project_is_run(project: Project) -> None:
    project.write(CHAIN)
    project.dbt("build")
    project.dbt("run", "--select", "b")
    last = project.sql("SELECT DISTINCT model FROM cdme.ledger WHERE run_id = (SELECT run_id FROM"
                       " cdme.runs ORDER BY started_at DESC LIMIT 1)")  # fmt: skip
    assert last == [("model.shop.b",)]
    assert {edge["model"] for edge in project.file_ledger()["edges"]} == {"model.shop.b"}
    models = project.sql("SELECT DISTINCT model FROM cdme.edges WHERE model LIKE 'm%' ORDER BY ALL")
    assert models == [("model.shop.a",), ("model.shop.b",), ("model.shop.c",)]


def test_commands_that_run_no_model_write_nothing(project: Project) -> None:
    tested = "{version: 2, models: [{name: a, columns: [{name: id, tests: [unique]}]}]}"
    project.write({**CHAIN, "m.yml": tested})
    project.dbt("build")
    before = project.sql("SELECT * FROM cdme.runs")
    for command in (["test"], ["compile"], ["parse"], ["ls"], ["show", "--select", "a"],
                    ["docs", "generate"], ["run", "--select", "nothing"]):  # fmt: skip
        project.dbt(*command)
    assert project.sql("SELECT * FROM cdme.runs") == before


def _ledger(project: Project, root: str) -> list[str]:
    """The edges without what no two runs share: how long they took."""
    edges = [{**edge, "settle_seconds": None} for edge in project.file_ledger()["edges"]]
    return [json.dumps(edge, sort_keys=True).replace(root, "") for edge in edges]


def test_threads_do_not_change_the_ledger(project: Project) -> None:
    files = {
        f"m{n}.sql": TABLE + f"select id, v from {{{{ ref('a') }}}} where id <> {n}" for n in range(12)
    }
    project.write({**CHAIN, **files})
    project.dbt("build")
    one = _ledger(project, "")
    for threads in ("4", "4", "8"):
        project.dbt("build", "--threads", threads)
        assert _ledger(project, "") == one
    assert not project.sql("SELECT * FROM cdme.store_findings WHERE code LIKE 'CAPTURE%'")


def test_many_runs_do_not_grow_the_store(project: Project) -> None:
    project.write(CHAIN)
    sizes = []
    for _ in range(5):
        project.dbt("build")
        sizes.append(project.sql(
            "SELECT (SELECT count(*) FROM cdme.store_pairs), (SELECT count(*) FROM cdme.store_steps),"
            " (SELECT count(*) FROM cdme.store_edges), (SELECT count(*) FROM cdme.store_filtered),"
            " (SELECT count(*) FROM cdme.store_reasons), (SELECT count(*) FROM cdme.store_keys),"
            " (SELECT count(*) FROM cdme.store_generations), (SELECT count(*) FROM cdme.store_current)"
        )[0])  # fmt: skip
    # Of each replaced generation one row stays: the hash of what a run left.
    assert len({one[:6] + one[7:] for one in sizes}) == 1
    assert {later[6] - one[6] for one, later in pairwise(sizes)} == {4}
    assert sizes[0][0] > 0
    assert project.one("SELECT count(*) FROM cdme.runs") == 5


def test_a_rejected_model_leaves_no_pairs(project: Project) -> None:
    hook = "{{ config(materialized='table', post_hook='delete from {{ this }} where id = 5') }}\n"
    project.write({"raw.csv": RAW, "a.sql": hook + "select * from {{ ref('raw') }}"})
    project.dbt("build", ok=False)
    assert project.one("SELECT count(*) FROM cdme.store_edges WHERE model LIKE '%.a'") == 0
    owned = "SELECT map FROM cdme.store_steps"
    assert project.one(f"SELECT count(*) FROM cdme.store_pairs WHERE map NOT IN ({owned})") == 0


def test_views_and_tables_at_once_do_not_wait_for_each_other(project: Project) -> None:
    """A view being accounted and a table registering its source need the same two locks."""
    with project.connect() as con:
        con.execute("CREATE SCHEMA src; CREATE TABLE src.t AS SELECT range AS id FROM range(2000)")
    source = "select id from {{ source('src', 't') }} where id > "
    views = {f"v{n}.sql": f"{{{{ config(materialized='view') }}}} {source} {n}" for n in range(8)}
    tables = {f"t{n}.sql": f"{TABLE} {source} {n}" for n in range(8)}
    sources = "{version: 2, sources: [{name: src, tables: [{name: t}]}]}"
    project.write({"s.yml": sources, **views, **tables})
    project.dbt("run", "--threads", "8")
    assert project.sql("SELECT status, count(*) FROM cdme.ledger GROUP BY ALL") == [("BALANCED", 16)]
