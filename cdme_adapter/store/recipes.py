"""``store_recipes``: what the records of a generation are derived from, where no reverse join is stored.

Written and read here alone; the text is :class:`cdme_adapter.recipes.Recipe`'s.
"""

from __future__ import annotations

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import literal

COLUMNS = "generation BIGINT, recipe VARCHAR"


def keep_recipe(execute: Execute, schema: str, generation: int, recipe: str) -> None:
    """Keep the recipe of a generation, in the transaction that made it."""
    execute(f"INSERT INTO {schema}.store_recipes VALUES ({generation}, {literal(recipe)})")


def read_recipe(execute: Execute, schema: str, generation: int) -> str | None:
    """The recipe of a generation; None where it has none, as in a store of an earlier version."""
    database, _, name = schema.rpartition(".")
    there = execute(
        "SELECT 1 FROM duckdb_tables() WHERE table_name = 'store_recipes' AND schema_name = "
        f"{literal(name.strip(chr(34)))} AND database_name = {literal(_bare(database))}"
    )
    if not there:
        return None
    rows = execute(f"SELECT recipe FROM {schema}.store_recipes WHERE generation = {generation}")
    return str(rows[0][0]) if rows else None


def _bare(quoted: str) -> str:
    return quoted[1:-1].replace('""', '"') if quoted.startswith('"') else quoted
