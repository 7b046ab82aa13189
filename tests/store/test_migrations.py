"""A database that an earlier CDME wrote becomes one of this version, wholly or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from cdme_adapter.errors import StoreVersionError
from cdme_adapter.lineage.opening import open_questions
from cdme_adapter.store import migrations, reader, writer
from cdme_adapter.store.schema import VERSION
from cdme_adapter.store.writer import StoreWriter
from tests.functional.project import Project
from tests.store.dump import FILES, FIXTURES

VERSIONS = sorted(int(path.stem.split("_")[1]) for path in FIXTURES.glob("version_*.sql"))


def old(path: Path, version: int) -> Path:
    """A database as that version left it; it must be called ``shop``."""
    with duckdb.connect(str(path)) as con:
        con.execute((FIXTURES / f"version_{version}.sql").read_text())
    return path


def store(con: duckdb.DuckDBPyConnection) -> StoreWriter:
    return StoreWriter(lambda sql: con.execute(sql).fetchall(), "shop")


def catalog(con: duckdb.DuckDBPyConnection) -> list[Any]:
    return con.execute(
        "SELECT table_name, column_name, data_type, column_index FROM duckdb_columns()"
        " WHERE schema_name = 'cdme' ORDER BY ALL"
    ).fetchall()


def test_every_version_is_kept() -> None:
    assert VERSIONS[0] == 1
    assert set(range(1, VERSION)) <= set(VERSIONS)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_migrated_schema_is_a_new_one(tmp_path: Path, version: int) -> None:
    (tmp_path / "new").mkdir()
    with duckdb.connect(str(tmp_path / "new" / "shop.duckdb")) as con:
        store(con).prepare()
        expected = catalog(con)
    with duckdb.connect(str(old(tmp_path / "shop.duckdb", version))) as con:
        store(con).prepare()
        assert catalog(con) == expected
        assert store(con).version() == VERSION


@pytest.mark.parametrize("version", VERSIONS)
def test_lineage_and_ledger_of_before_are_answered_after(project: Project, version: int) -> None:
    """Only ``b`` is built again: what is known of the others was written by the older version."""
    contract = {
        "reverse_join": "model LIKE '%.a' OR model LIKE '%.raw'",
        "filtered_keys": "model LIKE '%.a'",
        "reasons": "model LIKE '%.a'",
        "ledger": "true",
    }
    old(Path(project.path), version)
    before = {
        view: project.sql(f"SELECT * FROM cdme.{view} WHERE {where} ORDER BY ALL")
        for view, where in contract.items()
    }
    run = project.one("SELECT run_id FROM cdme.runs")
    contract["ledger"] = f"run_id = '{run}'"
    project.write(FILES)
    project.dbt("run", "--select", "b")
    assert project.one("SELECT value FROM cdme.store_meta WHERE name = 'version'") == str(VERSION)
    for view, where in contract.items():
        assert len(before[view]) > 0
        assert project.sql(f"SELECT * FROM cdme.{view} WHERE {where} ORDER BY ALL") == before[view]
    questions = open_questions(str(project.root), str(project.root))
    one, other = (questions.trace(m, "id = 5", to=to) for m, to in (("a", "raw"), ("c", "parents")))
    questions.close()
    assert [w["record"]["id"] for w in one["records"][0]["witnesses"][0]["records"]] == [5]
    # Version 1 kept no hash of tables: that nobody changed them since is not claimed.
    assert (one["stale"], other["stale"]) == ("unknown" if version == 1 else False, True)
    assert "model.shop.b" in other["stale_ends"]


def test_steps_run_in_order_from_the_version_that_is_there() -> None:
    steps = {2: ["CREATE TABLE {s}.two (x INT)"], 3: ["ALTER TABLE {s}.two ADD COLUMN y INT"]}
    one = migrations.migrate("shop.cdme", 1, 3, steps)
    two = migrations.migrate("shop.cdme", 2, 3, steps)
    assert one[:2] == ["CREATE TABLE shop.cdme.two (x INT)", "ALTER TABLE shop.cdme.two ADD COLUMN y INT"]
    assert two == one[1:]
    assert migrations.migrate("shop.cdme", None, 3, steps) == one[2:]
    assert migrations.migrate("shop.cdme", 3, 3, steps) == one[2:]


def test_a_step_that_fails_leaves_the_older_schema(tmp_path: Path, monkeypatch: Any) -> None:
    steps = {
        VERSION + 1: ["CREATE TABLE {s}.half (x INT)", "DELETE FROM {s}.store_ledger", "SELECT error('no')"]
    }
    monkeypatch.setattr(migrations, "STEPS", {**migrations.STEPS, **steps})
    monkeypatch.setattr(migrations.migrate, "__defaults__", (VERSION + 1, None))
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as con:
        store(con).prepare()  # made anew: no step is needed
        con.execute(f"UPDATE cdme.store_meta SET value = '{VERSION}'")
        con.execute("INSERT INTO cdme.store_ledger (run_id) VALUES ('r')")
        before = catalog(con)
        monkeypatch.setattr(writer, "VERSION", VERSION + 1)
        with pytest.raises(duckdb.Error, match="no"):
            store(con).prepare()
        assert (store(con).version(), catalog(con)) == (VERSION, before)
        assert con.execute("SELECT count(*) FROM cdme.store_ledger").fetchall() == [(1,)]
        steps[VERSION + 1].pop()
        monkeypatch.setattr(migrations, "STEPS", {**migrations.STEPS, **steps})
        store(con).prepare()
        assert store(con).version() == VERSION + 1
        assert con.execute("SELECT count(*) FROM cdme.store_ledger").fetchall() == [(0,)]


def test_a_newer_schema_is_refused_and_left_alone(project: Project) -> None:
    project.write(FILES).dbt("build")
    with project.connect() as con:
        con.execute(f"UPDATE cdme.store_meta SET value = '{VERSION + 1}' WHERE name = 'version'")
    before = project.sql("SELECT * FROM cdme.store_runs")
    outcome = project.dbt("run", ok=False)
    assert "STORE_NEWER" in outcome.text and "install the newer dbt-cdme" in outcome.text
    assert project.sql("SELECT * FROM cdme.store_runs") == before
    with pytest.raises(StoreVersionError, match="upgrade dbt-cdme"):
        open_questions(str(project.root), str(project.root)).ledger()


def test_a_schema_that_cannot_be_read_yet_says_what_to_do(project: Project, monkeypatch: Any) -> None:
    project.write(FILES).dbt("build")
    monkeypatch.setattr(reader, "READS", VERSION + 1)
    with pytest.raises(StoreVersionError, match="brings the schema up to date") as refused:
        open_questions(str(project.root), str(project.root)).ledger()
    assert refused.value.code == "STORE_OLDER"
