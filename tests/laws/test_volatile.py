"""Volatile conjuncts of WHERE: evaluated once, so the account is of the rows that the model got."""

from __future__ import annotations

from collections import Counter

import duckdb
import pytest

from tests.harness import capture

SETUP = """
CREATE TABLE t AS SELECT range AS id, range % 7 AS k FROM range(500);
CREATE TABLE u AS SELECT range AS k, 'x' || range AS name FROM range(5);
CREATE SEQUENCE s;
"""


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    """Tables that are large enough for chance to show."""
    connection = duckdb.connect()
    connection.execute(SETUP)
    return connection


def fates(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[set[int], Counter[str]]:
    """The ids that came out, and the records of t per class and clause."""
    captured = capture(con, sql)
    assert captured.coarse == [] and captured.exactness["t", "direct"] == "exact"
    classes = captured.classes["t"]
    kept = {i for i, fate in classes.items() if fate == ("contributed",)}
    assert kept == {row[0] for row in captured.rows}
    told = Counter(fate[2] if fate[0] == "filtered" else fate[0] for fate in classes.values())
    assert sum(told.values()) == 500 and not told["unaccounted"]
    return kept, told


def test_each_record_is_judged_by_the_value_that_it_had(con: duckdb.DuckDBPyConnection) -> None:
    kept, told = fates(con, "SELECT id FROM t WHERE random() < 0.5")
    assert 150 < len(kept) < 350
    assert told == {"contributed": len(kept), "random() < 0.5": 500 - len(kept)}


def test_it_stands_among_other_conjuncts_and_joins(con: duckdb.DuckDBPyConnection) -> None:
    sql = (
        "SELECT a.id, u.name FROM t AS a JOIN u ON a.k = u.k "
        "WHERE a.id >= 100 AND random() < 0.5 AND name <> 'x1'"
    )
    kept, told = fates(con, sql)
    joined = [i for i in range(500) if i % 7 < 5]
    assert told["a.id >= 100"] == sum(i < 100 for i in joined)
    assert told["JOIN u ON a.k = u.k"] == 500 - len(joined)
    assert told["name <> 'x1'"] + told["contributed"] + told["random() < 0.5"] == sum(
        i >= 100 for i in joined
    )
    assert all(i % 7 != 1 for i in kept) and told["random() < 0.5"] > 50


def test_it_is_evaluated_as_often_as_without_capture(con: duckdb.DuckDBPyConnection) -> None:
    kept, _ = fates(con, "SELECT id FROM t WHERE id >= 490 AND nextval('s') % 2 = 0")
    assert kept == {491, 493, 495, 497, 499}


def test_beneath_a_grouping_and_in_a_branch(con: duckdb.DuckDBPyConnection) -> None:
    captured = capture(
        con,
        "SELECT sum(id) AS s FROM (SELECT id FROM t WHERE random() < 0.5"
        " UNION ALL SELECT id FROM t WHERE id < 0)",
    )
    kept = {i for i, fate in captured.classes["t"].items() if fate == ("contributed",)}
    assert captured.rows == [(sum(kept),)] and 150 < len(kept) < 350


def test_in_on_it_says_which_pairs_met(con: duckdb.DuckDBPyConnection) -> None:
    kept, told = fates(con, "SELECT a.id FROM t AS a JOIN u ON a.k = u.k AND random() < 0.5")
    clause = "JOIN u ON a.k = u.k AND random() < 0.5"
    assert told == {"contributed": len(kept), clause: 500 - len(kept)}
    assert all(i % 7 < 5 for i in kept) and 100 < len(kept) < 260
    captured = capture(con, "SELECT a.id FROM t AS a LEFT JOIN u ON a.k = u.k AND random() < 0.5")
    assert len({row[0] for row in captured.rows}) == 500
    assert 100 < len(captured.witnesses["u", "direct"]) < 260


def test_in_where_of_a_comma_join_it_is_evaluated_once(con: duckdb.DuckDBPyConnection) -> None:
    kept, told = fates(
        con, "SELECT a.id FROM t AS a, u WHERE a.k = u.k AND random() < 0.5 AND name <> 'x1'"
    )
    assert told["random() < 0.5"] > 50 and told["name <> 'x1'"] > 10
    assert told["a.k = u.k"] == sum(i % 7 > 4 for i in range(500))
    assert all(i % 7 not in (1, 5, 6) for i in kept)


def test_after_using_it_is_a_superset_that_is_said(con: duckdb.DuckDBPyConnection) -> None:
    captured = capture(con, "SELECT a.id FROM t AS a JOIN u USING (k) WHERE random() < 0.5")
    assert set(captured.exactness.values()) == {"superset"}
    assert "USING" in captured.coarse[0]
