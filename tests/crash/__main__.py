"""The long form: ``make crash``. Every boundary of a later run and of a first one, and random times.

Prints what it did and exits 1 if anything was found. ``--short`` is what CI does; ``--sabotage`` breaks
CDME on purpose, and then exit code 1 is the right one.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.crash.boundary import INTERRUPT, RAISE
from tests.crash.harness import Harness, commits, spread
from tests.crash.sabotage import SABOTAGES


def main() -> int:
    """Run the experiments; 1 if one of them found a fault."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--short", action="store_true", help="twelve broken runs")
    options.add_argument("--sabotage", choices=sorted(SABOTAGES))
    options.add_argument("--every", type=int, default=1, help="take every n-th boundary")
    options.add_argument("--random", type=int, default=50, help="kills at random times")
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crash") as folder:
        if chosen.sabotage:
            harness = sabotaged(Path(folder), chosen.sabotage)
        else:
            harness = Harness(Path(folder) / "shop")
            statements = harness.start()
            print(f"a run has {len(statements)} statements", flush=True)
            (short if chosen.short else long)(harness, statements, chosen)
    print(f"{harness.broken} runs broken, {len(harness.found)} faults, {time.monotonic() - began:.0f} s")
    return 1 if harness.found else 0


def short(harness: Harness, statements: list[str], chosen: argparse.Namespace) -> None:
    """Twelve broken runs: around commits, evenly spread, by exceptions and by Ctrl-C."""
    ends, many = commits(statements), len(statements)
    at_ends = [ends[n] for n in spread(5, len(ends))]
    tell(harness, "killed at commits", lambda: harness.break_at(at_ends, recover=False))
    tell(harness, "killed", lambda: harness.break_at(spread(4, many)))
    tell(harness, "broken", lambda: harness.break_at([n + 1 for n in spread(2, many)], RAISE))
    tell(harness, "interrupted", lambda: harness.break_at([many // 2 + 1], INTERRUPT))


def long(harness: Harness, statements: list[str], chosen: argparse.Namespace) -> None:
    """Every boundary by a kill, some by exceptions and Ctrl-C, random times, first runs."""
    boundaries = range(0, len(statements), chosen.every)
    tell(harness, "killed at each boundary", lambda: harness.break_at(boundaries))
    tell(harness, "broken by an exception", lambda: harness.break_at(boundaries[::4], RAISE))
    tell(harness, "interrupted (Ctrl-C)", lambda: harness.break_at(boundaries[2::12], INTERRUPT))
    chance = random.Random(chosen.seed)
    tell(harness, "killed at random", lambda: harness.kill_at_random(chosen.random, chance))
    first = spread(len(statements) // (8 * chosen.every), len(statements))
    tell(harness, "killed in a first run", lambda: harness.kill_first_runs(first))


def sabotaged(folder: Path, name: str) -> Harness:
    """Kill a sabotaged build around the commit of a table, until something is found."""
    harness = Harness(folder / "shop", select=("raw", "t"), models=("raw", "t"))
    statements = harness.start()
    ledger = max(n for n, sql in enumerate(statements) if "store_ledger" in sql and "INSERT" in sql)
    commit = next(n for n in commits(statements) if n > ledger)
    for number in (commit, *range(commit + 1, commit + 5), ledger):
        if not harness.found:
            tell(harness, name, lambda at=number: harness.break_at([at], "kill", False, SABOTAGES[name]))
    return harness


def tell(harness: Harness, what: str, experiment: Callable[[], None]) -> None:
    """Do one experiment and say what it found."""
    before, broken = len(harness.found), harness.broken
    experiment()
    print(f"{what}: {harness.broken - broken}, faults: {len(harness.found) - before}", flush=True)
    for fault in harness.found[before:]:
        print(f"    {fault}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
