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
from cdme_adapter.engines.files import SEED, file_fingerprint, seed_scan
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
    scan = _scan(execute, target, seed)
    reader = _noting(execute, target, seed) if journey.refinery is not None else scan
    count = int(execute(f"SELECT count(*) FROM {reader}")[0][0])
    same = _in_order(execute, target, reader)
    base = None
    if not same and journey.refinery is None and journey.node.post_hooked:
        base = _first_row_id(execute, target, reader, count)
    if base is not None:
        return _settle_hooked(journey, execute, store, target, source, seed["path"], scan, count, base)
    errors = refine_seed(journey, execute, target)
    journey.output_count = int(execute(f"SELECT count(*) FROM {target.quoted}")[0][0])
    journey._register_output(execute, store, target)
    exactness = Exactness.EXACT if same else Exactness.OPAQUE
    why = "" if same else "the rows of the table are not the rows of the file in order"
    edge = stable_id("edge", journey.run_id, journey.node.id, source, Role.DIRECT.value)
    # Lines that did not parse are no records of the scan: its places are not those of the account.
    known = "" if errors.lines else scan
    seen = _file(journey, execute, store, source, seed["path"], known, count + errors.lines)
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


def _settle_hooked(
    journey: Journey, execute: Execute, store: StoreWriter, target: Target, source: str, path: str,
    scan: str, count: int, base: int,
) -> None:  # fmt: skip
    """The account of a seed of which a hook of its transaction deleted rows: their records are
    unaccounted, for no clause removed them."""
    left = int(execute(f"SELECT count(*) FROM {target.quoted}")[0][0])
    journey.output_count = left
    journey._register_output(execute, store, target)
    seen = _file(journey, execute, store, source, path, scan, count)
    edge = stable_id("edge", journey.run_id, journey.node.id, source, Role.DIRECT.value)
    gone = [
        int(row[0]) for row in execute(
            f"SELECT n FROM range({count}) AS r(n) WHERE n + {base} NOT IN"
            f" (SELECT rowid FROM {target.quoted}) ORDER BY n LIMIT 1000"
        )
    ]  # fmt: skip
    listed = ", ".join(map(str, gone[:5])) + (", …" if len(gone) > 5 else "")
    why = f"a hook deleted {count - left:,} rows of the table; unaccounted row ids: {listed}"
    journey.unaccounted[source] = gone
    journey._edge(store, edge, source, Role.DIRECT, Exactness.EXACT, "1:1", seen, why)
    place = "row_number() OVER (ORDER BY rowid) - 1"
    pairs = f"SELECT {place} AS o, rowid - {base} AS i FROM {target.quoted}"
    store.chain(edge, 0, [(stable_id("map", str(edge)), pairs)])
    status = judge(Role.DIRECT, Exactness.EXACT, count, left, 0, 0, count - left)
    journey.entries.append(
        LedgerEntry(
            journey.run_id, journey.node.id, source, Role.DIRECT, Exactness.EXACT,
            journey.config.lineage_mode, "1:1", count, left, 0, 0, count - left, 0, left, status, (), 0,
            why,
        )
    )  # fmt: skip
    journey.captured = True


_LOCAL_ROWS = 36028797018960000
"""The row id of the first row that a transaction adds to a table, in DuckDB."""


def _first_row_id(execute: Execute, target: Target, reader: str, count: int) -> int | None:
    """The row id that the file's first record had, where every row that is left is the record of its
    place; None where a hook did more than delete."""
    low, left = execute(f"SELECT min(rowid), count(*) FROM {target.quoted}")[0]
    columns = execute(f"SELECT column_name FROM (DESCRIBE {target.quoted})")
    if left >= count or any(str(row[0]).lower() == "rowid" for row in columns):
        return None
    values = ", ".join(quote(row[0]) for row in columns)
    for base in dict.fromkeys((_LOCAL_ROWS, low or 0)):
        other = execute(
            "SELECT count(*) FROM"
            f" (SELECT hash({values}) AS h, rowid - {base} AS n FROM {target.quoted})"
            f" AS t LEFT JOIN (SELECT hash({values}) AS h, row_number() OVER () - 1 AS n FROM {reader})"
            " AS f ON f.n = t.n WHERE f.h IS DISTINCT FROM t.h"
        )[0][0]
        if not other:
            return int(base)
    return None


def _file(
    journey: Journey, execute: Execute, store: StoreWriter, source: str, path: str, scan: str, count: int
) -> InputGeneration:
    """Write the generation of the file: known by its size and time where ``scan`` reads its records."""
    number = stable_id("generation", source, journey.run_id)
    mark = file_fingerprint(execute, literal(path)) if scan else None
    place = (SEED, scan) if mark else ("", source.removeprefix("file."))
    store.generation(Generation(number, source, journey.run_id, "file", "", *place, count, mark))
    return InputGeneration(number, journey.run_id, count)


def _scan(execute: Execute, target: Target, seed: dict[str, Any], more: str = "") -> str:
    """read_csv over the file with the table's own types."""
    columns = execute(f"SELECT column_name, column_type FROM (DESCRIBE {target.quoted})")
    return seed_scan(seed["path"], seed["delimiter"], dict(columns), more)


def _noting(execute: Execute, target: Target, seed: dict[str, Any]) -> str:
    """The records of the file that parse; the others are noted."""
    # A line that does not parse is one only where its columns are read: read them all.
    scan = _scan(execute, target, seed, ", ignore_errors = true")
    return f"(SELECT * FROM {scan} AS s WHERE hash(s) IS NOT NULL)"


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
