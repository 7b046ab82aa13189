"""What a table held before its last run: what a query that reads its own table (``{{ this }}``) saw.

It can be shown again where the run only added rows: DuckDB puts them behind those that are there.
"""

from __future__ import annotations

from dataclasses import replace

from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.relations import Table
from cdme_adapter.project import Node
from cdme_adapter.store.reader import Generation, literal

_OWN_COLUMNS = ("dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to", "dbt_is_deleted")


def why_gone(ctx: Context, model: str, now: Generation, before: Generation | None) -> str:
    """Why the generation that a run read of its own table cannot be shown again; "" where it can."""
    if before is None:
        return "its earlier generation is no longer known"
    rows = ctx.store.rows(
        f"SELECT sum(updated_rows), sum(deleted_rows), min(carried_rows) FROM {now.store}.store_batches"
        f" WHERE run_id = {literal(now.run_id)} AND model = {literal(model)} AND input = {literal(model)}"
    )
    updated, deleted, carried = rows[0]
    if updated is None or deleted is None:
        return "what became of its earlier rows is not known"
    if updated or deleted or carried != before.row_count:
        return "it read its own earlier rows, of which its run replaced or deleted some"
    return ""


def earlier_rows(table: Table, before: Generation) -> Table:
    """The rows that were there before others were added: the first ones."""
    inner = f"SELECT *, {table.ordinal} AS __cdme_place FROM {table.source}"
    columns = ", ".join(["* EXCLUDE (__cdme_place)", "__cdme_place AS __cdme_ordinal"])
    if not (table.numbered and table.consecutive):
        columns = "* EXCLUDE (__cdme_place)"  # the ordinal is a column already
    rows = f"(SELECT {columns} FROM ({inner}) WHERE __cdme_place < {before.row_count or 0})"
    return replace(table, name=rows, ordered=True)


def own_columns(node: Node | None) -> dict[str, str]:
    """The columns that dbt adds to a snapshot, in lower case, by what they are called by default.

    >>> from pathlib import Path
    >>> node = Node("snapshot.p.s", "snapshot", "s", "d", "main", "s", "", "snapshot", {}, Path())
    >>> sorted(own_columns(node))[:2]
    ['dbt_is_deleted', 'dbt_scd_id']
    """
    if node is None or node.type != "snapshot":
        return {}
    named = (node.raw.get("config") or {}).get("snapshot_meta_column_names") or {}
    return {name: str(named.get(name) or name).lower() for name in _OWN_COLUMNS}
