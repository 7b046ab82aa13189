"""The fuzzer itself: a fault in the capture is found, made smaller, and kept as a fixture."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests.harness import Captured, capture
from tests.laws.check import check
from tests.laws.fixtures import read
from tests.laws.fuzz import save, smaller
from tests.laws.generate import case_of
from tests.laws.generator.menus import CORE
from tests.laws.tally import Tally


def forgetful(connection: duckdb.DuckDBPyConnection, sql: str) -> Captured:
    """A capture that forgets the first witness it has."""
    captured = capture(connection, sql)
    for pairs in captured.witnesses.values():
        if pairs:
            pairs.remove(min(pairs))
            break
    return captured


def test_a_fault_is_found_made_smaller_and_kept(tmp_path: Path) -> None:
    case, outcome = next(
        (case, outcome)
        for case in (case_of(seed, depth=1, menu=CORE) for seed in range(50))
        if (outcome := check(case, forgetful)).problems
    )
    small = smaller(case, outcome.problems, forgetful, seconds=5)
    assert len(str(small)) < len(str(case))
    problems = check(small, forgetful).problems
    assert problems
    kept = read(save(small, problems, tmp_path))
    assert [fixture.query for fixture in kept] == [small.sql]
    assert not kept[0].expects


def test_the_same_seed_is_the_same_case() -> None:
    assert case_of(7) == case_of(7)
    assert case_of(7) != case_of(8)


def test_every_construct_is_generated_and_valid() -> None:
    tally = Tally()
    for seed in range(250):
        case = case_of(seed, depth=2)
        tally.add(case, check(case, None))
    assert not tally.invalid
    assert not tally.disagreements
    assert len(tally.constructs) > 60
    assert tally.records["contributed"] > tally.queries
