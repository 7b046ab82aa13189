"""What stands for a column of USING, held against DuckDB: the same rows, with one column less to doubt."""

from __future__ import annotations

from itertools import product

import duckdb
import pytest
import sqlglot
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from cdme_adapter.validation.using_columns import settle_using
from tests.validation.harness import judge

SCHEMA = {name: {"k": "INT", "j": "INT", f"v{name}": "INT"} for name in "abc"}


def settled(sql: str) -> str:
    tree = qualify(
        sqlglot.parse_one(sql, dialect="duckdb"), schema=MappingSchema(SCHEMA, dialect="duckdb"),
        dialect="duckdb", validate_qualify_columns=False, identify=False, quote_identifiers=False,
    )  # fmt: skip
    settle_using(tree)
    return tree.sql("duckdb")


@pytest.fixture(scope="module")
def tables() -> duckdb.DuckDBPyConnection:
    rows = duckdb.connect()
    for number, name in enumerate(SCHEMA):
        key = f"CASE WHEN (i + {number}) % 5 <> 0 THEN (i * {number + 1}) % 6 END"
        rows.execute(
            f"CREATE TABLE {name} AS SELECT {key} AS k, i % 3 AS j, i AS v{name} "
            f"FROM range({number}, {number + 7}) t(i)"
        )
    return rows


SIDES = ["", "left", "right", "full"]


@pytest.mark.parametrize(("first", "second"), list(product(SIDES, SIDES)))
@pytest.mark.parametrize("columns", ["k", "k, j"])
def test_the_rows_are_the_same(
    tables: duckdb.DuckDBPyConnection, first: str, second: str, columns: str
) -> None:
    sql = f"select k, va, vb, vc from a {first} join b using ({columns}) {second} join c using ({columns})"
    found = [sorted(map(str, tables.execute(text).fetchall())) for text in (sql, settled(sql))]
    assert found[0] == found[1], settled(sql)
    if "right" not in (first, second) and "full" not in (first, second):
        assert "COALESCE" not in settled(sql)


def test_a_coalesce_of_the_users_own_stays() -> None:
    assert "COALESCE(a.k, b.k)" in settled("select coalesce(a.k, b.k) as x from a left join b on a.j = b.j")
    assert "COALESCE(a.k, b.k)" in settled("select coalesce(a.k, b.k) as x from a, b where a.k = b.k")


TABLES = {
    "people": {"columns": {"id": "INTEGER", "name": "VARCHAR"}, "unique": ["id"], "not_null": ["id"]},
    "visits": {"columns": {"id": "INTEGER", "day": "DATE"}, "not_null": ["id"]},
}


@pytest.mark.parametrize("join", ["join", "left join", "right join"])
def test_a_column_of_using_is_a_key_as_one_of_on_is(join: str) -> None:
    counted = "(select id, count(*) as n from {visits} group by all)"
    sql = f"select id, name, n from {{people}} p {join} {counted} v using (id)"
    report = judge(TABLES, {"m": {"sql": sql, "meta": {"grain": ["id"]}}})
    assert report.models() == {"model.shop.m": "safe"}, report.verdicts
    sql = f"select id, name, day from {{people}} p {join} {{visits}} v using (id)"
    tables = {**TABLES, "visits": {**TABLES["visits"], "unique": [["id", "day"]]}}
    report = judge(tables, {"m": {"sql": sql, "meta": {"grain": ["id"]}}})
    assert [f.code for f in report.refusals] == ["GRAIN_FANOUT"]
