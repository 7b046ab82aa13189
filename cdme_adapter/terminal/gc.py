"""``cdme gc``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from cdme_adapter.terminal.options import Common, common_options
from cdme_adapter.terminal.output import emit
from cdme_adapter.terminal.tables import number, plural


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Say what would go, and leave everything as it is.")
@click.option("--keep-runs", type=click.IntRange(min=1), help="Instead of the project's keep_runs.")
@common_options
def command(common: Common, dry_run: bool, keep_runs: int | None) -> None:
    """Remove metadata that nothing refers to, and accounts of old runs. Writes to the databases.

    Finishes what a killed run left pending, and brings an older schema up to date.
    """
    from cdme_adapter.collect import collect

    answer = collect(
        common.project_dir, common.profiles_dir, common.target, common.database, keep_runs, dry_run,
        common.attach,
    )  # fmt: skip
    emit(common.output, answer, _lines, _rows)


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    would = "would go" if answer["dry_run"] else "gone"
    for one in answer["databases"]:
        what = f"{plural(one['edges'], 'edge')} and the accounts of {plural(one['runs'], 'run')} {would}"
        yield f"{one['database']}: {what}, {plural(sum(one['rows'].values()), 'row')} in all"
        for name, count in one["rows"].items():
            yield f"  {number(count):>12}  {name}"
        if not answer["dry_run"]:
            yield (
                f"  file {number(one['bytes_before'])} → {number(one['bytes_after'])} bytes, of which"
                f" {number(one['bytes_free'])} are free for what is written next"
            )
    for run in answer["finished"]:
        yield f"run {run} was interrupted: its ledger is finished"
    for path in answer["files"]:
        yield f"{path}: {would}"


def _rows(answer: dict[str, Any]) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    rows = (
        [one["database"], name, count] for one in answer["databases"] for name, count in one["rows"].items()
    )
    return ("database", "table", "rows"), rows
