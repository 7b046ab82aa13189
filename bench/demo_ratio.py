"""What capture costs: the demo by plain dbt-duckdb against the same project by cdme.

Usage: ``python -m bench.demo_ratio [--rounds N] [--threads N]``. Each round runs both, in turns,
each on a fresh copy of the loaded data; the first round only warms up. Medians are printed, for
each model (dbt's own ``execution_time``), for all models together and for the whole command.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.plain import without_cdme

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "bench" / "data"
CDME_PROJECT = ROOT / "demo" / "flights"
PLAIN_PROJECT = DATA / "flights_plain"
BINARIES = Path(sys.executable).parent
TARGETS = ("plain", "cdme")
WHOLE, MODELS, SIZE = "whole command", "all models", "database, MiB"

Times = dict[str, dict[str, list[float]]]


def load() -> Path:
    """The sources, loaded once; every run starts from a copy."""
    database = DATA / "loaded.duckdb"
    subprocess.run(
        [sys.executable, str(ROOT / "demo" / "load_flights.py"), str(database)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return database


def dbt(command: str, target: str, database: Path, threads: int) -> float:
    """Run one dbt command quietly and return its seconds."""
    env = {
        **os.environ,
        "FLIGHTS_DB": str(database),
        "DBT_TARGET_PATH": str(DATA / f"target_{target}"),
        "DBT_LOG_PATH": str(DATA / f"target_{target}"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    arguments = [str(BINARIES / "dbt"), "--quiet", command, "--target", target]
    if command != "deps":
        arguments += ["--threads", str(threads)]
    project = PLAIN_PROJECT if target == "plain" else CDME_PROJECT
    started = time.perf_counter()
    subprocess.run(arguments, cwd=project, env=env, check=True)
    return time.perf_counter() - started


def measure(target: str, raw: Path, threads: int, times: Times) -> None:
    """One run of one target, from a fresh database; its times are added to ``times``."""
    database = DATA / target / "flights.duckdb"
    shutil.rmtree(database.parent, ignore_errors=True)
    database.parent.mkdir(parents=True)
    shutil.copy(raw, database)
    times[WHOLE][target].append(dbt("run", target, database, threads))
    results = json.loads((DATA / f"target_{target}" / "run_results.json").read_text())["results"]
    for result in results:
        name = result["unique_id"].rpartition(".")[2]
        times[name][target].append(result["execution_time"])
    times[MODELS][target].append(sum(result["execution_time"] for result in results))
    times[SIZE][target].append(database.stat().st_size / 2**20)


def report(times: Times, rounds: int, threads: int) -> Table:
    """The medians and their ratio, models first."""
    table = Table(
        title=f"Median of {rounds} rounds, {threads} thread(s), {os.cpu_count()} cores",
        caption=", ".join(f"{name} {version(name)}" for name in ("dbt-core", "duckdb", "dbt-cdme")),
    )
    for heading in ("model", *TARGETS, "ratio"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    last = (MODELS, WHOLE, SIZE)
    for name in [*sorted(set(times) - set(last)), *last]:
        plain, cdme = (statistics.median(times[name][target]) for target in TARGETS)
        unit = "" if name == SIZE else " s"
        row = (name, f"{plain:.2f}{unit}", f"{cdme:.2f}{unit}", f"×{cdme / plain:.2f}")
        table.add_row(*row, end_section=name == sorted(set(times) - set(last))[-1])
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count")
    parser.add_argument("--threads", type=int, default=1, help="threads of dbt")
    options = parser.parse_args()
    raw = load()
    dbt("deps", "cdme", raw, options.threads)
    shutil.rmtree(PLAIN_PROJECT, ignore_errors=True)
    without_cdme(CDME_PROJECT, PLAIN_PROJECT)
    times: Times = defaultdict(lambda: defaultdict(list))
    for number in range(options.rounds + 1):
        if number == 1:
            times.clear()
        for target in TARGETS if number % 2 else reversed(TARGETS):
            measure(target, raw, options.threads, times)
        print(f"round {number} of {options.rounds}", file=sys.stderr, flush=True)
    Console(width=100).print(report(times, options.rounds, options.threads))


if __name__ == "__main__":
    main()
