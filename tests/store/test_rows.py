"""Losses are stored as rows or as bits, and read as the same rows."""

from __future__ import annotations

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from cdme_adapter.store.rows import CHUNK, SPARSE, chunked, losses, opened
from cdme_adapter.store.writer import StoreWriter

Losses = dict[int, tuple[int, int]]


def spread(start: int, count: int, gap: int) -> list[int]:
    """Ordinals beside each other or far apart, over the ends of chunks."""
    return list(range(start, start + count * gap, gap))


LOSSES = st.lists(
    st.tuples(
        st.builds(
            spread, st.integers(0, 3 * CHUNK), st.sampled_from([1, 5, SPARSE - 1, SPARSE, 900, CHUNK + 7]),
            st.sampled_from([1, 2, 63, 5000]),
        ),
        st.integers(0, 3),
        st.integers(0, 4),
    ),
    max_size=4,
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(parts=LOSSES, asked=st.lists(st.integers(0, 4 * CHUNK), max_size=20))
def test_what_is_stored_is_read(parts: list[tuple[list[int], int, int]], asked: list[int]) -> None:
    expected: Losses = {i: (clause, verdict) for rows, clause, verdict in parts for i in rows}
    with duckdb.connect() as con:
        store = StoreWriter(lambda sql: con.execute(sql).fetchall(), "memory")
        store.prepare()
        con.execute("CREATE TEMP TABLE lost (i BIGINT, clause INTEGER, verdict TINYINT)")
        con.execute("CREATE TEMP TABLE asked AS SELECT unnest(?::BIGINT[]) AS ord", [asked])
        if expected:
            con.executemany("INSERT INTO lost VALUES (?, ?, ?)", [(i, *v) for i, v in expected.items()])
        con.execute(
            "CREATE TEMP TABLE chunks AS SELECT kind // 8 AS clause, kind % 8 AS verdict, "
            "* EXCLUDE (kind), bit_count(bits)::INTEGER AS n FROM "
            f"({chunked('(SELECT i, clause * 8 + verdict AS kind FROM lost)', 'kind')})"
        )
        again = con.execute(f"SELECT i, clause, verdict FROM {opened('chunks')}").fetchall()
        assert {i: (clause, verdict) for i, clause, verdict in again} == expected
        store.filtered_chunks(7, "temp.chunks")
        store.filtered_chunks(8, "(FROM temp.chunks WHERE FALSE)")

        def read(source: str) -> Losses:
            rows = con.execute(f"SELECT i, reason, verdict FROM {source}").fetchall()
            found = {i: (reason, verdict) for i, reason, verdict in rows}
            assert len(found) == len(rows)
            return found

        assert read(losses(store.schema, 7)) == read(losses(store.schema)) == expected
        assert read(losses(store.schema, 8)) == {}
        among = {i: v for i, v in expected.items() if i in asked}
        assert read(losses(store.schema, 7, "asked")) == among
