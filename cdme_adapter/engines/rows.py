"""DuckDB's rows: names, row ids as ordinals, and the fingerprint of a relation.

Free of sqlglot, so that the commands that only read start quickly.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdme_adapter.engines.base import Execute

FINGERPRINT_CELLS = 50_000_000
"""Relations with more cells than this are not hashed: reading them costs more than it tells."""


FINGERPRINT = "rows:"
OLD_FINGERPRINT = "xor-hash:"
"""Began the fingerprints of an earlier version, which did not see every change: they tell nothing."""


def quote(name: str) -> str:
    """``name`` as a quoted identifier.

    >>> quote('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """``value`` as a SQL string.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def full_name(database: str, schema: str, name: str) -> str:
    """A quoted, qualified name."""
    return ".".join(quote(part) for part in (database, schema, name))


def kind_of(execute: Execute, database: str) -> str:
    """What kind of database an attached one is: ``duckdb``, ``ducklake``, ``motherduck``, ``sqlite`` …"""
    named = f"lower(database_name) = lower({literal(database)})"
    rows = execute(f"SELECT type FROM duckdb_databases() WHERE {named}")
    return str(rows[0][0]).lower() if rows else "duckdb"


Columns = list[tuple[str, str]]
"""Names and types of a relation's columns."""


def columns_of(execute: Execute, relation: str) -> Columns:
    """The columns of a relation, in order."""
    rows = execute(f"SELECT column_name, column_type FROM (DESCRIBE {relation})")
    return [(str(name), str(kind)) for name, kind in rows]


@dataclass(frozen=True)
class Ordinals:
    """How row ids of a relation become ordinals from 0: by a shift, or by their rank.

    Row ids begin anywhere after a TRUNCATE and have gaps after a DELETE, and a checkpoint may close
    both; their order stays. ``count`` are the rows that there are.
    """

    relation: str
    low: int
    consecutive: bool
    count: int = 0

    def over(self, rows: str, others: str) -> str:
        """``rows`` with its row ids ``i`` as ordinals, beside its ``others`` columns."""
        more = f"{others}, " if others else ""
        if self.consecutive and self.low == 0:
            return rows
        if self.consecutive:
            return f"(SELECT {more}i - {self.low} AS i FROM {rows})"
        names = ", ".join(f"x.{name.strip()}" for name in others.split(",") if name.strip())
        return (
            f"(SELECT {names + ', ' if names else ''}r.ordinal AS i FROM {rows} AS x "
            f"JOIN {self.ranks()} AS r ON r.row_id = x.i)"
        )

    def ranks(self) -> str:
        """A FROM item of (row_id, ordinal)."""
        return (
            "(SELECT rowid AS row_id, row_number() OVER (ORDER BY rowid) - 1 AS ordinal "
            f"FROM {self.relation})"
        )

    def column(self) -> str:
        """The ordinal as an expression over the relation itself."""
        if not self.consecutive:
            return "row_number() OVER (ORDER BY rowid) - 1"
        return f"rowid - {self.low}" if self.low else "rowid"


def ordinals(execute: Execute, relation: str) -> Ordinals:
    """How the row ids of a stored relation become ordinals now."""
    low, high, count = execute(f"SELECT min(rowid), max(rowid), count(*) FROM {relation}")[0]
    if not count:
        return Ordinals(relation, 0, True)
    return Ordinals(relation, int(low), int(high) - int(low) + 1 == count, int(count))


def fingerprint(execute: Execute, database: str, schema: str, name: str) -> str | None:
    """A hash of the rows of a relation with their row ids, or None where that would cost too much.

    Two contents with the same fingerprint are taken for the same generation (docs/concepts.md).
    """
    relation = full_name(database, schema, name)
    columns = execute(
        "SELECT column_name FROM duckdb_columns() WHERE "
        f"database_name = {literal(database)} AND schema_name = {literal(schema)}"
        f" AND table_name = {literal(name)} ORDER BY column_index"
    )
    names = [row[0] for row in columns]
    if not names or any(n.lower() == "rowid" for n in names):
        return None
    places = ordinals(execute, relation)
    count = places.count
    if count * len(names) > FINGERPRINT_CELLS:
        return None
    values = ", ".join(quote(n) for n in names)
    rows = f"(SELECT *, {places.column()} AS __cdme_o FROM {relation})"
    # DuckDB combines the hashes of columns by XOR, the last one bare: without the outer hash its values
    # could change places unseen.
    total = execute(f"SELECT bit_xor(hash(hash(__cdme_o, {values}))) FROM {rows}")[0][0]
    return f"{FINGERPRINT}{count}:{total}"
