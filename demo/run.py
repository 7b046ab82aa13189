"""The demo: load the flights, build the project with ``type: cdme``, and ask where the rows went.

``make demo`` runs it. Every step is a command that you can type yourself in ``demo/flights``; it is
shown before it runs.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

DEMO = Path(__file__).resolve().parent
PROJECT = DEMO / "flights"

STEPS: tuple[tuple[str, str], ...] = (
    (
        "All flights from New York in 2013, as five source tables",
        "python ../load_flights.py",
    ),
    (
        "The dbt package with CDME's tests and operations",
        "dbt --quiet deps",
    ),
    (
        "An ordinary dbt build; only the profile says type: cdme",
        "dbt build",
    ),
    (
        "Where every input row of every model went",
        "cdme ledger",
    ),
    (
        "Records that cannot be true, from a file that was added to the demo with errors in it",
        "cdme errors late_corrections",
    ),
    (
        "One number of a mart, back to its flights: JFK on 9 February, the day of the blizzard",
        "cdme trace mart_daily --limit 5 --where \"flight_date = '2013-02-09' and origin = 'JFK'\"",
    ),
    (
        "A flight that is missing from the mart: AA 1925 on New Year's Day",
        "cdme explain mart_daily --input raw.flights "
        "--where \"month = 1 and day = 1 and carrier = 'AA' and flight = 1925\"",
    ),
)


def run(title: str, command: str, env: dict[str, str]) -> None:
    """Say what comes, run it in the project's folder, stop if it fails."""
    print(f"\n── {title}\n$ {command}\n", flush=True)
    done = subprocess.run(shlex.split(command), cwd=PROJECT, env=env, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def main() -> None:
    """Run all steps with the programs of the environment that runs this file."""
    binaries = str(Path(sys.executable).parent)
    env = {**os.environ, "PATH": os.pathsep.join([binaries, os.environ.get("PATH", "")])}
    started = time.monotonic()
    for title, command in STEPS:
        run(title, command, env)
    print(
        f"\nDone in {time.monotonic() - started:.0f} seconds. Ask on in {PROJECT}, after "
        f". {Path(sys.executable).parent / 'activate'}"
    )


if __name__ == "__main__":
    main()
