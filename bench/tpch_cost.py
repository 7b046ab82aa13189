"""What capture costs on TPC-H: every model by plain dbt-duckdb and by cdme, in turns.

Usage: ``python -m bench.tpch_cost [--scale 1] [--rounds 3] [--modes full off] [--select q01 w1_filter]
[--memory-limit 2GB] [--keep FILE]``. Each round runs every target on a fresh copy of the loaded data, and
the merge once more; the first round only warms up. For each model: medians of the wall and the CPU seconds
between its start and its end, the ratios, the *floor* (``bench/floors.py``) and how many floors the
difference is. ``--keep`` writes every value to a file.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb

from bench import floors
from bench.figures import Figures
from bench.runs import ROOT, TIMED, Ran, run_dbt
from bench.tables import WHOLE, stands

DATA = ROOT / "bench" / "data"
PROJECT = ROOT / "bench" / "tpch"
TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
MODES = ("full", "key_derivable", "summary", "off")
MERGED, FIRST = "w5_merge", "w5_first"
"""The model that is run twice, and what its first run is called."""
BLOCK = 262_144
"""Bytes of a block of DuckDB's; several segments share one."""


def load(scale: float) -> Path:
    """The sources at a scale, generated and loaded once."""
    folder = DATA / f"tpch_{scale:g}"
    database = folder / "loaded.duckdb"
    if database.exists():
        return database
    generate = str(Path(sys.executable).parent / "tpchgen-cli")
    subprocess.run([generate, "parquet", f"-s{scale}", f"--output-dir={folder}"], check=True)
    with duckdb.connect(str(database)) as con:
        con.execute("CREATE SCHEMA tpch")
        for name in TABLES:
            con.execute(f"CREATE TABLE tpch.{name} AS FROM '{folder / name}.parquet'")
    return database


def dbt(mode: str, database: Path, select: list[str], memory_limit: str = "", module: str = TIMED) -> Ran:
    """Run the models in a process of their own."""
    arguments = ["--target", "plain" if mode == "plain" else "cdme"]
    if mode != "plain":
        arguments += ["--vars", json.dumps({"cdme": {"lineage_mode": mode}})]
    arguments += ["--select", *select] if select else []
    given = {"BENCH_DB": str(database), "BENCH_MEMORY_LIMIT": memory_limit or "80%"}
    return run_dbt(PROJECT, database.parent / f"target_{mode}", arguments, given, module)


@dataclass
class Benchmark:
    """The rounds over one copy of the data each, and what they measured."""

    raw: Path
    select: list[str]
    memory_limit: str
    figures: Figures

    @property
    def parts(self) -> Path:
        """Where what the floors write lies, once it was made."""
        return self.raw.parent / "floor_parts.duckdb"

    def round(self, modes: list[str], prepare: bool) -> None:
        """One round of every target; ``prepare``: what the floors write is made as well."""
        for mode in modes:
            database = self.raw.parent / f"work_{mode}.duckdb"
            shutil.copy(self.raw, database)
            ran = dbt(mode, database, self.select, self.memory_limit)
            self._add(WHOLE, mode, ran.wall, ran.cpu)
            self.figures.add("memory", WHOLE, mode, ran.memory)
            for name, took in ran.models.items():
                self._add(FIRST if name == MERGED else name, mode, took["wall"], took["cpu"])
            full = mode == "full"
            if full and prepare:
                self.parts.unlink(missing_ok=True)
                self._prepare(database, {FIRST if n == MERGED else n: n for n in ran.models})
            if MERGED in ran.models:
                took = dbt(mode, database, [MERGED], self.memory_limit).models[MERGED]
                self._add(MERGED, mode, took["wall"], took["cpu"])
                if full and prepare:
                    self._prepare(database, {MERGED: MERGED})
            self.figures.add("database", WHOLE, mode, database.stat().st_size / 2**20)
            if full:
                names = [
                    *(n for n in ran.models if n != MERGED),
                    *((FIRST, MERGED) if MERGED in ran.models else ()),
                ]
                stored(database, self.figures)
                self._floors(database, names)

    def _add(self, model: str, mode: str, wall: float, cpu: float) -> None:
        self.figures.add("wall", model, mode, wall)
        self.figures.add("cpu", model, mode, cpu)

    def _prepare(self, database: Path, names: dict[str, str]) -> None:
        with self.connect(database) as con:
            for name, model in names.items():
                floors.prepare(con, model, name)

    def _floors(self, database: Path, names: list[str]) -> None:
        with self.connect(database) as con:
            for name in names:
                floor = floors.measure(con, MERGED if name == FIRST else name, name)
                self._add(name, "floor", floor.wall, floor.cpu)
                self.figures.add("counts", name, "floor", floor.counts_cpu)

    def connect(self, database: Path) -> duckdb.DuckDBPyConnection:
        con = duckdb.connect(str(database))
        con.execute(f"ATTACH '{self.parts}' AS {floors.PARTS}")
        return con


def stored(database: Path, figures: Figures) -> None:
    """Bytes for each stored pair and for each input row that is accounted for."""
    with duckdb.connect(str(database), read_only=True) as con:

        def size(*tables: str) -> int:
            blocks = " UNION ALL ".join(
                f"SELECT block_id FROM pragma_storage_info('cdme.{table}') WHERE block_id >= 0"
                for table in tables
            )
            return (
                int(con.execute(f"SELECT count(DISTINCT block_id) FROM ({blocks})").fetchall()[0][0])
                * BLOCK
            )

        pairs = con.execute("SELECT count(*) FROM cdme.store_pairs").fetchall()[0][0]
        rows = con.execute("SELECT sum(input_count) FROM cdme.ledger WHERE role = 'direct'").fetchall()[0][
            0
        ]
        losses = size("store_filtered", "store_filtered_bits")
        figures.add("stored", "pairs", "full", pairs)
        figures.add("stored", "bytes per pair", "full", size("store_pairs") / max(pairs, 1))
        figures.add("stored", "input rows", "full", rows or 0)
        figures.add("stored", "bytes per input row", "full", losses / max(rows or 0, 1))


def measured(
    scale: float, rounds: int, modes: list[str], select: list[str], memory_limit: str = ""
) -> Figures:
    """The figures of some interleaved rounds."""
    benchmark = Benchmark(load(scale), select, memory_limit, Figures())
    targets = ["plain", *modes]
    for number in range(rounds + 1):
        if number <= 1:
            benchmark.figures = Figures()
        benchmark.round(targets if number % 2 else targets[::-1], prepare=number == 0)
        print(f"round {number} of {rounds}", file=sys.stderr, flush=True)
    return benchmark.figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count")
    parser.add_argument("--modes", nargs="+", default=list(MODES))
    parser.add_argument("--select", nargs="*", default=[])
    parser.add_argument("--memory-limit", default="", help="of DuckDB, as 2GB")
    parser.add_argument("--keep", type=Path, help="write every value to this file")
    options = parser.parse_args()
    figures = measured(options.scale, options.rounds, options.modes, options.select, options.memory_limit)
    if options.keep:
        figures.save(options.keep)
    for mode in options.modes:
        print(f"\n## lineage_mode: {mode}\n\n{stands(figures, mode)}")


if __name__ == "__main__":
    main()
