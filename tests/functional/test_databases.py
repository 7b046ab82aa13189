"""Several databases, one in memory, one that cannot hold a transaction."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from cdme_adapter import open_questions
from tests.functional.project import Project, counts, release

RAW = "id,v\n1,a\n2,b\n3,c\n"
TABLE = "{{ config(materialized='table') }}\n"


@pytest.fixture
def two(project: Project) -> Project:
    """A second database, attached as ``mart``."""
    project.profile["attach"] = [{"path": str(project.root / "mart.duckdb"), "alias": "mart"}]
    project.configure()
    project.write({
        "raw.csv": RAW,
        "a.sql": TABLE + "select id, v from {{ ref('raw') }} where id > 1",
        "b.sql": "{{ config(materialized='table', database='mart') }}\n"
                 "select id from {{ ref('a') }} where id > 2",
        "c.sql": "{{ config(materialized='table', database='mart', schema='deep') }}\n"
                 "select b.id, a.v from {{ ref('b') }} b join {{ ref('a') }} a using (id)",
        "d.sql": TABLE + "select * from {{ ref('c') }}",
    })  # fmt: skip
    return project


def in_mart(project: Project, query: str) -> list[tuple[object, ...]]:
    release()
    with duckdb.connect(str(project.root / "mart.duckdb")) as con:
        return con.execute(query).fetchall()


def test_the_account_lies_in_the_database_of_the_model(two: Project) -> None:
    two.dbt("build")
    here = two.sql("SELECT DISTINCT split_part(model, '.', -1) FROM cdme.ledger ORDER BY ALL")
    assert here == [("a",), ("d",), ("raw",)]
    there = in_mart(
        two,
        "SELECT split_part(model, '.', -1), split_part(input, '.', -1), input_count,"
        " contributed_count, filtered_count, status FROM cdme.ledger ORDER BY ALL",
    )
    assert there == [
        ("b", "a", 2, 1, 1, "BALANCED"),
        ("c", "a", 2, 1, 1, "BALANCED"),
        ("c", "b", 1, 1, 0, "BALANCED"),
    ]
    assert counts(two.ledger("d")["c"]) == (1, 1, 0, 0, 0, "BALANCED")
    assert in_mart(two, "SELECT status FROM cdme.runs") == [("COMPLETE",)]


def test_questions_go_across_and_say_what_was_written_anew(two: Project) -> None:
    two.dbt("build")

    def ask(to: str = "sources") -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        release()
        with open_questions(str(two.root), str(two.root)) as questions:
            traced = questions.trace("d", to=to, limit=0)
            explained = questions.explain("d", "raw") if to == "raw" else {}
            return traced, explained, questions.reconcile(["b", "c", "d"], sample=0)

    traced, explained, laws = ask("raw")
    (record,) = traced["records"]
    (witness,) = record["witnesses"]
    assert (witness["relation"], witness["exactness"]) == ("seed.shop.raw", "exact")
    assert [r["record"]["id"] for r in witness["records"]] == [3]
    assert sorted(path[-2].split(".")[-1] for path in witness["paths"]) == ["a", "a"]
    assert traced["stale"] is False
    assert [(r["record"]["id"], r["class"], r["first_lost_at"]) for r in explained["records"]] == [
        (1, "filtered", "model.shop.a"), (2, "filtered", "model.shop.c"), (3, "contributed", None),
    ]  # fmt: skip
    assert laws["verdict"] == "exact", laws["why"]

    two.write({"a.sql": TABLE + "select id, v from {{ ref('raw') }} where id > 0"})
    two.dbt("run", "--select", "a")  # b and c were made of what a was
    traced, _, laws = ask()
    assert traced["stale"] is True
    assert traced["stale_ends"] == ["model.shop.a"]
    assert laws["verdict"] == "unknown"
    two.dbt("run")
    traced, _, laws = ask("raw")
    assert (traced["stale"], laws["verdict"]) == (False, "exact")


def test_the_file_has_the_whole_run(two: Project) -> None:
    two.dbt("build")
    models = {edge["model"].split(".")[-1] for edge in two.file_ledger()["edges"]}
    assert models == {"raw", "a", "b", "c", "d"}


def test_several_runs_over_two_databases(two: Project) -> None:
    for _ in range(3):
        two.dbt("build")
    # Of each replaced generation one row stays: the hash of what a run left.
    generations = (
        "SELECT count(*) FROM cdme.store_generations WHERE (fingerprint LIKE 'content:%') IS NOT TRUE"
    )
    sizes = (two.sql(generations), in_mart(two, generations))
    two.dbt("build")
    assert (two.sql(generations), in_mart(two, generations)) == sizes


def test_a_rejected_model_of_the_other_database(two: Project) -> None:
    config = "{{ config(materialized='table', database='mart', post_hook='delete from {{ this }}') }}"
    two.write({"b.sql": config + " select id from {{ ref('a') }}"})
    outcome = two.dbt("build", ok=False)
    assert outcome.status["b"] == "error"
    rows = in_mart(two, "SELECT status FROM cdme.ledger WHERE model LIKE '%.b'")
    assert rows == [("UNBALANCED",)]
    assert not in_mart(two, "SELECT 1 FROM duckdb_tables() WHERE table_name = 'b'")
    assert two.one("SELECT status FROM cdme.runs") == "FAILED"


def test_a_database_in_memory(project: Project) -> None:
    project.path = ":memory:"
    project.configure(**{"on-run-end": [
        "copy (select * from memory.cdme.ledger) to '" + str(project.root / "seen.csv") + "'"
    ]})  # fmt: skip
    project.write({"raw.csv": RAW, "a.sql": TABLE + "select id from {{ ref('raw') }} where id > 1"})
    project.dbt("build")
    edges = {edge["model"]: edge for edge in project.file_ledger()["edges"]}
    assert counts(edges["model.shop.a"]) == (3, 2, 1, 0, 0, "BALANCED")
    assert "BALANCED" in (project.root / "seen.csv").read_text()


def test_without_transactions_nothing_is_captured_and_it_is_said(project: Project) -> None:
    project.profile["disable_transactions"] = True
    project.configure()
    project.write({"raw.csv": RAW, "a.sql": TABLE + "select id from {{ ref('raw') }} where id > 1"})
    project.dbt("build")
    assert project.one("SELECT count(*) FROM a") == 2
    assert project.ledger("a")["raw"]["status"] == "UNKNOWN"
    assert (
        project.one("SELECT count(*) FROM cdme.store_findings WHERE code = 'CAPTURE_NO_TRANSACTION'") == 1
    )


def test_a_read_only_database_may_be_read(project: Project) -> None:
    other = project.root / "other.duckdb"
    with duckdb.connect(str(other)) as con:
        con.execute("CREATE TABLE t AS SELECT range AS id FROM range(4)")
    project.profile["attach"] = [{"path": str(other), "alias": "other", "read_only": True}]
    project.configure()
    project.write({
        "s.yml": "{version: 2, sources: [{name: s, database: other, schema: main, tables: [{name: t}]}]}",
        "a.sql": TABLE + "select id from {{ source('s', 't') }} where id > 0",
    })  # fmt: skip
    project.dbt("run")
    assert counts(project.ledger("a")["t"]) == (4, 3, 1, 0, 0, "BALANCED")


def test_switching_to_duckdb_and_back(project: Project) -> None:
    """Tables that another adapter built are inputs like any source."""
    project.write({"raw.csv": RAW, "a.sql": TABLE + "select id from {{ ref('raw') }}",
                   "b.sql": TABLE + "select id from {{ ref('a') }} where id > 1"})  # fmt: skip
    project.kind = "duckdb"
    project.configure()
    project.dbt("build")
    project.kind = "cdme"
    project.configure()
    project.dbt("run", "--select", "b")
    assert counts(project.ledger("b")["a"]) == (3, 2, 1, 0, 0, "BALANCED")
    project.kind = "duckdb"
    project.configure()
    project.write({"a.sql": TABLE + "select id + 10 as id from {{ ref('raw') }} where id <> 2"})
    project.dbt("build")
    project.kind = "cdme"
    project.configure()
    project.dbt("run", "--select", "b")
    assert counts(project.ledger("b")["a"]) == (2, 2, 0, 0, 0, "BALANCED")


def test_threads_over_two_databases(two: Project) -> None:
    """The side connection serves all threads, and a transaction writes to one database only."""
    files = {
        f"m{n}.sql": "{{ config(materialized='table', database='" + base + "') }}"
        f" select id from {{{{ ref('raw') }}}} where id > {n % 3}"
        for n, base in enumerate(["mart", "shop"] * 6)
    }
    two.write(files)
    two.dbt("build", "--threads", "8")
    statuses = {(edge["exactness"], edge["status"]) for edge in two.file_ledger()["edges"]}
    assert statuses == {("exact", "BALANCED")}
    assert len(two.file_ledger()["edges"]) == 18


def test_a_database_of_another_kind_holds_no_account_and_it_is_said(
    two: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckLake and its like cannot be loaded here; what asks for the kind of a database is told so."""
    from cdme_adapter import run

    kinds = {"mart": "ducklake"}
    monkeypatch.setattr(run, "kind_of", lambda execute, database: kinds.get(database, "duckdb"))
    outcome = two.dbt("build")
    assert "[STORE_KIND] the database mart is of the kind ducklake" in outcome.text
    assert not in_mart(two, "SELECT 1 FROM duckdb_schemas() WHERE schema_name = 'cdme' AND NOT internal")
    assert in_mart(two, "SELECT count(*) FROM main.b") == [(1,)]
    ledger = two.file_ledger()
    found = {(e["model"].split(".")[-1], e["status"], e["why"]) for e in ledger["edges"]}
    assert {edge[0] for edge in found if edge[1] == "BALANCED"} == {"raw", "a", "d"}
    assert {edge for edge in found if edge[1] != "BALANCED"} == {
        (name, "UNKNOWN", "the node was not captured") for name in ("b", "c")
    }
    assert {n["node"].split(".")[-1] for n in ledger["nodes"] if n["state"] == "not_captured"} == {"b", "c"}
    assert two.one("SELECT status FROM cdme.runs") == "COMPLETE_WITH_WARNINGS"
    assert counts(two.ledger("d")["c"]) == (1, 1, 0, 0, 0, "BALANCED")


def test_nodes_that_never_began_are_in_the_ledger_whatever_their_database(two: Project) -> None:
    """No node of ``mart`` began, for what it reads failed: neither database may leave one out."""
    two.write({"a.sql": TABLE + "select error('no') as id, v from {{ ref('raw') }}",
               "e.sql": "{{ config(materialized='ephemeral') }} select 1 from {{ ref('b') }}"})  # fmt: skip
    two.dbt("build", ok=False)
    states = {n["node"].split(".")[-1]: n["state"] for n in two.file_ledger()["nodes"]}
    assert states == {"raw": "committed", "a": "failed", **dict.fromkeys("bcde", "skipped")}
    assert set(two.file_ledger()["chains"]) == {"shop", "mart"}
    assert in_mart(two, "SELECT DISTINCT status FROM cdme.ledger") == [("UNKNOWN",)]


def test_a_run_that_one_database_refuses_has_its_ledger_in_the_other(two: Project) -> None:
    """dbt asks every database for its schemas first: no node begins, and all are in the ledger."""
    (two.root / "models" / "c.sql").unlink()
    two.write({"d.sql": "{{ config(materialized='table', database='mart') }} select * from {{ ref('b') }}"})
    two.dbt("build")
    release()
    two.profile["attach"][0]["read_only"] = True
    two.configure()
    two.dbt("build", ok=False)
    found = two.file_ledger()
    states = {n["node"].split(".")[-1]: n["state"] for n in found["nodes"]}
    assert states == dict.fromkeys(["raw", "a", "b", "d"], "skipped")
    assert (found["status"], set(found["chains"])) == ("FAILED", {"shop"})
