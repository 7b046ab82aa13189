"""Column lineage is kept while the SQL and the columns that it reads stay the same."""

from __future__ import annotations

from typing import Any

import duckdb

from cdme_adapter.emit.catalog import Catalog
from cdme_adapter.emit.remembered import Remembered
from tests.emit.collector import Collector
from tests.functional.project import Project

RELATIONS = [("db", "main", "t"), ("db", "main", "m")]
COLUMNS = {("db", "main", "t"): {"a": "INTEGER"}, ("db", "main", "m"): {"a": "INTEGER"}}


def test_what_makes_it_worthless() -> None:
    con = duckdb.connect()
    con.execute(
        "CREATE TABLE store_columns (node VARCHAR, mark VARCHAR, relations VARCHAR, lineage VARCHAR)"
    )

    def execute(sql: str, values: Any = None) -> list[Any]:
        return con.execute(sql, values).fetchall()

    def over(columns: Any = None, path: str = "/x.duckdb") -> Remembered:
        made = Remembered(Catalog(execute, {**COLUMNS, **(columns or {})}, {"db": path}))
        made.read(execute, "main")
        return made

    first = over()
    assert first.get("m", "select a from t") == (False, None)
    first.put("m", "select a from t", RELATIONS, {"fields": {"a": "it's"}})
    first.put("n", "select columns(*) from t", RELATIONS, None)
    first.write(execute, "main")
    assert over().get("m", "select a from t") == (True, {"fields": {"a": "it's"}})
    assert over().get("n", "select columns(*) from t") == (True, None)  # not certain then, nor now
    assert not over().get("m", "select b from t")[0]
    assert not over({("db", "main", "t"): {"a": "INTEGER", "b": "INTEGER"}}).get("m", "select a from t")[0]
    assert not over(path="/y.duckdb").get("m", "select a from t")[0]
    again = over()
    again.put("m", "select 2", RELATIONS, {})
    again.write(execute, "main")
    assert execute("SELECT count(*) FROM store_columns") == [(2,)]


def test_the_same_sql_over_other_columns(project: Project, collector: Collector) -> None:
    table = "{{ config(materialized='table') }} "
    project.write({"raw.csv": "a,b\n1,2\n", "s.sql": table + "select a, b as c from {{ ref('raw') }}",
                   "m.sql": table + "select * from {{ ref('s') }}"})  # fmt: skip

    def lineage() -> dict[str, list[str]]:
        event = next(e for e in reversed(collector.take()) if e["job"]["name"] == "model.shop.m"
                     and e["eventType"] == "COMPLETE")  # fmt: skip
        fields = event["outputs"][0]["facets"]["columnLineage"]["fields"]
        return {name: [f["field"] for f in found["inputFields"]] for name, found in fields.items()}

    for _ in range(2):
        project.dbt("build")
        assert lineage() == {"a": ["a"], "c": ["c"]}
    project.write({"s.sql": table + "select a, b as d from {{ ref('raw') }}"})
    project.dbt("build")
    assert lineage() == {"a": ["a"], "d": ["d"]}
