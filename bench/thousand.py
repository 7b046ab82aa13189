"""A project of many tiny models: what a whole ``dbt run`` costs by plain dbt-duckdb and by cdme, in turns.

Usage: ``python -m bench.thousand [--models 1000] [--rounds 3] [--check]``. Each round runs both on a
fresh copy of the loaded source; what cdme remembers between runs (compiled texts, verdicts, plans) lies in
its target folder: the first, cold, round has an empty one and is reported apart. CPU seconds of the whole
process (user and system), wall seconds and the growth of the database. ``--check`` exits 1 beyond the
targets of issue 4: 1.15 times plain when warm, 60 MB.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import duckdb

from bench.figures import Figures
from bench.runs import ROOT, TIMED, Ran, run_dbt

DATA = ROOT / "bench" / "data"
ROWS = 50
MOST, GROWTH = 1.15, 60.0
COLD, WARM = "cold", "warm"


def project(models: int) -> Path:
    """The project: layers of filters, joins and groups over one source, each reading an earlier one."""
    folder = DATA / f"thousand_{models}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "models").mkdir(parents=True)
    for number in range(models):
        (folder / "models" / f"m{number}.sql").write_text(_model(number))
    (folder / "models" / "sources.yml").write_text(
        "version: 2\nsources:\n  - {name: raw, schema: main, tables: [{name: events}]}\n"
    )
    (folder / "dbt_project.yml").write_text(
        "name: thousand\nversion: '1.0'\nprofile: thousand\nmodels: {+materialized: table}\n"
        "flags: {send_anonymous_usage_stats: false}\n"
    )
    (folder / "profiles.yml").write_text(
        "thousand:\n  target: plain\n  outputs:\n" + "".join(
            f"    {name}: {{type: {kind}, path: \"{{{{ env_var('BENCH_DB') }}}}\", threads: 1}}\n"
            for name, kind in (("plain", "duckdb"), ("cdme", "cdme"))
        )
    )  # fmt: skip
    with duckdb.connect(str(folder / "loaded.duckdb")) as con:
        con.execute(
            "CREATE TABLE events AS SELECT i AS id, i % 7 AS kind, i * 10 AS amount"
            f" FROM range({ROWS}) r(i)"
        )
    return folder


def _model(number: int) -> str:
    source = "{{ source('raw', 'events') }}"
    parent = f"{{{{ ref('m{(number - 1) // 2}') }}}}" if number else source
    shapes = (
        f"select id, kind, amount from {parent} where amount >= {number % 5}",
        f"select p.id, p.kind, e.amount from {parent} as p join {source} as e on e.id = p.id",
        f"select min(id) as id, kind, sum(amount) as amount from {parent} group by kind",
        f"select id, kind, amount + {number} as amount from {parent}",
    )
    return shapes[number % 4]


def run(folder: Path, target: str, module: str = TIMED) -> tuple[Ran, float]:
    """One run on a fresh copy of the data, and the database's size in MiB after it."""
    database = folder / f"work_{target}.duckdb"
    shutil.copy(folder / "loaded.duckdb", database)
    arguments, output = ["--target", target], folder / f"target_{target}"
    ran = run_dbt(folder, output, arguments, {"BENCH_DB": str(database)}, module)
    with duckdb.connect(str(database)) as con:
        con.execute("CHECKPOINT")
    return ran, database.stat().st_size / 2**20


def measured(models: int, rounds: int) -> Figures:
    """The figures of a cold round and some warm ones: of what is called ``cold`` and ``warm``."""
    folder, figures = project(models), Figures()
    for number in range(rounds + 1):
        of = WARM if number else COLD
        for target in ("plain", "cdme"):
            ran, size = run(folder, target)
            for what, value in (("wall", ran.wall), ("cpu", ran.cpu), ("memory", ran.memory),
                                ("database", size)):  # fmt: skip
                figures.add(what, of, target, value)
            print(f"{models} models, {of} {target:5} CPU {ran.cpu:6.1f} s, wall {ran.wall:6.1f} s, "
                  f"{size:6.1f} MiB", file=sys.stderr, flush=True)  # fmt: skip
    return figures


def times(figures: Figures, what: str, of: str) -> float:
    """How many times plain a run takes."""
    return figures.median(what, of, "cdme") / figures.median(what, of, "plain")


def growth(figures: Figures) -> float:
    """How many MiB more the database has than plain's."""
    return figures.median("database", WARM, "cdme") - figures.median("database", WARM, "plain")


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    figures = measured(options.models, options.rounds)
    warm, grown = times(figures, "cpu", WARM), growth(figures)
    print(f"cold {times(figures, 'cpu', COLD):.2f} times plain in CPU; warm {warm:.2f} in CPU, "
          f"{times(figures, 'wall', WARM):.2f} in wall; {grown:.1f} MiB more on disk")  # fmt: skip
    return int(options.check and (warm > MOST or grown > GROWTH))


if __name__ == "__main__":
    sys.exit(main())
