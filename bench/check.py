"""A guard against regressions: what capture costs on seven shapes of query, held against a baseline.

Usage: ``python -m bench.check [--counts] [--write] [--rows 2000000]``. For each shape and mode:
the statements that CDME runs, the rows that it stores, and the ratio of its CPU time to that of the plain
CREATE TABLE AS, both in one process and in turns. ``--counts`` leaves the ratios out and takes 2,000 rows:
counts are the same on every machine, which is what the tests compare. The baseline is
``bench/baseline.json``; ``--write`` makes it anew. Exits 1 where a count has grown by more than a
tenth, or a ratio by more than 30 % and by more than 0.3: less is noise.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from cdme_adapter.config import parse_config
from cdme_adapter.errors import Place
from cdme_adapter.generations import Generations
from cdme_adapter.nodes import NodeInfo, Nodes
from cdme_adapter.pipeline import Journey, Target
from cdme_adapter.store.writer import StoreWriter

BASELINE = Path(__file__).parent / "baseline.json"
MODES = ("full", "key_derivable", "summary")
SHAPES = {
    "filter": "SELECT id, kind, amount, amount * 2 AS twice FROM facts WHERE kind <> 3 AND amount > 10",
    "enrichment": "SELECT f.*, d.name, k.label FROM facts f LEFT JOIN dims d ON d.id = f.dim"
    " LEFT JOIN kinds k ON k.id = f.kind",
    "few groups": "SELECT kind, sum(amount) AS s, count(*) AS n FROM facts WHERE amount > 5 GROUP BY kind",
    "many groups": "SELECT dim, sum(amount) AS s FROM facts GROUP BY dim HAVING sum(amount) > 100",
    "selective join": "SELECT d.id, sum(f.amount) AS s FROM facts f, dims d, kinds k WHERE f.dim = d.id"
    " AND f.kind = k.id AND k.label = 'k1' AND d.name = 'n7' GROUP BY d.id",
    "dedup": "SELECT * FROM facts QUALIFY row_number() OVER (PARTITION BY dim ORDER BY id) = 1",
    "union": "SELECT id FROM facts WHERE kind = 1 UNION SELECT id FROM dims",
}
STORED = ("store_pairs", "store_ranges", "store_filtered", "store_filtered_bits", "store_edges",
          "store_steps", "store_reasons", "store_generations", "store_keys")  # fmt: skip
GROWN, SLOWER, NOISE = 1.1, 1.3, 0.3


@dataclass
class Figures:
    """Of one shape in one mode; ``ratio`` is None where it was not measured."""

    statements: int
    rows: int
    ratio: float | None = None


def warehouse(rows: int) -> duckdb.DuckDBPyConnection:
    """The tables, in memory."""
    con = duckdb.connect(":memory:")
    con.execute("SET threads = 2")
    con.execute(
        f"CREATE TABLE facts AS SELECT i AS id, i % 7 AS kind, (i * 7919) % {rows // 10} AS dim,"
        f" (i * 31) % 1000 AS amount FROM range({rows}) r(i);"
        f"CREATE TABLE dims AS SELECT i AS id, 'n' || i % 50 AS name FROM range({rows // 10}) r(i);"
        "CREATE TABLE kinds AS SELECT i AS id, 'k' || i AS label FROM range(10) r(i)"
    )
    return con


def build(con: duckdb.DuckDBPyConnection, sql: str, mode: str, run: str) -> tuple[int, float]:
    """Build a shape by the journey of a model; its statements and CPU seconds."""
    count = 0

    def execute(statement: str) -> list[tuple[Any, ...]]:
        nonlocal count
        count += 1
        return con.execute(statement).fetchall()

    side = con.cursor()
    sources = [NodeInfo(f"source.b.{t}", t, "source", "source", "memory", "main", t, None)
               for t in ("facts", "dims", "kinds")]  # fmt: skip
    node = NodeInfo("model.b.m", "m", "model", "table", "memory", "main", "m", "m.sql",
                    meta={"lineage_mode": mode})  # fmt: skip
    nodes = Nodes.of([*sources, node])
    generations = Generations(run, nodes, lambda text: side.cursor().execute(text).fetchall())
    config, _ = parse_config(node.meta, None, model=node.id, place=Place("m.sql"))
    store, target = StoreWriter(execute, "memory"), Target("memory", "main", "m")
    StoreWriter(lambda text: con.execute(text).fetchall(), "memory").prepare()
    con.execute("DROP TABLE IF EXISTS m")
    started = time.process_time()
    journey = Journey(run, node, config, nodes, generations, sql, ordered=True)
    execute("BEGIN")
    journey.make_plan(execute)
    assert journey.plan is not None, journey.why_not
    journey.stages(execute)
    execute(f"CREATE TABLE {target.quoted} AS {journey.root_select()}")
    journey.split(execute, target)
    journey.settle(execute, store, target)
    store.ledger(journey.entries)
    execute("COMMIT")
    took = time.process_time() - started
    assert {entry.status.value for entry in journey.entries} == {"BALANCED"}
    return count, took


def plain(con: duckdb.DuckDBPyConnection, sql: str) -> float:
    """The CPU seconds of the CREATE TABLE AS alone."""
    con.execute("DROP TABLE IF EXISTS m")
    started = time.process_time()
    con.execute(f"CREATE TABLE m AS {sql}")
    return time.process_time() - started


def measured(rows: int, rounds: int) -> dict[str, dict[str, Figures]]:
    """Every shape in every mode; without rounds the ratios are left out."""
    found: dict[str, dict[str, Figures]] = {mode: {} for mode in MODES}
    for name, sql in SHAPES.items():
        for mode in MODES:
            con = warehouse(rows)
            statements, _ = build(con, sql, mode, "first")
            held = sum(con.execute(f"SELECT count(*) FROM cdme.{t}").fetchall()[0][0] for t in STORED)
            times = [(plain(con, sql), build(con, sql, mode, f"r{n}")[1]) for n in range(rounds)]
            ratio = None
            if times:
                ratio = statistics.median(t[1] for t in times) / statistics.median(t[0] for t in times)
            found[mode][name] = Figures(statements, held, ratio and round(ratio, 2))
            con.close()
    return found


def worse(
    before: dict[str, dict[str, dict[str, Any]]], now: dict[str, dict[str, Figures]]
) -> Iterator[str]:
    """What has grown beyond its tolerance."""
    for mode, shapes in now.items():
        for name, figures in shapes.items():
            then = before.get(mode, {}).get(name)
            if then is None:
                continue
            for what in ("statements", "rows"):
                if getattr(figures, what) > then[what] * GROWN:
                    yield f"{mode}, {name}: {what} {then[what]:,} → {getattr(figures, what):,}"
            old, new = then.get("ratio"), figures.ratio
            if old is not None and new is not None and new > old * SLOWER and new > old + NOISE:
                yield f"{mode}, {name}: {old:.2f} → {new:.2f} times plain"


def main() -> int:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    held = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    wanted = ["counts"] if options.counts else ["counts", "ratios"]
    bad: list[str] = []
    for kind in wanted:
        now = measured(2000, 0) if kind == "counts" else measured(options.rows, options.rounds)
        bad += worse(held.get(kind, {}), now)
        held[kind] = {mode: {n: asdict(f) for n, f in shapes.items()} for mode, shapes in now.items()}
        for mode, shapes in now.items():
            for name, one in shapes.items():
                ratio = f", {one.ratio:5.2f} times plain" if one.ratio else ""
                print(f"{mode:14} {name:15} {one.statements:3} statements, {one.rows:9,} rows{ratio}")
    if options.write:
        BASELINE.write_text(json.dumps(held, indent=1, sort_keys=True) + "\n")
        return 0
    print("\n".join(bad) or "nothing has grown")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
