"""Incremental models and snapshots: bad records never get in, and leave the errors when they are mended."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.project import Project
from tests.refine.shop import POSITIVE

SQL = "select id, v from {{ ref('raw') }}"
CONFIG = "meta={'cdme': {'refine': [" + repr(POSITIVE) + "]}}"


def raw(rows: dict[int, int]) -> str:
    return "id,v\n" + "".join(f"{i},{v}\n" for i, v in rows.items())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two builds: 3 is bad in the first; then 3 is mended, 2 went bad, 1 changed and 8 is new and bad."""
    made = Project(tmp_path_factory.mktemp("in_place") / "shop")
    made.write(
        {
            "raw.csv": raw({0: 0, 1: 1, 2: 2, 3: -1, 4: 4}),
            "appended.sql": f"{{{{ config(materialized='incremental', {CONFIG}) }}}} {SQL}"
            " {% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}",
            "merged.sql": "{{ config(materialized='incremental', unique_key='id',"
            f" incremental_strategy='merge', {CONFIG}) }}}} {SQL}",
            "replaced.sql": "{{ config(materialized='incremental', unique_key='id',"
            f" incremental_strategy='delete+insert', {CONFIG}) }}}} {SQL}",
            "snapshots/versions.sql": "{% snapshot versions %}{{ config(unique_key='id', strategy='check',"
            f" check_cols=['v'], {CONFIG}) }}}} {SQL} {{% endsnapshot %}}",
            "m.yml": "{version: 2, seeds: [{name: raw, config: {meta: {cdme: {key: id}}}}]}",
        }
    )
    made.dbt("build")
    made.write({"raw.csv": raw({0: 0, 1: 7, 2: -2, 3: 3, 4: 4, 5: 5, 8: -1})})
    made.dbt("build")
    return made


def rows(project: Project, table: str) -> list[Any]:
    return project.sql(f"SELECT id, v FROM {table} ORDER BY ALL")


def errors(project: Project, node: str) -> list[Any]:
    return project.sql(
        "SELECT DISTINCT (record->>'id')::int, (record->>'v')::int FROM cdme.errors"
        f" WHERE model LIKE '%.{node}' ORDER BY ALL"
    )


def test_a_bad_version_does_not_replace_a_good_row(project: Project) -> None:
    for table in ("merged", "replaced"):
        assert rows(project, table) == [(0, 0), (1, 7), (2, 2), (3, 3), (4, 4), (5, 5)], table
        assert errors(project, table) == [(2, -2), (8, -1)], table


def test_without_a_unique_key_an_error_stays(project: Project) -> None:
    """Nothing says that a later record is the mended one."""
    assert rows(project, "appended") == [(0, 0), (1, 1), (2, 2), (4, 4), (5, 5)]
    assert errors(project, "appended") == [(3, -1), (8, -1)]


def test_a_bad_version_does_not_end_the_good_one_in_a_snapshot(project: Project) -> None:
    assert rows(project, "versions") == [(0, 0), (1, 1), (1, 7), (2, 2), (3, 3), (4, 4), (5, 5)]
    assert project.sql("SELECT id FROM versions WHERE dbt_valid_to IS NOT NULL") == [(1,)]
    assert errors(project, "versions") == [(2, -2), (8, -1)]


def test_the_mended_record_is_in_the_history(project: Project) -> None:
    left = project.sql(
        "SELECT split_part(model, '.', -1), record->>'id' FROM cdme.error_history"
        " WHERE resolved_at IS NOT NULL ORDER BY ALL"
    )
    assert left == [("merged", "3"), ("replaced", "3"), ("versions", "3")]


def test_the_account_holds(project: Project) -> None:
    """2 stands behind a row that is still there: it contributed, though its present version is bad."""
    entry = project.ledger("merged")["raw"]
    counts = [entry[c] for c in ("input_count", "contributed_count", "filtered_count", "error_count")]
    assert (*counts, entry["status"]) == (7, 6, 0, 1, "BALANCED")


def test_a_full_refresh_judges_everything_anew(project: Project) -> None:
    project.dbt("run", "--full-refresh", "--select", "appended")
    assert rows(project, "appended") == [(0, 0), (1, 7), (3, 3), (4, 4), (5, 5)]
    assert errors(project, "appended") == [(2, -2), (8, -1)]
