"""Too many errors fail the model; the errors are kept whatever becomes of its rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.functional.project import Project
from tests.refine.shop import POSITIVE, RAW, model

SQL = "select id, v from {{ ref('raw') }}"
BAD = 5
"""How many of the forty records are negative."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("limits") / "shop")
    made.write(
        {"raw.csv": RAW, "m.sql": model({}, SQL), "below.sql": model({}, "select * from {{ ref('m') }}")}
    )
    made.dbt("build")
    return made


def errors(project: Project) -> list[str]:
    return [r[0] for r in project.sql("SELECT record->>'id' FROM cdme.errors ORDER BY ALL")]


def test_at_the_limit_is_not_over_it(project: Project) -> None:
    for limit in (BAD, "12.5%"):
        project.write({"m.sql": model({"refine": [POSITIVE], "error_threshold": limit}, SQL)})
        project.dbt("run", "--select", "m")
        assert project.one("SELECT count(*) FROM m") == 40 - BAD


@pytest.mark.parametrize("limit", [BAD - 1, "12%"])
def test_over_the_limit_rolls_back_and_keeps_the_errors(project: Project, limit: int | str) -> None:
    project.write({"m.sql": model({}, SQL)})
    project.dbt("run", "--select", "m")
    assert (project.one("SELECT count(*) FROM m"), errors(project)) == (40, [])
    project.write({"m.sql": model({"refine": [POSITIVE], "error_threshold": limit}, SQL)})
    outcome = project.dbt("run", ok=False)
    assert outcome.status == {"m": "error", "below": "skipped"}
    assert "ERROR_THRESHOLD" in outcome.text and "data: 5 of 40 records fail (positive 5)" in outcome.text
    assert project.one("SELECT count(*) FROM m") == 40
    assert errors(project) == ["0", "17", "23", "34", "6"]
    keys = project.sql("SELECT input, input_key FROM cdme.errors ORDER BY ALL")
    assert keys == [("seed.shop.raw", f'{{"rowid":{i}}}') for i in ("0", "17", "23", "34", "6")]
    entry = project.ledger("m")["raw"]
    assert (entry["error_count"], entry["contributed_count"]) == (BAD, 40 - BAD)
    assert project.one("SELECT arg_max(status, started_at) FROM cdme.runs") == "FAILED"


def test_the_good_rows_may_stay(project: Project) -> None:
    limit = {"max": 1, "on_exceeded": "commit"}
    project.write({"m.sql": model({"refine": [POSITIVE], "error_threshold": limit}, SQL)})
    outcome = project.dbt("run", ok=False)
    assert outcome.status == {"m": "error", "below": "skipped"}
    assert "kept" in outcome.message["m"]
    assert project.one("SELECT count(*) FROM m") == 40 - BAD
    assert len(errors(project)) == BAD


def test_when_all_fail_alike_it_is_the_structure(project: Project) -> None:
    meta = {"refine": [{"name": "unit", "expression": "v > 1000"}], "error_threshold": "50%"}
    project.write({"m.sql": model(meta, SQL)})
    outcome = project.dbt("run", "--select", "m", ok=False)
    assert "structural: all 40 records fail the same way (unit 40)" in outcome.text


@pytest.mark.parametrize("mode", ["full", "off"])
def test_the_circuit_breaker_stops_after_the_sample(project: Project, mode: str) -> None:
    project.write({"m.sql": model({}, SQL)})
    project.dbt("run", "--select", "m")
    meta = {"refine": [{"name": "late", "expression": "id >= 8"}], "lineage_mode": mode}
    project.write({"m.sql": model({**meta, "circuit_breaker": {"share": 0.5, "sample": 10}}, SQL)})
    outcome = project.dbt("run", "--select", "m", ok=False)
    assert "CIRCUIT_BREAKER" in outcome.text and "of the first 10 records 8 were rejected" in outcome.text
    assert project.one("SELECT count(*) FROM m") == 40
    assert sorted(map(int, errors(project))) == list(range(8))
    known = project.one("SELECT count(input_key) FROM cdme.errors")
    assert known == (8 if mode == "full" else 0)
    project.write({"m.sql": model({**meta, "circuit_breaker": {"share": 0.8, "sample": 10}}, SQL)})
    project.dbt("run", "--select", "m")
    assert project.one("SELECT count(*) FROM m") == 32


def test_no_errors_are_left_in_a_temporary_folder(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    project.write({"m.sql": model({"refine": [POSITIVE], "error_threshold": 0}, SQL)})
    project.dbt("run", "--select", "m", ok=False)
    assert len(errors(project)) == BAD
    assert list(tmp_path.glob("cdme_errors_*")) == []
