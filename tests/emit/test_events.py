"""Events of real runs, over HTTP, against the official schemas and the life cycle of runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from cdme_adapter.cli import cli
from tests.emit.collector import Collector
from tests.emit.spec import lifecycle_problems, problems_of
from tests.functional.project import Project, listens, release

Event = dict[str, Any]
TABLE = "{{ config(materialized='table') }}\n"
SECRET = "S3cretValue"
FILES = {
    "raw.csv": f"id,v,name\n1,0,{SECRET}\n2,1,b\n3,2,c\n4,,d\n",
    "src.yml": "{version: 2, sources: [{name: ext, schema: ext, tables: [{name: t}]}]}",
    "a.sql": TABLE + "select id, v + 1 as w, name from {{ ref('raw') }} where v > 0",
    "e.sql": "{{ config(materialized='ephemeral') }} select id, w from {{ ref('a') }}",
    "v.sql": "select e.id, e.w from {{ ref('e') }} e join {{ source('ext', 't') }} t on t.id = e.id",
    "g.sql": TABLE + "select w, count(*) as n from {{ ref('v') }} group by w",
    "i.sql": "{{ config(materialized='incremental', unique_key='id') }} select id, w from {{ ref('a') }}",
    "snapshots/s.sql": "{% snapshot s %}{{ config(unique_key='id', strategy='check', check_cols='all') }}"
                       "select id, w from {{ ref('a') }}{% endsnapshot %}",
    "tests/singular.sql": "select 1 from {{ ref('g') }} where n < 0",
    "m.yml": """
version: 2
groups: [{name: finance, owner: {name: Ada}}]
models:
  - name: a
    description: what there is
    config: {tags: [nightly], group: finance, meta: {owner: bob}}
    columns: [{name: id, description: the key, tests: [unique, not_null]}]
""",
}  # fmt: skip


def shop(project: Project) -> Project:
    project.write(FILES)
    with project.connect() as con:
        con.execute("CREATE SCHEMA ext; CREATE TABLE ext.t AS SELECT range AS id FROM range(5)")
    return project


def checked(events: list[Event]) -> dict[str, list[Event]]:
    """The events by job, once the schemas and the life cycle have been held against all of them."""
    assert events
    found = [problem for event in events for problem in problems_of(event)]
    assert not found, found[:10]
    assert lifecycle_problems(events) == []
    assert SECRET not in json.dumps(events)
    jobs: dict[str, list[Event]] = {}
    for event in events:
        jobs.setdefault(event["job"]["name"], []).append(event)
    return jobs


def ends(jobs: dict[str, list[Event]]) -> dict[str, str]:
    return {
        name.split(".")[2] if "." in name else name: story[-1]["eventType"] for name, story in jobs.items()
    }


def rows(event: Event) -> tuple[dict[str, int], dict[str, int]]:
    """Row counts of inputs and outputs by the short names of datasets."""
    found = []
    for side in ("input", "output"):
        kind, facet = f"{side}Facets", f"{side}Statistics"
        counted = [d for d in event[f"{side}s"] if facet in d.get(kind, {})]
        found.append({d["name"].split(".")[-1]: d[kind][facet]["rowCount"] for d in counted})
    return found[0], found[1]


def test_a_run_that_succeeds(
    project: Project, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = "01900000-0000-7000-8000-000000000001"
    monkeypatch.setenv("OPENLINEAGE_PARENT_ID", f"airflow/dag.task/{parent}")
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "shop-prod")
    shop(project).dbt("build", "--threads", "4")
    events = collector.take()
    jobs = checked(events)
    assert set(ends(jobs).values()) == {"COMPLETE"}
    nodes = {"raw", "a", "e", "v", "g", "i", "s", "singular", "unique_a_id", "not_null_a_id"}
    assert set(ends(jobs)) == {"dbt-run-shop", *nodes}
    assert {e["job"]["namespace"] for e in events} == {"shop-prod"}
    assert all(e["run"]["runId"][14] == "7" for e in events)  # UUIDv7

    run = jobs["dbt-run-shop"][-1]
    assert run["run"]["facets"]["parent"]["run"]["runId"] == parent
    a = jobs["model.shop.a"][-1]
    facets = a["run"]["facets"]
    assert facets["parent"]["run"]["runId"] == run["run"]["runId"]
    assert facets["parent"]["root"]["job"]["name"] == "dag.task"
    assert facets["processing_engine"]["name"] == "dbt"
    assert rows(a) == ({"raw": 4}, {"a": 2})
    assert rows(jobs["seed.shop.raw"][-1]) == (
        {f"{project.root}/seeds/raw.csv".split(".")[-1]: 4},
        {"raw": 4},
    )
    assert facets["test"]["tests"] == [{
        "name": "zero_loss of seed.shop.raw", "status": "pass", "severity": "error", "type": "cdme_balance",
        "expected": "4", "actual": "4", "params": {},
    }]  # fmt: skip
    (edge,) = facets["cdme_ledger"]["edges"]
    assert (edge["contributedCount"], edge["filteredCount"], edge["status"]) == (2, 2, "BALANCED")
    assert {(r["verdict"], r["count"]) for r in edge["reasons"]} == {("false", 1), ("null", 1)}
    ledger = project.file_ledger()
    assert facets["cdme_ledger"]["ledgerHash"] == ledger["ledger_hash"]
    assert (project.root / "target" / facets["cdme_ledger"]["ledgerLocation"]).is_file()
    assert len(run["run"]["facets"]["cdme_ledger"]["edges"]) == len(ledger["edges"])

    job = a["job"]["facets"]
    assert job["jobType"]["jobType"] == "MODEL" and "where v > 0" in job["sql"]["query"]
    assert job["documentation"]["description"] == "what there is"
    assert {o["name"] for o in job["ownership"]["owners"]} == {"Ada", "bob"}
    assert [t["key"] for t in job["tags"]["tags"]] == ["nightly"]
    (output,) = a["outputs"]
    assert output["namespace"] == f"duckdb://{project.path}" and output["name"] == "shop.main.a"
    fields = output["facets"]["schema"]["fields"]
    assert [(f["name"], f["type"]) for f in fields] == [
        ("id", "INTEGER"),
        ("w", "INTEGER"),
        ("name", "VARCHAR"),
    ]
    assert fields[0]["description"] == "the key"
    columns = output["facets"]["columnLineage"]
    (w,) = columns["fields"]["w"]["inputFields"]
    assert (w["name"], w["field"]) == ("shop.main.raw", "v")
    assert w["transformations"][0]["subtype"] == "TRANSFORMATION"
    assert [(i["field"], i["transformations"][0]["subtype"]) for i in columns["dataset"]] == [
        ("v", "FILTER")
    ]

    # An ephemeral model is no dataset; a view is; a source is an input. A view stores no rows: those that
    # were read through it are counted.
    assert {d["name"] for d in jobs["model.shop.v"][-1]["inputs"]} == {"shop.main.a", "shop.ext.t"}
    assert rows(jobs["model.shop.g"][-1]) == ({"a": 2, "t": 5}, {"g": 2})
    assert {d["name"] for d in jobs["model.shop.g"][-1]["inputs"]} == {
        "shop.main.v", "shop.main.a", "shop.ext.t",
    }  # fmt: skip
    assert jobs["model.shop.e"][-1]["outputs"] == []
    assert rows(jobs["snapshot.shop.s"][-1])[1] == {"s": 2} and rows(jobs["model.shop.i"][-1])[1] == {
        "i": 2
    }

    (story,) = [jobs[name] for name in jobs if "unique_a_id" in name]
    (tested,) = story[-1]["inputs"]
    (assertion,) = tested["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert tested["name"] == "shop.main.a"
    assert (assertion["assertion"], assertion["success"], assertion["column"]) == ("unique", True, "id")

    project.dbt("test")
    jobs = checked(collector.take())
    assert ends(jobs) == {"dbt-run-shop": "COMPLETE", "singular": "COMPLETE", "unique_a_id": "COMPLETE",
                          "not_null_a_id": "COMPLETE"}  # fmt: skip
    project.dbt("compile")
    assert collector.take() == []


def test_runs_that_fail(project: Project, collector: Collector) -> None:
    """A failing model, a failing test, a gate that refuses, what is skipped behind them."""
    loss = {"expected_loss": [{"input": "raw", "kind": "where", "max": 0, "because": "none"}]}
    shop(project).write({
        "broken.sql": TABLE + "select cast(name as integer) as n from {{ ref('raw') }}",
        "after.sql": TABLE + "select * from {{ ref('broken') }}",
        "template.sql": "{{ nosuch() }}",
        "gated.sql": f"{{{{ config(materialized='table', meta={{'cdme': {loss!r}}}) }}}}"
                     "select id from {{ ref('raw') }} where v > 0",
        "m.yml": FILES["m.yml"] + "  - {name: g, columns: [{name: n, tests: [{accepted_values: "
                                  "{arguments: {values: [7]}}}]}]}\n",
    })  # fmt: skip
    project.dbt("build", "--threads", "4", ok=False)
    jobs = checked(collector.take())
    end = ends(jobs)
    assert end["dbt-run-shop"] == "FAIL"
    assert {n for n in end if end[n] == "FAIL"} == {
        "dbt-run-shop", "broken", "template", "gated", "accepted_values_g_n__7",
    }  # fmt: skip
    assert {n for n in end if end[n] == "ABORT"} == {"after"}
    errors = {
        name: story[-1]["run"]["facets"].get("errorMessage", {}).get("message")
        for name, story in jobs.items()
    }
    assert errors["model.shop.broken"].startswith("Conversion Error: the message is withheld")
    assert (
        "LOSS_UNEXPECTED" in errors["model.shop.gated"] and "2 of 4 records" in errors["model.shop.gated"]
    )
    assert "'nosuch' is undefined" in errors["model.shop.template"]
    gated = jobs["model.shop.gated"][-1]
    assert gated["run"]["facets"]["cdme_ledger"]["edges"][0]["filteredCount"] == 2
    assert rows(gated) == ({"raw": 4}, {})  # it was rolled back: there are no rows
    (name,) = [name for name in jobs if "accepted_values" in name]
    (dataset,) = jobs[name][-1]["inputs"]
    (assertion,) = dataset["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (assertion["success"], assertion["actual"], assertion["severity"]) == (False, "1", "error")
    results = json.loads((project.root / "target" / "run_results.json").read_text())["results"]
    wrong = {r["unique_id"] for r in results if r["status"] in ("error", "fail")}
    assert wrong == {name for name in jobs if "." in name and jobs[name][-1]["eventType"] == "FAIL"}


def test_a_run_that_is_refused(project: Project, collector: Collector) -> None:
    """Nothing of it ran: the command is told as failed, once, and its nodes as aborted."""
    project.write({"raw.csv": FILES["raw.csv"]}).dbt("seed")
    collector.take()
    head = "{{ config(materialized='table', meta={'cdme': {'budget': {'rows': 1}}}) }} "
    project.write({"big.sql": head + "select r.id from {{ ref('raw') }} r, {{ ref('raw') }} s"})
    project.dbt("run", ok=False)
    jobs = checked(collector.take())
    assert ends(jobs) == {"dbt-run-shop": "FAIL", "big": "ABORT"}
    message = jobs["dbt-run-shop"][-1]["run"]["facets"]["errorMessage"]["message"]
    assert message == "[BUDGET_EXCEEDED] the run is refused before any model ran: 1 finding"
    project.dbt("run", "--select", "nosuch")
    assert collector.take() == []


def _dbt(project: Project, *args: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dbt.cli.main", *args, "--project-dir", str(project.root),
               "--profiles-dir", str(project.root), "--log-path", str(project.root / "logs")]  # fmt: skip
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=dict(os.environ), preexec_fn=listens
    )


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_runs_that_are_interrupted(project: Project, collector: Collector, how: signal.Signals) -> None:
    slow = "select sum(x.range * y.range) as s from range(1000000) x, range(1000000) y, {{ ref('a') }}"
    project.write({"raw.csv": FILES["raw.csv"], "a.sql": FILES["a.sql"], "slow.sql": TABLE + slow,
                   "z.sql": TABLE + "select * from {{ ref('slow') }}"})  # fmt: skip
    release()
    with _dbt(project, "build") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "START sql table model main.slow" in line:
                break
        time.sleep(0.5)
        process.send_signal(how)
        process.stdout.read()
        process.wait(timeout=60)
    events = collector.take()
    if how == signal.SIGKILL:
        assert events == []  # nobody was left to tell; the next run does
        new = FILES["a.sql"].replace("v + 1", "v + 2")
        project.write({"a.sql": new}).dbt("run", "--select", "raw a")
        events = collector.take()
        last = next(n for n, e in enumerate(events) if n and e["job"]["name"] == "dbt-run-shop"
                    and e["eventType"] != "START")  # fmt: skip
        later = checked(events[last + 1 :])
        assert (
            set(ends(later).values()) == {"COMPLETE"}
            and "sql" in later["model.shop.a"][-1]["job"]["facets"]
        )
        events = events[: last + 1]
        # What ran then is not told as what the project says now.
        (old,) = [e for e in events if e["job"]["name"] == "model.shop.a" and e["eventType"] == "COMPLETE"]
        assert "sql" not in old["job"]["facets"] and "columnLineage" not in old["outputs"][0]["facets"]
        assert rows(old) == ({"raw": 4}, {"a": 2})
    end = ends(checked(events))
    assert end["dbt-run-shop"] == "ABORT" and (end["raw"], end["a"]) == ("COMPLETE", "COMPLETE")
    assert end["slow"] in ("ABORT", "FAIL") and end["z"] == "ABORT"


def test_each_database_has_its_own_namespace(project: Project, collector: Collector) -> None:
    mart, other = project.root / "mart.duckdb", project.root / "other.duckdb"
    release()
    with duckdb.connect(str(other)) as con:
        con.execute("CREATE TABLE t AS SELECT range AS id FROM range(7)")
    project.profile["attach"] = [
        {"path": str(mart), "alias": "mart"},
        {"path": str(other), "alias": "other", "read_only": True},
    ]
    project.configure()
    project.write({
        "raw.csv": FILES["raw.csv"],
        "src.yml": "{version: 2, sources: [{name: o, database: other, schema: main, tables: [{name: t}]}]}",
        "b.sql": "{{ config(materialized='table', database='mart') }}"
                 "select r.id from {{ ref('raw') }} r join {{ source('o', 't') }} t using (id)",
        "c.sql": TABLE + "select id from {{ ref('b') }}",
    })  # fmt: skip
    project.dbt("build", "--threads", "4")
    jobs = checked(collector.take())
    found = {d["name"]: d["namespace"] for d in jobs["model.shop.b"][-1]["inputs"]}
    assert found == {
        "shop.main.raw": f"duckdb://{project.path}", "other.main.t": f"duckdb://{other}",
    }  # fmt: skip
    assert jobs["model.shop.b"][-1]["outputs"][0]["namespace"] == f"duckdb://{mart}"
    assert jobs["model.shop.c"][-1]["inputs"][0]["namespace"] == f"duckdb://{mart}"
    assert rows(jobs["model.shop.b"][-1]) == ({"raw": 4, "t": 7}, {"b": 4})
    columns = jobs["model.shop.b"][-1]["outputs"][0]["facets"]["columnLineage"]
    assert {f["namespace"] for f in columns["dataset"]} == {f"duckdb://{project.path}", f"duckdb://{other}"}
    # One chain in each database that was written; one outbox, in the target's own.
    release()
    with duckdb.connect(str(mart)) as con:
        there = con.execute("SELECT ledger_hash FROM cdme.runs").fetchall()
        assert con.execute("SELECT count(*) FROM cdme.store_outbox").fetchall() == [(0,)]
    assert project.sql("SELECT ledger_hash FROM cdme.runs") == there
    where = ["--project-dir", str(project.root), "--profiles-dir", str(project.root)]
    release()
    assert CliRunner().invoke(cli, ["ledger", "verify", *where]).exit_code == 0


@pytest.mark.parametrize("path", ["Läden & Söhne.duckdb", ":memory:"])
def test_a_database_whose_name_is_no_uri(project: Project, collector: Collector, path: str) -> None:
    """Its namespace is as it is called, and the address of its data source is a URI nonetheless."""
    project.path = path if path == ":memory:" else str(project.root / path)
    project.configure()
    project.write({"raw.csv": FILES["raw.csv"], "t.sql": TABLE + "select id from {{ ref('raw') }}"})
    project.dbt("build")
    release()
    jobs = checked(collector.take())
    (output,) = jobs["model.shop.t"][-1]["outputs"]
    assert output["namespace"] == f"duckdb://{project.path}"
    uri = output["facets"]["dataSource"]["uri"]
    assert uri.endswith("%3Amemory%3A" if path == ":memory:" else "/L%C3%A4den%20%26%20S%C3%B6hne.duckdb")
