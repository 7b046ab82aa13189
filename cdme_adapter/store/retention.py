"""Retention: metadata of a replaced generation goes once nothing refers to it any more.

A generation is live while it is in a table now, or while an edge of a live generation reads it.
Runs at the end of a run, alone, so that models' transactions never delete each other's rows.
"""

from __future__ import annotations

from cdme_adapter.engines.base import Execute

_LIVE = (
    "WITH RECURSIVE live(generation) AS ("
    " SELECT generation FROM {s}.store_current"
    " UNION"
    " SELECT e.input_generation FROM live l JOIN {s}.store_edges e"
    " ON e.output_generation = l.generation WHERE e.input_generation IS NOT NULL)"
)


def collect_garbage(execute: Execute, schema: str) -> int:
    """Delete what no live generation refers to; the number of edges that went."""
    live = _LIVE.format(s=schema)
    dead = [
        int(row[0])
        for row in execute(
            f"{live} SELECT edge FROM {schema}.store_edges"
            " WHERE output_generation NOT IN (SELECT generation FROM live)"
        )
    ]
    if not dead:
        return 0
    gone = "(VALUES " + ", ".join(f"({edge})" for edge in dead) + ")"
    maps = f"SELECT map FROM {schema}.store_steps WHERE edge IN (FROM {gone})"
    execute("BEGIN")
    try:
        execute(f"DELETE FROM {schema}.store_pairs WHERE map IN ({maps})")
        for table in ("store_steps", "store_filtered", "store_reasons", "store_edges"):
            execute(f"DELETE FROM {schema}.{table} WHERE edge IN (FROM {gone})")
        kept = f"SELECT generation FROM ({live} SELECT generation FROM live)"
        for table in ("store_keys", "store_generations"):
            execute(f"DELETE FROM {schema}.{table} WHERE generation NOT IN ({kept})")
        execute("COMMIT")
    except Exception:
        execute("ROLLBACK")
        raise
    return len(dead)
