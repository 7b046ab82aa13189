"""Plans are the same after JSON, and are found only while all that they were made of is as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cdme_adapter.capture.planner import plan_query
from cdme_adapter.engines.duckdb import DuckDbCatalog
from cdme_adapter.errors import UnsupportedConstruct
from cdme_adapter.plan_cache import PlanCache, decoded, encoded
from tests.functional.project import Project
from tests.laws.fixtures import fixtures

SQL = "SELECT a, count(*) AS n FROM memory.main.v WHERE b > 1 GROUP BY a"


def test_a_plan_is_the_same_after_json() -> None:
    seen = 0
    for case in fixtures()[::7]:
        con = case.connection()
        try:
            plan = plan_query(case.query, catalog_of(con))
        except UnsupportedConstruct:
            continue
        assert decoded(json.loads(json.dumps(encoded(plan)))) == plan
        seen += 1
    assert seen > 20


def named(database: str, schema: str, name: str) -> str:
    return name.lower()


def catalog_of(con: duckdb.DuckDBPyConnection) -> DuckDbCatalog:
    return DuckDbCatalog(lambda sql: con.execute(sql).fetchall(), named)


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("CREATE TABLE t (a INTEGER, b INTEGER); INSERT INTO t VALUES (1, 2), (3, 4)")
    made.execute("CREATE VIEW v AS SELECT a, b FROM memory.main.t")
    return made


def kept(con: duckdb.DuckDBPyConnection, path: Path) -> Any:
    """The side of a connection, once the plan of SQL is in the file."""

    def side(sql: str) -> list[tuple[Any, ...]]:
        return con.cursor().execute(sql).fetchall()

    catalog = catalog_of(con)
    plan = plan_query(SQL, catalog)
    cache = PlanCache(path)
    cache.keep(side, SQL, plan, catalog.looked_at)
    cache.save()
    found = PlanCache(path).find(side, SQL, {}, named)
    assert found is not None and found[0] == plan and [v.id for v in found[1]] == ["v"]
    return side


@pytest.mark.parametrize(
    "change",
    [
        "DROP VIEW v; ALTER TABLE t ALTER b TYPE BIGINT; CREATE VIEW v AS SELECT a, b FROM memory.main.t",
        "CREATE OR REPLACE VIEW v AS SELECT a, b FROM memory.main.t WHERE a > 1",
        "DROP VIEW v; ALTER TABLE t ADD COLUMN c INTEGER; CREATE VIEW v AS SELECT a, b FROM memory.main.t",
        "INSERT INTO t SELECT i, i FROM range(20) r(i)",
        "DROP TABLE t",
        "ALTER TABLE t RENAME TO u; CREATE VIEW t AS FROM u",
        "CREATE MACRO twice(x) AS 2 * x",
        "SET GLOBAL preserve_insertion_order = false",
    ],
)
def test_a_change_beneath_a_plan_makes_it_unknown(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, change: str
) -> None:
    side = kept(con, tmp_path / "plans.json")
    con.execute(change)
    assert PlanCache(tmp_path / "plans.json").find(side, SQL, {}, named) is None


def test_another_text_of_a_view_or_a_broken_file_is_no_plan(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "plans.json"
    side = kept(con, path)
    assert PlanCache(path).find(side, SQL, {"v": "SELECT a, b\nFROM memory.main.t"}, named) is None
    assert PlanCache(path).find(side, SQL + " ", {}, named) is None
    assert PlanCache(path).find(side, SQL, {}, lambda d, s, name: f"source.{name}") is None
    path.write_text("{")
    assert PlanCache(path).find(side, SQL, {}, named) is None


def test_a_second_run_plans_nothing_anew(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    table = "{{ config(materialized='table') }} "
    project.write({
        "raw.csv": "id,v\n1,2\n2,3\n3,4\n",
        "v.sql": "select id, v from {{ ref('raw') }} where id > 1",
        "m.sql": table + "select v, count(*) as n from {{ ref('v') }} group by v",
        "k.sql": "{{ config(materialized='table', meta={'cdme': {'lineage_mode': 'key_derivable'}}) }} "
        "select v from {{ ref('v') }} where v > 3",
    })  # fmt: skip
    project.dbt("build")
    first = project.sql("SELECT reasons FROM cdme.store_ledger WHERE model LIKE 'model.%' ORDER BY model")

    def never(*_: object) -> None:
        raise AssertionError("planned anew")

    monkeypatch.setattr("cdme_adapter.pipeline.plan_query", never)
    project.dbt("run")
    last = project.one("SELECT run_id FROM cdme.runs ORDER BY started_at DESC LIMIT 1")
    again = project.sql(
        f"SELECT reasons FROM cdme.store_ledger WHERE run_id = '{last}' AND model LIKE 'model.%'"
        " ORDER BY model"
    )
    assert again == first and "v.sql" in again[1][0]
    recipes = project.sql("SELECT recipe FROM cdme.store_recipes")
    assert recipes and all("id > 1" in recipe for (recipe,) in recipes)
