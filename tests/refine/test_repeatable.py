"""Only a query that gives the same rows each time is evaluated twice."""

from __future__ import annotations

import duckdb
import pytest

from cdme_adapter.refine.repeatable import is_repeatable


@pytest.mark.parametrize(
    ("sql", "repeatable"),
    [
        ("SELECT a + 1 AS b, TRY(a > 2) AS c FROM (SELECT a, rowid AS r FROM t) WHERE a < 5", True),
        ("SELECT a, random() AS r FROM t", False),
        ("SELECT a FROM t WHERE uuid()::VARCHAR > '8'", False),
        ("SELECT a, nextval('s') AS n FROM t", False),
        ("SELECT mine(a) AS a FROM t", False),
        ("SELECT a, r FROM looks", False),
        ("SELECT a FROM calm WHERE a > 2", True),
        ("SELECT sum(a) AS a FROM t", False),
        ("SELECT x.a FROM t AS x JOIN t AS y USING (a)", True),
        ("SELECT x.a FROM t AS x LEFT JOIN t AS y ON x.a < y.a", False),
        ("SELECT x.a FROM t AS x POSITIONAL JOIN t AS y", False),
        ("SELECT a FROM t LIMIT 3", False),
        ("SELECT a FROM t USING SAMPLE 3", False),
        ("SELECT unnest([a, a]) AS a FROM t", False),
        ("SELECT * FROM range(3)", False),
    ],
)
def test_what_may_be_repeated(sql: str, repeatable: bool) -> None:
    with duckdb.connect() as con:
        con.execute("CREATE TABLE t AS SELECT range AS a FROM range(9)")
        con.execute("CREATE SEQUENCE s; CREATE MACRO mine(x) AS x + random()")
        con.execute(
            "CREATE VIEW looks AS SELECT a, random() AS r FROM t; CREATE VIEW calm AS SELECT a FROM t"
        )
        assert is_repeatable(lambda text: con.execute(text).fetchall(), sql) is repeatable
