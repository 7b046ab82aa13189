"""Seeds and files: rows that fail, and lines that do not parse, are errors with file and line."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from cdme_adapter.lineage.opening import open_questions
from tests.functional.project import Project
from tests.refine.shop import POSITIVE, model

GOOD = "id,v\n1,1\n2,-2\nthree,3\n4,4\n5,5,5\n6,6\n"
SEED = "id,v\n1,1\n2,-2\nthree,3\n4,4\n5,x\n6,6\n7,7,7\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("files") / "shop")
    (made.root / "lines.csv").write_text(GOOD)
    scan = f"read_csv('{made.root}/lines.csv', header = true, columns = {{'id': 'INT', 'v': 'INT'}})"
    made.write(
        {
            "raw.csv": SEED,
            "strict.csv": SEED,
            "m.yml": "version: 2\nseeds:\n- name: raw\n  config: {column_types: {id: integer, v: integer},"
            " meta: {cdme: {cast: [id, v], refine: [{name: positive, expression: 'v >= 0'}]}}}\n"
            "- name: strict\n  config: {column_types: {id: integer, v: integer}}\n",
            "noted.sql": model({"refine": [POSITIVE]}, f"select * from {scan} where id <> 4"),
            "opaque.sql": model({"refine": [POSITIVE], "lineage_mode": "off"}, f"select * from {scan}"),
            "plain.sql": model({}, f"select * from {scan}"),
            "after.sql": model({}, "select id, v from {{ ref('raw') }}"),
        }
    )
    made.outcome = made.dbt("build", ok=False)  # type: ignore[attr-defined]
    return made


def errors(project: Project, node: str) -> list[Any]:
    return project.sql(
        "SELECT failure_type, input, input_key, offending_values->>'error' FROM cdme.errors"
        f" WHERE model LIKE '%.{node}' ORDER BY ALL"
    )


def test_where_nothing_is_declared_dbt_duckdbs_behaviour_stays(project: Project) -> None:
    status = project.outcome.status  # type: ignore[attr-defined]
    assert {n for n, s in status.items() if s == "error"} == {"plain", "strict"}


def test_a_seeds_bad_lines_and_rows_are_errors(project: Project) -> None:
    assert project.sql("SELECT id, v FROM raw ORDER BY id") == [(1, 1), (4, 4), (6, 6)]
    path = "seeds/raw.csv"
    assert errors(project, "raw") == [
        ("not_parsed", "file.seeds/raw.csv", f'{{"file":"{path}","line":4}}', "cast"),
        ("not_parsed", "file.seeds/raw.csv", f'{{"file":"{path}","line":6}}', "cast"),
        ("not_parsed", "file.seeds/raw.csv", f'{{"file":"{path}","line":8}}', "too many columns"),
        ("positive", "file.seeds/raw.csv", '{"rowid":1}', None),
    ]
    entry = next(iter(project.ledger("raw").values()))
    counts = [entry[c] for c in ("input_count", "contributed_count", "error_count", "unaccounted_count")]
    assert (*counts, entry["status"]) == (7, 3, 4, 0, "BALANCED")
    text = project.sql("SELECT record->>'text' FROM cdme.errors WHERE model LIKE '%raw' ORDER BY 1")
    assert text == [("5,x",), ("7,7,7",), ("three,3",), (None,)]
    assert not list(Path(tempfile.gettempdir()).glob("cdme_seed_*/raw.csv")), "the copy for dbt is gone"


@pytest.mark.parametrize("name", ["noted", "opaque"])
def test_lines_of_a_file_that_do_not_parse_are_errors(project: Project, name: str) -> None:
    path = f"{project.root}/lines.csv"
    found = [row for row in errors(project, name) if row[0] == "not_parsed"]
    assert found == [
        ("not_parsed", f"file.{path}", '{"file":"lines.csv","line":4}', "cast"),
        ("not_parsed", f"file.{path}", '{"file":"lines.csv","line":6}', "too many columns"),
    ]
    ids = {row[0] for row in project.sql(f"SELECT id FROM {name}")}
    assert ids == ({1, 6} if name == "noted" else {1, 4, 6})
    if name == "noted":
        entry = next(iter(project.ledger("noted").values()))
        assert (entry["input_count"], entry["error_count"], entry["status"]) == (4, 1, "BALANCED")


def test_the_laws_hold_and_the_list_names_the_line(project: Project) -> None:
    with open_questions(str(project.root), str(project.root)) as asked:
        found = asked.reconcile(["model.shop.noted", "model.shop.after"], sample=3)
        assert not [e for e in found["edges"] if e["verdict"] == "violation"], [
            (e["why"], e["missing"]) for e in found["edges"]
        ]
        replay = next(e for e in found["edges"] if (e["model"], e["law"]) == ("model.shop.noted", "replay"))
        assert (replay["verdict"], replay["checked"]) == ("exact", 2), replay["why"]
        listed = asked.errors("noted")["errors"]
    assert next(e["input_key"] for e in listed if e["failure_type"] == "not_parsed")["line"] == 4


def test_another_checkout_gives_the_same_records(project: Project, tmp_path: Path) -> None:
    """Nothing of the place of the project is in what is compared from run to run."""
    other = Project(tmp_path / "elsewhere")
    for file in ("seeds/raw.csv", "lines.csv", *(f"models/{name}" for name in ("m.yml", "noted.sql"))):
        text = (project.root / file).read_text().replace(str(project.root), str(other.root))
        other.write({f"./{file}": text})
    other.dbt("build", "--select", "raw", "noted")
    said = "SELECT model, record_hash, failure_type, input_key, record::VARCHAR FROM cdme.errors"
    mine = f"{said} WHERE split_part(model, '.', -1) IN ('raw', 'noted') ORDER BY ALL"
    assert other.sql(mine) == project.sql(mine)


def test_the_message_tells_rows_from_lines(project: Project) -> None:
    project.dbt("run", "--select", "noted")
    (said,) = [f["message"] for f in project.file_ledger()["findings"] if f["code"] == "ERRORS"]
    beside = "2 of inputs were kept out or did not parse"
    assert said == f"3 error records, data: 1 of 3 records fail (positive 1), {beside}"
