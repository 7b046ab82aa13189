"""How long the questions take, on TPC-H through a chain of four models (bench/chain).

Usage: ``python -m bench.questions [--scale 1] [--rounds 30] [--times 10]``. Builds the chain with
dbt, then asks inside one warm process and prints the median beside its target; ``--times 10`` does
it again with ten times the data and compares: at most twice the latency for one record. Where the
record's own witnesses become ten times as many too (a day's or a month's line items), the table gives
their number beside the ratio. Exits 1 where a target is missed. For a quiet machine.

A record is asked for by its row id, or where the question says so by its key, so that what is measured
is the question and not a predicate's scan of the user's table. Warm means that each question was asked
``WARM`` times before, about other records than those that are measured.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
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
WARM = 10
"""How often each question is asked before it is measured."""

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


@dataclass(frozen=True)
class Asked:
    """A question, and what is expected of it: seconds, and that they at most double."""

    target: float
    ask: Question
    of: str = ""
    """The model of which records are asked for; "" for a source's first records."""
    one: bool = True


QUESTIONS: dict[str, Asked] = {
    "trace, ids of one monthly record to its sources": Asked(
        0.010, lambda q, n: q.trace("monthly", f"rowid = {n}", fetch=False), "monthly"),
    "trace, one monthly record with 20 of its source rows": Asked(
        0.050, lambda q, n: q.trace("monthly", f"rowid = {n}"), "monthly"),
    "trace, ids of one daily record to its sources, all listed": Asked(
        0.010, lambda q, n: q.trace("daily", f"rowid = {n}", fetch=False, limit=0), "daily"),
    "trace, ids of one enriched record to its sources": Asked(
        0.010, lambda q, n: q.trace("enrichment", f"rowid = {n}", fetch=False), "enrichment"),
    "trace, one enriched record with its source rows": Asked(
        0.050, lambda q, n: q.trace("enrichment", f"rowid = {n}"), "enrichment"),
    "trace, one enriched record by its key, with its source rows": Asked(
        0.050, lambda q, n: q.trace("enrichment", f"order_id = {n * 32 + 1} AND line = 1")),
    "trace, 1,000 enriched records, ids": Asked(
        0.300, lambda q, n: q.trace(
            "enrichment", f"rowid BETWEEN {n * 1000} AND {n * 1000 + 999}", limit=0, fetch=False),
        one=False),
    "impact of one source row": Asked(
        0.020, lambda q, n: q.impact("tpch.lineitem", f"rowid = {n * 7919}")),
    "explain of one source row in the last model": Asked(
        0.100, lambda q, n: q.explain("monthly", "tpch.lineitem", f"rowid = {n * 7919}")),
}  # fmt: skip


def measure(database: Path, rounds: int) -> dict[str, tuple[float, float, float]]:
    """The median seconds of each question, how many witnesses or descendants it counted, and the
    median seconds of CPU time, which say more than the others where the machine is not quiet."""
    os.environ.update(environment(database))
    found: dict[str, tuple[float, float, float]] = {}
    with open_questions(str(CHAIN), str(CHAIN)) as questions:
        for name, asked in QUESTIONS.items():
            rows = 0
            if asked.of:
                rows = questions.con.execute(f"SELECT count(*) FROM {asked.of}").fetchall()[0][0]
            times, reached, work = [], [], []
            for number in range(-WARM, rounds):
                one = (number * 7919 + 13) % rows if rows else number % 1000
                started, worked = time.perf_counter(), time.process_time()
                answer = asked.ask(questions, one)
                took, worked = time.perf_counter() - started, time.process_time() - worked
                if number >= 0:
                    times.append(took)
                    work.append(worked)
                    reached.append(_reached(answer))
            found[name] = statistics.median(times), statistics.median(reached), statistics.median(work)
    return found


def _reached(answer: dict[str, Any]) -> int:
    """How many records an answer counts behind or beyond one of those that were asked for."""
    for record in answer["records"][:1]:
        entries = record.get("witnesses") or record.get("reaches") or [record.get("outputs")]
        return sum(entry["count"] for entry in entries if entry)
    return 0


def cold(database: Path, rounds: int) -> float:
    """How much longer `cdme trace` of one record takes than importing duckdb, both from nothing."""
    ask = [str(BINARIES / "cdme"), "trace", "enrichment", "--where", "rowid = 7919"]
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
    times = f"×{options.times} data" if large else ""
    for heading in ("question", "records", "median", "CPU", "target", times, "records", ""):
        table.add_column(heading, justify="left" if heading in ("question", "") else "right")
    missed = 0
    for name, asked in QUESTIONS.items():
        seconds, reached, work = small[name]
        slower, more = (large[name][0] / seconds, large[name][1]) if large else (0.0, 0.0)
        grew = more > 2 * reached
        fine = seconds <= asked.target and (slower <= 2 or grew or not asked.one)
        missed += not fine
        table.add_row(name, f"{reached:,.0f}", f"{seconds * 1000:.1f} ms", f"{work * 1000:.1f} ms",
                      f"{asked.target * 1000:.0f} ms", f"×{slower:.1f}" if large else "",
                      f"{more:,.0f}" if large else "", "" if fine else "MISSED")  # fmt: skip
    missed += started > 1
    name = "cold start of `cdme trace`, beyond `import duckdb`"
    missing = "" if started <= 1 else "MISSED"
    table.add_row(name, "", f"{started * 1000:.0f} ms", "", "1000 ms", "", "", missing)
    Console(width=130).print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
