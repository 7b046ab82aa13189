"""Sets of rows: bit strings and tables give what Python's sets give."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdme_adapter.engines.sets import WIDEST, RowSet, RowSets

ROWS = 40


def members(sets: RowSets, found: RowSet) -> set[int]:
    """The rows of a set, by both ways to ask for them."""
    listed = {row[0] for row in sets.execute(f"SELECT i FROM {found.rows}")}
    asked = sets.execute(f"SELECT rowid FROM t WHERE {found.holds('rowid')}")
    assert {row[0] for row in asked} == listed
    assert found.count == len(listed)
    return listed


@pytest.mark.parametrize("widest", [WIDEST, 1], ids=["bits", "tables"])
@settings(max_examples=40, deadline=None)
@given(
    deleted=st.sets(st.integers(0, ROWS - 1)),
    left=st.lists(st.integers(0, ROWS - 1)),
    right=st.lists(st.one_of(st.none(), st.integers(0, ROWS - 1))),
)
def test_sets_are_sets(widest: int, deleted: set[int], left: list[int], right: list[int | None]) -> None:
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE t AS SELECT range AS x FROM range({ROWS})")
        con.execute("DELETE FROM t WHERE x IN (SELECT unnest(?::BIGINT[]))", [sorted(deleted)])
        sets = RowSets(lambda sql: con.execute(sql).fetchall(), widest)
        universe = sets.universe("t")
        alive = set(range(ROWS)) - deleted
        assert universe.count == len(alive)

        def made(values: list[int | None]) -> RowSet:
            kept = [v for v in values if v is None or v in alive]
            return sets.of(
                universe,
                "SELECT unnest(" + str(kept or [None]).replace("None", "NULL") + "::BIGINT[]) AS i",
            )

        a, b, everyone = made(list(left)), made(right), sets.everyone(universe)
        in_a, in_b = set(left) & alive, {v for v in right if v is not None} & alive
        assert members(sets, a) == in_a and members(sets, b) == in_b
        assert members(sets, everyone) == alive
        assert members(sets, sets.minus(a, b)) == in_a - in_b
        assert members(sets, sets.minus(everyone, a)) == alive - in_a
        assert members(sets, sets.minus(sets.minus(everyone, a), b)) == alive - in_a - in_b
        sets.clean()
        assert not con.execute("SELECT * FROM duckdb_tables() WHERE table_name LIKE 'cdme%'").fetchall()
        assert not con.execute("SELECT * FROM duckdb_variables() WHERE name LIKE 'cdme%'").fetchall()
