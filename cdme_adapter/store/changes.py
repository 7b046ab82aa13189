"""What became of the keys of a model's last generation: kept when that is replaced, for comparison.

Of the keys of a replaced generation only the changes stay, in its own rows of ``store_keys``: those
that it alone had under their ordinals, those that came under ``-1 - ordinal``, and one row that says
which generation they were compared with. An equal content leaves that row alone.
"""

from __future__ import annotations

from cdme_adapter.engines.base import Execute

BASE = -(1 << 62)
"""The ordinal of the row that names the generation that came after."""
LIMIT = 1_000_000
"""Of generations with more rows, only hashes are kept."""


def keep_changes(execute: Execute, schema: str, live: str) -> list[int]:
    """Reduce the keys of what was just replaced to their changes; the generations that keep some.

    ``live`` is a SELECT of the generations that are left alone.
    """
    keys = f"{schema}.store_keys"
    pairs = execute(
        "SELECT old.generation, new.generation, new.fingerprint IS NOT DISTINCT FROM old.fingerprint,"
        " old.key_columns = new.key_columns"
        f" AND greatest(old.row_count, new.row_count) <= {LIMIT}"
        f" FROM {schema}.store_current AS c"
        f" JOIN {schema}.store_generations AS new ON new.generation = c.generation"
        " JOIN (SELECT relation, max_by(generation, created_at) AS generation"
        f" FROM {schema}.store_generations WHERE generation NOT IN ({live}) GROUP BY relation) AS last"
        " ON last.relation = c.relation"
        f" JOIN {schema}.store_generations AS old ON old.generation = last.generation"
        " WHERE len(new.key_columns) > 0"
    )
    kept = []
    for old, new, same, comparable in pairs:
        base = execute(f"SELECT key FROM {keys} WHERE generation = {old} AND ordinal = {BASE}")
        if base and base[0][0] == str(new):
            kept.append(int(old))
        elif not base and comparable:
            _reduce(execute, keys, old, new, bool(same))
            kept.append(int(old))
    return kept


def _reduce(execute: Execute, keys: str, old: int, new: int, same: bool) -> None:
    if same:
        execute(f"DELETE FROM {keys} WHERE generation = {old}")
    else:
        execute(
            f"INSERT INTO {keys} SELECT {old}, -1 - n.ordinal, n.key FROM {keys} AS n"
            f" ANTI JOIN (SELECT key FROM {keys} WHERE generation = {old}) AS o ON o.key = n.key"
            f" WHERE n.generation = {new}"
        )
        execute(
            f"DELETE FROM {keys} WHERE generation = {old} AND ordinal >= 0"
            f" AND key IN (SELECT key FROM {keys} WHERE generation = {new})"
        )
    execute(f"INSERT INTO {keys} VALUES ({old}, {BASE}, '{new}')")
