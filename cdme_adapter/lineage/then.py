"""Rows that are in a table now, as the rows that its last run left there.

Where somebody wrote to a table after its run, the ordinals of now name other rows than the store's. A
row of now stands for the one with its declared key; of a row without one of then, and of all rows where
no key is declared, nothing is known: never the lineage of another row.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.graph import Node
from cdme_adapter.lineage.relations import Table
from cdme_adapter.lineage.scratch import Scratch
from cdme_adapter.lineage.walk import Layer
from cdme_adapter.store.reader import Generation, literal, quote


@dataclass(frozen=True)
class Then:
    """How ordinals of now become those of a generation; ``gone`` says that they are not the same."""

    ctx: Context
    scratch: Scratch
    gone: bool
    pairs: str | None = None
    """A table of (now, was); None where no key tells."""
    changed: bool = False
    """Whether the table is not what its run left; with ``gone`` unset the maps are of its rows of now."""

    @staticmethod
    def of(ctx: Context, scratch: Scratch, node: Node) -> Then:
        """For the rows of a model's present table."""
        generation = ctx.graph.generation(node)
        if generation is None or ctx.stale(node) is not True:
            return Then(ctx, scratch, False)
        if ctx.freshness.was_matched(generation.id):
            return Then(ctx, scratch, False, changed=True)
        table = ctx.table(generation)
        if table is None or not generation.key_columns:
            return Then(ctx, scratch, True, changed=True)
        if any(table.column(name) is None for name in generation.key_columns):
            return Then(ctx, scratch, True, changed=True)
        return Then(ctx, scratch, True, scratch.create(_by_key(generation, table))[0], True)

    def layer(self, now: Layer) -> Layer:
        """The layer to walk from, of a layer of rows that are in the table now."""
        if not self.gone:
            return now
        tags = set(now.owner)
        if self.pairs is None or not tags:
            return Layer(None, {}, opaque=tags)
        asked = now.in_table(self.scratch)
        lost = self.ctx.store.rows(
            f"SELECT DISTINCT tag FROM {asked} WHERE ord NOT IN (SELECT now FROM {self.pairs})"
        )
        table, count = self.scratch.create(
            f"SELECT t.tag, p.was AS ord FROM {asked} t JOIN {self.pairs} p ON p.now = t.ord"
        )
        there = {row[0] for row in self.ctx.store.rows(f"SELECT DISTINCT tag FROM {table}")}
        opaque = {row[0] for row in lost}
        return Layer(table if count else None, {tag: tag for tag in there}, count, opaque=opaque)

    def ordinals(self, now: list[int]) -> dict[int, int]:
        """The ordinal of then of each row of now that has one."""
        if not self.gone:
            return {ordinal: ordinal for ordinal in now}
        if self.pairs is None:
            return {}
        listed = ", ".join(map(str, now)) or "NULL"
        return dict(self.ctx.store.rows(f"SELECT now, was FROM {self.pairs} WHERE now IN ({listed})"))


def _by_key(generation: Generation, table: Table) -> str:
    parts = ", ".join(f"{literal(name)}, r.{quote(name)}" for name in generation.key_columns)
    now = f"SELECT {table.ordinal} AS now, json_object({parts})::VARCHAR AS key FROM {table.source}"
    return (
        f"SELECT n.now, any_value(k.ordinal) AS was FROM ({now}) n JOIN {generation.store}.store_keys k"
        f" ON k.key = n.key WHERE k.generation = {generation.id} AND k.ordinal >= 0"
        " AND n.key NOT IN (SELECT key FROM (" + now + ") GROUP BY key HAVING count(*) > 1)"
        " GROUP BY n.now"
    )
