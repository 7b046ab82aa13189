"""What large tables are captured with gives small ones the same accounts."""

from __future__ import annotations

import duckdb
import pytest

from cdme_adapter.capture.planner import plan_query
from cdme_adapter.engines.duckdb import DuckDbCatalog
from tests.harness import capture
from tests.laws.compare import compare
from tests.laws.fixtures import Fixture, fixtures
from tests.laws.large import as_large
from tests.oracle.interpreter import explain


@pytest.mark.parametrize("case", fixtures(), ids=str)
def test_large_tables_account_like_small_ones(case: Fixture) -> None:
    connection = case.connection()
    with as_large():
        captured = capture(connection, case.query)
    assert not compare(explain(connection, case.query), captured).problems


WINDOW = "SELECT k, a, b, c, row_number() OVER (PARTITION BY a ORDER BY k) AS n FROM t"
QUERIES = [
    f"SELECT k, c FROM ({WINDOW}) WHERE n = 1",
    f"SELECT k, c || b AS cb FROM ({WINDOW}) WHERE n = 1 AND b > 1",
    "SELECT * FROM t QUALIFY row_number() OVER (PARTITION BY a ORDER BY k DESC) = 1",
    "WITH r AS (SELECT a + b AS x, * FROM t WHERE k > 0) SELECT * EXCLUDE (m) FROM"
    " (SELECT *, max(x) OVER w AS m, {'k': k} AS s FROM r WINDOW w AS (PARTITION BY a)) WHERE m = x",
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_stage_of_windows_keeps_no_column_that_can_be_fetched(query: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (k INTEGER, a INTEGER, b INTEGER, c VARCHAR)")
        connection.execute("INSERT INTO t SELECT i, i % 3, i % 4, 'c' || i FROM range(12) AS r(i)")
        with as_large():
            captured = capture(connection, query)
            catalog = DuckDbCatalog(
                lambda sql: connection.execute(sql).fetchall(), lambda database, schema, name: name
            )
            stage = plan_query(query, catalog).nodes[0]
        assert stage.fetch is not None
        kept = connection.execute(f"DESCRIBE {stage.fetch.stage.format()}").fetchall()
        assert not {str(row[0]).lower() for row in kept} & {"k", "a", "b", "c", "cb", "x", "s"}
        assert not compare(explain(connection, query), captured).problems
