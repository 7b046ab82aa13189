"""A selection of TPC-H and TPC-DS through the capture; `make tpc` runs all of them, with more replays."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from bench.tpc import examine, load, models

# Not ds51: DuckDB 2.0 sometimes fails in its FULL JOIN with an internal error ("dict-surviving join"),
# which makes the whole database unusable; `make tpc` runs it.
SELECTION = (
    "ds01", "ds03", "ds06", "ds08", "ds12", "ds16", "ds21", "ds27", "ds34", "ds37", "ds38", "ds41",
    "ds69", "ds76", "ds84", "ds87", "ds93", "ds97",
)  # fmt: skip


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with load("ds", 0) as made:
        yield made


def test_every_query_is_there() -> None:
    assert len(models("ds")) == 99 and len(models("h")) == 22


def test_the_parameters_meet_rows(con: duckdb.DuckDBPyConnection) -> None:
    empty = [name for name, sql in models("ds").items() if not con.execute(sql).fetchall()]
    assert empty == []


def test_the_data_are_the_same_each_time(con: duckdb.DuckDBPyConnection) -> None:
    names = [r[0] for r in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
    assert len(names) == 24
    with load("ds", 0) as other:
        for name in names:
            sql = f"SELECT count(*), sum(hash(COLUMNS(*))::HUGEINT) FROM {name}"
            assert con.execute(sql).fetchall() == other.execute(sql).fetchall(), name


@pytest.mark.parametrize("name", SELECTION)
def test_query(con: duckdb.DuckDBPyConnection, name: str) -> None:
    outcome = examine(con, name, models("ds")[name], 5)
    assert outcome.faults == []
    assert outcome.replayed == min(outcome.rows, 5)
    assert outcome.rows > 0
