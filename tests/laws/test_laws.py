"""The capture against the oracle over generated schemas, data and queries.

``HYPOTHESIS_PROFILE=fuzz`` tries ten times as many; ``python -m tests.laws.fuzz`` runs for as long
as asked and reports the queries per construct.
"""

from __future__ import annotations

import os
from collections import Counter

from hypothesis import HealthCheck, given, settings

from tests.harness import capture, capture_lightly
from tests.laws.check import check
from tests.laws.generate import Case, case_of, cases
from tests.laws.generator.menus import CORE

BUDGET = 1000 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 100
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
RELAXED = settings(
    max_examples=BUDGET, deadline=None, derandomize=True, database=None, suppress_health_check=SLOW
)


@RELAXED
@given(cases(depth=3, menu=CORE))
def test_the_core_constructs(case: Case) -> None:
    outcome = check(case, capture)
    assert not outcome.invalid
    assert not outcome.problems


@RELAXED
@given(cases(depth=3))
def test_all_constructs(case: Case) -> None:
    outcome = check(case, capture)
    assert not outcome.invalid
    assert not outcome.problems


def test_the_light_modes_count_what_full_counts() -> None:
    """Totals by evidence and the sampled witnesses of key_derivable and summary, against the oracle."""
    records: Counter[str] = Counter()
    for seed in range(BUDGET // 4):
        outcome = check(case_of(seed, depth=2), capture_lightly)
        assert not outcome.problems
        records.update(outcome.records)
    assert records["contributed"] > BUDGET // 4 and records["filtered"] > BUDGET // 4


def test_the_core_is_exact() -> None:
    """Everything opaque would pass the laws: so the direct edges must be exact, and have content."""
    edges: Counter[str] = Counter()
    records: Counter[str] = Counter()
    for seed in range(BUDGET):
        outcome = check(case_of(seed, menu=CORE), capture)
        assert not outcome.problems
        edges.update(outcome.direct)
        records.update(outcome.records)
    assert edges["opaque"] == 0
    assert edges["exact"] >= 0.99 * sum(edges.values())
    assert records["contributed"] > BUDGET
    assert records["filtered"] > BUDGET
