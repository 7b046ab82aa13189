"""The error domain of a seed: rows that fail go out of its table, lines that do not parse are noted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdme_adapter.capture.sqltext import quote
from cdme_adapter.engines.base import Execute
from cdme_adapter.provenance import stable_id
from cdme_adapter.refine.emission import ORDINAL, REJECTS
from cdme_adapter.refine.files import collect_lines
from cdme_adapter.store import rejects
from cdme_adapter.store.writer import StoreWriter

if TYPE_CHECKING:
    from cdme_adapter.pipeline import Journey, Target


@dataclass(frozen=True)
class SeedErrors:
    """What a seed rejected: rows of its table, and lines of its file; ``low`` was its first row id."""

    low: int
    rows: int = 0
    lines: int = 0

    def pairs(self, target: Target) -> str:
        """A SELECT of (o, i): the rows that stayed, and their places in the file."""
        place = "row_number() OVER (ORDER BY rowid) - 1" if self.rows else f"rowid - {self.low}"
        return f"SELECT {place} AS o, rowid - {self.low} AS i FROM {target.quoted}"


def refine_seed(journey: Journey, execute: Execute, target: Target) -> SeedErrors:
    """Take the bad rows out of a seed's table, in its transaction."""
    low = int(execute(f"SELECT coalesce(min(rowid), 0) FROM {target.quoted}")[0][0])
    refinery = journey.refinery
    if refinery is None:
        return SeedErrors(low)
    refinery.lines = collect_lines(execute)
    refinery.emit_table(execute, target.quoted)
    assert refinery.emission is not None
    return SeedErrors(low, refinery.emission.rejected, refinery.lines)


def write_seed_sources(
    store: StoreWriter, journey: Journey, errors: SeedErrors, edge: int, source: str, path: str, count: int
) -> None:
    """Write the way from the seed's rejected rows to the records of its file; lines that do not parse
    come after its ``count`` records."""
    number = stable_id("generation", source, journey.run_id)
    said = json.dumps([source, journey.node.id])
    found = rejects.RejectEdge(edge, source, number, path, None, said)
    journey.file_edge = (found, count)
    if not errors.rows:
        return
    place = f"{quote('__cdme_row')} - {errors.low}"
    pairs = f"SELECT {ORDINAL} AS o, {place} AS i FROM temp.{REJECTS}"
    maps = [(stable_id("reject map", str(edge)), pairs)]
    rejects.sources(store, journey.generation, journey.node.id, found, 0, maps)
