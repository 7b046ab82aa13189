"""Where the time goes: the CPU seconds of capture by class of query and kind of statement.

Usage: ``python -m bench.where_time_goes [--scale 1] [--select q01 w1_filter]``. Runs the models of TPC-H
in ``lineage_mode: full``, and a small project of tiny ones, with every statement timed
(``bench/profiled_dbt.py``), and plain dbt-duckdb beside it.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench import thousand
from bench.profiled_dbt import KINDS
from bench.runs import PROFILED
from bench.tpch_cost import FIRST, MERGED, dbt, load

CLASSES = {
    "filter": ("w1_filter",),
    "enrichment": ("w2_enrichment",),
    "few groups over one input": ("q01", "q06"),
    "selective join and aggregate": ("q03", "q05", "q07", "q08", "q09", "q10", "q12", "q14", "q19"),
    "subqueries": ("q02", "q04", "q11", "q15", "q16", "q17", "q18", "q20", "q21", "q22"),
    "many groups": ("q13", "w4_customers"),
    "window": ("w3_dedup",),
    "merge": (FIRST, MERGED),
}
TINY = 60
"""How many tiny models are run."""
Took = Mapping[str, Mapping[str, Any]]


def profiled(scale: float, select: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the models took by cdme, by kind, and by plain; both with every statement watched."""
    raw = load(scale)
    found: list[dict[str, Any]] = []
    for mode in ("full", "plain"):
        database = raw.parent / f"work_{mode}.duckdb"
        shutil.copy(raw, database)
        models = dict(dbt(mode, database, select, module=PROFILED).models)
        if MERGED in models:
            models[FIRST] = models[MERGED]
            models[MERGED] = dbt(mode, database, [MERGED], module=PROFILED).models[MERGED]
        found.append(models)
    folder = thousand.project(TINY)
    for models, target in zip(found, ("cdme", "plain"), strict=True):
        for _ in range(2):  # the second time plans are remembered
            tiny = thousand.run(folder, target, PROFILED)[0].models
        models.update({f"tiny:{name}": one for name, one in tiny.items()})
    return found[0], found[1]


def table(cdme: Took, plain: Took) -> str:
    """Milliseconds for each model of a class, by kind, as Markdown."""
    head = ["class of query", "plain", "full", *KINDS]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    classes: dict[str, Sequence[str]] = {
        **CLASSES,
        "tiny models": [n for n in cdme if n.startswith("tiny:")],
    }
    for title, names in classes.items():
        there = [name for name in names if name in cdme]
        if not there:
            continue
        cells = [
            statistics.mean(plain[n]["cpu"] for n in there),
            statistics.mean(cdme[n]["cpu"] for n in there),
        ]
        cells += [statistics.mean(cdme[n]["kinds"][kind] for n in there) for kind in KINDS]
        lines.append(f"| {title} | " + " | ".join(f"{cell * 1000:,.0f}" for cell in cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Profile and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--select", nargs="*", default=[])
    options = parser.parse_args()
    print(table(*profiled(options.scale, options.select)))


if __name__ == "__main__":
    main()
