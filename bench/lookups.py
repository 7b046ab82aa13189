"""How long a question about one record takes where its witnesses are derived (``key_derivable``).

Usage: ``python -m bench.lookups``, after a run of ``bench.tpch_cost`` in that mode. The first question
about a model in a process derives the model; the next ones read what was derived.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from bench.figures import Figures
from bench.tpch_cost import DATA
from cdme_adapter.lineage.opening import open_questions

MODELS = ("q01", "q03", "q06", "q13", "w1_filter", "w2_enrichment", "w4_customers")
NEXT = 5


def look_up(folder: Path, figures: Figures, models: tuple[str, ...] = MODELS) -> None:
    """Ask for the witnesses of some records of each model."""
    database, manifest = (
        folder / "work_key_derivable.duckdb",
        folder / "target_key_derivable" / "manifest.json",
    )
    for model in models:
        with open_questions(database=str(database), manifest=str(manifest)) as questions:
            rows = questions.con.execute(f'SELECT count(*) FROM main."{model}"').fetchall()[0][0]
            for number in range(NEXT + 1):
                started = time.perf_counter()
                answer = questions.trace(model, f"rowid = {number * 7919 % rows}", fetch=False)
                took = time.perf_counter() - started
                if not answer["records"][0]["witnesses"]:
                    raise SystemExit(f"{model}: the question found no witnesses")
                figures.add("look-up", model, "next" if number else "first", took)


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    options = parser.parse_args()
    figures = Figures()
    look_up(DATA / f"tpch_{options.scale:g}", figures, tuple(options.models))
    for model in figures.of("look-up"):
        first, later = (figures.median("look-up", model, how) * 1000 for how in ("first", "next"))
        print(f"{model:14} first {first:8,.1f} ms, next {later:6.1f} ms")


if __name__ == "__main__":
    main()
