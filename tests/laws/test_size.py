"""What is stored grows with the rows read and written, not with their product (docs/concepts.md, Size).

Each query is captured over tables of one size and of the tenfold. A product would be stored a
hundredfold; the pairs themselves, which the view multiplies out, do grow so.
"""

from __future__ import annotations

import duckdb
import pytest

from tests.harness import Captured, capture

SMALL, TENFOLD = 40, 400

# The number says how often the witnesses themselves grow at least: 100 where they are a product.
QUERIES = {
    "a partition": (100, "SELECT id, rank() OVER (PARTITION BY g ORDER BY v) AS r FROM t"),
    "the whole table": (100, "SELECT id, sum(v) OVER () AS s FROM t"),
    "a running frame": (90, "SELECT id, sum(v) OVER (PARTITION BY g ORDER BY id) AS s FROM t"),
    "a frame of rows": (9, "SELECT id, avg(v) OVER (ORDER BY id ROWS 5 PRECEDING) AS s FROM t"),
    "a frame with an exclusion": (
        100, "SELECT id, sum(v) OVER (ORDER BY v ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED"
        " FOLLOWING EXCLUDE TIES) AS s FROM t",
    ),
    "a window in a stage": (
        90, "SELECT x.id FROM (SELECT id, rank() OVER (ORDER BY v) AS r FROM t) AS x WHERE x.r > 1",
    ),
    "a scalar subquery": (100, "SELECT id FROM t WHERE v <= (SELECT max(w) FROM u)"),
    "a correlated scalar subquery": (
        100, "SELECT id, (SELECT max(w) FROM u WHERE u.g = t.g) AS m FROM t",
    ),
    "EXISTS": (100, "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.g = t.g)"),
    "IN": (100, "SELECT id FROM t WHERE g IN (SELECT g FROM u)"),
    "OFFSET": (100, "SELECT id FROM t ORDER BY id LIMIT 100000 OFFSET 1"),
    "a cross join under GROUP BY": (
        100, "SELECT t.id, sum(u.w) AS s FROM t CROSS JOIN u GROUP BY t.id",
    ),
    "a cross join under DISTINCT, in a stage": (
        100, "WITH x AS (SELECT DISTINCT t.id FROM t, u) SELECT id FROM x WHERE id >= 0",
    ),
}  # fmt: skip


def captured(sql: str, rows: int) -> Captured:
    with duckdb.connect() as con:
        con.execute(
            f"CREATE TABLE t AS SELECT range AS id, range % 2 AS g, range % 7 AS v FROM range({rows})"
        )
        con.execute(f"CREATE TABLE u AS SELECT range % 2 AS g, range AS w FROM range({rows})")
        return capture(con, sql)


@pytest.mark.parametrize("name", QUERIES)
def test_tenfold_tables_are_stored_tenfold(name: str) -> None:
    product, sql = QUERIES[name]
    small, large = captured(sql, SMALL), captured(sql, TENFOLD)
    assert set(large.exactness.values()) == {"exact"}
    witnesses = [sum(map(len, held.witnesses.values())) for held in (small, large)]
    assert witnesses[1] >= 0.8 * product * witnesses[0]
    assert small.stored > 0
    assert large.stored <= 12 * small.stored
