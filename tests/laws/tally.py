"""What a run of the fuzzer did and saw: queries per construct, edges by exactness, disagreements."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.laws.check import Outcome, category
from tests.laws.generate import Case


@dataclass
class Tally:
    """What was run and what was seen."""

    queries: int = 0
    invalid: Counter[str] = field(default_factory=Counter)
    constructs: Counter[str] = field(default_factory=Counter)
    exactness: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    disagreements: Counter[str] = field(default_factory=Counter)

    def add(self, case: Case, outcome: Outcome) -> None:
        """Count one case."""
        self.queries += 1
        if outcome.invalid:
            self.invalid[outcome.invalid.splitlines()[0][:80]] += 1
            return
        self.constructs.update(case.constructs)
        self.exactness.update(outcome.exactness)
        self.records.update(outcome.records)
        self.disagreements.update({category(problem) for problem in outcome.problems})

    def __iadd__(self, other: Tally) -> Tally:
        """Count what another run saw too."""
        self.queries += other.queries
        for name in ("invalid", "constructs", "exactness", "records", "disagreements"):
            getattr(self, name).update(getattr(other, name))
        return self

    def lines(self) -> list[str]:
        """The tally as text."""
        edges = sum(self.exactness.values())
        exact = f"{100 * self.exactness['exact'] / edges:.1f} % exact" if edges else "none"
        return [
            f"{self.queries} queries, {sum(self.disagreements.values())} disagreements",
            f"edges: {exact} {dict(self.exactness)}",
            f"input records: {dict(self.records)}",
            *(f"  {count:6d} {name}" for name, count in self.constructs.most_common()),
            *(f"  invalid {count}: {text}" for text, count in self.invalid.most_common(10)),
            *(f"  DISAGREEMENT {count}: {kind}" for kind, count in self.disagreements.most_common()),
        ]
