"""Run the laws for as long as asked: ``python -m tests.laws.fuzz --seconds 60 --jobs 2``.

Each case comes from a seed and can be run again by it. A disagreement is made smaller, printed and
(with ``--save``) kept as a fixture; then the exit code is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.laws.check import Capturing, Outcome, category, check
from tests.laws.generate import Case, case_of
from tests.laws.generator.menus import CORE, FULL
from tests.laws.shrink import shrink
from tests.laws.tally import Tally

PATIENCE = 20
"""Seconds of CPU time for one case: nested correlated subqueries can be slow tuple by tuple."""
FOUND = Path(__file__).parent.parent / "fixtures" / "capture" / "found"


class TooSlow(BaseException):
    """One case took longer than the patience there is."""


@contextmanager
def patience() -> Iterator[None]:
    """Raise ``TooSlow`` when what is inside takes too long.

    Where the signal meets DuckDB at work, DuckDB swallows the exception and says ``Query interrupted``.
    """
    struck = False

    def stop(*_: object) -> None:
        nonlocal struck
        struck = True
        raise TooSlow

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        if struck:
            raise TooSlow


def save(case: Case, problems: list[str], folder: Path = FOUND) -> Path:
    """Keep a counterexample as a fixture that oracle and capture must agree on."""
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.blake2b(str(case).encode(), digest_size=5).hexdigest()
    notes = [f"-- # {line}" for problem in problems[:3] for line in problem.splitlines()]
    path = folder / f"{name}.sql"
    path.write_text("\n".join(["-- case: found by the fuzzer", *notes, str(case)]) + "\n")
    return path


def smaller(case: Case, problems: list[str], capture: Capturing | None, seconds: float) -> Case:
    """The case made smaller while it shows a disagreement of the same kind."""
    wanted = {category(problem) for problem in problems}

    def fails(candidate: Case) -> bool:
        try:
            with patience():
                outcome = check(candidate, capture)
        except TooSlow:
            return False
        return not outcome.invalid and bool(wanted & {category(p) for p in outcome.problems})

    return shrink(case, fails, seconds)


def run(options: argparse.Namespace, capture: Capturing | None, first: int) -> Tally:
    """Check every ``options.jobs``-th case from ``first`` until the time or the count is used up."""
    tally, started, seed = Tally(), time.monotonic(), first
    menu = CORE if options.core else FULL
    shown: Counter[str] = Counter()
    while tally.queries * options.jobs < options.count and time.monotonic() - started < options.seconds:
        case = case_of(seed, options.depth, menu)
        outcome = _timed(case, capture, seed)
        tally.add(case, outcome)
        if outcome.fault.endswith("of the capture"):
            print(f"seed {seed}: {outcome.fault}", flush=True)
        if not tally.queries % options.every:
            print(f"seed {seed}: {tally.lines()[0]}, {time.process_time():.0f} s of CPU", flush=True)
        for kind in {category(problem) for problem in outcome.problems}:
            shown[kind] += 1
            if shown[kind] <= options.show:
                problems = [p for p in outcome.problems if category(p) == kind]
                _tell(case, problems, kind, seed, options, capture)
        seed += options.jobs
    return tally


def _timed(case: Case, capture: Capturing | None, seed: int) -> Outcome:
    """Check a case; one that takes too long is named and left."""
    try:
        with patience():
            return check(case, capture)
    except TooSlow:
        print(f"seed {seed} took more than {PATIENCE} seconds", flush=True)
        return Outcome(invalid="too slow")


def _tell(
    case: Case,
    problems: list[str],
    kind: str,
    seed: int,
    options: argparse.Namespace,
    capture: Capturing | None,
) -> None:
    """Print a counterexample, made smaller, and keep it if asked to."""
    small = smaller(case, problems, capture, options.shrink)
    found = [p for p in check(small, capture).problems if category(p) == kind] or problems
    print(f"\nseed {seed}, {kind}:", *found[:3], str(small), sep="\n", flush=True)
    if options.save:
        print(save(small, found))


def worker(options: argparse.Namespace, first: int) -> Tally:
    """One process's share of the cases."""
    if options.oracle_only:
        return run(options, None, first)
    from tests.harness import capture

    known: dict[str, Any] = {}
    return run(options, lambda connection, sql: capture(connection, sql, known, options.light), first)


def main() -> int:
    """Parse the command line, run, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--count", type=int, default=10**9)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--depth", type=int, default=3, help="levels of nesting")
    parser.add_argument("--core", action="store_true", help="only the constructs of the first release")
    parser.add_argument("--oracle-only", action="store_true", help="oracle against DuckDB alone")
    parser.add_argument("--light", action="store_true", help="the modes key_derivable and summary too")
    parser.add_argument("--show", type=int, default=3, help="counterexamples shown of each kind")
    parser.add_argument("--every", type=int, default=500, help="queries between two lines of progress")
    parser.add_argument("--shrink", type=float, default=20.0, help="seconds to make one smaller")
    parser.add_argument("--save", action="store_true", help="keep counterexamples as fixtures")
    options = parser.parse_args()
    print(f"from seed {options.seed}", flush=True)
    shares = [(options, options.seed + n) for n in range(options.jobs)]
    tally = Tally()
    if options.jobs == 1:
        tally += worker(*shares[0])
    else:
        with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
            for share in pool.starmap(worker, shares):
                tally += share
    print(*tally.lines(), sep="\n")
    return 1 if tally.disagreements or set(tally.invalid) - {"too slow"} else 0


if __name__ == "__main__":
    sys.exit(main())
