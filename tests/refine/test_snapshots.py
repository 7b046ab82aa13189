"""Snapshots: what ends a version is no record of its own; only what would be inserted is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.functional.project import Project

REFINE = "'refine': [{'name': 'positive', 'expression': 'v >= 0'}]"
ONE = "'refine': [{'name': 'one', 'unique': ['k']}]"
FIRST = "'refine': [{'name': 'first', 'unique': ['k'], 'order_by': 'id'}]"
LIMIT = "'error_threshold': '60%'"
HEAD = "id,k,v\n"


def snapshot(name: str, meta: str, more: str = "") -> dict[str, str]:
    return {
        f"snapshots/{name}.sql": f"{{% snapshot {name} %}}{{{{ config(unique_key='id', strategy='check',"
        f" check_cols=['k', 'v'], {more}meta={{'cdme': {{{meta}}}}}) }}}}"
        " select * from {{ ref('raw') }} {% endsnapshot %}"
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("snapshots") / "shop").write(
        {
            "raw.csv": HEAD + "1,1,1\n2,2,2\n3,3,3\n",
            **snapshot(
                "ended", f"{REFINE}, 'key': ['id', 'dbt_valid_from']", "hard_deletes='invalidate', "
            ),
            **snapshot("marked", REFINE, "hard_deletes='new_record', "),
            **snapshot("ones", ONE),
            **snapshot("firsts", FIRST),
            **snapshot("limited", f"{REFINE}, {LIMIT}"),
        }
    )
    made.dbt("build")
    # 1 goes bad, 2 is gone, 3 changes, 4 and 5 come with the same k.
    made.write({"raw.csv": HEAD + "1,1,-1\n3,3,33\n4,4,4\n5,4,5\n"})
    made.dbt("build")
    return made


def versions(project: Project, name: str) -> list[tuple[Any, ...]]:
    """(id, v, whether it is the present version)."""
    return project.sql(f"SELECT id, v, dbt_valid_to IS NULL FROM {name} ORDER BY id, dbt_valid_from, 3")


def errors(project: Project, name: str) -> list[Any]:
    found = project.sql(
        "SELECT DISTINCT record->>'id' FROM cdme.errors WHERE split_part(model, '.', -1) ="
        f" '{name}' ORDER BY 1"
    )
    return [row[0] for row in found]


def test_a_record_that_is_gone_ends_its_version(project: Project) -> None:
    rest = [(3, 3, False), (3, 33, True), (4, 4, True), (5, 5, True)]
    assert versions(project, "ended") == [(1, 1, True), (2, 2, False), *rest]
    assert versions(project, "marked") == [(1, 1, True), (2, 2, False), (2, 2, True), *rest]
    assert errors(project, "ended") == errors(project, "marked") == ["1"]


def test_a_new_version_is_no_duplicate_of_the_end_of_the_old_one(project: Project) -> None:
    changed = [(1, 1, False), (1, -1, True), (2, 2, True), (3, 3, False), (3, 33, True)]
    assert versions(project, "ones") == changed and errors(project, "ones") == ["4", "5"]
    assert versions(project, "firsts") == [*changed, (4, 4, True)]
    assert errors(project, "firsts") == ["5"]


def test_the_ends_of_versions_are_not_counted(project: Project) -> None:
    """One of the four new versions is rejected; the ends of two old ones are no records."""
    said = [f["message"] for f in project.file_ledger()["findings"] if f["code"] == "ERRORS"]
    assert any(m.endswith("data: 1 of 4 records fail (positive 1)") for m in said), said


def test_a_record_that_is_the_version_in_the_table_again_is_in_error_no_more(
    project: Project, tmp_path: Path
) -> None:
    """Its delta has nothing of it, but the snapshot has looked at it."""
    project.write({"raw.csv": HEAD + "1,1,1\n3,3,3\n4,4,-4\n5,4,-5\n"})
    outcome = project.dbt("build", ok=False)
    assert errors(project, "ended") == ["4", "5"]
    history = (
        "SELECT count(*) FROM cdme.error_history WHERE resolved_at IS NOT NULL AND model LIKE '%.ended'"
    )
    assert project.one(history) == 1
    entry = project.ledger("ended")["raw"]
    assert entry["unaccounted_count"] == 0 and entry["error_count"] == 2
    # Two of three new versions are more than 60 %.
    assert outcome.status["limited"] == "error" and "2 of 3 records were rejected" in outcome.text
