"""The records that a question is about: few of them here, many in a temporary table."""

from __future__ import annotations

from dataclasses import dataclass

from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.relations import Table, few_ordinals, select_ordinals
from cdme_adapter.lineage.scratch import Scratch
from cdme_adapter.lineage.walk import FEW, Layer


@dataclass
class Asked:
    """``count`` records; ``few`` has their ordinals in the wanted order, or ``table`` as (pos, ord)."""

    ctx: Context
    scratch: Scratch
    count: int
    few: list[int] | None
    table: str | None

    @staticmethod
    def of(ctx: Context, scratch: Scratch, table: Table, where: str | None, order_by: str | None) -> Asked:
        """The records of a table that satisfy a predicate, all of them without one."""
        few = few_ordinals(ctx.store, table, where, order_by, FEW) if where is not None else None
        if few is not None:
            return Asked(ctx, scratch, len(few), few, None)
        name = scratch.name()
        return Asked(ctx, scratch, select_ordinals(ctx.store, table, where, order_by, name), None, name)

    def in_table(self) -> str:
        """The table (pos, ord), made where it is not there yet."""
        if self.table is None:
            self.table = self.scratch.table_of(["pos", "ord"], list(enumerate(self.few or [])))
        return self.table

    def first(self, limit: int) -> list[int]:
        """The ordinals in the wanted order, as many as are to be shown; 0 is all."""
        if self.few is not None:
            return self.few[:limit] if limit else self.few
        cut = f" LIMIT {limit}" if limit else ""
        return [row[0] for row in self.ctx.store.rows(f"SELECT ord FROM {self.table} ORDER BY pos{cut}")]

    def together(self) -> Layer:
        """All of them as one origin."""
        if not self.count:
            return Layer(None, {})
        if self.few is not None:
            return Layer.of({0: sorted(self.few)}, {0: 0})
        table, count = self.scratch.create(f"SELECT 0 AS tag, ord FROM {self.table}")
        return Layer(table, {0: 0}, count)


def each(scratch: Scratch, ordinals: list[int]) -> Layer:
    """A layer in which every record is an origin of its own, numbered by its place."""
    owner = {at: at for at in range(len(ordinals))}
    if len(ordinals) <= FEW:
        return Layer.of({at: [ordinal] for at, ordinal in enumerate(ordinals)}, owner)
    table = scratch.table_of(["tag", "ord"], list(enumerate(ordinals)))
    return Layer(table, owner, len(ordinals))
