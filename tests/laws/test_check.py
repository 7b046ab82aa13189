"""What is excused: DuckDB's own faults, and nothing besides; and samples that leave rows out are told."""

from __future__ import annotations

import duckdb
import pytest

from tests.harness import Captured, capture
from tests.laws.check import check, differs_within
from tests.laws.generate import Case

TABLES = (
    "CREATE TABLE t0 (k INTEGER, a INTEGER, c VARCHAR)",
    "INSERT INTO t0 VALUES (0, NULL, 'x'), (1, 2, 'x'), (2, NULL, NULL), (3, 0, 'x')",
    "CREATE TABLE t2 (k INTEGER, a INTEGER, c VARCHAR)",
    "INSERT INTO t2 VALUES (0, 0, 'y'), (1, 1, 'x'), (2, 2, 'y'), (3, 1, 'y'), (4, 2, ''), (5, 1, 'x')",
)
LOST = (
    "SELECT q1.k FROM t0 q1 LEFT JOIN t0 q2 ON q1.c = q2.c WHERE NOT q2.k IN (SELECT q3.k FROM t2 q3 WHERE"
    " q3.a IN ((SELECT q4.a FROM t0 q4 ORDER BY q4.k LIMIT 1), 1, NULL, q3.k) AND q3.c <> q2.c)"
)
"""DuckDB 2.0 loses the row without a partner: NULL NOT IN nothing is TRUE."""


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("; ".join(TABLES))
    return made


def test_a_part_for_which_duckdb_has_other_rows_is_its_fault(con: duckdb.DuckDBPyConnection) -> None:
    sql = f"WITH w AS ({LOST}) SELECT k FROM w WHERE k < 0"
    assert con.execute(sql).fetchall() == []  # as the oracle has it: the whole query shows nothing
    assert differs_within(con, sql)
    con.execute(f"CREATE VIEW v AS {LOST}")
    assert differs_within(con, "SELECT k FROM v WHERE k < 0")


def test_parts_that_agree_excuse_nothing(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE VIEW v AS SELECT k, c FROM t0 WHERE a IS NULL")
    assert not differs_within(con, "WITH w AS (SELECT k FROM v WHERE c = 'x') SELECT k FROM w WHERE k > 0")


def _case(tied: bool) -> Case:
    return Case(TABLES, f"WITH w AS ({LOST}) SELECT k, k AS n FROM w WHERE k < 0", {}, tied)


def _without_an_edge(connection: duckdb.DuckDBPyConnection, sql: str) -> Captured:
    captured = capture(connection, sql)
    del captured.exactness["t2", "guard"]
    return captured


def test_a_tied_query_is_excused_nothing() -> None:
    assert not check(_case(tied=True), _without_an_edge).fault
    assert check(_case(tied=True), _without_an_edge).problems
    assert check(_case(tied=False), _without_an_edge).fault.endswith("of the capture")


def test_a_sample_that_leaves_witnesses_out_is_told() -> None:
    case = Case((*TABLES, "CREATE TABLE many AS SELECT range AS n FROM range(400)"),
                "SELECT t0.k, many.n FROM t0, many WHERE many.n >= 0", {})  # fmt: skip

    def right(connection: duckdb.DuckDBPyConnection, sql: str) -> Captured:
        return capture(connection, sql, light=True)

    def without_pairs(connection: duckdb.DuckDBPyConnection, sql: str) -> Captured:
        captured = right(connection, sql)
        captured.sampled["t0"].clear()
        return captured

    def without_rows(connection: duckdb.DuckDBPyConnection, sql: str) -> Captured:
        captured = without_pairs(connection, sql)
        captured.chosen["t0"].clear()
        return captured

    assert check(case, right).problems == []
    assert check(case, without_pairs).problems == ["light: the sampled witnesses of t0 are others"]
    assert check(case, without_rows).problems == ["light: 0 rows of 1600 are sampled"]
