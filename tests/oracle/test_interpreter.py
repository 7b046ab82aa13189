"""The oracle on cases small enough to work out by hand, clause by clause."""

from __future__ import annotations

import duckdb
import pytest

from tests.oracle.interpreter import Explained, explain, same_values


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"threads": 1})
    con.execute("CREATE TABLE t0 (a INTEGER, b INTEGER)")
    con.execute("INSERT INTO t0 VALUES (1, 1), (1, NULL), (NULL, 3)")
    con.execute("CREATE TABLE t1 (a INTEGER, d INTEGER)")
    con.execute("INSERT INTO t1 VALUES (1, 5), (2, 6)")
    return con


def direct(explained: Explained) -> list[tuple[object, list[tuple[str, int]]]]:
    """The output rows with their direct witnesses, in order."""
    return sorted(((row.values, sorted(row.prov.direct)) for row in explained.rows), key=str)


def reasons(explained: Explained, relation: str) -> dict[int, tuple[str, str]]:
    """The kind and verdict of each filtered record."""
    found = explained.classes[relation].items()
    return {i: (v.kind, v.verdict) for i, v in found if v.name == "filtered"}


def test_a_failing_derivation_stops_at_its_first_conjunct(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    explained = explain(connection, "SELECT a FROM t0 WHERE b > 0 AND a = 9")
    assert reasons(explained, "t0") == {0: ("where", "false"), 1: ("where", "null"), 2: ("where", "null")}
    places = [explained.classes["t0"][i].position for i in range(3)]
    assert places[1] < places[0] == places[2]


def test_the_last_clause_that_any_branch_reached_is_the_reason(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    sql = "SELECT a FROM t0 WHERE a > 7 UNION ALL SELECT b FROM t0 WHERE b > 0 AND b > 7"
    explained = explain(connection, sql)
    assert explained.classes["t0"][0].sql == "b > 7"
    assert explained.classes["t0"][1].sql == "b > 0"
    assert explained.classes["t0"][1].verdict == "null"


def test_a_join_unites_and_a_group_unites_more(connection: duckdb.DuckDBPyConnection) -> None:
    explained = explain(connection, "SELECT a, count(*) FROM t0 JOIN t1 USING (a) GROUP BY a")
    assert direct(explained) == [((1, 2), [("t0", 0), ("t0", 1), ("t1", 0)])]
    assert reasons(explained, "t0") == {2: ("join_no_match", "null")}
    assert reasons(explained, "t1") == {1: ("join_no_match", "no_match")}


def test_each_reference_to_a_cte_has_clauses_of_its_own(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    sql = "WITH w AS (SELECT a FROM t0 WHERE a > 7) SELECT x.a FROM w AS x, w AS y"
    explained = explain(connection, sql)
    assert explained.classes["t0"][0].position == 1
    assert explained.occurrences == {"t0": 2}


def test_a_guard_stays_a_guard_through_a_derived_table(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    sql = "SELECT b FROM (SELECT * FROM t0 WHERE a NOT IN (SELECT a FROM t1)) AS d"
    assert explain(connection, sql).edges == {("t0", "direct"), ("t1", "guard")}


def test_a_guard_inside_a_subquery_may_be_either(connection: duckdb.DuckDBPyConnection) -> None:
    sql = "SELECT b FROM t0 WHERE EXISTS (SELECT 1 FROM t1 WHERE d NOT IN (SELECT b FROM t0))"
    edges = explain(connection, sql).edges
    assert edges == {("t0", "direct"), ("t1", "indirect"), ("t0", "nested_guard")}


def test_an_edge_exists_though_nothing_came_through_it(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    sql = "SELECT a FROM t0 WHERE a > 7 AND b IN (SELECT d FROM t1)"
    assert explain(connection, sql).edges == {("t0", "direct"), ("t1", "indirect")}


def test_everything_under_a_guard_is_a_guard(connection: duckdb.DuckDBPyConnection) -> None:
    sql = (
        "SELECT b FROM t0 WHERE NOT EXISTS (SELECT 1 FROM t1 WHERE t1.a = t0.a"
        " AND EXISTS (SELECT 1 FROM t1 AS u WHERE u.d > t1.d))"
    )
    explained = explain(connection, sql)
    assert explained.edges == {("t0", "direct"), ("t1", "guard")}
    assert reasons(explained, "t0") == {0: ("anti_join", "excluded"), 1: ("anti_join", "excluded")}


def test_a_subquery_in_the_list_that_finds_nothing_requires_nothing(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    explained = explain(connection, "SELECT a IN (SELECT d FROM t1) AS x FROM t0")
    assert all(not row.prov.indirect for row in explained.rows)
    assert explained.rows[0].prov.may == {("t1", 0), ("t1", 1)}


def test_the_values_are_duckdbs(connection: duckdb.DuckDBPyConnection) -> None:
    sql = "SELECT a, avg(b) AS m, list(b ORDER BY b) AS l FROM t0 GROUP BY ROLLUP (a)"
    assert same_values(connection, sql, explain(connection, sql))


def test_a_lateral_item_that_nobody_asked_met_nobody(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    item = "LATERAL (SELECT d FROM t1 WHERE t1.a = q.a) AS x"
    sql = f"SELECT x.d FROM (SELECT * FROM t0 WHERE a > 7) AS q, {item}"
    explained = explain(connection, sql)
    assert reasons(explained, "t1") == {0: ("join_no_match", "no_match"), 1: ("join_no_match", "no_match")}


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ("ORDER BY d", [[0], [0, 1]]),
        ("ORDER BY d DESC", [[0, 1], [1]]),
        ("", [[0, 1], [0, 1]]),
        ("ORDER BY d RANGE BETWEEN 1 PRECEDING AND CURRENT ROW", [[0], [0, 1]]),
        ("ORDER BY d RANGE BETWEEN 1 FOLLOWING AND 2 FOLLOWING", [[1], []]),
        ("ORDER BY d GROUPS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING", [[1], []]),
        ("ORDER BY d ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING EXCLUDE GROUP", [[1], [0]]),
    ],
)
def test_frames(connection: duckdb.DuckDBPyConnection, frame: str, expected: list[list[int]]) -> None:
    sql = f"SELECT d, sum(d) OVER ({frame}) AS s FROM t1"
    explained = explain(connection, sql)
    rows = sorted(explained.rows, key=lambda row: row.values[0])
    assert [sorted(i for _, i in row.prov.indirect) for row in rows] == expected
    assert same_values(connection, sql, explained)
