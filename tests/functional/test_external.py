"""External models: the file is at its place, its account is that of the model's transaction."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from cdme_adapter import external
from cdme_adapter.lineage.opening import open_questions
from tests.functional.compare import snapshot
from tests.functional.project import Project, counts

RAW = "id,v,d\n" + "".join(f"{n},{n % 3},x{n % 2}\n" for n in range(1, 10))
SQL = "select id, v, d from {{ ref('raw') }} where id > 2"
SHAPES = {
    "parquet": "format='parquet'", "csv": "format='csv', delimiter='|'", "json": "format='json'",
    "zipped": "location='files/zipped.csv.gz'",
    "parts": "options={'partition_by': 'd', 'overwrite_or_ignore': 1}",
}  # fmt: skip
TABLE = "{{ config(materialized='table') }} "
DOCS = "description: d, columns: [{name: id, description: the id}], config: {persist_docs: {%s}}"


def model(config: str, sql: str = SQL) -> str:
    return f"{{{{ config(materialized='external', {config}) }}}}\n{sql}"


@pytest.fixture
def files(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    project.profile["external_root"] = "files"
    project.configure()
    (project.root / "files").mkdir()
    project.write({"raw.csv": RAW})
    monkeypatch.chdir(project.root)
    return project


def trace(project: Project, where: str) -> dict[str, object]:
    questions = open_questions(str(project.root), str(project.root))
    try:
        answer: dict[str, object] = questions.trace("e", where, to="parents")
        return answer
    finally:
        questions.close()


@pytest.mark.parametrize("option", ["'overwrite': 1", "'overwrite_or_ignore': 1", "'overwrite': 0"])
def test_a_partition_that_disappears(files: Project, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    """OVERWRITE leaves nothing of what was in the folder; the second run has one partition less."""
    sql = "select id, d from {{ ref('raw') }} where d <= '{{ var(\"last\", \"x1\") }}'"
    files.write({"x.sql": model(f"options={{'partition_by': 'd', {option}}}", sql),
                 "y.sql": TABLE + "select id, d from {{ ref('x') }}"})  # fmt: skip
    plain = files.twin()
    found = []
    for one in (files, plain):
        monkeypatch.chdir(one.root)
        one.dbt("build")
        (one.root / "files/x/note.txt").write_text("somebody else's")
        done = one.dbt("run", "--vars", "{last: x0}", ok=None)
        rows = one.sql("SELECT id, d FROM y ORDER BY ALL")
        left = {str(p.relative_to(one.root)) for p in (one.root / "files").rglob("*") if p.is_file()}
        found.append((done.success, rows, left))
    assert found[0] == found[1]
    assert len(found[0][1]) == (4 if option == "'overwrite': 1" else 9)
    assert not list((files.root / "files").glob(".cdme*"))


def test_files_are_where_and_what_plain_duckdb_writes(
    files: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = DOCS % "relation: true, columns: true"
    files.write({f"{name}.sql": model(config) for name, config in SHAPES.items()})
    files.write({"empty.sql": model("format='parquet'", SQL + " and id > 99"),
                 "m.yml": f"{{version: 2, models: [{{name: parquet, {described}}}]}}"})  # fmt: skip
    plain = files.twin()
    found, listed = [], []
    for one in (files, plain):
        monkeypatch.chdir(one.root)
        for _ in range(2):
            one.dbt("build")
        found.append(snapshot(one))
        listed.append(sorted(str(p.relative_to(one.root)) for p in (one.root / "files").rglob("*")))
    monkeypatch.chdir(files.root)
    assert listed[0] == listed[1]
    assert found[0].rows == found[1].rows
    for kind in ("views", "columns"):
        assert found[0].catalog[kind] == found[1].catalog[kind]
    for name in ("parquet", "csv", "json", "zipped"):
        row = files.ledger(name)["raw"]
        assert (row["exactness"], *counts(row)) == ("exact", 9, 7, 2, 0, 0, "BALANCED")
    assert counts(files.ledger("empty")["raw"]) == (9, 0, 9, 0, 0, "BALANCED")
    row = files.ledger("parts")["raw"]
    assert (row["exactness"], row["status"], row["output_count"]) == ("opaque", "UNKNOWN", 7)
    assert "several files" in row["why"]
    assert files.sql("SELECT DISTINCT state FROM cdme.store_files") == [("confirmed",)]


@pytest.mark.parametrize("shape", ["parquet", "csv", "json"])
def test_each_row_of_the_file_leads_to_its_record(files: Project, shape: str) -> None:
    files.write({"e.sql": model(SHAPES[shape], SQL + " order by id desc")})
    files.dbt("build")
    answer = trace(files, "id = 7")
    (record,) = answer["records"]  # type: ignore[misc]
    assert record["record"]["id"] == 7 and answer["stale"] is False
    assert [w["record"]["id"] for w in record["witnesses"][0]["records"]] == [7]


def test_another_file_in_its_place_is_noticed(files: Project) -> None:
    """Same number of rows, so that only the hash can tell."""
    files.write({"e.sql": model("format='parquet'")})
    files.dbt("build")
    assert trace(files, "id = 7")["stale"] is False
    duckdb.execute("COPY (SELECT id, v, 'y' AS d FROM 'files/e.parquet') TO 'files/other.parquet'")
    Path("files/other.parquet").replace("files/e.parquet")
    answer = trace(files, "id = 7")
    assert answer["stale"] is True and answer["stale_ends"] == ["model.shop.e"]


def test_a_refused_model_leaves_the_file_as_it_was(files: Project) -> None:
    files.write({"e.sql": model("format='parquet'")})
    files.dbt("build")
    before = Path("files/e.parquet").read_bytes()
    loss = (
        "meta={'cdme': {'expected_loss': [{'input': 'raw', 'kind': 'where', 'max': 0, 'because': 'none'}]}}"
    )
    files.write({"e.sql": model(f"format='parquet', {loss}", SQL + " and id > 5")})
    assert "LOSS_UNEXPECTED" in files.dbt("run", ok=False).text
    assert Path("files/e.parquet").read_bytes() == before
    assert files.one("SELECT count(*) FROM e") == 7
    assert sorted(str(path) for path in Path("files").rglob("*")) == ["files/e.parquet"]


def test_the_next_run_finishes_what_is_pending(files: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file cannot be brought to its place: rows and account agree all the same."""
    files.write({"e.sql": model("format='parquet'")})
    files.dbt("build")

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    link = external._link
    monkeypatch.setattr(external, "_link", full)
    files.write({"e.sql": model("format='parquet'", SQL + " and id > 5")})
    assert "no space left" in files.dbt("run").text
    assert duckdb.execute("SELECT count(*) FROM 'files/e.parquet'").fetchall() == [(7,)]
    assert files.one("SELECT count(*) FROM e") == 4
    assert files.one("SELECT state FROM cdme.store_files") == "pending"
    assert trace(files, "id = 7")["stale"] is False
    monkeypatch.setattr(external, "_link", link)
    files.dbt("seed")
    assert files.one("SELECT state FROM cdme.store_files") == "confirmed"
    assert duckdb.execute("SELECT count(*) FROM 'files/e.parquet'").fetchall() == [(4,)]
    assert files.one("SELECT count(*) FROM e") == 4
    assert sorted(str(path) for path in Path("files").rglob("*")) == ["files/e.parquet"]


def test_orphans_of_killed_runs_are_collected(files: Project) -> None:
    files.write({"e.sql": model("format='parquet'"), "f.sql": model("format='parquet'")})
    files.dbt("build")
    for left in ("files/.cdme/old/e.parquet", "files/.cdme/older/e.parquet", "files/.cdme/old/f.parquet"):
        Path(left).parent.mkdir(parents=True, exist_ok=True)
        Path(left).write_text("half")
    files.dbt("run", "--select", "e")
    assert sorted(str(path) for path in Path("files").rglob("*.parquet")) == [
        "files/.cdme/old/f.parquet", "files/e.parquet", "files/f.parquet",
    ]  # fmt: skip


def test_a_folder_that_does_not_exist_is_duckdbs_error(files: Project) -> None:
    files.write({"e.sql": model("location='nowhere/e.parquet'")})
    assert "nowhere/e.parquet" in files.dbt("build", ok=False).text
