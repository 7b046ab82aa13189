"""What hooks in a model's own transaction did to its table after the account was made.

Rows that a hook deleted take their witnesses with them: these are ``unaccounted``, for no clause of
the model removed them. Rows that it inserted or changed came from nowhere that CDME could see: the
edges become opaque (docs/concepts.md, Views).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cdme_adapter.accounting import LedgerEntry, judge
from cdme_adapter.capture.sqltext import quote
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import Columns, columns_of
from cdme_adapter.errors import Finding
from cdme_adapter.provenance import Exactness, Role
from cdme_adapter.store.writer import StoreWriter

if TYPE_CHECKING:
    from cdme_adapter.increment import Increment
    from cdme_adapter.pipeline import Journey, Target

BEFORE = "cdme_before"
_RANKS = "cdme_ranks"
_GONE = "cdme_gone"


@dataclass(frozen=True)
class Before:
    """The table's columns when its account was made; its rows are in ``temp.cdme_before``."""

    columns: Columns


def remember(execute: Execute, target: Target) -> Before:
    """Keep the row ids and hashes of the table's rows."""
    columns = columns_of(execute, target.quoted)
    execute(
        f"CREATE OR REPLACE TEMP TABLE {BEFORE} AS SELECT rowid AS r,"
        f" row_number() OVER (ORDER BY rowid) - 1 AS o, {_hash(columns)} AS h FROM {target.quoted}"
    )
    return Before(columns)


def _hash(columns: Columns) -> str:
    return f"hash({', '.join(quote(name) for name, _ in columns)})"


def settle_hooks(
    journey: Journey, before: Before, execute: Execute, store: StoreWriter, target: Target
) -> None:
    """Compare the table with what it was and mend the account."""
    try:
        columns = columns_of(execute, target.quoted)
        if columns != before.columns:
            return _opaque(journey, store, "a hook changed the columns of the table")
        touched = execute(
            f"SELECT count(*) FROM (SELECT rowid AS r, {_hash(columns)} AS h FROM {target.quoted})"
            f" AS t LEFT JOIN temp.{BEFORE} AS b ON b.r = t.r WHERE b.h IS DISTINCT FROM t.h"
        )[0][0]
        if touched:
            return _opaque(journey, store, f"a hook wrote {touched:,} rows of the table")
        left = execute(f"SELECT count(*) FROM {target.quoted}")[0][0]
        if left != journey.output_count and journey.increment is not None:
            return _deleted_in_place(journey, journey.increment, execute, store, target, left)
        if left != journey.output_count:
            _deleted(journey, execute, store, target, left)
    finally:
        execute(f"DROP TABLE IF EXISTS temp.{BEFORE}")
        if journey.increment is not None:
            journey.increment.clean(execute)


def _opaque(journey: Journey, store: StoreWriter, why: str) -> None:
    """Forget what was written of the table's lineage; its edges are written anew as opaque."""
    store.forget(journey.generation)
    journey.why_not = why
    journey.captured = False
    journey.findings.append(
        Finding(
            "HOOK_WROTE_ROWS", why, "warn", journey.node.id, journey.place,
            "move it into the model's SQL, or let it write to another table",
        )
    )  # fmt: skip


def _deleted(journey: Journey, execute: Execute, store: StoreWriter, target: Target, left: int) -> None:
    """Take the deleted rows out of the lineage; their witnesses become unaccounted."""
    why = f"a hook deleted {(journey.output_count or 0) - left:,} rows of the table"
    _rank(execute, target)
    journey.output_count = left
    journey.totals.clear()  # they were taken before the hook
    store.renumber_keys(journey.generation, f"temp.{_RANKS}", left)
    journey.entries = [
        _without(journey, entry, execute, store, why)
        if entry.role is Role.DIRECT and entry.exactness is Exactness.EXACT
        else replace(entry, output_count=left)
        for entry in journey.entries
    ]
    for entry in journey.entries:
        if entry.role is Role.INDIRECT:
            store.renumber_outputs(journey.edge_id(entry.input, entry.role), f"temp.{_RANKS}")
    execute(f"DROP TABLE temp.{_RANKS}")


def _deleted_in_place(
    journey: Journey, increment: Increment, execute: Execute, store: StoreWriter, target: Target, left: int
) -> None:
    """The same for a table of which other runs wrote rows too."""
    why = f"a hook deleted {(journey.output_count or 0) - left:,} rows of the table"
    _rank(execute, target)
    increment.without(execute, store, f"temp.{_RANKS}", left)
    journey.entries = [
        replace(entry, why=f"{why}; {entry.why}") if entry.unaccounted_count else entry
        for entry in journey.entries
    ]
    execute(f"DROP TABLE temp.{_RANKS}")


def _rank(execute: Execute, target: Target) -> None:
    """(old, new): the ordinals of the rows that are left, before and now."""
    execute(
        f"CREATE OR REPLACE TEMP TABLE {_RANKS} AS SELECT b.o AS old,"
        f" row_number() OVER (ORDER BY b.r) - 1 AS new FROM temp.{BEFORE} AS b"
        f" WHERE b.r IN (SELECT rowid FROM {target.quoted})"
    )


def _without(
    journey: Journey, entry: LedgerEntry, execute: Execute, store: StoreWriter, why: str
) -> LedgerEntry:
    """The entry of an input once the deleted rows are taken out."""
    edge = journey.edge_id(entry.input, entry.role)
    execute(f"CREATE OR REPLACE TEMP TABLE {_GONE} AS {store.contributed(edge)}")
    store.renumber_outputs(edge, f"temp.{_RANKS}")
    execute(f"DELETE FROM temp.{_GONE} WHERE i IN ({store.contributed(edge)})")
    gone = int(execute(f"SELECT count(*) FROM temp.{_GONE}")[0][0])
    first = execute(f"SELECT i FROM temp.{_GONE} ORDER BY i LIMIT 1000")
    execute(f"DROP TABLE temp.{_GONE}")
    if not gone:
        return replace(entry, output_count=journey.output_count)
    contributed = (entry.contributed_count or 0) - gone
    unaccounted = (entry.unaccounted_count or 0) + gone
    journey.unaccounted[entry.input] = [int(row[0]) for row in first]
    records = ", ".join(str(row[0]) for row in first[:5]) + (", …" if gone > 5 else "")
    status = judge(
        entry.role, entry.exactness, entry.input_count or 0, contributed,
        entry.filtered_count or 0, entry.error_count or 0, unaccounted,
    )  # fmt: skip
    return replace(
        entry, contributed_count=contributed, unaccounted_count=unaccounted, status=status,
        output_count=journey.output_count, why=f"{why}; unaccounted row ids: {records}",
    )  # fmt: skip
