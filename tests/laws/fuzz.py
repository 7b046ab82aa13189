"""Run the laws for as long as asked: ``python -m tests.laws.fuzz --seconds 60``.

Each case comes from a seed and can be run again by it. A disagreement is made smaller, printed and
kept as a fixture; then the exit code is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.laws.check import Capturing, Outcome, category, check
from tests.laws.generate import Case, case_of
from tests.laws.generator.menus import CORE, FULL
from tests.laws.shrink import shrink

FOUND = Path(__file__).parent.parent / "fixtures" / "capture" / "found"


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


def save(case: Case, problems: list[str], folder: Path = FOUND) -> Path:
    """Keep a counterexample as a fixture that oracle and capture must agree on."""
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.blake2b(str(case).encode(), digest_size=5).hexdigest()
    notes = [f"-- {line}" for problem in problems[:3] for line in problem.splitlines()]
    path = folder / f"{name}.sql"
    path.write_text("\n".join(["-- case: found by the fuzzer", *notes, *_lines(case)]) + "\n")
    return path


def _lines(case: Case) -> list[str]:
    return [*(f"{statement};" for statement in case.statements), f"{case.sql};"]


def smaller(case: Case, problems: list[str], capture: Capturing | None, seconds: float) -> Case:
    """The case made smaller while it shows a disagreement of the same kind."""
    wanted = {category(problem) for problem in problems}

    def fails(candidate: Case) -> bool:
        outcome = check(candidate, capture)
        return not outcome.invalid and bool(wanted & {category(p) for p in outcome.problems})

    return shrink(case, fails, seconds)


def run(options: argparse.Namespace, capture: Capturing | None) -> Tally:
    """Check cases until the time or the count is used up."""
    tally, started, seed = Tally(), time.monotonic(), options.seed
    menu = CORE if options.core else FULL
    shown: Counter[str] = Counter()
    while tally.queries < options.count and time.monotonic() - started < options.seconds:
        case = case_of(seed, options.depth, menu)
        outcome = check(case, capture)
        tally.add(case, outcome)
        for kind in {category(problem) for problem in outcome.problems}:
            shown[kind] += 1
            if shown[kind] > options.show:
                continue
            problems = [p for p in outcome.problems if category(p) == kind]
            small = smaller(case, problems, capture, options.shrink)
            found = [p for p in check(small, capture).problems if category(p) == kind]
            print(f"\nseed {seed}, {kind}:", *found[:3], str(small), sep="\n", flush=True)
            if options.save:
                print(save(small, found))
        seed += 1
    return tally


def main() -> int:
    """Parse the command line, run, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--count", type=int, default=10**9)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--core", action="store_true", help="only the constructs of the first release")
    parser.add_argument("--oracle-only", action="store_true", help="oracle against DuckDB alone")
    parser.add_argument("--show", type=int, default=3, help="counterexamples shown of each kind")
    parser.add_argument("--shrink", type=float, default=20.0, help="seconds to make one smaller")
    parser.add_argument("--save", action="store_true", help="keep counterexamples as fixtures")
    options = parser.parse_args()
    capture: Capturing | None = None
    if not options.oracle_only:
        from tests.harness import capture as real

        capture = real
    print(f"from seed {options.seed}")
    tally = run(options, capture)
    print(*tally.lines(), sep="\n")
    return 1 if tally.disagreements or tally.invalid else 0


if __name__ == "__main__":
    sys.exit(main())
