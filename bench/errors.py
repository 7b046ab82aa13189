"""What refinements cost: one model with capture alone, and with refinements that 0.1 % of its rows fail.

``python -m bench.errors [--rows 6000000] [--times 3]`` builds both in turn on one database and compares
the CPU time of the two commands, less that of building next to nothing: of each the best. CPU time (of
all threads, from the operating system) says the same on a busy machine; wall times are printed beside it.
Exits 1 where refinements cost more than 15 %. A model with a join is measured too, and not judged: its
result is copied before it is judged, where a query row by row is repeated.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from pathlib import Path

import duckdb
import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

MOST = 1.15
PAIRS = (("alone", "refined"), ("joined_alone", "joined_refined"))
NAMES = ("nothing", *(name for pair in PAIRS for name in pair))
COLUMNS = "id, b.k, amt, nm, q, amt * 2 as doubled"
SQL = f"select {COLUMNS} from {{{{ source('raw', 'big') }}}} as b where b.k < 990"
JOIN = f"{SQL.replace('doubled', 'doubled, word')}".replace(
    " where", " join {{ source('raw', 'words') }} as w on w.k = b.k where"
)
REFINE = [{"name": "amount", "expression": "amt >= 0"}, {"name": "quality", "expression": "q is not null"}]


def project(root: Path, rows: int) -> None:
    """Write the project and its source table: one row in a thousand has no quality."""
    with duckdb.connect(str(root / "bench.duckdb")) as con:
        con.execute(
            "CREATE SCHEMA raw; CREATE TABLE raw.big AS SELECT i AS id, i % 1000 AS k,"
            " i * 7 % 10007 AS amt,"
            " 'name' || (i % 5000) AS nm, CASE WHEN hash(i) % 1000 <> 0 THEN i % 97 END AS q"
            f" FROM range({rows}) AS t(i); CREATE TABLE raw.words AS SELECT range AS k,"
            " 'word' || range AS word FROM range(1000)"
        )
    output = {"type": "cdme", "path": str(root / "bench.duckdb"), "schema": "main", "threads": 1}
    profile = {"bench": {"target": "dev", "outputs": {"dev": output}}}
    (root / "profiles.yml").write_text(yaml.safe_dump(profile))
    (root / "dbt_project.yml").write_text(
        yaml.safe_dump({"name": "bench", "version": "1.0", "profile": "bench", "config-version": 2})
    )
    models = root / "models"
    models.mkdir()
    table = "{{ config(materialized='table') }}\n"
    block = "{'cdme': {'refine': " + repr(REFINE) + "}}"
    refined = f"{{{{ config(materialized='table', meta={block}) }}}}\n"
    files = {"nothing": f"{table}select 1 as one", "alone": table + SQL, "refined": refined + SQL,
             "joined_alone": table + JOIN, "joined_refined": refined + JOIN}  # fmt: skip
    for name, text in files.items():
        (models / f"{name}.sql").write_text(text)
    (models / "s.yml").write_text(
        "{version: 2, sources: [{name: raw, tables: [{name: big}, {name: words}]}]}"
    )


def cpu() -> float:
    """The CPU seconds of this process until now, of all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def seconds(root: Path, model: str) -> tuple[float, float]:
    """Build a model; the CPU seconds of the command, and the seconds that dbt says the model took."""
    folder, before = str(root), cpu()
    done = dbtRunner().invoke(
        ["--quiet", "run", "--select", model, "--project-dir", folder, "--profiles-dir", folder]
    )
    DuckDBConnectionManager.close_all_connections()
    if not done.success:
        raise SystemExit(f"{model} failed: {done.exception or done.result}")
    results = json.loads((root / "target" / "run_results.json").read_text())["results"]
    return cpu() - before, float(results[0]["execution_time"])


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=6_000_000)
    parser.add_argument("--times", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        project(root, given.rows)
        best: dict[str, tuple[float, float]] = {}
        for turn in range(given.times + 1):
            for name in NAMES:
                taken = seconds(root, name)
                if turn:  # the first one warms up
                    known = best.get(name, taken)
                    best[name] = min(known[0], taken[0]), min(known[1], taken[1])
        with duckdb.connect(str(root / "bench.duckdb")) as con:
            where = "model = 'model.bench.refined' AND resolved_run_id IS NULL"
            count = con.execute(f"SELECT count(*) FROM cdme.store_rejects WHERE {where}").fetchall()[0][0]
    print(f"{given.rows:,} rows, {count:,} rejected; nothing {best['nothing'][0]:.2f} s of CPU")
    ratios = [_ratio(best, alone, refined) for alone, refined in PAIRS]
    print(f"judged: {ratios[0]:.2f}, at most {MOST}")
    return int(ratios[0] > MOST)


def _ratio(best: dict[str, tuple[float, float]], alone: str, refined: str) -> float:
    """The CPU time with refinements over that without, both less the time of building nothing."""
    (one, wall), (two, other), base = best[alone], best[refined], best["nothing"][0]
    ratio = (two - base) / (one - base)
    print(
        f"{alone} {one:.2f} s of CPU ({wall:.2f} s wall), {refined} {two:.2f} s ({other:.2f} s wall):"
        f" ratio {ratio:.2f} ({other / wall:.2f} by wall time)"
    )
    return ratio


if __name__ == "__main__":
    sys.exit(main())
