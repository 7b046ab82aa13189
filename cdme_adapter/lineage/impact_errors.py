"""The error records that records, or what was made of them, took part in: part of ``impact``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.export import options
from cdme_adapter.lineage.graph import Node
from cdme_adapter.lineage.scratch import Scratch
from cdme_adapter.lineage.walk import Layer
from cdme_adapter.provenance import Role
from cdme_adapter.store.reader import literal
from cdme_adapter.store.rejects import chains_of, routed_by

FILE = "cdme.errors"


def errors_of(ctx: Context, scratch: Scratch, held: list[tuple[Node, Role, Layer]]) -> ErrorRecords:
    """The present error records that were made of records in these layers."""
    parts: dict[str, list[str]] = {}
    for schema in ctx.store.schemas:
        generations = ", ".join(str(node.generation) for node, _, layer in held if layer.count)
        rows = ctx.store.rows(
            f"SELECT generation, edge, path, map, input_generation FROM {schema}.store_reject_edges e"
            f" WHERE generation IN (SELECT generation FROM {schema}.store_reject_edges"
            f" WHERE input_generation IN ({generations or 'NULL'})) ORDER BY generation, edge, path, step"
        )
        inputs = {(row[0], row[1]): row[4] for row in rows}
        for (made, edge), chains in chains_of(row[:4] for row in rows).items():
            for node, _, layer in held:
                if layer.count and node.generation == inputs[made, edge]:
                    parts.setdefault(schema, []).append(
                        f"SELECT {made} AS generation, o AS reject FROM ({routed_by(schema, chains)})"
                        f" WHERE i IN (SELECT ord FROM {layer.in_table(scratch)})"
                    )
    chosen = " UNION ALL ".join(
        f"SELECT x.* FROM {schema}.store_rejects x JOIN ({' UNION '.join(selects)}) p"
        " USING (generation, reject) WHERE x.resolved_run_id IS NULL"
        for schema, selects in parts.items()
    )
    return ErrorRecords(ctx, scratch.create(chosen)[0] if chosen else None)


class ErrorRecords:
    """Some error records, in a temporary table."""

    def __init__(self, ctx: Context, table: str | None) -> None:
        self.ctx, self.table = ctx, table

    def counts(self) -> list[dict[str, Any]]:
        """How many of each model failed what."""
        rows = [] if self.table is None else self.ctx.store.rows(
            f"SELECT model, failure_type, count(*) FROM {self.table} GROUP BY ALL ORDER BY ALL"
        )  # fmt: skip
        return [{"model": row[0], "failure_type": row[1], "count": row[2]} for row in rows]

    def export(self, folder: Path, kind: str) -> list[dict[str, Any]]:
        """A file of them, as they are stored: what is personal is hashed there or left out."""
        if self.table is None or not self.counts():
            return []
        path = folder / f"{FILE}.{kind}"
        made = self.ctx.store.rows(
            "COPY (SELECT model, failure_type, failed, offending_values, record, first_seen, last_seen"
            f" FROM {self.table} ORDER BY model, generation, reject) TO {literal(str(path))}"
            f" ({options(kind)})"
        )
        return [{"relation": FILE, "path": str(path), "count": made[0][0]}]
