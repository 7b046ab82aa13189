"""The ledger of a run: every node in it, its chain, and what ``cdme ledger verify`` finds."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from cdme_adapter.cli import cli
from tests.functional.project import Project, release

TABLE = "{{ config(materialized='table') }}\n"
FILES = {
    "raw.csv": "id,v\n" + "".join(f"{n},{n % 3}\n" for n in range(1, 10)),
    "a.sql": TABLE + "select * from {{ ref('raw') }} where id > 1",
    "b.sql": TABLE + "select v, count(*) as n from {{ ref('a') }} group by v",
    "e.sql": "{{ config(materialized='ephemeral') }} select id from {{ ref('a') }}",
    "v.sql": "select id from {{ ref('e') }}",
}
TESTED = "{version: 2, models: [{name: a, columns: [{name: v, tests: [not_null, unique]}]}]}"


def ledger(project: Project) -> dict[str, Any]:
    found = project.file_ledger()
    jsonschema.validate(found, json.loads((files("cdme_adapter") / "schemas/ledger.json").read_text()))
    return found


def states(project: Project) -> dict[str, str]:
    return {n["node"].split(".")[2]: n["state"] for n in ledger(project)["nodes"]}


def verify(project: Project, *args: str) -> tuple[int, list[str]]:
    release()
    where = ["--project-dir", str(project.root), "--profiles-dir", str(project.root)]
    done = CliRunner().invoke(cli, ["ledger", "verify", *where, "--output", "json", *args])
    return done.exit_code, json.loads(done.stdout)["problems"]


def test_every_node_of_the_run_is_in_it(project: Project) -> None:
    project.write({
        **FILES, "m.yml": TESTED, "broken.sql": "{{ nosuch() }}",
        "after.sql": TABLE + "select * from {{ ref('broken') }}, {{ ref('raw') }}",
        "failing.sql": TABLE + "select error('no') as x from {{ ref('raw') }}",
    })  # fmt: skip
    project.dbt("build", ok=False)
    assert states(project) == {
        "raw": "committed", "a": "committed", "not_null_a_v": "passed", "unique_a_v": "failed",
        "b": "skipped", "v": "skipped", "e": "skipped", "broken": "failed", "after": "skipped",
        "failing": "failed",
    }  # fmt: skip
    found = ledger(project)
    assert found["status"] == "FAILED"
    unknown = {(e["model"], e["input"]) for e in found["edges"] if e["status"] == "UNKNOWN"}
    assert ("model.shop.after", "seed.shop.raw") in unknown and ("model.shop.b", "model.shop.a") in unknown
    nodes = {n["node"].split(".")[2]: n for n in found["nodes"]}
    assert nodes["a"]["started_at"] < nodes["a"]["finished_at"]
    assert nodes["a"]["settle_seconds"] > 0 and nodes["unique_a_v"]["failures"] == 3
    assert "nosuch" in nodes["broken"]["message"]
    assert verify(project) == (0, [])


def test_a_failing_test_alone_fails_the_run(project: Project) -> None:
    """dbt exits 1: the ledger must not say COMPLETE."""
    project.write({"raw.csv": FILES["raw.csv"], "a.sql": FILES["a.sql"], "m.yml": TESTED})
    project.dbt("build", ok=False)
    assert ledger(project)["status"] == "FAILED"
    project.write({"m.yml": TESTED.replace("unique", "unique: {config: {severity: warn}}")})
    project.dbt("build")
    assert ledger(project)["status"] == "COMPLETE"
    assert states(project)["unique_a_v"] == "warned"


def test_the_versions_name_project_packages_and_adapter(project: Project) -> None:
    project.write(FILES).dbt("build")
    first = ledger(project)
    project.dbt("build")
    again = ledger(project)
    assert again["versions"] == first["versions"]
    project.write({"b.sql": FILES["b.sql"] + " having count(*) > 0"}).dbt("build")
    changed = ledger(project)
    for name in ("project_hash", "adapter_hash"):
        assert len(changed["versions"][name]) == 64
    assert changed["versions"]["project_hash"] != first["versions"]["project_hash"]
    assert changed["versions"]["adapter_hash"] == first["versions"]["adapter_hash"]
    moved = {name for name in first["versions"]["packages"]
             if first["versions"]["packages"][name] != changed["versions"]["packages"][name]}  # fmt: skip
    assert moved == {"shop"}
    hashes = [{n["node"]: n["sql_hash"] for n in one["nodes"]} for one in (first, changed)]
    assert {node for node in hashes[0] if hashes[0][node] != hashes[1][node]} == {"model.shop.b"}


@pytest.fixture
def three(project: Project) -> Project:
    """A project that ran three times."""
    project.write(FILES)
    for _ in range(3):
        project.dbt("build")
    return project


def runs(project: Project) -> list[str]:
    return [row[0] for row in project.sql("SELECT run_id FROM cdme.runs ORDER BY started_at")]


def run_sql(project: Project, sql: str) -> None:
    with project.connect() as con:
        con.execute(sql)


def test_the_chain_holds_and_each_fault_in_it_shows(three: Project) -> None:
    links = three.sql("SELECT ledger_hash, previous_hash FROM cdme.runs ORDER BY started_at")
    assert [link[1] for link in links] == [None, links[0][0], links[1][0]]
    assert ledger(three)["previous_hashes"] == {"shop": links[1][0]}
    assert verify(three) == (0, [])
    # dbt clean: the files are gone, the chain is not; that is said and no fault.
    kept = three.root.parent / "kept.duckdb"
    release()
    shutil.copy(three.path, kept)
    target = three.root / "target" / "cdme"
    shutil.copytree(target, three.root.parent / "files")
    shutil.rmtree(target)
    assert verify(three) == (0, [])
    run_sql(three, f"DELETE FROM cdme.store_documents WHERE run_id = '{runs(three)[-1]}'")
    missing = f"there is no readable ledger.json of run {runs(three)[-1]}: nor is one kept"
    code, problems = verify(three)
    assert code == 1 and missing in problems
    release()
    shutil.copy(kept, three.path)
    shutil.copytree(three.root.parent / "files", target)
    middle, last = runs(three)[1:]
    edge = "model LIKE '%.a'"
    faults = {
        f"UPDATE cdme.store_ledger SET contributed_count = 7 WHERE run_id = '{middle}' AND {edge}":
            "contributed_count is 8, in the store 7",
        f"DELETE FROM cdme.store_ledger WHERE run_id = '{last}' AND {edge}": "only in the ledger",
        f"UPDATE cdme.store_nodes SET state = 'skipped' WHERE run_id = '{last}' AND node LIKE '%.a'":
            "skipped in one of both only",
        f"UPDATE cdme.store_documents SET ledger = replace(ledger, '\"COMPLETE\"', '\"FAILED\"')"
        f" WHERE run_id = '{middle}'": "does not have its hash",
        f"DELETE FROM cdme.store_runs WHERE run_id = '{middle}'": f"the run before {last} is missing",
        f"DELETE FROM cdme.store_runs WHERE run_id = '{last}'": "not the last that was kept",
        f"UPDATE cdme.store_runs SET ledger_hash = NULL WHERE run_id = '{last}'": "no ledger of it was",
    }  # fmt: skip
    for fault, words in faults.items():
        run_sql(three, fault)
        code, problems = verify(three)
        assert code == 1 and any(words in problem for problem in problems), (fault, problems)
        shutil.copy(kept, three.path)
    file = target / middle / "ledger.json"
    text = file.read_text()
    for changed, words in (
        (text.replace('"contributed_count": 8', '"contributed_count": 9'), "not have the hash that"),
        (text[:50], "cannot be read"),
        ((target / last / "ledger.json").read_text().replace(last, "x" * 36), "kept no ledger"),
    ):
        file.write_text(changed)
        code, problems = verify(three)
        assert code == 1 and any(words in problem for problem in problems), problems
    file.write_text(text)
    assert verify(three) == (0, [])


def test_another_target_s_ledgers_are_not_judged(three: Project) -> None:
    """Two databases often share a target folder: dev and prod."""
    shutil.copy(three.path, three.root.parent / "old.duckdb")
    other = Project(three.root, path=str(three.root / "prod" / "shop.duckdb"))
    (three.root / "prod").mkdir()
    other.dbt("build")
    assert verify(other) == (0, [])


def killed(project: Project) -> str:
    """The id of a run that was killed while a model ran."""
    slow = "select sum(x.range * y.range) as s from range(1000000) x, range(1000000) y, {{ ref('a') }}"
    project.write(
        {
            **FILES,
            "m.yml": TESTED.replace(", unique", ""),
            "slow.sql": TABLE + slow,
            "z.sql": TABLE + "select * from {{ ref('slow') }}",
        }
    )
    release()
    command = [sys.executable, "-m", "dbt.cli.main", "build", "--project-dir", str(project.root),
               "--profiles-dir", str(project.root), "--log-path", str(project.root / "logs")]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "START sql table model main.slow" in line:
                break
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    return runs(project)[-1]


@pytest.mark.parametrize("command", ["test", "gc"])
def test_a_run_that_was_killed_is_finished_by_what_is_no_run_too(project: Project, command: str) -> None:
    """The next command, whatever it is, but those that only read: they say what there is to say."""
    run_id = killed(project)
    code, problems = verify(project)
    assert code == 1 and problems == [
        f"run {run_id} has not come to its end: if it was killed, the next dbt command that runs nodes,"
        " or `cdme gc`, finishes its ledger"
    ]
    where = ["--project-dir", str(project.root), "--profiles-dir", str(project.root)]
    said = CliRunner().invoke(cli, ["ledger", *where])
    assert said.exit_code == 0 and "RUNNING; if it was killed" in said.stdout
    if command == "test":
        assert f"run {run_id} was interrupted: its ledger is finished" in project.dbt("test").log
    else:
        release()
        done = CliRunner().invoke(cli, ["gc", *where, "--output", "json"])
        assert json.loads(done.stdout)["finished"] == [run_id]
    assert ledger(project)["run_id"] == run_id and ledger(project)["status"] == "INTERRUPTED"
    assert states(project)["slow"] == "interrupted" and verify(project) == (0, [])
    project.dbt("test")
    assert runs(project) == [run_id] and verify(project) == (0, [])


def test_the_file_of_a_run_that_was_killed_before_it_wrote_it_is_written(project: Project) -> None:
    project.write({"raw.csv": FILES["raw.csv"]}).dbt("seed")
    first = ledger(project)
    shutil.rmtree(project.root / "target/cdme" / first["run_id"])
    (project.root / "target/cdme/ledger.json").unlink()
    project.dbt("seed")
    assert json.loads((project.root / "target/cdme" / first["run_id"] / "ledger.json").read_text()) == first
    assert ledger(project)["run_id"] != first["run_id"]


def test_a_run_that_was_killed_is_finished_by_the_next_run(project: Project) -> None:
    run_id = killed(project)
    project.dbt("run", "--select", "a")
    second = runs(project)[-1]
    found = json.loads((project.root / "target/cdme" / run_id / "ledger.json").read_text())
    assert found["status"] == "INTERRUPTED" and found["run_id"] == run_id
    by_name = {n["node"].split(".")[2]: n["state"] for n in found["nodes"]}
    assert (by_name["a"], by_name["slow"], by_name["z"]) == ("committed", "interrupted", "interrupted")
    statuses = {(e["model"], e["input"]): e["status"] for e in found["edges"]}
    assert statuses["model.shop.a", "seed.shop.raw"] == "BALANCED"
    assert statuses["model.shop.z", "model.shop.slow"] == "UNKNOWN"
    assert ledger(project)["run_id"] == second
    assert list(ledger(project)["previous_hashes"].values()) == [found["ledger_hash"]]
    assert verify(project) == (0, [])


def test_a_message_keeps_no_personal_value(project: Project) -> None:
    """dbt's own word on a node quotes what it could not convert."""
    project.write({
        "raw.csv": "id,name\n1,Ann@x.org\n",
        "s.yml": "{version: 2, seeds: [{name: raw, config: {meta: {cdme: {pii: [name]}}}}]}",
        "m.sql": TABLE + "select cast(name as integer) as n from {{ ref('raw') }}",
        "broken.sql": "{% if execute %}{{ exceptions.raise_compiler_error(\"'Ann@x.org'\") }}{% endif %}",
    })  # fmt: skip
    project.dbt("build", ok=False)
    assert {states(project)[name] for name in ("m", "broken")} == {"failed"}
    assert "Ann@x.org" not in json.dumps(ledger(project))
    for table in ("store_outcomes", "store_nodes", "store_documents"):
        assert not project.sql(f"SELECT 1 FROM cdme.{table} t WHERE contains(t::VARCHAR, 'Ann@x.org')")
