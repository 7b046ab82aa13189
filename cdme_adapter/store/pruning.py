"""Of a generation that was replaced and that something still refers to, only what is referred to stays.

A table that is changed in place leaves one generation a run, and the next run's rows may name rows of
it: a snapshot's new version names the version before. Those rows keep their lineage and their keys;
the others' go. So the store grows with what was written, not with the number of runs.
"""

from __future__ import annotations

from cdme_adapter.engines.base import Execute
from cdme_adapter.store.rejects import named_by_errors, sources_of_errors
from cdme_adapter.store.rows import losses
from cdme_adapter.store.schema import EDGE_TABLES, MAPS

_NEEDED = "cdme_needed"


def prune_replaced(execute: Execute, schema: str) -> int:
    """Prune every generation that was replaced since the last time; how many there were.

    Runs in the caller's transaction, after what nothing refers to is gone. The newest goes first: what
    it lets go of is not referred to in those before it.
    """
    replaced = execute(
        f"SELECT g.generation, g.relation FROM {schema}.store_generations g"
        f" LEFT JOIN {schema}.store_current c USING (relation)"
        f" WHERE g.generation NOT IN (SELECT generation FROM {schema}.store_pruned)"
        " AND CASE WHEN c.generation IS NOT NULL THEN c.generation <> g.generation ELSE EXISTS"
        f" (SELECT 1 FROM {schema}.store_generations n WHERE n.relation = g.relation"
        " AND n.created_at > g.created_at) END"
        f" AND (EXISTS (SELECT 1 FROM {schema}.store_edges e WHERE e.input_generation = g.generation)"
        f" OR g.generation IN ({sources_of_errors(schema)}))"
        " ORDER BY g.created_at DESC, g.generation"
    )
    pruned = 0
    for generation, relation in replaced:
        if not _read_whole(execute, schema, generation):
            _prune(execute, schema, generation, relation)
            execute(f"INSERT INTO {schema}.store_pruned VALUES ({generation})")
            pruned += 1
    execute(
        f"DELETE FROM {schema}.store_pruned"
        f" WHERE generation NOT IN (SELECT generation FROM {schema}.store_generations)"
    )
    return pruned


def _read_whole(execute: Execute, schema: str, generation: int) -> bool:
    """Whether some edge takes all of its records, or names them without maps."""
    return bool(
        execute(
            f"SELECT 1 FROM {schema}.store_edges e WHERE input_generation = {generation}"
            " AND exactness <> 'opaque' AND (role = 'guard' OR exactness <> 'exact'"
            f" OR lineage_mode <> 'full') AND NOT EXISTS (SELECT 1 FROM {schema}.store_steps s"
            " WHERE s.edge = e.edge AND s.step > 0) LIMIT 1"
        )
    )


def _prune(execute: Execute, schema: str, generation: int, relation: str) -> None:
    readers = f"SELECT edge FROM {schema}.store_edges WHERE input_generation = {generation}"
    last = f"SELECT map FROM {schema}.store_steps WHERE step = steps AND step > 0 AND edge IN ({readers})"
    execute(
        f"CREATE OR REPLACE TEMP TABLE {_NEEDED} AS SELECT DISTINCT i FROM ("
        f"SELECT i FROM {schema}.store_pairs WHERE map IN ({last})"
        f" UNION ALL SELECT unnest(range(lo, hi + 1)) FROM {schema}.store_ranges WHERE map IN ({last})"
        f" UNION ALL SELECT i FROM {losses(schema)} WHERE edge IN ({readers})"
        f" UNION ALL SELECT i FROM {schema}.store_carried WHERE edge IN ({readers})"
        f" UNION ALL SELECT i FROM {schema}.store_held WHERE edge IN ({readers})"
        f" UNION ALL {named_by_errors(schema, generation)})"
    )
    needed = f"SELECT i FROM temp.{_NEEDED}"
    execute(
        f"DELETE FROM {schema}.store_keys WHERE generation = {generation} AND ordinal NOT IN ({needed})"
        " AND ordinal >= 0"
    )
    parts = f"SELECT map FROM {schema}.store_parts WHERE generation = {generation}"
    if execute(f"{parts} LIMIT 1"):
        execute(f"DELETE FROM {schema}.store_pairs WHERE map IN ({parts}) AND o NOT IN ({needed})")
        _drop_empty(execute, schema, generation, relation)
    execute(f"DROP TABLE temp.{_NEEDED}")


def _drop_empty(execute: Execute, schema: str, generation: int, relation: str) -> None:
    """Drop the edges of parts of which no row is left, unless another model may ask for the account."""
    others = execute(
        f"SELECT 1 FROM {schema}.store_edges WHERE input_generation = {generation}"
        f" AND model <> '{relation.replace(chr(39), chr(39) * 2)}' LIMIT 1"
    )
    if others:
        return
    empty = (
        f"SELECT map FROM {schema}.store_parts WHERE generation = {generation}"
        f" EXCEPT SELECT map FROM {schema}.store_pairs"
    )
    gone = [
        int(row[0])
        for row in execute(
            f"SELECT edge FROM {schema}.store_steps WHERE step = 0 AND map IN ({empty}) AND edge IN"
            f" (SELECT edge FROM {schema}.store_edges WHERE output_generation = {generation})"
        )
    ]
    execute(f"DELETE FROM {schema}.store_parts WHERE generation = {generation} AND map IN ({empty})")
    drop_edges(execute, schema, gone)


def drop_edges(execute: Execute, schema: str, edges: list[int]) -> None:
    """Delete edges with all that belongs to them alone; maps that another edge or part names stay."""
    if edges:
        gone = "(VALUES " + ", ".join(f"({edge})" for edge in edges) + ")"
        kept = (
            f"SELECT map FROM {schema}.store_steps WHERE edge NOT IN (FROM {gone})"
            f" UNION SELECT map FROM {schema}.store_parts"
        )
        maps = f"SELECT map FROM {schema}.store_steps WHERE edge IN (FROM {gone}) EXCEPT ({kept})"
        for table in MAPS:
            execute(f"DELETE FROM {schema}.{table} WHERE map IN ({maps})")
        for table in EDGE_TABLES:
            execute(f"DELETE FROM {schema}.{table} WHERE edge IN (FROM {gone})")
