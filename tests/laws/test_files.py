"""Files as inputs: the capture against the oracle, over files with NULLs, duplicates and empties."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.harness import capture
from tests.laws.compare import compare
from tests.oracle.interpreter import explain

SETUP = """
CREATE TABLE t (id INTEGER, k VARCHAR, v INTEGER);
INSERT INTO t VALUES (1, 'a', 10), (2, NULL, 20), (2, NULL, 20), (3, 'b', NULL), (4, 'a', 5);
COPY t TO 'x.csv' (HEADER);
COPY (SELECT * FROM t WHERE v > 5) TO 'y1.parquet';
COPY (SELECT * FROM t WHERE v IS NULL OR v = 5) TO 'y2.parquet';
COPY t TO 'z.json';
COPY (FROM t LIMIT 0) TO 'none.csv' (HEADER);
CREATE VIEW w AS SELECT id, v FROM read_csv('x.csv') WHERE v > 5;
"""

EXACT = [
    "SELECT id, v FROM read_csv('x.csv') WHERE v > 5 AND k = 'a'",
    "SELECT k, sum(v) AS s FROM read_parquet('y*.parquet') GROUP BY k HAVING s > 10",
    "SELECT id FROM read_json('z.json') AS j WHERE j.k IS NULL ORDER BY id LIMIT 1",
    "SELECT t.id, c.v FROM t LEFT JOIN read_csv('x.csv', header = true) AS c ON t.v = c.id",
    "SELECT a.id FROM read_csv('x.csv') AS a JOIN read_csv('x.csv') AS b ON a.id = b.v",
    "WITH f AS (SELECT * FROM read_csv('x.csv')) SELECT DISTINCT k FROM f WHERE v > 0",
    "SELECT id, v FROM w WHERE id > 1",
    "SELECT count(*) AS n FROM read_csv('none.csv')",
    "SELECT v FROM read_csv('x.csv') EXCEPT SELECT v FROM t WHERE v > 10",
]
SUPERSET = [
    "SELECT id FROM t WHERE id IN (SELECT id FROM read_csv('x.csv'))",
    "SELECT a.id FROM read_csv('x.csv') AS a JOIN read_csv('x.csv', header = true) AS b USING (id)",
    "SELECT id FROM (SELECT id, v FROM read_csv('x.csv')) PIVOT (sum(v) FOR id IN (1, 2))",
]


@pytest.fixture
def con(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in a folder of files."""
    monkeypatch.chdir(tmp_path)
    with duckdb.connect() as connection:
        connection.execute(SETUP)
        yield connection


@pytest.mark.parametrize("sql", EXACT)
def test_the_rows_of_files_are_witnesses(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    captured = capture(con, sql)
    assert not compare(explain(con, sql), captured).problems
    assert captured.coarse == []
    assert {e for (_, role), e in captured.exactness.items() if role == "direct"} == {"exact"}


@pytest.mark.parametrize("sql", SUPERSET[:2])
def test_files_in_subqueries_and_read_in_two_ways_are_supersets(
    con: duckdb.DuckDBPyConnection, sql: str
) -> None:
    captured = capture(con, sql)
    assert not compare(explain(con, sql), captured).problems
    assert captured.exactness["file.x.csv", "direct" if "JOIN" in sql else "indirect"] == "superset"


def test_a_path_in_quotes_is_a_file_unless_a_relation_has_that_name(
    con: duckdb.DuckDBPyConnection,
) -> None:
    captured = capture(con, "SELECT x.id FROM 'x.csv' WHERE x.v = 20")
    assert captured.classes["file.x.csv"][0][:2] == ("filtered", "where")
    assert {i for _, i in captured.witnesses["file.x.csv", "direct"]} == {1, 2}
    con.execute('CREATE TABLE "x.csv" (id INTEGER); INSERT INTO "x.csv" VALUES (9)')
    assert capture(con, "SELECT id FROM 'x.csv'").exactness == {("x.csv", "direct"): "exact"}


@pytest.mark.parametrize(
    "sql", ["SELECT id, filename FROM read_csv('x.csv')", "SELECT id FROM read_csv('x' || '.csv') AS f"]
)
def test_what_a_table_of_the_rows_does_not_have_is_still_there(
    con: duckdb.DuckDBPyConnection, sql: str
) -> None:
    captured = capture(con, sql)
    assert sorted(map(str, captured.rows)) == sorted(map(str, con.execute(sql).fetchall()))
    assert "opaque" not in captured.exactness.values()


def test_an_order_that_is_not_kept_gives_no_ordinals(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("SET preserve_insertion_order = false")
    captured = capture(con, "SELECT id FROM read_csv('x.csv')")
    assert captured.exactness == {("file.x.csv", "direct"): "superset"}
