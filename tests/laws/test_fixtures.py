"""Each hand-written case against the oracle, and the capture against both."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.harness import capture
from tests.laws.compare import compare, normal
from tests.laws.fixtures import Fixture, fixtures, written
from tests.oracle.interpreter import Explained, explain, same_values

CASES = fixtures()
EXPECTING = [case for case in CASES if case.expects]


def rows_of(explained: Explained) -> Counter[tuple[str, frozenset[tuple[str, str, int]]]]:
    """The oracle's rows in the form of the fixtures."""
    return Counter(
        (
            written(row.values),
            frozenset(
                [(relation, "direct", i) for relation, i in row.prov.direct]
                + [(relation, "indirect", i) for relation, i in row.prov.indirect]
            ),
        )
        for row in explained.rows
    )


@pytest.mark.parametrize("case", EXPECTING, ids=str)
def test_the_case_accounts_for_every_record(case: Fixture) -> None:
    """The expectation itself is complete: each record of a direct input contributes or is lost."""
    connection = case.connection()
    witnesses = {(r, i) for _, found in case.rows for r, role, i in found if role == "direct"}
    direct = {r for r, _ in witnesses} | {r for r, _ in case.lost}
    for relation in direct:
        count = connection.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0]
        for i in range(count):
            assert ((relation, i) in witnesses) != ((relation, i) in case.lost), (relation, i)


@pytest.mark.parametrize("case", EXPECTING, ids=str)
def test_the_oracle_finds_what_is_written(case: Fixture) -> None:
    connection = case.connection()
    explained = explain(connection, case.query)
    assert same_values(connection, case.query, explained)
    assert rows_of(explained) == Counter(case.rows)
    found = {
        (relation, i): verdict
        for relation, classes in explained.classes.items()
        for i, verdict in classes.items()
        if verdict.name != "contributed"
    }
    assert {key: (v.kind, v.verdict) for key, v in found.items()} == {
        key: (loss.kind, loss.verdict) for key, loss in case.lost.items()
    }
    for key, loss in case.lost.items():
        if loss.sql is not None:
            assert normal(found[key].sql) == normal(loss.sql)
    edges = {(relation, role) for _, w in case.rows for relation, role, _ in w}
    edges |= {(relation, "direct") for relation, _ in case.lost} | case.edges
    assert set(explained.edges) == edges


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_capture_agrees(case: Fixture) -> None:
    connection = case.connection()
    explained = explain(connection, case.query)
    captured = capture(connection, case.query)
    report = compare(explained, captured)
    assert not report.problems
    if case.exact:
        assert set(captured.exactness.values()) <= {"exact"}
