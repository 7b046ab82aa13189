"""What a statement scans, by DuckDB's own word; the session it is asked on stays as it was."""

from __future__ import annotations

import duckdb
import pytest

from cdme_adapter.engines.scans import scanned

PLAN = "EXPLAIN SELECT a FROM (SELECT a, a + 1 AS b FROM t) WHERE a > 1 AND b > 1"


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        (
            "SELECT a FROM t WHERE a IN (SELECT c FROM u)",
            [("memory", "main", "t"), ("memory", "main", "u")],
        ),
        ("SELECT count(*) FROM t", [("memory", "main", "t")]),
        ("SELECT * FROM range(3)", []),
        ("SELECT nosuch FROM t", None),
        ("SELECT 1; SELECT 2", None),
    ],
)
def test_what_is_scanned_and_the_optimiser_is_on_again(
    sql: str, tables: list[tuple[str, str, str]] | None
) -> None:
    with duckdb.connect() as con:
        con.execute("CREATE TABLE t (a INTEGER); CREATE TABLE u (c INTEGER)")
        before = con.execute(PLAN).fetchall()
        if tables is None:
            with pytest.raises(duckdb.Error):
                scanned(lambda statement: con.execute(statement).fetchall(), sql)
        else:
            assert scanned(lambda statement: con.execute(statement).fetchall(), sql) == tables
        assert con.execute(PLAN).fetchall() == before
        con.execute("PRAGMA disable_optimizer")
        assert con.execute(PLAN).fetchall() != before
