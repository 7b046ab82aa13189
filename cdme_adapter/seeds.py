"""Seeds: the witness of a row is its line in the CSV file.

dbt-duckdb copies the file into the table. That the rows stand in the table in the order of the file
is not assumed: the file is read a second time and compared, row by row.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from cdme_adapter.accounting import LedgerEntry, Status, judge
from cdme_adapter.capture.sqltext import quote
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import literal
from cdme_adapter.generations import InputGeneration
from cdme_adapter.pipeline import Journey, Target
from cdme_adapter.provenance import Exactness, Role, stable_id
from cdme_adapter.refine.seeds import refine_seed, write_seed_sources
from cdme_adapter.store.writer import Generation, StoreWriter
from cdme_adapter.watch import account_seed


def settle_seed(
    journey: Journey, execute: Execute, store: StoreWriter, target: Target, seed: dict[str, Any]
) -> None:
    """Account for the file of a seed in the seed's own transaction."""
    began = time.perf_counter()
    source = f"file.{seed['shown']}"
    reader = _reader(execute, target, seed, journey.refinery is not None)
    count = int(execute(f"SELECT count(*) FROM {reader}")[0][0])
    same = _in_order(execute, target, reader)
    errors = refine_seed(journey, execute, target)
    journey.output_count = int(execute(f"SELECT count(*) FROM {target.quoted}")[0][0])
    journey._register_output(execute, store, target)
    exactness = Exactness.EXACT if same else Exactness.OPAQUE
    why = "" if same else "the rows of the table are not the rows of the file in order"
    edge = stable_id("edge", journey.run_id, journey.node.id, source, Role.DIRECT.value)
    number = stable_id("generation", source, journey.run_id)
    store.generation(
        Generation(number, source, journey.run_id, "file", "", "", seed["shown"], count + errors.lines)
    )
    seen = InputGeneration(number, journey.run_id, count + errors.lines)
    journey._edge(store, edge, source, Role.DIRECT, exactness, "1:1" if same else None, seen, why)
    if same:
        store.chain(edge, 0, [(stable_id("map", str(edge)), errors.pairs(target))])
        write_seed_sources(store, journey, errors, edge, source, seed["shown"], count)
    contributed = count - errors.rows if same else 0
    wrong = errors.rows + errors.lines if same else 0
    count += errors.lines
    status = judge(Role.DIRECT, exactness, count, contributed, 0, wrong, count - contributed - wrong)
    journey.entries.append(
        LedgerEntry(
            journey.run_id, journey.node.id, source, Role.DIRECT, exactness,
            journey.config.lineage_mode, "1:1" if same else None, count, contributed, 0, wrong,
            count - contributed - wrong if same else None, 0, journey.output_count, status, (), 0, why,
        )
    )  # fmt: skip
    if same and not account_seed(journey, execute, source, reader, target.quoted, errors.low):
        journey.entries[-1] = replace(journey.entries[-1], status=Status.UNBALANCED)
    seconds = time.perf_counter() - began
    journey.seconds["settle"] = seconds
    journey.entries[-1] = replace(journey.entries[-1], seconds=seconds)
    journey.captured = True


def _reader(execute: Execute, target: Target, seed: dict[str, Any], noted: bool) -> str:
    """read_csv over the file with the table's own types."""
    columns = execute(f"SELECT column_name, column_type FROM (DESCRIBE {target.quoted})")
    types = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in columns)
    more = ", ignore_errors = true" if noted else ""
    reader = (
        f"read_csv({literal(seed['path'])}, header = true, delim = {literal(seed['delimiter'])},"
        f" columns = {{{types}}}, auto_detect = false{more})"
    )
    # A line that does not parse is one only where its columns are read: read them all.
    return f"(SELECT * FROM {reader} AS s WHERE hash(s) IS NOT NULL)" if noted else reader


def _in_order(execute: Execute, target: Target, reader: str) -> bool:
    """Whether row n of the file is row n of the table, for every n."""
    columns = execute(f"SELECT column_name FROM (DESCRIBE {target.quoted})")
    values = ", ".join(quote(row[0]) for row in columns)
    table = (
        f"SELECT hash({values}) AS h, rowid - (SELECT min(rowid) FROM {target.quoted}) AS n "
        f"FROM {target.quoted}"
    )
    file = f"SELECT hash({values}) AS h, row_number() OVER () - 1 AS n FROM {reader}"
    different = execute(
        f"SELECT count(*) FROM ({table}) AS t FULL JOIN ({file}) AS f ON t.n = f.n"
        " WHERE t.h IS DISTINCT FROM f.h"
    )[0][0]
    return int(different) == 0
