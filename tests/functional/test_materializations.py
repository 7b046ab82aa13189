"""What is not captured runs exactly as with dbt-duckdb, and its edges are there, UNKNOWN."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.functional.compare import snapshot
from tests.functional.project import Project, release

FIXTURE = Path(__file__).parent / "projects" / "materializations"
MODELS = {
    "incremental_append": "incremental", "incremental_merge": "incremental",
    "incremental_delete_insert": "incremental",
    "python_table": "table", "python_incremental": "incremental", "by_package": "copied",
    "a_snapshot": "snapshot", "from_function": "table_function",
}  # fmt: skip
CAPTURED = ["a_snapshot", "incremental_append", "incremental_delete_insert", "incremental_merge"]
OPAQUE = sorted(set(MODELS) - {"from_function", *CAPTURED})


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Project]:
    """The project built twice, its seed changed in between, by cdme and by dbt-duckdb."""
    root = tmp_path_factory.mktemp("materializations") / "shop"
    shutil.copytree(FIXTURE, root)
    ours = Project(root, profile={"external_root": str(root / "files")})
    plain = ours.twin()
    for project in (plain, ours):
        (project.root / "files").mkdir()
        project.dbt("deps")
        project.dbt("build")
        project.write({"raw.csv": "id,v\n1,a\n2,B\n3,c\n4,d\n"})
        project.dbt("build")
    return ours, plain


def test_the_tables_are_those_of_plain_duckdb(pair: tuple[Project, Project]) -> None:
    found, expected = (snapshot(project) for project in pair)
    # dbt-duckdb leaves the staging table of an incremental python model, named by the time.
    assert {t[1].split("__dbt_tmp")[0] for t in found.rows} == {
        t[1].split("__dbt_tmp")[0] for t in expected.rows
    }
    for table, rows in expected.rows.items():
        if "__dbt_tmp" in table[1]:
            continue
        if table[1] == "a_snapshot":
            assert len(found.rows[table]) == len(rows) == 5
        else:
            assert sorted(found.rows[table]) == sorted(rows), table
    columns = [
        [row for row in state.catalog["columns"] if "dbt_tmp" not in row[1]] for state in (found, expected)
    ]
    assert columns[0] == columns[1]


@pytest.mark.parametrize("run", [0, 1], ids=["first run", "second run"])
@pytest.mark.parametrize("model", OPAQUE)
def test_the_edges_are_in_the_ledger(pair: tuple[Project, Project], model: str, run: int) -> None:
    row = pair[0].ledger(model, run)["raw"]
    assert (row["exactness"], row["status"]) == ("opaque", "UNKNOWN")
    assert MODELS[model] in row["why"] or "python" in row["why"]


@pytest.mark.parametrize("model", CAPTURED)
def test_what_is_changed_in_place_is_captured(pair: tuple[Project, Project], model: str) -> None:
    """The seed has no key: what earlier runs carried is known for the snapshot and the merges alone,
    which read all of it again."""
    first, second = (pair[0].ledger(model, run)["raw"] for run in (0, 1))
    assert (first["exactness"], first["status"]) == (second["exactness"], "BALANCED")
    assert second["exactness"] == "exact"
    rows = pair[0].one(f"SELECT count(*) FROM {model}")
    told = pair[0].one(
        "SELECT count(DISTINCT output_key) FROM cdme.reverse_join"
        f" WHERE split_part(model, '.', -1) = '{model}' AND split_part(input, '.', -1) = 'raw'"
    )
    assert told == rows


@pytest.mark.parametrize("model", OPAQUE)
def test_the_edges_are_of_the_present_generation(pair: tuple[Project, Project], model: str) -> None:
    rows = pair[0].sql(
        f"SELECT exactness, output_run_id FROM cdme.edges WHERE split_part(model, '.', -1) = '{model}'"
    )
    last = pair[0].one("SELECT run_id FROM cdme.runs ORDER BY started_at DESC LIMIT 1")
    assert rows == [("opaque", last)]


def test_a_table_over_an_incremental_is_captured(pair: tuple[Project, Project]) -> None:
    row = pair[0].ledger("over_incremental")["incremental_merge"]
    assert (row["exactness"], row["input_count"], row["status"]) == ("exact", 4, "BALANCED")


def test_the_run_says_that_something_is_unknown(pair: tuple[Project, Project]) -> None:
    statuses = pair[0].sql("SELECT DISTINCT status FROM cdme.runs")
    assert statuses == [("COMPLETE_WITH_WARNINGS",)]
    release()


def test_nothing_of_a_python_model_is_lost(pair: tuple[Project, Project]) -> None:
    assert pair[0].one("SELECT count(*) FROM python_table") == 4
