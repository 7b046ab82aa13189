"""The gate: what an account that does not hold, or loses more than was foreseen, does to a run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.functional.project import Project, counts

RAW = "id,v\n" + "".join(f"{n},{n % 3}\n" for n in range(1, 10))


def model(query: str, **meta: Any) -> str:
    """A table with a cdme block."""
    return f"{{{{ config(materialized='table', meta={{'cdme': {meta!r}}}) }}}} {query}"


FILTERED = "select id from {{ ref('raw') }} where v <> 0"


def findings(project: Project, code: str) -> list[str]:
    """Messages of the findings with a code."""
    query = f"SELECT message FROM cdme.store_findings WHERE code = '{code}'"
    return [row[0] for row in project.sql(query)]


def loss(**rule: Any) -> dict[str, Any]:
    """A rule of expected_loss about the input ``raw``."""
    return {"input": "raw", "because": "tested", "kind": "where", **rule}


@pytest.mark.parametrize("most", [3, 100, "34%", "100%"])
def test_loss_within_what_is_expected_passes(project: Project, most: Any) -> None:
    project.write({"raw.csv": RAW, "m.sql": model(FILTERED, expected_loss=[loss(max=most)])})
    project.dbt("build")
    assert counts(project.ledger("m")["raw"]) == (9, 6, 3, 0, 0, "BALANCED")
    assert project.one("SELECT status FROM cdme.runs") == "COMPLETE"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"max": 2}, "3 of 9 records"),
        ({"max": "2%"}, "more than the 2% expected"),
        ({"max": 100, "until": "2020-01-01"}, "expected until 2020-01-01 only"),
        ({"max": 100, "kind": "having"}, "does not list"),
        ({"max": 100, "verdict": "null"}, "does not list"),
    ],
)
def test_loss_that_is_not_expected_fails(project: Project, rule: dict[str, Any], words: str) -> None:
    project.write({"raw.csv": RAW, "m.sql": model(FILTERED, expected_loss=[loss(**rule)])})
    outcome = project.dbt("build", ok=False)
    assert outcome.status["m"] == "error"
    assert "[LOSS_UNEXPECTED]" in outcome.message["m"] and words in outcome.message["m"]
    assert "what to do:" in outcome.message["m"]
    # The account itself holds: it is the loss that was not foreseen.
    assert counts(project.ledger("m")["raw"]) == (9, 6, 3, 0, 0, "BALANCED")
    assert project.one("SELECT status FROM cdme.runs") == "FAILED"
    assert not project.sql("SELECT 1 FROM duckdb_tables() WHERE table_name = 'm'")


def test_unexpected_loss_under_a_softer_gate_is_a_warning(project: Project) -> None:
    rules = [loss(max=1)]
    project.write({"raw.csv": RAW, "m.sql": model(FILTERED, expected_loss=rules, gate="warn")})
    outcome = project.dbt("build")
    assert "LOSS_UNEXPECTED" in outcome.log
    assert project.one("SELECT count(*) FROM m") == 6


def test_a_rule_on_something_that_is_no_input_is_said(project: Project) -> None:
    rules = [{"input": "nowhere", "kind": "where", "max": 1, "because": "tested"}]
    project.write({"raw.csv": RAW, "m.sql": model(FILTERED, expected_loss=rules)})
    project.dbt("build")
    assert "nowhere" in findings(project, "EXPECTED_LOSS_INPUT")[0]


def test_rows_of_a_lookup_that_nobody_asked_for_are_unused_not_lost(project: Project) -> None:
    joined = "select r.id from {{ ref('raw') }} r join {{ ref('names') }} n on n.v = r.v"
    rules = [{"input": "names", "kind": "where", "max": 0, "because": "tested"}]
    project.write({
        "raw.csv": RAW, "names.csv": "v,name\n0,a\n1,b\n2,c\n7,d\n8,e\n",
        "m.sql": model(joined, expected_loss=rules),
    })  # fmt: skip
    project.dbt("build")
    row = project.ledger("m")["names"]
    assert counts(row) == (5, 3, 2, 0, 0, "BALANCED")
    assert row["unused_count"] == 2


UNKNOWN = "select id from {{ ref('raw') }} tablesample reservoir(50%) repeatable (1)"


def test_exactness_that_is_required_is_enforced(project: Project) -> None:
    project.write({"raw.csv": RAW, "m.sql": model(UNKNOWN, require="exact")})
    outcome = project.dbt("build", ok=False)
    assert "[EXACT_REQUIRED]" in outcome.message["m"]
    assert not project.sql("SELECT 1 FROM duckdb_tables() WHERE table_name = 'm'")
    assert project.ledger("m")["raw"]["status"] == "UNKNOWN"


def test_what_is_not_exact_passes_with_a_warning_otherwise(project: Project) -> None:
    project.write({"raw.csv": RAW, "m.sql": model(UNKNOWN)})
    project.dbt("build")
    assert project.ledger("m")["raw"]["status"] == "UNKNOWN"
    assert project.one("SELECT status FROM cdme.runs") == "COMPLETE_WITH_WARNINGS"


def test_a_join_that_fans_out_is_seen(project: Project) -> None:
    joined = "select r.id from {{ ref('raw') }} r join {{ ref('names') }} n on n.v = r.v"
    project.write({
        "raw.csv": RAW, "names.csv": "v,name\n0,a\n0,b\n1,c\n2,d\n",
        "m.sql": model(joined, cardinality={"raw": "1:1"}),
    })  # fmt: skip
    project.dbt("build")
    assert project.ledger("m")["raw"]["cardinality"] == "1:N"
    assert findings(project, "CARDINALITY_OBSERVED") == [
        "seed.shop.raw is declared 1:1 and was observed 1:N"
    ]


def test_the_file_says_what_the_store_says(project: Project) -> None:
    project.write({"raw.csv": RAW, "m.sql": model(FILTERED)})
    project.dbt("build")
    file = project.file_ledger()
    edges = {edge["input"]: edge for edge in file["edges"]}
    row = project.ledger("m")["raw"]
    edge = edges["seed.shop.raw"]
    assert {name: edge[name] for name in row if name != "run_id"} == {
        name: value for name, value in row.items() if name != "run_id"
    }
    reason = edge["reasons"][0]
    assert (reason["kind"], reason["verdict"], reason["count"]) == ("where", "false", 3)
    assert (reason["file"], reason["line"]) == ("models/m.sql", 1)
    kept = project.root / "target" / "cdme" / file["run_id"] / "ledger.json"
    assert json.loads(kept.read_text()) == file
    assert not list((project.root / "target" / "cdme").glob(".*"))
