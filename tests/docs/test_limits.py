"""docs/limits.md is what the capture does: every row of its tables is run.

Per row: the exactness of every role, the kinds of clauses that filter, the bound of backward ∘
forward, no record unaccounted, and the rows of the plain query (REQ-F-ADJ-003).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.docs.markdown import DOCS, blocks, code, rows, section
from tests.harness import Captured, capture

TEXT = (DOCS / "limits.md").read_text()
ALONE = "`x` alone"


@pytest.fixture
def con(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the tables of the page; its files lie in the present folder."""
    monkeypatch.chdir(tmp_path)
    with duckdb.connect() as connection:
        connection.execute(blocks(section(TEXT, "The tables of the examples"), "sql")[0])
        yield connection


def table(heading: str) -> list[object]:
    """The rows of the table under a heading, as parameters."""
    found = rows(section(TEXT, heading))
    assert found
    return [pytest.param(row, id=row[0]) for row in found]


def roles(cell: str) -> dict[tuple[str, str], str]:
    """``direct a, b; indirect c (superset)`` as {(relation, role): exactness}."""
    if cell == "none":
        return {}
    found = {}
    for part in cell.split("; "):
        role, _, names = part.partition(" ")
        for name in names.split(", "):
            relation, _, exactness = name.partition(" ")
            found[relation, role] = exactness.strip("()") or "exact"
    return found


def kinds(captured: Captured) -> set[str]:
    """The kinds of the clauses that removed records."""
    fates = [fate for held in captured.classes.values() for fate in held.values()]
    assert ("unaccounted",) not in fates
    return {str(fate[1]) for fate in fates if fate[0] == "filtered"}


def is_alone(captured: Captured) -> bool:
    """Whether backward(forward(x)) is {x}, for every contributed x; always it holds x."""
    alone = True
    for pairs in (held for (_, role), held in captured.witnesses.items() if role == "direct"):
        for x in {i for _, i in pairs}:
            forward = {o for o, i in pairs if i == x}
            backward = {i for o, i in pairs if o in forward}
            assert x in backward
            alone &= backward == {x}
    return alone


def plain(con: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    """The rows of the query as DuckDB gives them, in no order."""
    return sorted(map(repr, con.execute(sql).fetchall()))


@pytest.mark.parametrize("row", table("Constructs that are captured"))
def test_a_captured_construct_is_as_exact_as_the_page_says(
    con: duckdb.DuckDBPyConnection, row: list[str]
) -> None:
    _, example, said, filtered, bound = row
    sql = code(example)
    captured = capture(con, sql)
    assert captured.unsupported == ""
    assert captured.exactness == roles(said)
    assert kinds(captured) == ({*filtered.split(", ")} - {"–"})
    if bound != "–":
        assert is_alone(captured) == (bound == ALONE)
    if "random()" not in sql:
        assert sorted(map(repr, captured.rows)) == plain(con, sql)


@pytest.mark.parametrize("row", table("Constructs that run as they were written"))
def test_what_is_not_understood_is_a_superset_for_the_reason_that_the_page_gives(
    con: duckdb.DuckDBPyConnection, row: list[str]
) -> None:
    _, example, said, why = row
    sql = code(example)
    captured = capture(con, sql)
    assert captured.unsupported == ""
    assert captured.coarse == [why]
    assert captured.exactness == roles(said)
    assert "superset" in captured.exactness.values() or said == "none"
    if "SAMPLE" not in sql and "random()" not in sql:
        assert sorted(map(repr, captured.rows)) == plain(con, sql)


@pytest.mark.parametrize("row", table("Constructs that are opaque"))
def test_an_opaque_construct_is_refused_for_the_reason_that_the_page_gives(
    con: duckdb.DuckDBPyConnection, row: list[str]
) -> None:
    _, example, why = row
    captured = capture(con, code(example))
    assert captured.unsupported.splitlines()[0].endswith(f"] {why}")
    assert set(captured.exactness.values()) == {"opaque"}
