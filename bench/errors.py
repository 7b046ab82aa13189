"""What refinements cost: one model with capture alone, and with refinements that 0.1 % of its rows fail.

``python -m bench.errors [--rows 6000000] [--times 3]`` builds both in turn on one database and compares
the best times of their models, as dbt reports them. Exits 1 where refinements cost more than 15 %.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import duckdb
import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

MOST = 1.15
SQL = "select id, k, amt, nm, q, amt * 2 as doubled from {{ source('raw', 'big') }} where k < 990"
REFINE = [{"name": "amount", "expression": "amt >= 0"}, {"name": "quality", "expression": "q is not null"}]


def project(root: Path, rows: int) -> None:
    """Write the project and its source table: one row in a thousand has no quality."""
    with duckdb.connect(str(root / "bench.duckdb")) as con:
        con.execute(
            "CREATE SCHEMA raw; CREATE TABLE raw.big AS SELECT i AS id, i % 1000 AS k,"
            " i * 7 % 10007 AS amt,"
            " 'name' || (i % 5000) AS nm, CASE WHEN hash(i) % 1000 <> 0 THEN i % 97 END AS q"
            f" FROM range({rows}) AS t(i)"
        )
    output = {"type": "cdme", "path": str(root / "bench.duckdb"), "schema": "main", "threads": 1}
    profile = {"bench": {"target": "dev", "outputs": {"dev": output}}}
    (root / "profiles.yml").write_text(yaml.safe_dump(profile))
    (root / "dbt_project.yml").write_text(
        yaml.safe_dump({"name": "bench", "version": "1.0", "profile": "bench", "config-version": 2})
    )
    models = root / "models"
    models.mkdir()
    (models / "alone.sql").write_text("{{ config(materialized='table') }}\n" + SQL)
    block = "{'cdme': {'refine': " + repr(REFINE) + "}}"
    (models / "refined.sql").write_text(f"{{{{ config(materialized='table', meta={block}) }}}}\n{SQL}")
    (models / "s.yml").write_text("{version: 2, sources: [{name: raw, tables: [{name: big}]}]}")


def seconds(root: Path, model: str) -> float:
    """Build a model and return what dbt says that it took."""
    folder = str(root)
    done = dbtRunner().invoke(
        ["--quiet", "run", "--select", model, "--project-dir", folder, "--profiles-dir", folder]
    )
    DuckDBConnectionManager.close_all_connections()
    if not done.success:
        raise SystemExit(f"{model} failed: {done.exception or done.result}")
    results = json.loads((root / "target" / "run_results.json").read_text())["results"]
    return float(results[0]["execution_time"])


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=6_000_000)
    parser.add_argument("--times", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        project(root, given.rows)
        best = {"alone": float("inf"), "refined": float("inf")}
        for _ in range(given.times):
            for name in best:
                best[name] = min(best[name], seconds(root, name))
        with duckdb.connect(str(root / "bench.duckdb")) as con:
            count = con.execute("SELECT count(*) FROM cdme.store_rejects").fetchall()[0][0]
    ratio = best["refined"] / best["alone"]
    print(
        f"{given.rows:,} rows, {count:,} rejected: capture alone {best['alone']:.2f} s,"
        f" with refinements {best['refined']:.2f} s, ratio {ratio:.2f} (at most {MOST})"
    )
    return int(ratio > MOST)


if __name__ == "__main__":
    sys.exit(main())
