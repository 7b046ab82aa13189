"""A project of many tiny models: what a whole ``dbt run`` costs by plain dbt-duckdb and by cdme, in turns.

Usage: ``python -m bench.thousand [--models 1000] [--rounds 3] [--check]``. Each round runs both on a
fresh copy of the loaded source; what cdme remembers between runs (compiled texts, verdicts, plans) lies in
its target folder: the first, cold, round has an empty one and is reported apart. CPU seconds of the whole
process (user and system), wall seconds and the growth of the database. ``--check`` exits 1 beyond the
targets of issue 4: 1.15 times plain when warm, 60 MB.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "bench" / "data"
DBT = Path(sys.executable).parent / "dbt"
ROWS = 50
MOST, GROWTH = 1.15, 60.0


@dataclass(frozen=True)
class Round:
    """One run: CPU and wall seconds, and the database's size in MiB after it."""

    cpu: float
    wall: float
    size: float


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


def run(folder: Path, target: str, select: list[str]) -> Round:
    """One run on a fresh copy of the data."""
    database = folder / f"work_{target}.duckdb"
    shutil.copy(folder / "loaded.duckdb", database)
    output = folder / f"target_{target}"
    env = {**os.environ, "BENCH_DB": str(database), "DBT_TARGET_PATH": str(output),
           "DBT_LOG_PATH": str(output)}  # fmt: skip
    command = [str(DBT), "--quiet", "run", "--target", target, "--project-dir", str(folder),
               "--profiles-dir", str(folder), *select]  # fmt: skip
    started = time.perf_counter()
    process = subprocess.Popen(command, env=env)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if status:
        raise SystemExit(f"dbt run failed under {target}")
    with duckdb.connect(str(database)) as con:
        con.execute("CHECKPOINT")
    return Round(usage.ru_utime + usage.ru_stime, wall, database.stat().st_size / 2**20)


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    folder = project(options.models)
    rounds: dict[str, list[Round]] = {"plain": [], "cdme": []}
    for number in range(options.rounds + 1):
        for target, found in rounds.items():
            found.append(run(folder, target, []))
            one = found[-1]
            print(f"{number or 'cold':>4} {target:5} CPU {one.cpu:6.1f} s, "
                  f"wall {one.wall:6.1f} s, {one.size:6.1f} MiB", flush=True)  # fmt: skip
    cold = [found[0].cpu for found in rounds.values()]
    plain, cdme = (statistics.median(r.cpu for r in found[1:]) for found in rounds.values())
    walls = [statistics.median(r.wall for r in found[1:]) for found in rounds.values()]
    growth = rounds["cdme"][-1].size - rounds["plain"][-1].size
    print(f"cold {cold[1] / cold[0]:.2f} times plain in CPU; warm {cdme / plain:.2f} in CPU, "
          f"{walls[1] / walls[0]:.2f} in wall; {growth:.1f} MiB more on disk")  # fmt: skip
    return int(options.check and (cdme / plain > MOST or growth > GROWTH))


if __name__ == "__main__":
    sys.exit(main())
