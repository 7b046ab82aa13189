"""What a run of the fuzzer did and saw: queries per construct, edges by exactness, disagreements."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from tests.laws.check import Outcome, category
from tests.laws.generate import Case

DEEP = 3


@dataclass
class Tally:
    """What was run and what was seen."""

    queries: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    """Queries that were not compared, for a fault of the engine."""
    invalid: Counter[str] = field(default_factory=Counter)
    constructs: Counter[str] = field(default_factory=Counter)
    deep: Counter[str] = field(default_factory=Counter)
    """Cases in which the construct stands among at least three levels of queries."""
    deepest: dict[str, int] = field(default_factory=dict)
    exactness: Counter[str] = field(default_factory=Counter)
    coarse: Counter[str] = field(default_factory=Counter)
    """Queries by what the capture did not understand of them."""
    records: Counter[str] = field(default_factory=Counter)
    disagreements: Counter[str] = field(default_factory=Counter)

    def add(self, case: Case, outcome: Outcome) -> None:
        """Count one case."""
        self.queries += 1
        if outcome.invalid:
            self.invalid[outcome.invalid.splitlines()[0][:80]] += 1
            return
        if outcome.fault:
            self.faults[outcome.fault] += 1
            return
        self.constructs.update(list(case.constructs))
        self.deep.update([name for name, levels in case.constructs.items() if levels >= DEEP])
        for name, levels in case.constructs.items():
            self.deepest[name] = max(levels, self.deepest.get(name, 0))
        self.exactness.update(outcome.exactness)
        self.records.update(outcome.records)
        self.coarse.update({re.split(r"[(:]", why)[0] for why in outcome.coarse})
        self.disagreements.update({category(problem) for problem in outcome.problems})

    def __iadd__(self, other: Tally) -> Tally:
        """Count what another run saw too."""
        self.queries += other.queries
        for name in (
            "invalid",
            "faults",
            "constructs",
            "deep",
            "coarse",
            "exactness",
            "records",
            "disagreements",
        ):
            getattr(self, name).update(getattr(other, name))
        for name, levels in other.deepest.items():
            self.deepest[name] = max(levels, self.deepest.get(name, 0))
        return self

    def lines(self) -> list[str]:
        """The tally as text."""
        edges = sum(self.exactness.values())
        exact = f"{100 * self.exactness['exact'] / edges:.1f} % exact" if edges else "none"
        return [
            f"{self.queries} queries, {sum(self.disagreements.values())} disagreements",
            f"edges: {exact} {dict(self.exactness)}",
            f"input records: {dict(self.records)}",
            f"queries per construct; in {DEEP} levels of queries or more; the most levels:",
            *(
                f"  {count:6d} {self.deep[name]:6d} {self.deepest[name]:3d} {name}"
                for name, count in self.constructs.most_common()
            ),
            *(f"  superset in {count}: {why}" for why, count in self.coarse.most_common()),
            *(f"  not compared {count}: {text}" for text, count in self.faults.most_common()),
            *(f"  invalid {count}: {text}" for text, count in self.invalid.most_common(10)),
            *(f"  DISAGREEMENT {count}: {kind}" for kind, count in self.disagreements.most_common()),
        ]
