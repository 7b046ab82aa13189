"""Views and ephemerals: edges pass through them; a view that nobody reads is accounted itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.project import Project, counts

RAW = "id,v\n" + "".join(f"{n},{n % 3}\n" for n in range(1, 10))
VIEW = "{{ config(materialized='view') }}\n"
TABLE = "{{ config(materialized='table') }}\n"
LAYERS = {
    "raw.csv": RAW,
    "v1.sql": VIEW + "select id, v\nfrom {{ ref('raw') }}\nwhere id > 1",
    "e1.sql": "{{ config(materialized='ephemeral') }}\nselect id, v from {{ ref('v1') }}\nwhere id < 9",
    "v2.sql": VIEW + "select id, v + 1 as w from {{ ref('e1') }} where v <> 0",
    "t.sql": TABLE + "select w, count(*) as n from {{ ref('v2') }} group by w",
}


def settings(**vars_: Any) -> dict[str, Any]:
    return {"vars": {"cdme": vars_}}


def codes(project: Project) -> set[str]:
    return {row[0] for row in project.sql("SELECT code FROM cdme.store_findings")}


def test_edges_pass_through_to_the_stored_relation(project: Project) -> None:
    project.write(LAYERS)
    project.dbt("build")
    assert counts(project.ledger("t")["raw"]) == (9, 5, 4, 0, 0, "BALANCED")
    rows = project.sql("SELECT DISTINCT model FROM cdme.ledger WHERE model LIKE 'model.%'")
    assert rows == [("model.shop.t",)]
    reasons = project.sql("SELECT file, line, sql, count(*) FROM cdme.reasons r JOIN"
                          " cdme.filtered_keys USING (reason_id) GROUP BY ALL ORDER BY ALL")  # fmt: skip
    assert [row[:2] for row in reasons] == [
        ("models/e1.sql", 3), ("models/v1.sql", 4), ("models/v2.sql", 2),
    ]  # fmt: skip


def test_only_the_table_is_run_again(project: Project) -> None:
    """The views' texts are then known from the database alone."""
    project.write(LAYERS)
    project.dbt("build")
    project.dbt("run", "--select", "t")
    row = project.ledger("t")["raw"]
    assert counts(row) == (9, 5, 4, 0, 0, "BALANCED")
    files = project.sql("SELECT DISTINCT file FROM cdme.reasons ORDER BY ALL")
    assert files == [("models/e1.sql",), ("models/v1.sql",), ("models/v2.sql",)]


def test_a_view_that_nobody_reads_is_accounted_at_its_creation(project: Project) -> None:
    project.write({name: LAYERS[name] for name in ("raw.csv", "v1.sql", "e1.sql", "v2.sql")})
    project.dbt("build")
    row = project.ledger("v2")["raw"]
    assert counts(row) == (9, 5, 4, 0, 0, "BALANCED")
    assert row["output_count"] == 5
    # The view in between is nobody's own either: only views read it.
    assert counts(project.ledger("v1")["raw"]) == (9, 8, 1, 0, 0, "BALANCED")
    assert project.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal"
                       " AND schema_name <> 'cdme' ORDER BY ALL") == [("v1",), ("v2",)]  # fmt: skip
    assert not project.sql("SELECT 1 FROM duckdb_tables() WHERE table_name LIKE 'cdme%'")


@pytest.mark.parametrize("vars_", [{"account_views": False}, {"account_views_seconds": 0}], ids=str)
def test_a_view_that_is_not_accounted_is_unknown_and_said(project: Project, vars_: dict[str, Any]) -> None:
    project.write({"raw.csv": RAW, "v1.sql": LAYERS["v1.sql"]})
    project.configure(**settings(**vars_))
    project.dbt("build")
    assert project.ledger("v1")["raw"]["status"] == "UNKNOWN"
    assert "VIEW_NOT_ACCOUNTED" in codes(project)
    assert project.one("SELECT status FROM cdme.runs") == "COMPLETE_WITH_WARNINGS"


def test_a_view_that_takes_too_long_is_given_up(project: Project) -> None:
    slow = (
        VIEW
        + "select sum(a.range * b.range) as s from range(1000000) a, range(1000000) b, {{ ref('raw') }}"
    )
    project.write({"raw.csv": RAW, "slow.sql": slow})
    project.configure(**settings(account_views_seconds=0.5))
    project.dbt("build")
    assert project.ledger("slow")["raw"]["status"] == "UNKNOWN"
    assert "VIEW_NOT_ACCOUNTED" in codes(project)


def test_a_view_in_error_never_fails_the_run(project: Project) -> None:
    project.write({"raw.csv": RAW, "v.sql": VIEW + "select error('no') as e from {{ ref('raw') }}"})
    project.dbt("build")
    assert project.ledger("v")["raw"]["status"] == "UNKNOWN"
    assert project.one("SELECT status FROM cdme.runs") == "COMPLETE_WITH_WARNINGS"


def test_a_view_over_a_source_that_is_a_view(project: Project) -> None:
    with project.connect() as con:
        con.execute("CREATE SCHEMA src; CREATE TABLE src.base AS SELECT range AS id FROM range(5);"
                    "CREATE VIEW src.seen AS SELECT id FROM src.base WHERE id <> 2")  # fmt: skip
    project.write({
        "s.yml": "{version: 2, sources: [{name: src, tables: [{name: seen}]}]}",
        "t.sql": TABLE + "select id from {{ source('src', 'seen') }} where id > 0",
    })  # fmt: skip
    project.dbt("run")
    rows = project.sql("SELECT input, input_count, filtered_count, status FROM cdme.ledger")
    assert rows == [("relation.shop.src.base", 5, 2, "BALANCED")]


def test_a_view_replaced_by_a_table_and_back(project: Project) -> None:
    project.write({"raw.csv": RAW, "m.sql": LAYERS["v1.sql"],
                   "t.sql": TABLE + "select id from {{ ref('m') }}"})  # fmt: skip
    project.dbt("build")
    assert list(project.ledger("t")) == ["raw"]
    project.write({"m.sql": LAYERS["v1.sql"].replace("view", "table")})
    project.dbt("build")
    assert list(project.ledger("t")) == ["m"] and list(project.ledger("m")) == ["raw"]
    project.write({"m.sql": LAYERS["v1.sql"]})
    project.dbt("build")
    assert counts(project.ledger("t")["raw"]) == (9, 8, 1, 0, 0, "BALANCED")
