"""How long the questions take, on TPC-H through a chain of four models (bench/chain).

Usage: ``python -m bench.questions [--scale 1] [--rounds 30] [--times 10]``. Builds the chain with
dbt, then asks inside one warm process and prints the median beside its target; ``--times 10`` does
it again with ten times the data and compares. Exits 1 where a target is missed. For a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from cdme_adapter.lineage.api import Questions
from cdme_adapter.lineage.opening import open_questions

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "bench" / "data"
CHAIN = ROOT / "bench" / "chain"
BINARIES = Path(sys.executable).parent
TABLES = ("lineitem", "orders", "customer", "nation")

Question = Callable[[Questions, int], Any]


def build(scale: float) -> Path:
    """Generate TPC-H at a scale and build the chain over it; the database, made once."""
    folder = DATA / f"tpch_{scale:g}"
    database = folder / "chain.duckdb"
    if not (folder / "lineitem.parquet").exists():
        generator = str(BINARIES / "tpchgen-cli")
        subprocess.run(
            [generator, "parquet", f"-s{scale}", f"--output-dir={folder}", f"--tables={','.join(TABLES)}"],
            check=True,
        )
    database.unlink(missing_ok=True)
    with duckdb.connect(str(database)) as con:
        con.execute("CREATE SCHEMA tpch")
        for name in TABLES:
            con.execute(f"CREATE TABLE tpch.{name} AS FROM '{folder / name}.parquet'")
    env = environment(database)
    subprocess.run([str(BINARIES / "dbt"), "--quiet", "run"], cwd=CHAIN, env=env, check=True)
    return database


def environment(database: Path) -> dict[str, str]:
    """What dbt and the questions need to find the chain's database."""
    return {**os.environ, "CHAIN_DB": str(database), "DBT_TARGET_PATH": str(database.parent / "target"),
            "DBT_LOG_PATH": str(database.parent)}  # fmt: skip


def _one(model: str, number: int) -> str:
    """A predicate that picks one record of a model, another one for each number."""
    rows = f"(SELECT max(rowid) + 1 FROM {model})"
    return f"rowid = ({number} * 7919 + 13) % {rows}"


QUESTIONS: dict[str, tuple[float, Question]] = {
    "trace, ids of one daily record to its sources": (
        0.010, lambda q, n: q.trace("daily", _one("daily", n), fetch=False, limit=0)),
    "trace, ids of one enriched record to its sources": (
        0.010, lambda q, n: q.trace("enrichment", _one("enrichment", n), fetch=False)),
    "trace, one enriched record with its source rows": (
        0.050, lambda q, n: q.trace("enrichment", _one("enrichment", n))),
    "trace, one monthly record with 20 of its source rows": (
        0.050, lambda q, n: q.trace("monthly", _one("monthly", n))),
    "trace, 1,000 enriched records, ids": (
        0.300, lambda q, n: q.trace(
            "enrichment", f"rowid BETWEEN {n * 1000} AND {n * 1000 + 999}", limit=0, fetch=False)),
    "impact of one source row": (
        0.020, lambda q, n: q.impact("tpch.lineitem", f"rowid = {n * 7919}")),
    "explain of one source row in the last model": (
        0.100, lambda q, n: q.explain("monthly", "tpch.lineitem", f"rowid = {n * 7919}")),
}  # fmt: skip


def measure(database: Path, rounds: int) -> dict[str, float]:
    """The median seconds of each question, after one round that only warms up."""
    os.environ.update(environment(database))
    found: dict[str, float] = {}
    with open_questions(str(CHAIN), str(CHAIN)) as questions:
        for name, (_, ask) in QUESTIONS.items():
            ask(questions, rounds)
            times = []
            for number in range(rounds):
                started = time.perf_counter()
                ask(questions, number)
                times.append(time.perf_counter() - started)
            found[name] = statistics.median(times)
    return found


def cold(database: Path, rounds: int) -> float:
    """How much longer `cdme trace` of one record takes than importing duckdb, both from nothing."""
    ask = [str(BINARIES / "cdme"), "trace", "enrichment", "--where", _one("enrichment", 1)]
    bare = [sys.executable, "-c", "import duckdb"]
    medians = []
    for command in (ask, bare):
        times = []
        for _ in range(max(rounds // 5, 3)):
            started = time.perf_counter()
            subprocess.run(command, cwd=CHAIN, env=environment(database), check=True, capture_output=True)
            times.append(time.perf_counter() - started)
        medians.append(statistics.median(times))
    return medians[0] - medians[1]


def main() -> int:
    """Measure and print; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--times", type=int, default=0, help="how many times the data for a second measure")
    options = parser.parse_args()
    database = build(options.scale)
    small = measure(database, options.rounds)
    started = cold(database, options.rounds)
    large = measure(build(options.scale * options.times), options.rounds) if options.times else {}
    table = Table(title=f"TPC-H, scale {options.scale:g}, median of {options.rounds}")
    for heading in ("question", "median", "target", f"×{options.times} data" if large else "", ""):
        table.add_column(heading, justify="left" if heading in ("question", "") else "right")
    missed = 0
    for name, (target, _) in QUESTIONS.items():
        ratio = large[name] / small[name] if large else 0.0
        fine = small[name] <= target and (ratio <= 2 or ", 1,000" in name)
        missed += not fine
        table.add_row(name, f"{small[name] * 1000:.1f} ms", f"{target * 1000:.0f} ms",
                      f"×{ratio:.1f}" if large else "", "" if fine else "MISSED")  # fmt: skip
    missed += started > 1
    name = "cold start of `cdme trace`, beyond `import duckdb`"
    table.add_row(name, f"{started * 1000:.0f} ms", "1000 ms", "", "" if started <= 1 else "MISSED")
    Console(width=120).print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
