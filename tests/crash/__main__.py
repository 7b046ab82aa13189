"""The long form: ``make crash``. Every boundary of a later run and of a first one, and random times.

Prints what it did and exits 1 if anything was found.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.boundary import INTERRUPT, KILL, RAISE
from tests.crash.harness import Harness, spread


def main() -> int:
    """Run the experiments; 1 if one of them found a fault."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--every", type=int, default=1, help="take every n-th boundary")
    options.add_argument("--random", type=int, default=50, help="kills at random times")
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crash") as folder:
        harness = Harness(Path(folder) / "shop")
        statements = harness.start()
        print(f"a run has {len(statements)} statements", flush=True)
        boundaries = range(0, len(statements), chosen.every)
        tell(harness, "killed at each boundary", lambda: harness.break_at(boundaries, KILL))
        tell(harness, "broken by an exception", lambda: harness.break_at(boundaries[::4], RAISE))
        tell(harness, "interrupted (Ctrl-C)", lambda: harness.break_at(boundaries[2::12], INTERRUPT))
        chance = random.Random(chosen.seed)
        tell(harness, "killed at random", lambda: harness.kill_at_random(chosen.random, chance))
        first = spread(len(statements) // (8 * chosen.every), len(statements))
        tell(harness, "killed in a first run", lambda: harness.kill_first_runs(first))
    print(f"{harness.broken} runs broken, {len(harness.found)} faults, {time.monotonic() - began:.0f} s")
    return 1 if harness.found else 0


def tell(harness: Harness, what: str, experiment: object) -> None:
    """Do one experiment and say what it found."""
    before, broken = len(harness.found), harness.broken
    experiment()  # type: ignore[operator]
    print(f"{what}: {harness.broken - broken}, faults: {len(harness.found) - before}", flush=True)
    for fault in harness.found[before:]:
        print(f"    {fault}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
