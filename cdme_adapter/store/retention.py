"""Retention: metadata of a replaced generation goes once nothing refers to it any more.

A generation is live while it is in a table now, or while an edge of a live generation reads it. A
table that is changed in place keeps the maps of the generations that wrote its rows: its own edges name
them. What it only consulted of its own earlier rows does not keep those rows alive, but for the last
change: else a table with ``select max(at) from {{ this }}`` would keep every generation that it ever had.
Of a model's replaced generations one row stays, with a hash of the content, of the last one also how
its keys changed (changes.py): `cdme reconcile --against` compares with them.

Runs at the end of a run, alone, so that models' transactions never delete each other's rows.
"""

from __future__ import annotations

from cdme_adapter.engines.base import Execute
from cdme_adapter.store.changes import keep_changes
from cdme_adapter.store.pruning import drop_edges, prune_replaced
from cdme_adapter.store.rejects import collect, sources_of_errors
from cdme_adapter.store.schema import MAPS

_LIVE = (
    "WITH RECURSIVE live(generation) AS ("
    " SELECT generation FROM {s}.store_current"
    " UNION"
    " SELECT e.input_generation FROM live l JOIN {s}.store_edges e"
    " ON e.output_generation = l.generation WHERE e.input_generation IS NOT NULL"
    " AND (e.input <> e.model OR e.role = 'direct' OR EXISTS (SELECT 1 FROM {s}.store_current c"
    " WHERE c.generation = e.output_generation AND c.run_id = e.run_id)))"
)


def collect_garbage(execute: Execute, schema: str) -> int:
    """Delete what no live generation refers to; the number of edges that went.

    Pruning a replaced generation may let go of those before it, so both go on until nothing is left.
    """
    gone = 0
    execute("BEGIN")
    try:
        for statement in collect(schema):
            execute(statement)
        while True:
            dead = _dead(execute, schema)
            if dead:
                _collect(execute, schema, dead)
                gone += len(dead)
            if not prune_replaced(execute, schema):
                break
        execute("COMMIT")
    except Exception:
        execute("ROLLBACK")
        raise
    return gone


def _dead(execute: Execute, schema: str) -> list[int]:
    """The edges of generations that nothing refers to."""
    rows = execute(
        f"{_LIVE.format(s=schema)} SELECT edge FROM {schema}.store_edges"
        " WHERE output_generation NOT IN (SELECT generation FROM live)"
    )
    return [int(row[0]) for row in rows]


def _collect(execute: Execute, schema: str, dead: list[int]) -> None:
    live = _LIVE.format(s=schema)
    _drop_parts(execute, schema, f"{live} SELECT generation FROM live")
    drop_edges(execute, schema, dead)
    named = f"SELECT generation FROM ({live} SELECT generation FROM live)"
    kept = f"{named} UNION {sources_of_errors(schema)}"
    changed = ", ".join(map(str, keep_changes(execute, schema, named))) or "NULL"
    execute(
        f"DELETE FROM {schema}.store_keys WHERE generation NOT IN ({kept})"
        f" AND (generation IN ({changed})) IS NOT TRUE"
    )
    for table in ("store_files", "store_recipes"):
        execute(f"DELETE FROM {schema}.{table} WHERE generation NOT IN ({named})")
    execute(
        f"DELETE FROM {schema}.store_generations WHERE generation NOT IN ({kept})"
        " AND (fingerprint LIKE 'content:%') IS NOT TRUE"
    )


def _drop_parts(execute: Execute, schema: str, live: str) -> None:
    """Delete the parts of what is not live, and their maps where no edge names these."""
    dead = f"SELECT map FROM {schema}.store_parts WHERE generation NOT IN ({live})"
    named = f"SELECT map FROM {schema}.store_steps"
    for table in MAPS:
        execute(f"DELETE FROM {schema}.{table} WHERE map IN ({dead} EXCEPT {named})")
    execute(f"DELETE FROM {schema}.store_parts WHERE generation NOT IN ({live})")


def orphans(execute: Execute, schema: str) -> dict[str, int]:
    """Rows of each table that belong to nothing: a fault, for every transaction writes whole.

    Unlike garbage (what a replaced generation left until the run's end), there is no such row at any
    time, also after a kill.
    """
    owners = {
        "store_current": "generation NOT IN (SELECT generation FROM {s}.store_generations)",
        "store_edges": "output_generation NOT IN (SELECT generation FROM {s}.store_generations)",
        "store_steps": "edge NOT IN (SELECT edge FROM {s}.store_edges)",
        "store_filtered": "edge NOT IN (SELECT edge FROM {s}.store_edges)",
        "store_filtered_bits": "edge NOT IN (SELECT edge FROM {s}.store_edges)",
        "store_reasons": "edge NOT IN (SELECT edge FROM {s}.store_edges)",
        **dict.fromkeys(
            MAPS, "map NOT IN (SELECT map FROM {s}.store_steps UNION SELECT map FROM {s}.store_parts)"
        ),
        "store_parts": "generation NOT IN (SELECT generation FROM {s}.store_generations)",
        "store_carried": "edge NOT IN (SELECT edge FROM {s}.store_edges)",
        "store_held": "edge NOT IN (SELECT edge FROM {s}.store_edges)",
        "store_keys": "generation NOT IN (SELECT generation FROM {s}.store_generations)",
        "store_files": "generation NOT IN (SELECT generation FROM {s}.store_generations)",
        "store_recipes": "generation NOT IN (SELECT generation FROM {s}.store_generations)",
        "store_ledger": "run_id NOT IN (SELECT run_id FROM {s}.store_runs)",
        "store_nodes": "run_id NOT IN (SELECT run_id FROM {s}.store_runs)",
        "store_findings": "run_id NOT IN (SELECT run_id FROM {s}.store_runs)",
    }
    return {
        table: int(execute(f"SELECT count(*) FROM {schema}.{table} WHERE {lost.format(s=schema)}")[0][0])
        for table, lost in owners.items()
    }
