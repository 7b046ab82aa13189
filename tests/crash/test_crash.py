"""The short form of ``make crash``: twelve kills, and three sabotaged builds that must be caught."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.boundary import INTERRUPT, RAISE
from tests.crash.harness import Harness, commits, spread
from tests.crash.sabotage import SABOTAGES

CAPTURED = ("raw", "t", "g", "v", "i", "s", "p")


def test_whatever_is_killed_is_of_one_run(tmp_path: Path) -> None:
    harness = Harness(tmp_path / "shop", models=CAPTURED)
    statements = harness.start()
    ends = commits(statements)
    harness.break_at([ends[n] for n in spread(5, len(ends))], recover=False)
    harness.break_at(spread(4, len(statements)))
    harness.break_at([n + 1 for n in spread(2, len(statements))], RAISE)
    harness.break_at([len(statements) // 2 + 1], INTERRUPT)
    assert harness.broken == 12
    assert harness.found == []


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_sabotaged_build_is_caught(tmp_path: Path, name: str) -> None:
    """The harness's own test: it must see what these builds break."""
    harness = Harness(tmp_path / "shop", select=("raw", "t"), models=("raw", "t"))
    statements = harness.start()
    ledger = max(n for n, sql in enumerate(statements) if "store_ledger" in sql and "INSERT" in sql)
    commit = next(n for n in commits(statements) if n > ledger)
    for number in (commit, *range(commit + 1, commit + 5), ledger):
        harness.break_at([number], recover=False, sabotage=SABOTAGES[name])
        if harness.found:
            break
    assert harness.found
