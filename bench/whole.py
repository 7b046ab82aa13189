"""The whole benchmark: all models, all modes, a memory limit, 1,000 tiny models, where the time goes.

Usage: ``python -m bench.whole [--scale 1] [--rounds 3] [--select q01] [--models 1000] [--memory-limit 2GB]
[--publish] [--again]``. What was measured is kept in ``bench/data/figures_<scale>.json``; ``--again`` makes
the page of what was kept. ``--publish`` writes docs/benchmark.md and its plot. At scale 10 only the models
are run: the page of scale 1, which has to be there, compares their ratios with its own.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import duckdb

from bench import thousand
from bench.figures import Figures
from bench.lookups import MODELS, look_up
from bench.page import page, publish
from bench.tpch_cost import DATA, MODES, dbt, load, measured
from bench.where_time_goes import profiled, table

LARGE = 10


def kept(name: str) -> Path:
    """Where figures are kept."""
    return DATA / f"figures_{name}.json"


def measure(scale: float, rounds: int, select: list[str], tiny_models: int, memory_limit: str) -> None:
    """Run everything and keep it; at the larger scale the models alone."""
    figures = measured(scale, rounds, list(MODES), select)
    file = kept(f"{scale:g}")
    figures.save(file)
    if scale == LARGE:
        return
    asked = tuple(model for model in MODELS if not select or model in select)
    look_up(DATA / f"tpch_{scale:g}", figures, asked)
    figures.save(file)
    file.with_suffix(".limited.md").write_text(limited(scale, select, memory_limit))
    file.with_suffix(".goes.md").write_text(table(*profiled(scale, select)))
    thousand.measured(tiny_models, max(rounds - 1, 1)).save(kept("tiny"))


def limited(scale: float, select: list[str], memory_limit: str) -> str:
    """The run with little memory, which has to end with every edge exact: its time and its peak."""
    raw = load(scale)
    said = []
    for mode in ("plain", "full"):
        database = raw.parent / f"work_{mode}.duckdb"
        shutil.copy(raw, database)
        ran = dbt(mode, database, select, memory_limit)
        took = f"{ran.wall:,.0f} s ({ran.cpu:,.0f} s of CPU)"
        said.append(f"{mode} took {took}, peak memory {ran.memory:,.0f} MiB")
    with duckdb.connect(str(database), read_only=True) as con:
        edges, exact = con.execute(
            "SELECT count(*), count(*) FILTER (exactness = 'exact' AND status = 'BALANCED')"
            " FROM cdme.ledger"
        ).fetchall()[0]
    return (
        f"All models with `memory_limit: {memory_limit}` ended without a failure, spilling to disk where "
        f"they had to, {exact} of {edges} edges exact and balanced: {'; '.join(said)}."
    )


def main() -> None:
    """Measure, print, and publish where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count")
    parser.add_argument("--select", nargs="*", default=[])
    parser.add_argument("--models", type=int, default=1000, help="of the project of tiny ones")
    parser.add_argument("--memory-limit", default="2GB")
    parser.add_argument("--publish", action="store_true", help="write docs/benchmark.md and its plot")
    parser.add_argument("--again", action="store_true", help="measure nothing, use what was kept")
    options = parser.parse_args()
    if not options.again:
        measure(options.scale, options.rounds, options.select, options.models, options.memory_limit)
    scale = 1.0 if options.scale == LARGE else options.scale
    file = kept(f"{scale:g}")
    figures, large = Figures.load(file), kept(f"{LARGE}")
    said, goes = (file.with_suffix(f".{name}.md").read_text() for name in ("limited", "goes"))
    text = page(
        figures, figures.count("wall"), scale, Figures.load(kept("tiny")),
        Figures.load(large) if scale == 1 and large.exists() else None, said, goes,
    )  # fmt: skip
    print(text)
    if options.publish:
        publish(text, figures)


if __name__ == "__main__":
    main()
