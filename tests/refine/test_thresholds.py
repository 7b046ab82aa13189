"""Too many errors fail the model; the errors are kept whatever becomes of its rows."""

from __future__ import annotations

import json
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


def test_the_circuit_breaker_stops_what_no_query_makes(tmp_path: Path) -> None:
    """A python model and a seed are judged in their table: its first records first."""
    meta = {"refine": [POSITIVE], "circuit_breaker": {"share": 0.5, "sample": 4}}
    python = f"def model(dbt, session):\n    dbt.config(materialized='table', meta={{'cdme': {meta!r}}})\n"
    made = Project(tmp_path / "shop").write(
        {
            "raw.csv": "id,v\n" + "".join(f"{i},{i}\n" for i in range(9)),
            "kept.csv": "id,v\n" + "".join(f"{i},{i}\n" for i in range(9)),
            "py.py": python + "    return dbt.ref('raw').project('id, v')\n",
            "s.yml": "{version: 2, seeds: [{name: kept, config: {meta: {cdme: META}}}]}".replace(
                "META", json.dumps(meta)
            ),
        }
    )
    made.dbt("build")
    late = "id,v\n" + "".join(f"{i},{-1 if i > 5 else i}\n" for i in range(9))
    made.write({"raw.csv": late, "kept.csv": late})
    outcome = made.dbt("build")
    assert outcome.message["py"].endswith("3 error records") and "kept: 3 error records" in outcome.log
    early = "id,v\n" + "".join(f"{i},{-1 if i < 3 else i}\n" for i in range(9))
    made.write({"raw.csv": early, "kept.csv": early})
    outcome = made.dbt("build", ok=False)
    assert outcome.status == {"raw": "success", "kept": "error", "py": "error"}
    assert outcome.text.count("of the first 4 records 3 were rejected") >= 2
    for name in ("py", "kept"):
        assert made.sql(f"SELECT id FROM {name} ORDER BY id") == [(i,) for i in range(6)], "as it was"
        found = made.sql(
            "SELECT (record->>'id')::int FROM cdme.errors WHERE split_part(model, '.', -1) ="
            f" '{name}' ORDER BY 1"
        )
        assert found == [(0,), (1,), (2,)]


def test_no_errors_are_left_in_a_temporary_folder(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    project.write({"m.sql": model({"refine": [POSITIVE], "error_threshold": 0}, SQL)})
    project.dbt("run", "--select", "m", ok=False)
    assert len(errors(project)) == BAD
    assert list(tmp_path.glob("cdme_errors_*")) == []
