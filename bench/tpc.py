"""The queries of TPC-H and TPC-DS as models: each through the capture, its account and its replays.

Usage: ``python -m bench.tpc [QUERY…] [--sample 200] [--scale 0.01]``; a query is ``h01`` or ``ds99``.
For each: the rows are those of plain DuckDB, no record is unaccounted, every output record has a
direct witness or is generated, and a sample of output records comes out of its witnesses alone. Over
all: at least 95 % of the edges are exact and none is opaque. Without queries named, docs/tpc.md is
written anew. Exits 1 where something does not hold.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from tests.harness import Captured, capture

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "bench" / "data"
PAGE = ROOT / "docs" / "tpc.md"
SUITES = {"h": "tpch", "ds": "tpcds"}
PATIENCE = float(__import__("os").environ.get("TPC_PATIENCE", "600"))
"""Seconds after which a query is given up."""
NOT_REPLAYABLE = {
    "ds44": "a window and a scalar subquery consult one relation, and its one indirect edge does not tell "
    "which of them; `cdme reconcile` says `not_replayable` of such a model"
}
ROLES = ("direct", "indirect", "guard")
Row = tuple[Any, ...]


@dataclass
class Outcome:
    """What was seen of one query; ``faults`` are what must not be."""

    name: str
    rows: int = 0
    edges: Counter[tuple[str, str]] = field(default_factory=Counter)
    supersets: list[str] = field(default_factory=list)
    replayed: int = 0
    generated: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    not_replayed: str = ""


def models(suite: str) -> dict[str, str]:
    """The SQL of each model of a suite by its name, over plain table names."""
    folder = ROOT / "bench" / SUITES[suite] / "models"
    source = re.compile(r"\{\{\s*source\('\w+',\s*'(\w+)'\)\s*\}\}")
    return {
        f"{suite}{file.stem[1:]}": source.sub(r"\1", file.read_text())
        for file in sorted(folder.glob("q*.sql"))
    }


def load(suite: str, scale: float) -> duckdb.DuckDBPyConnection:
    """A connection with the tables of a suite, made now."""
    con = duckdb.connect()
    if suite == "ds":
        con.execute((ROOT / "bench" / "tpcds" / "data.sql").read_text())
        return con
    folder = DATA / f"tpch_{scale:g}"
    if not (folder / "nation.parquet").exists():
        generator = str(Path(sys.executable).parent / "tpchgen-cli")
        subprocess.run(
            [generator, "parquet", f"-s{scale}", f"--output-dir={folder}"], check=True, capture_output=True
        )
    for file in sorted(folder.glob("*.parquet")):
        con.execute(f"CREATE TABLE {file.stem} AS FROM '{file}'")
    return con


def examine(con: duckdb.DuckDBPyConnection, name: str, sql: str, sample: int) -> Outcome:
    """Capture one query and check all that must hold of it."""
    outcome = Outcome(name)
    started = time.perf_counter()
    expected = con.execute(sql).fetchall()
    captured = capture(con, sql)
    outcome.seconds = time.perf_counter() - started
    outcome.rows = len(captured.rows)
    if captured.unsupported:
        outcome.edges["direct", "opaque"] += 1
        outcome.faults.append(f"opaque: {captured.unsupported}")
        return outcome
    for (relation, role), exactness in captured.exactness.items():
        outcome.edges[role, exactness] += 1
        if exactness != "exact":
            outcome.supersets.append(f"{role} {relation}")
    if not same_bag(expected, captured.rows):
        outcome.faults.append("its rows are not those of plain DuckDB")
    for relation, classes in captured.classes.items():
        lost = sum(1 for found in classes.values() if found[0] == "unaccounted")
        if lost and captured.exactness[relation, "direct"] == "exact":
            outcome.faults.append(f"{lost} unaccounted records of {relation}")
    _cover(outcome, captured)
    if name in NOT_REPLAYABLE:
        outcome.not_replayed = NOT_REPLAYABLE[name]
    else:
        _replay(con, sql, outcome, captured, sample)
    return outcome


def _cover(outcome: Outcome, captured: Captured) -> None:
    """Every output record has a direct witness; one that has none must be an aggregate of nothing."""
    reached = {o for (_, role), pairs in captured.witnesses.items() if role == "direct" for o, _ in pairs}
    known = all(e == "exact" for (_, role), e in captured.exactness.items() if role == "direct")
    outcome.generated = outcome.rows - len(reached) if known else 0
    if outcome.generated > 1:
        outcome.faults.append(f"{outcome.generated} output records without a direct witness")


def _replay(
    con: duckdb.DuckDBPyConnection, sql: str, outcome: Outcome, captured: Captured, sample: int
) -> None:
    """Law 4 on a sample: the SQL over the witnesses of a record gives the record again."""
    chosen = list(range(outcome.rows))
    if len(chosen) > sample:
        chosen = sorted(random.Random(outcome.name).sample(chosen, sample))
    wanted = set(chosen)
    narrow: dict[str, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for (relation, _), pairs in captured.witnesses.items():
        for o, i in pairs:
            if o in wanted:
                narrow[relation][o].add(i)
    whole = {
        relation for (relation, role), e in captured.exactness.items() if role == "guard" or e != "exact"
    }
    tables = [
        r[0]
        for r in con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main' AND NOT temporary"
        ).fetchall()
    ]
    con.execute("DROP SCHEMA IF EXISTS replay CASCADE; CREATE SCHEMA replay")
    for name in tables:
        if name in whole or name not in narrow:
            con.execute(f"CREATE VIEW replay.{name} AS FROM main.{name}")
    held: dict[str, list[int]] = {}
    missing = []
    for number in chosen:
        for relation, found in narrow.items():
            ordinals = sorted(found[number])
            if relation not in whole and held.get(relation) != ordinals:
                con.execute(
                    f"CREATE OR REPLACE TABLE replay.{relation} AS SELECT t.* FROM main.{relation} AS t"
                    " JOIN (SELECT unnest(?::BIGINT[]) AS i) AS w ON t.rowid = w.i ORDER BY t.rowid",
                    [ordinals],
                )
                held[relation] = ordinals
        con.execute("SET schema = 'replay'")
        try:
            found_rows = con.execute(sql).fetchall()
        finally:
            con.execute("SET schema = 'main'")
        if not any(equal(row, captured.rows[number]) for row in found_rows):
            missing.append(number)
    outcome.replayed = len(chosen)
    con.execute("DROP SCHEMA replay CASCADE")
    if missing:
        outcome.faults.append(
            f"{len(missing)} of {len(chosen)} records do not come out of their witnesses, such as"
            f" {captured.rows[missing[0]]}"
        )


def equal(row: Row, other: Row) -> bool:
    """Whether two rows are equal, doubles within 1e-9 relative."""
    return len(row) == len(other) and all(_same(a, b) for a, b in zip(row, other, strict=True))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9) or (math.isnan(a) and math.isnan(b))
    return bool(a == b)


def same_bag(one: Sequence[Row], other: Sequence[Row]) -> bool:
    """Whether two results hold the same rows as often, in any order."""
    if len(one) != len(other):
        return False
    return all(equal(a, b) for a, b in zip(sorted(one, key=_place), sorted(other, key=_place), strict=True))


def _place(row: Row) -> list[tuple[bool, str]]:
    return [(v is None, f"{v:.6e}" if isinstance(v, float) else str(v)) for v in row]


def exact_share(outcomes: Iterable[Outcome]) -> float:
    """The share of exact edges."""
    total: Counter[str] = Counter()
    for outcome in outcomes:
        for (_, exactness), count in outcome.edges.items():
            total[exactness] += count
    return total["exact"] / max(sum(total.values()), 1)


def page(outcomes: list[Outcome], sample: int) -> str:
    """docs/tpc.md."""
    lines = [
        "# TPC-H and TPC-DS",
        "",
        "The 22 queries of TPC-H and the 99 of TPC-DS as models, written from the specifications with",
        "fixed parameters, each through the capture. This page is written by `make tpc`, which fails",
        "where a row differs from plain DuckDB's, where a record is unaccounted, where an output record",
        f"has no witness, or where one of up to {sample} output records does not come out of its",
        "witnesses alone.",
        "",
        "| | queries | output records | replayed | " + " | ".join(
            f"{role} {word}" for role in ROLES for word in ("exact", "superset", "opaque")) + " |",
        "|---|" + "--:|" * 12,
    ]  # fmt: skip
    for suite, name in (("h", "TPC-H"), ("ds", "TPC-DS")):
        mine = [o for o in outcomes if o.name.rstrip("0123456789") == suite]
        edges = sum((o.edges for o in mine), Counter[tuple[str, str]]())
        cells = [edges[role, word] for role in ROLES for word in ("exact", "superset", "opaque")]
        numbers = [len(mine), sum(o.rows for o in mine), sum(o.replayed for o in mine), *cells]
        lines.append(f"| {name} | " + " | ".join(f"{n:,}" for n in numbers) + " |")
    lines += ["", f"{exact_share(outcomes):.1%} of the edges are exact.", ""]
    coarse = [o for o in outcomes if o.supersets]
    if coarse:
        lines += ["Edges that are not exact:", ""]
        lines += [f"* {o.name}: {', '.join(sorted(o.supersets))}" for o in coarse]
    skipped = [o for o in outcomes if o.not_replayed]
    if skipped:
        lines += ["Not replayed:", "", *(f"* {o.name}: {o.not_replayed}." for o in skipped)]
    faulty = [o for o in outcomes if o.faults]
    if faulty:
        lines += ["", "What does not hold yet:", ""]
        lines += [f"* {o.name}: {'; '.join(o.faults)}" for o in faulty]
    return "\n".join(lines).rstrip() + "\n"


def run(names: Sequence[str], sample: int, scale: float) -> list[Outcome]:
    """The outcomes of the queries that are named, or of all."""
    outcomes = []
    for suite in SUITES:
        chosen = {n: sql for n, sql in models(suite).items() if not names or n in names}
        con = load(suite, scale) if chosen else duckdb.connect()
        for name, sql in chosen.items():
            timer = threading.Timer(PATIENCE, con.interrupt)
            timer.start()
            try:
                found = examine(con, name, sql, sample)
            except Exception as error:
                found = Outcome(name, faults=[f"{type(error).__name__}: {str(error).splitlines()[0]}"])
                con.close()
                con = load(suite, scale)
            finally:
                timer.cancel()
            outcomes.append(found)
            said = "; ".join(found.faults) or "fine"
            print(f"{name:5} {found.rows:5} rows {found.replayed:4} replayed {found.seconds:6.1f} s"
                  f" {dict(sorted(found.edges.items()))} {said}"[:400], flush=True)  # fmt: skip
        con.close()
    return outcomes


def main() -> int:
    """Run, print and, where all were run, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("queries", nargs="*")
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--scale", type=float, default=0.01, help="of TPC-H")
    options = parser.parse_args()
    outcomes = run(options.queries, options.sample, options.scale)
    share = exact_share(outcomes)
    print(f"{share:.1%} of the edges are exact")
    if not options.queries:
        PAGE.write_text(page(outcomes, options.sample))
    return 1 if share < 0.95 or any(o.faults for o in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
