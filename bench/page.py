"""docs/benchmark.md and its plot, made of the figures that ``bench.whole`` kept."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

from bench import thousand
from bench.figures import Figures
from bench.tables import WHOLE, models, over, ratio, stands
from bench.targets import targets

DOCS = Path(__file__).resolve().parent.parent / "docs"
COLORS = {"full": "#1f4e79", "key_derivable": "#3a9d8f", "summary": "#e0a030", "off": "#999999"}
INTRO = """# What capture costs

Made by `make bench PUBLISH=--publish`; do not edit.

The 22 queries of TPC-H as dbt models, and five that write much: a wide filter over the line items
(`w1`), an enrichment of all of them with three inputs (`w2`), a dedup by `row_number` (`w3`), a group for
each customer over all line items (`w4`), an incremental model (`w5_first` writes everything, `w5_merge`
merges a tenth of it again). Plain dbt-duckdb and `type: cdme` in each mode run in turns, each on a fresh
copy of the data, with everything that CDME does by default: validation, witnesses, every lost record with
its reason, counts, fingerprints of what was read and written, the gate.

Wall seconds tell what a user waits for, CPU seconds (all threads of the process) what was done: they are
told for each model between dbt's start and end of it. On a machine that others use too, trust the latter.

The *floor* of a model is what plain DuckDB takes, in the same run, to write the class codes and the
witness pairs that CDME stored, from temporary tables that have them ready, and to count each direct input
by its class. The class expressions are written by hand (`bench/tpch/classes`), as one would write them
without CDME, and may read the finished table; every run checks that they give the ledger's counts. It is
about the least that a full account of every record can cost ([decision 0047](decisions/0047-the-floor.md)).
"""
TARGETS = """
*The floor alone* is what the figure would be if CDME took exactly the floor (in `key_derivable`: the counts
by class alone) on top of plain, in CPU time: where that is above the target, the target is beyond what a
full account can reach on this data.
"""
GOES = """
CPU milliseconds for each model, the mean of its class, `lineage_mode: full`. *Model's query* is the
statement that makes the table, with its hidden columns, and the stages that it was cut into; *class codes*
find who was lost to which clause; *generations and keys* are the fingerprints of inputs and outputs and
declared keys; *Python* is dbt and what CDME does outside of statements. `python -m bench.where_time_goes`.
"""


def page(
    figures: Figures,
    rounds: int,
    scale: float,
    tiny: Figures | None = None,
    large: Figures | None = None,
    limited: str = "",
    goes: str = "",
) -> str:
    """The page."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("dbt-core", "dbt-duckdb", "duckdb"))
    parts = [
        INTRO,
        f"TPC-H, scale {scale:g}, {os.cpu_count()} cores, one thread of dbt, median of {rounds} "
        f"interleaved rounds; {versions}.\n\n![what capture costs, by model](benchmark.svg)\n",
        "## How the targets stand\n" + TARGETS,
        "| | target | wall | CPU | the floor alone | |\n|---|---:|---:|---:|---:|---|\n"
        + "\n".join(target.row for target in targets(figures, tiny, large)) + "\n",
    ]  # fmt: skip
    if limited:
        parts.append(f"## With a memory limit\n\n{limited}\n")
    if tiny is not None:
        parts.append(f"## A project of 1,000 tiny models\n\n{_tiny(tiny)}\n")
    if goes:
        parts.append(f"## Where the time goes\n{GOES}\n{goes}\n")
    if figures.of("look-up"):
        parts.append(f"## Questions where witnesses are derived\n\n{_asked(figures)}\n")
    for mode in figures.how("wall", WHOLE):
        if mode != "plain":
            parts.append(f"## lineage_mode: {mode}\n\nWall milliseconds on the left, CPU on the right.\n")
            parts.append(f"{stands(figures, mode)}\n")
    return "\n".join(parts)


def _tiny(tiny: Figures) -> str:
    """The whole ``dbt run`` of many tiny models."""
    lines = ["| | plain, s | cdme, s | ratio | plain CPU, s | cdme CPU, s | ratio |", "|---|" + "---:|" * 6]
    for of in (thousand.COLD, thousand.WARM):
        cells = []
        for clock in ("wall", "cpu"):
            cells += [f"{tiny.median(clock, of, how):,.1f}" for how in ("plain", "cdme")]
            cells.append(f"×{thousand.times(tiny, clock, of):.2f}")
        lines.append(f"| {of} | " + " | ".join(cells) + " |")
    return "\n".join(
        [
            *lines,
            "",
            "Cold: the target folder is empty; warm: compiled texts, verdicts and plans are remembered.",
            f"The database has {thousand.growth(tiny):,.0f} MiB more.",
        ]
    )


def _asked(figures: Figures) -> str:
    """What a question about one record takes in ``key_derivable``."""
    lines = ["| model | first question in a process, ms | the next ones, ms |", "|---|---:|---:|"]
    for model in figures.of("look-up"):
        first, later = (figures.median("look-up", model, how) * 1000 for how in ("first", "next"))
        lines.append(f"| {model} | {first:,.0f} | {later:,.0f} |")
    return "\n".join(
        [
            "`cdme trace` of one record, `lineage_mode: key_derivable`; the first derives the model.",
            "",
            *lines,
        ]
    )


def plot(figures: Figures, file: Path) -> None:
    """Ratios by mode, and the difference of ``full`` in floors."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "cdme"
    from matplotlib import pyplot

    names = models(figures)[::-1]
    figure, (left, right) = pyplot.subplots(1, 2, sharey=True, figsize=(10, 0.26 * len(names) + 1.2))
    for mode, color in (
        ("full", "#1f4e79"),
        ("key_derivable", "#3a9d8f"),
        ("summary", "#e0a030"),
        ("off", "#999"),
    ):
        if mode in figures.how("cpu", WHOLE):
            left.plot([ratio(figures, "cpu", n, mode) for n in names], names, "o", label=mode, color=color)
    left.axvline(1, color="black", linewidth=0.8)
    left.set_xscale("log")
    left.set_xlabel("CPU time against plain dbt-duckdb (log)")
    left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False)
    left.grid(axis="y", linewidth=0.3)
    if "full" in figures.how("cpu", WHOLE):
        right.barh(names, [over(figures, "cpu", n, "full") for n in names], color="#1f4e79")
        for most in (1.5, 3):
            right.axvline(most, color="#b03030", linewidth=0.8, linestyle="--")
        right.set_xlabel("full: (CPU time − plain) / floor; dashed: 1.5 and 3")
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def publish(text: str, figures: Figures) -> None:
    """Write the page and the plot."""
    (DOCS / "benchmark.md").write_text(text)
    plot(figures, DOCS / "benchmark.svg")
