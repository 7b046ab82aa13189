"""What capture costs on TPC-H: every model by plain dbt-duckdb and by cdme, in turns.

Usage: ``python -m bench.tpch_cost [--scale 1] [--rounds 3] [--modes full off] [--select q01 w1_filter]
[--publish]``. Each round runs every target on a fresh copy of the loaded data, and the merge once
more; the first round only warms up. For each model: medians of dbt's own ``execution_time``, the
ratio, the *floor* (plain DuckDB writes the same class codes and pairs and counts each input by its
class) and how many floors the difference is. ``--publish`` writes docs/benchmark.md and its plot.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "bench" / "data"
PROJECT = ROOT / "bench" / "tpch"
BINARIES = Path(sys.executable).parent
TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
WRITE_HEAVY = ("w1_filter", "w2_enrichment", "w3_dedup", "w5_merge")
MERGED = "w5_merge"


@dataclass
class Figures:
    """What was measured: seconds by model and target, and the rest once for each target."""

    models: dict[str, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(dict))
    whole: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    memory: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    size: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    floors: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    stored: dict[str, float] = field(default_factory=dict)

    def add(self, model: str, target: str, seconds: float) -> None:
        """One more time of a model."""
        self.models[model].setdefault(target, []).append(seconds)

    def median(self, model: str, target: str) -> float:
        """The median time of a model, in seconds."""
        return statistics.median(self.models[model][target])

    def floor(self, model: str) -> float:
        """The median floor of a model, in seconds, never less than a millisecond."""
        return max(statistics.median(self.floors[model]), 0.001)


def load(scale: float) -> Path:
    """The sources at a scale, generated and loaded once."""
    folder = DATA / f"tpch_{scale:g}"
    database = folder / "loaded.duckdb"
    if database.exists():
        return database
    command = [str(BINARIES / "tpchgen-cli"), "parquet", f"-s{scale}", f"--output-dir={folder}"]
    subprocess.run(command, check=True)
    with duckdb.connect(str(database)) as con:
        con.execute("CREATE SCHEMA tpch")
        for name in TABLES:
            con.execute(f"CREATE TABLE tpch.{name} AS FROM '{folder / name}.parquet'")
    return database


def dbt(target: str, mode: str, database: Path, select: list[str]) -> tuple[float, float, dict[str, float]]:
    """Run the models; seconds of the whole command, its peak memory in MiB, seconds by model."""
    output = database.parent / f"target_{mode}"
    env = {**os.environ, "BENCH_DB": str(database), "DBT_TARGET_PATH": str(output),
           "DBT_LOG_PATH": str(output), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}  # fmt: skip
    command = [str(BINARIES / "dbt"), "--quiet", "run", "--target", target]
    if target == "cdme":
        command += ["--vars", json.dumps({"cdme": {"lineage_mode": mode}})]
    command += ["--select", *select] if select else []
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=PROJECT, env=env)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit(f"dbt run failed under {target} ({mode})")
    results = json.loads((output / "run_results.json").read_text())["results"]
    models = {r["unique_id"].rpartition(".")[2]: r["execution_time"] for r in results}
    return seconds, usage.ru_maxrss / 1024, models


def measure(mode: str, raw: Path, select: list[str], figures: Figures) -> Path:
    """One round of one target, from a fresh copy of the data."""
    database = raw.parent / f"work_{mode}.duckdb"
    shutil.copy(raw, database)
    target = "plain" if mode == "plain" else "cdme"
    seconds, memory, models = dbt(target, mode, database, select)
    figures.whole[mode].append(seconds)
    figures.memory[mode].append(memory)
    figures.size[mode].append(database.stat().st_size / 2**20)
    for name, took in models.items():
        figures.add(name if name != MERGED else "w5_first", mode, took)
    if MERGED in models:
        figures.add(MERGED, mode, dbt(target, mode, database, [MERGED])[2][MERGED])
    return database


def floors(database: Path, figures: Figures) -> None:
    """What plain DuckDB takes to write what was stored of each model, and to count by class."""
    with duckdb.connect(str(database)) as con:
        models = con.execute("SELECT relation, generation FROM cdme.store_current").fetchall()
        for relation, generation in models:
            name = str(relation).rpartition(".")[2]
            edges = con.execute(
                "SELECT edge FROM cdme.store_edges WHERE output_generation = ?", [generation]
            ).fetchall()
            seconds = 0.0
            for (edge,) in edges:
                maps = f"SELECT map FROM cdme.store_steps WHERE edge = {edge}"
                seconds += _timed(
                    con, f"CREATE TABLE main.f AS SELECT o, i FROM cdme.store_pairs WHERE map IN ({maps})"
                )
                codes = f"FROM cdme.store_losses WHERE edge = {edge}"
                seconds += _timed(
                    con,
                    f"CREATE TABLE main.f AS SELECT i, (reason * 8 + verdict)::UTINYINT AS class {codes}",
                )
                seconds += _timed(
                    con, f"CREATE TABLE main.f AS SELECT reason, verdict, count(*) {codes} GROUP BY ALL"
                )
            figures.floors[name].append(seconds)


def _timed(con: duckdb.DuckDBPyConnection, statement: str) -> float:
    """The seconds that a CREATE TABLE main.f takes to be committed."""
    started = time.perf_counter()
    con.execute(statement)
    seconds = time.perf_counter() - started
    con.execute("DROP TABLE main.f")
    return seconds


def stored(database: Path, figures: Figures) -> None:
    """Bytes for each stored pair and for each input row that is accounted for."""
    with duckdb.connect(str(database), read_only=True) as con:

        def size(*tables: str) -> int:
            blocks = " UNION ".join(
                f"SELECT block_id FROM pragma_storage_info('cdme.{table}') WHERE block_id >= 0"
                for table in tables
            )
            return int(con.execute(f"SELECT count(*) * 262144 FROM ({blocks})").fetchone()[0])  # type: ignore[index]

        pairs = con.execute("SELECT count(*) FROM cdme.store_pairs").fetchone()[0]  # type: ignore[index]
        rows = con.execute("SELECT sum(input_count) FROM cdme.ledger WHERE role = 'direct'").fetchone()[0]  # type: ignore[index]
        figures.stored["bytes per stored pair"] = size("store_pairs") / max(pairs, 1)
        figures.stored["bytes per input row's class"] = size("store_filtered", "store_filtered_bits") / max(
            rows or 0, 1
        )
        figures.stored["stored pairs"] = pairs
        figures.stored["input rows accounted for"] = rows or 0


def geometric(values: list[float]) -> float:
    """The geometric mean."""
    return math.exp(statistics.mean(math.log(value) for value in values)) if values else float("nan")


def report(figures: Figures, mode: str) -> str:
    """The table of one mode, as Markdown."""
    lines = [
        "| model | plain, ms | cdme, ms | ratio | floor, ms | (cdme - plain) / floor |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    ratios, over, heavy = [], [], []
    for name in sorted(figures.models):
        plain, cdme = figures.median(name, "plain"), figures.median(name, mode)
        ratios.append(cdme / plain)
        if name in WRITE_HEAVY:
            heavy.append(cdme / plain)
        shown = "| |"
        if mode == "full" and name in figures.floors:
            floor = figures.floor(name)
            over.append(max(cdme - plain, 0.0001) / floor)
            shown = f"| {floor * 1000:,.0f} | {over[-1]:.1f} |"
        lines.append(f"| {name} | {plain * 1000:,.0f} | {cdme * 1000:,.0f} | ×{cdme / plain:.2f} {shown}")
    facts = {
        "ratio, geometric mean over all": f"×{geometric(ratios):.2f}",
        "ratio, geometric mean of the write-heavy models": f"×{geometric(heavy):.2f}",
        **({"(cdme - plain) / floor, geometric mean": f"{geometric(over):.1f}"} if over else {}),
        "whole command": _both(figures.whole, mode, "s"),
        "peak memory": _both(figures.memory, mode, "MiB"),
        "database": _both(figures.size, mode, "MiB"),
        **({name: f"{value:,.2f}" for name, value in figures.stored.items()} if mode == "full" else {}),
    }
    return "\n".join([*lines, "", *(f"* {name}: {value}" for name, value in facts.items())])


def _both(values: dict[str, list[float]], mode: str, unit: str) -> str:
    plain, cdme = statistics.median(values["plain"]), statistics.median(values[mode])
    return f"{cdme:,.1f} {unit} against {plain:,.1f} {unit}, ×{cdme / plain:.2f}"


def plot(figures: Figures, mode: str, file: Path) -> None:
    """The ratios as horizontal bars."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    names = sorted(figures.models, reverse=True)
    ratios = [figures.median(n, mode) / figures.median(n, "plain") for n in names]
    figure, axes = pyplot.subplots(figsize=(7, 0.26 * len(names) + 1))
    axes.barh(names, ratios, color="#3b6ea5")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlabel(f"execution time against plain dbt-duckdb, lineage_mode {mode} (log)")
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    """Measure, print, and publish where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count")
    parser.add_argument("--modes", nargs="+", default=["full", "key_derivable", "summary", "off"])
    parser.add_argument("--select", nargs="*", default=[])
    parser.add_argument("--publish", action="store_true", help="write docs/benchmark.md and its plot")
    options = parser.parse_args()
    raw, figures = load(options.scale), Figures()
    targets = ["plain", *options.modes]
    for number in range(options.rounds + 1):
        if number == 1:
            figures = Figures()
        for mode in targets if number % 2 else reversed(targets):
            database = measure(mode, raw, options.select, figures)
            if mode == "full":
                floors(database, figures)
                stored(database, figures)
        print(f"round {number} of {options.rounds}", file=sys.stderr, flush=True)
    versions = ", ".join(f"{name} {version(name)}" for name in ("dbt-core", "dbt-duckdb", "duckdb"))
    head = (
        f"TPC-H, scale {options.scale:g}, {os.cpu_count()} cores, one thread of dbt, median of "
        f"{options.rounds} interleaved rounds; {versions}."
    )
    tables = [f"## lineage_mode: {mode}\n\n{report(figures, mode)}" for mode in options.modes]
    text = "\n\n".join([head, *tables])
    print(text)
    if options.publish:
        docs = ROOT / "docs"
        intro = "# What capture costs\n\nMade by `make bench-tpch` (bench/tpch_cost.py); do not edit.\n\n"
        picture = "![ratios by model](benchmark.svg)\n\n"
        (docs / "benchmark.md").write_text(f"{intro}{picture}{text}\n")
        plot(figures, options.modes[0], docs / "benchmark.svg")


if __name__ == "__main__":
    main()
