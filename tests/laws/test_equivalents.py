"""Another way to write the same query has the same lineage; the plain way is what the oracle judges."""

from __future__ import annotations

import duckdb
import pytest

from tests.harness import Captured, capture
from tests.laws.compare import compare
from tests.oracle.interpreter import explain

SETUP = """
CREATE TABLE t (a INTEGER, b INTEGER, "B2" INTEGER, tags INTEGER[]);
INSERT INTO t VALUES (1, 2, 3, [1, 2]), (3, 4, 5, []), (1, NULL, 6, NULL), (1, 2, 3, [5]);
CREATE TABLE u (a INTEGER, d INTEGER);
INSERT INTO u VALUES (1, 10), (3, 30), (9, 90);
CREATE MACRO sq(x) AS x * x;
CREATE MACRO nested(x) AS sq(x) + 1;
CREATE MACRO av(x) AS sum(x) / count(x);
CREATE MACRO less(x, y := 2) AS x - y;
CREATE MACRO tm(n, m := 1) AS TABLE SELECT a, b FROM t WHERE a >= n AND b > m;
CREATE MACRO tg(n) AS TABLE SELECT a + n AS a, count(*) AS c FROM t GROUP BY a + n HAVING count(*) > 1;
"""

PAIRS = {
    "COLUMNS of a pattern": ("SELECT COLUMNS('b') FROM t WHERE a = 1", "SELECT b FROM t WHERE a = 1"),
    "COLUMNS of a star": (
        "SELECT a, max(COLUMNS(* EXCLUDE (a, tags))) FROM t GROUP BY ALL",
        'SELECT a, max(b) AS b, max("B2") AS "B2" FROM t GROUP BY a',
    ),
    "COLUMNS of a lambda": (
        "SELECT COLUMNS(lambda c: c LIKE 'b%') FROM t JOIN u USING (a)",
        "SELECT b FROM t JOIN u USING (a)",
    ),
    "COLUMNS of a list": (
        "SELECT COLUMNS(['a', 'd']) FROM u WHERE d > 10",
        "SELECT a, d FROM u WHERE d > 10",
    ),
    "COLUMNS under DISTINCT": ("SELECT DISTINCT COLUMNS('^a') FROM t", "SELECT DISTINCT a FROM t"),
    "a star with a pattern": ("SELECT * LIKE 'B%' FROM t WHERE b > 2", 'SELECT "B2" FROM t WHERE b > 2'),
    "the whole row": ("SELECT u FROM u WHERE d > 10", "SELECT {'a': a, 'd': d} AS u FROM u WHERE d > 10"),
    "the whole row of a join": (
        "SELECT u.d, t AS r FROM u LEFT JOIN t ON t.a = u.a",
        'SELECT u.d, {\'a\': t.a, \'b\': t.b, \'B2\': t."B2", \'tags\': t.tags} AS r'
        " FROM u LEFT JOIN t ON t.a = u.a",
    ),
    "rowid": (
        "SELECT rowid AS r, d FROM u WHERE rowid > 0",
        "SELECT r, d FROM (SELECT d, CASE a WHEN 1 THEN 0 WHEN 3 THEN 1 ELSE 2 END r FROM u) WHERE r > 0",
    ),
    "rowid in ON": (
        "SELECT t.b FROM t JOIN u ON t.rowid = u.rowid AND u.d > 10",
        'SELECT t.b FROM t JOIN u ON t."B2" = CASE u.d WHEN 30 THEN 5 ELSE 6 END AND u.d > 10',
    ),
    "LIMIT of an expression": (
        "SELECT d FROM u ORDER BY d LIMIT (1 + 1)",
        "SELECT d FROM u ORDER BY d LIMIT 2",
    ),
    "DISTINCT ON ordinals": (
        "SELECT DISTINCT ON (1) a, b FROM t ORDER BY a, b NULLS FIRST",
        "SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b NULLS FIRST",
    ),
    "DISTINCT ON an alias": (
        "SELECT DISTINCT ON (x) a + 1 AS x, b FROM t ORDER BY x, b NULLS FIRST",
        "SELECT DISTINCT ON (a + 1) a + 1 AS x, b FROM t ORDER BY a + 1, b NULLS FIRST",
    ),
    "DISTINCT ON over groups": (
        "SELECT DISTINCT ON (a) a, b, count(*) AS n FROM t GROUP BY a, b ORDER BY a, b",
        "SELECT DISTINCT ON (a) * FROM (SELECT a, b, count(*) AS n FROM t GROUP BY a, b) ORDER BY a, b",
    ),
    "macros": (
        "SELECT sq(a) AS s, less(b) AS l FROM t WHERE nested(b) > 5",
        "SELECT a * a AS s, b - 2 AS l FROM t WHERE b * b + 1 > 5",
    ),
    "a macro that aggregates": (
        "SELECT a, av(b) AS v FROM t GROUP BY a HAVING av(b) > 2",
        "SELECT a, sum(b) / count(b) AS v FROM t GROUP BY a HAVING sum(b) / count(b) > 2",
    ),
    "a table macro": (
        "SELECT q.a, u.d FROM tm(1, m := 2) AS q JOIN u ON u.a = q.a",
        "SELECT q.a, u.d FROM (SELECT a, b FROM t WHERE a >= 1 AND b > 2) AS q JOIN u ON u.a = q.a",
    ),
    "a table macro that groups": (
        "SELECT c FROM tg(5)",
        "SELECT c FROM (SELECT a + 5 AS a, count(*) AS c FROM t GROUP BY a + 5 HAVING count(*) > 1)",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    """The tables and macros."""
    connection = duckdb.connect()
    connection.execute(SETUP)
    return connection


def told(captured: Captured) -> object:
    """What is to be the same: rows with their witnesses, and every record's class, kind and verdict."""
    rows = [
        (
            repr(row),
            {key: sorted(i for o, i in pairs if o == n) for key, pairs in captured.witnesses.items()},
        )
        for n, row in enumerate(captured.rows)
    ]
    classes = {
        relation: {i: (fate[0], fate[1], fate[3]) if len(fate) > 1 else fate for i, fate in fates.items()}
        for relation, fates in captured.classes.items()
    }
    return sorted(map(str, rows)), classes, captured.exactness


@pytest.mark.parametrize("name", list(PAIRS))
def test_both_ways_tell_the_same(con: duckdb.DuckDBPyConnection, name: str) -> None:
    short, plain = PAIRS[name]
    captured, judged = capture(con, short), capture(con, plain)
    assert captured.coarse == [] and captured.unsupported == ""
    assert not compare(explain(con, plain), judged).problems
    assert set(judged.exactness.values()) == {"exact"}
    assert told(captured) == told(judged)
    assert captured.columns == judged.columns


@pytest.mark.parametrize(
    "sql", ["SELECT a FROM t WHERE reads(a) > 5", "SELECT reads(a) AS x FROM t WHERE x > 5"]
)
def test_a_macro_that_reads_a_table_hides_no_edge(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    con.execute(READS)
    captured = capture(con, sql)
    assert captured.exactness == {("t", "direct"): "superset", ("u", "indirect"): "superset"}
    assert captured.coarse == ["the macro reads()"]


READS = "CREATE OR REPLACE MACRO reads(x) AS (SELECT max(d) FROM u WHERE u.a < x)"


@pytest.mark.parametrize(
    ("called", "written"),
    [
        ("reads(t.a)", "(SELECT max(d) FROM u WHERE u.a < t.a)"),
        ("1 + reads(t.a - 1)", "1 + (SELECT max(d) FROM u WHERE u.a < t.a - 1)"),
        ("sum(reads(t.a))", "sum((SELECT max(d) FROM u WHERE u.a < t.a))"),
    ],
)
def test_a_macro_that_reads_a_table_is_looked_into(
    con: duckdb.DuckDBPyConnection, called: str, written: str
) -> None:
    con.execute(READS)
    captured = capture(con, f"SELECT {called} AS x FROM t")
    judged = capture(con, f"SELECT {written} AS x FROM t")
    assert set(captured.exactness.values()) == {"exact"}
    assert told(captured) == told(judged) and captured.rows


@pytest.mark.parametrize(
    ("sql", "role"),
    [
        ("SELECT a FROM t WHERE b NOT IN (SELECT reads(a) FROM t AS x)", "guard"),
        ("SELECT a FROM t WHERE b IN (SELECT reads(a) FROM t AS x)", "indirect"),
        (
            "SELECT a, (SELECT reads(x.a) FROM t AS x WHERE x.a = t.a ORDER BY x.b LIMIT 1) AS m FROM t",
            "indirect",
        ),
        ("SELECT a FROM t WHERE EXISTS (SELECT 1 FROM t AS x WHERE reads(x.a) > t.b)", "indirect"),
    ],
)
def test_a_macro_inside_a_subquery_hides_no_edge(
    con: duckdb.DuckDBPyConnection, sql: str, role: str
) -> None:
    con.execute(READS)
    captured = capture(con, sql)
    assert ("u", role) in captured.exactness and "opaque" not in captured.exactness.values()


def test_a_table_of_a_macro_that_a_cte_hides_is_not_looked_into(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(READS)
    captured = capture(con, "WITH u AS (SELECT 1 AS a, 2 AS d) SELECT reads(a) AS x FROM t")
    assert captured.coarse == ["the macro reads() over a CTE"]
