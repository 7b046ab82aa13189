"""The oracle against brute force: each output comes out again from its witnesses alone (law 4)."""

from __future__ import annotations

import duckdb
import pytest

from tests.laws.generate import case_of
from tests.oracle.interpreter import Explained, explain
from tests.oracle.replay import replayable, unreplayed

CASES = 150
BEHIND_NOTHING = {"values with a subquery", "series with a subquery", "unnest with a subquery"}
"""Rows that no record is behind, but whose values a subquery decides: one that a clause removed cannot be
taken away by taking records away, and has another value where the subquery finds nothing."""


def test_every_output_comes_out_again() -> None:
    replayed = 0
    for seed in range(CASES):
        case = case_of(seed, depth=1)
        if case.tied or not replayable(str(case)) or BEHIND_NOTHING & set(case.constructs):
            continue
        explained = explain(case.connection(), case.sql)
        assert list(unreplayed(case.statements, case.sql, explained)) == [], str(case)
        replayed += len(explained.rows)
    assert replayed > CASES


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT t0.a FROM t0 JOIN t1 ON t0.a = t1.a",
        "SELECT a, count(*) AS n FROM t0 GROUP BY a",
        "SELECT a FROM t0 WHERE a IN (SELECT a FROM t1)",
        "SELECT (SELECT max(a) FROM t1) AS m FROM t0",
    ],
)
def test_a_missing_witness_is_noticed(sql: str) -> None:
    """The check can fail: with the witnesses of one relation forgotten, something is missing."""
    statements = ["CREATE TABLE t0 AS SELECT 1 AS a", "CREATE TABLE t1 AS SELECT 1 AS a"]
    connection = duckdb.connect()
    for statement in statements:
        connection.execute(statement)
    honest = explain(connection, sql)
    assert list(unreplayed(statements, sql, honest)) == []
    last = max(honest.occurrences)
    rows = [
        type(row)(
            row.values,
            type(row.prov)(
                frozenset(r for r in row.prov.direct if r[0] != last),
                frozenset(r for r in row.prov.indirect if r[0] != last),
            ),
        )
        for row in honest.rows
    ]
    lying = Explained(honest.columns, rows, honest.edges, honest.classes, honest.occurrences)
    assert list(unreplayed(statements, sql, lying))
