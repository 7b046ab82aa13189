"""The comparison must be able to fail: a capture that is wrong in one place is caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pytest

from tests.laws.compare import compare
from tests.oracle.interpreter import Explained, explain


@dataclass
class Fake:
    """A capture that says what it is told to."""

    rows: list[tuple[Any, ...]]
    exactness: dict[tuple[str, str], str]
    witnesses: dict[tuple[str, str], set[tuple[int, int]]] = field(default_factory=dict)
    classes: dict[str, dict[int, tuple[Any, ...]]] = field(default_factory=dict)


SQL = "SELECT t0.a FROM t0 JOIN t1 ON t0.a = t1.a WHERE t0.a < 3"


def truth() -> tuple[Explained, Fake]:
    """A query, explained, and a capture of it that is right."""
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t0 AS FROM (VALUES (1), (1), (3), (9)) AS v(a)")
    connection.execute("CREATE TABLE t1 AS FROM (VALUES (1), (3)) AS v(a)")
    where, join = (
        ("filtered", "where", 't0."a" < 3', "false", 7),
        ("filtered", "join_no_match", "", "no_match", 3),
    )
    fake = Fake(
        [(1,), (1,)],
        {("t0", "direct"): "exact", ("t1", "direct"): "exact"},
        {("t0", "direct"): {(0, 1), (1, 0)}, ("t1", "direct"): {(0, 0), (1, 0)}},
        {
            "t0": {0: ("contributed",), 1: ("contributed",), 2: where, 3: join},
            "t1": {0: ("contributed",), 1: where},
        },
    )
    return explain(connection, SQL), fake


def test_a_right_capture_passes_in_any_order_of_rows() -> None:
    explained, fake = truth()
    report = compare(explained, fake)
    assert report.problems == []
    assert report.exactness == {"exact": 2}


def _drop_witness(fake: Fake) -> None:
    fake.witnesses["t0", "direct"].remove((0, 1))


def _swap_witness(fake: Fake) -> None:
    fake.witnesses["t0", "direct"] = {(0, 1), (1, 1)}
    fake.classes["t0"][0] = ("filtered", "where", "a < 3", "false", 7)


def _extra_witness(fake: Fake) -> None:
    fake.witnesses["t1", "direct"].add((0, 1))


def _lose_record(fake: Fake) -> None:
    del fake.classes["t0"][3]


def _unaccount(fake: Fake) -> None:
    fake.classes["t0"][3] = ("unaccounted",)


def _other_verdict(fake: Fake) -> None:
    fake.classes["t0"][3] = ("filtered", "join_no_match", "", "null", 3)


def _other_clause(fake: Fake) -> None:
    fake.classes["t0"][2] = ("filtered", "where", "a < 4", "false", 7)


def _other_order(fake: Fake) -> None:
    fake.classes["t0"][3] = ("filtered", "join_no_match", "", "no_match", 8)


def _missing_edge(fake: Fake) -> None:
    del fake.exactness["t1", "direct"]


def _extra_edge(fake: Fake) -> None:
    fake.exactness["t1", "guard"] = "exact"


def _other_rows(fake: Fake) -> None:
    fake.rows = [(1,), (2,)]


@pytest.mark.parametrize(
    "spoil",
    [
        _drop_witness,
        _swap_witness,
        _extra_witness,
        _lose_record,
        _unaccount,
        _other_verdict,
        _other_clause,
        _other_order,
        _missing_edge,
        _extra_edge,
        _other_rows,
    ],
)
def test_a_wrong_capture_is_caught(spoil: Callable[[Fake], None]) -> None:
    explained, fake = truth()
    spoil(fake)
    assert compare(explained, fake).problems


def test_a_superset_may_say_more_but_not_less() -> None:
    explained, fake = truth()
    fake.exactness["t1", "direct"] = "superset"
    fake.witnesses["t1", "direct"] = {(o, i) for o in (0, 1) for i in (0, 1)}
    assert compare(explained, fake).problems == []
    fake.witnesses["t1", "direct"] = {(0, 0)}
    assert compare(explained, fake).problems


def test_an_opaque_edge_claims_nothing() -> None:
    explained, fake = truth()
    fake.exactness = {("t0", "direct"): "opaque", ("t1", "direct"): "opaque"}
    fake.witnesses.clear()
    fake.classes.clear()
    report = compare(explained, fake)
    assert report.problems == []
    assert report.exactness == {"opaque": 2}
