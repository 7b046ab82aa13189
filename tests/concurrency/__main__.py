"""The long form: 200 runs of models of every kind, with 1, 4 and 8 threads in turn.

All of them must succeed, and each must leave the account that the run with one thread left. Prints what
it did and exits 1 if anything was found. The threads meet as often as a machine lets them: models read
the same relations, write to the same store, and there are no dependencies between most of them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.concurrency.shop import THREADS, Shop


def main() -> int:
    """Run; 1 if a run failed or left another account."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=200)
    chosen = options.parse_args()
    began, found = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="concurrency") as folder:
        shop = Shop(Path(folder) / "shop")
        expected: dict[str, Any] = shop.settle()
        for number in range(chosen.runs):
            threads = THREADS[number % len(THREADS)]
            fault = shop.run(threads)
            if not fault and shop.account() != expected:
                fault = "another account than with one thread"
            if fault:
                found.append(f"run {number}, {threads} threads: {fault}")
                print(found[-1], flush=True)
            if number % 20 == 19:
                print(f"{number + 1} runs, {len(found)} faults", flush=True)
    print(f"{chosen.runs} runs, {len(found)} faults, {time.monotonic() - began:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
