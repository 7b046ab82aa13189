"""The account of a view is of one run: what an older run knew is not said of a newer one."""

from __future__ import annotations

from tests.functional.project import Project

VIEW = "{{ config(materialized='view') }} "


def test_an_account_that_fails_replaces_the_older_one(project: Project) -> None:
    project.write(
        {"raw.csv": "id\n1\n2\n3\n", "v.sql": VIEW + "select id from {{ ref('raw') }} where id > 1"}
    )
    project.dbt("build")
    assert project.sql("SELECT exactness FROM cdme.edges WHERE model LIKE '%.v'") == [("exact",)]
    project.write({"v.sql": VIEW + "select error('no') as id from {{ ref('raw') }}"})
    project.dbt("build")
    last = project.one("SELECT run_id FROM cdme.runs ORDER BY started_at DESC LIMIT 1")
    edges = project.sql("SELECT exactness, output_run_id FROM cdme.edges WHERE model LIKE '%.v'")
    assert edges == [("opaque", last)]
    assert project.sql("SELECT 1 FROM cdme.reverse_join WHERE model LIKE '%.v'") == []
    assert project.ledger("v")["raw"]["status"] == "UNKNOWN"
