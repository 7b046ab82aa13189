"""The stored relations that records are fetched from, by the ordinals of a generation."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from cdme_adapter.engines.files import SCAN, SEED
from cdme_adapter.engines.rows import ordinals
from cdme_adapter.errors import CdmeError, QuestionError
from cdme_adapter.lineage.seed_files import seed_records
from cdme_adapter.lineage.values import MASK, Column
from cdme_adapter.project import Manifest
from cdme_adapter.store.reader import Connection, Generation, Store, quote

PLACE = ("file", "file_row")
"""The columns before a file's own that say where a record stands."""


@dataclass(frozen=True)
class Table:
    """A relation in the database and how its records are numbered."""

    id: str
    name: str
    columns: tuple[Column, ...]
    masked: frozenset[str] = frozenset()
    low: int = 0
    consecutive: bool = True
    ordered: bool = False
    """Whether ``name`` brings the ordinal itself, as ``__cdme_ordinal``."""

    is_view: bool = False

    @cached_property
    def numbered(self) -> bool:
        """Whether DuckDB's row id can be read: not of a view; a user's column of that name hides it."""
        return not (self.ordered or self.is_view) and all(c.name.lower() != "rowid" for c in self.columns)

    @property
    def source(self) -> str:
        """Something to select FROM, with the ordinal in reach of :attr:`ordinal`."""
        if self.ordered:
            return f"{self.name} AS r"
        if self.numbered and not self.consecutive:
            ranked = "row_number() OVER (ORDER BY rowid) - 1"
            return f"(SELECT *, {ranked} AS __cdme_ordinal FROM {self.name}) AS r"
        if self.numbered:
            return f"{self.name} AS r"
        return f"(SELECT *, row_number() OVER () - 1 AS __cdme_ordinal FROM {self.name}) AS r"

    @property
    def ordinal(self) -> str:
        """The ordinal of a record of :attr:`source`."""
        if not (self.numbered and self.consecutive):
            return "r.__cdme_ordinal"
        return f"(r.rowid - {self.low})" if self.low else "r.rowid"

    def without_place(self) -> Table:
        """Files without the columns that say where a record stands in them."""
        return replace(self, columns=self.columns[len(PLACE) :])

    def column(self, name: str) -> Column | None:
        """The column of this name, whatever its case."""
        wanted = name.lower()
        return next((c for c in self.columns if c.name.lower() == wanted), None)

    def record(self, values: Sequence[Any]) -> dict[str, Any]:
        """A record from values selected with :meth:`Column.sql`, with masked columns masked."""
        return {
            c.name: MASK if v is not None and c.name.lower() in self.masked else c.plain(v)
            for c, v in zip(self.columns, values, strict=True)
        }


def open_table(con: Connection, generation: Generation, masked: frozenset[str]) -> Table | None:
    """The table that holds a generation's relation, or None where it is gone."""
    if generation.schema == SCAN:
        return _open_scan(con, generation, masked)
    if generation.schema == SEED:
        return _open_seed(con, generation, masked)
    parts = (generation.database, generation.schema, generation.name)
    name = ".".join(quote(part) for part in parts if part)
    try:
        described = con.execute(f"DESCRIBE {name}").fetchall()
    except Exception:
        return None
    columns = tuple(Column(row[0], str(row[1])) for row in described)
    table = Table(generation.relation, name, columns, masked)
    if not table.numbered:
        return table
    try:
        found = ordinals(lambda sql: con.execute(sql).fetchall(), name)
    except Exception:  # a view has no row ids: over one file, its rows come in the file's order
        return replace(table, is_view=True)
    return replace(table, low=found.low, consecutive=found.consecutive)


def _open_scan(con: Connection, generation: Generation, masked: frozenset[str]) -> Table | None:
    """Files as something to fetch from: each record with its file and its row there."""
    # A line that does not parse is one only where its columns are read: read them all.
    whole = " AS __cdme_x WHERE hash(__cdme_x) IS NOT NULL" if "store_rejects" in generation.name else ""
    numbered = (
        "(SELECT *, row_number() OVER (PARTITION BY file ORDER BY __cdme_ordinal) AS file_row FROM "
        f"(SELECT *, filename AS file, row_number() OVER () - 1 AS __cdme_ordinal"
        f" FROM {generation.name}{whole}))"
    )
    try:
        described = con.execute(f"DESCRIBE SELECT * FROM {generation.name}").fetchall()
        more = con.execute(f"DESCRIBE SELECT {', '.join(PLACE)} FROM {numbered}").fetchall()
    except Exception:
        return None
    columns = tuple(Column(row[0], str(row[1])) for row in (*more, *described))
    return Table(generation.relation, numbered, columns, masked, ordered=True)


def _open_seed(con: Connection, generation: Generation, masked: frozenset[str]) -> Table | None:
    """The file of a seed: each record with its file and its line."""
    try:
        described = con.execute(f"DESCRIBE SELECT * FROM {generation.name}").fetchall()
        name, place = seed_records(generation, [str(row[0]) for row in described])
        more = [(column, "VARCHAR" if column == "file" else "BIGINT") for column in place]
    except Exception:
        return None
    columns = tuple(Column(row[0], str(row[1])) for row in (*more, *described))
    return Table(generation.relation, name, columns, masked, ordered=True)


def columns_by_node(store: Store, manifest: Manifest) -> Callable[[str], list[str]]:
    """A function that gives the columns of a node's relation, and of the keys that are stored of it."""

    def columns(node_id: str) -> list[str]:
        node = manifest.nodes.get(node_id)
        if node is None:
            return []
        parts = (node.database, node.schema, node.identifier)
        try:
            described = store.con.execute(f"DESCRIBE {'.'.join(quote(part) for part in parts if part)}")
        except Exception:  # it is gone, or was never built
            generation = store.current_generation(node_id)
            return list(generation.key_columns) if generation else []
        return [str(row[0]) for row in described.fetchall()]

    return columns


def fetch_records(store: Store, table: Table, ordinals: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Records by their ordinals: joined, because that prunes the scan where IN does not."""
    wanted = sorted(set(ordinals))
    if not wanted:
        return {}
    selected = ", ".join(c.sql("r") for c in table.columns)
    rows = store.rows(*at_places(f"SELECT {table.ordinal}, {selected} FROM {table.source}", table, wanted))
    return {row[0]: table.record(row[1:]) for row in rows}


def fetch_keys(store: Store, generation: Generation, ordinals: Iterable[int]) -> dict[int, str]:
    """The stored keys of records, as JSON text."""
    wanted = sorted(set(ordinals))
    if not wanted or not generation.key_columns:
        return {}
    select = f"SELECT k.ordinal, k.key FROM {generation.store}.store_keys k"
    return dict(store.rows(*_at(select, "k.ordinal", wanted, True, f"k.generation = {generation.id}")))


def at_places(select: str, table: Table, wanted: list[int]) -> tuple[str, list[list[int]] | None]:
    """A SELECT over a table's source, kept to some ordinals (ascending), with its parameters."""
    plain = table.numbered and table.consecutive
    places = [ordinal + table.low for ordinal in wanted] if plain else wanted
    return _at(select, "r.rowid" if plain else table.ordinal, places, plain)


def _at(
    select: str, place: str, wanted: list[int], prunes: bool, also: str = ""
) -> tuple[str, list[list[int]] | None]:
    """A SELECT of the rows at some places (ascending), with its parameters; ``prunes`` says that a
    range of places spares the others."""
    tests = [also] if also else []
    low, high = wanted[0], wanted[-1]
    if high - low + 1 == len(wanted):
        tests.append(f"{place} = {low}" if low == high else f"{place} BETWEEN {low} AND {high}")
        return f"{select} WHERE {' AND '.join(tests)}", None
    if prunes:
        tests.append(f"{place} BETWEEN {low} AND {high}")
    joined = f"{select} JOIN (SELECT unnest(?::BIGINT[]) AS ord) w ON {place} = w.ord"
    return joined + (f" WHERE {' AND '.join(tests)}" if tests else ""), [wanted]


def check_expression(con: Any, sql: str) -> None:
    """Refuse text that is more than one SELECT: a predicate must not smuggle in a statement."""
    if not is_select(con, sql):
        raise QuestionError(
            "a predicate is one SQL expression, not several statements", code="BAD_PREDICATE"
        )


def check_select(con: Any, sql: str) -> None:
    """Refuse what is not one SELECT."""
    if not is_select(con, sql):
        raise QuestionError(
            "this takes one SELECT: the database is only read",
            code="BAD_SQL",
            remedy="write one SELECT, without a semicolon in it",
        )


def is_select(con: Any, sql: str) -> bool:
    """Whether a text is one SELECT."""
    statements = con.extract_statements(sql)
    return len(statements) == 1 and str(statements[0].type).upper().endswith("SELECT")


def select_ordinals(
    store: Store, table: Table, where: str | None, order_by: str | None, target: str
) -> int:
    """Write the ordinals of the records that match into temp table ``target``; how many there are.

    ``target`` has (pos, ord): the place in the wanted order and the ordinal.
    """
    made = _selected(store, table, where, order_by, "CREATE TEMP TABLE " + target + " AS {}")
    return int(made[0][0])


def few_ordinals(
    store: Store, table: Table, where: str, order_by: str | None, most: int
) -> list[int] | None:
    """The ordinals of the records that match, in the wanted order; None for more than ``most``."""
    found = _selected(store, table, where, order_by, f"{{}} ORDER BY pos LIMIT {most + 1}")
    return [row[1] for row in found] if len(found) <= most else None


def _selected(
    store: Store, table: Table, where: str | None, order_by: str | None, statement: str
) -> list[tuple[Any, ...]]:
    """The rows of a statement around the SELECT of (pos, ord) of the records that match."""
    order = order_by or table.ordinal
    place = f"row_number() OVER (ORDER BY {order}\n) - 1" if order_by else table.ordinal
    inner = f"SELECT {place} AS pos, {table.ordinal} AS ord FROM {table.source}" + (
        f" WHERE (\n{where}\n)" if where else ""
    )
    try:
        check_expression(store.con, inner)
        for clause, given in (("WHERE", where), ("ORDER BY", order_by)):
            if given:  # `a) OR (b` is an expression only within the parentheses
                check_expression(store.con, f"SELECT 1 {clause} {given}")
        return store.rows(statement.format(f"SELECT pos, ord FROM ({inner})"))
    except CdmeError:
        raise
    except Exception as error:
        text = order_by if order_by and not _binds(store, table, order_by) else where
        raise predicate_error(table, text or order, error) from error


def _binds(store: Store, table: Table, expression: str) -> bool:
    """Whether an expression over a table's columns is one at all."""
    try:
        store.rows(f"SELECT (\n{expression}\n) FROM {table.source} LIMIT 0")
    except Exception:
        return False
    return True


def predicate_error(table: Table, text: str, error: Exception) -> QuestionError:
    """What DuckDB says about a predicate, with the nearest column where a name is unknown."""
    message = str(error).split("\n\n")[0].split("\nLINE")[0].strip()
    remedy = ""
    if "not found" in message and '"' in message:
        wanted = message.split('"')[1]
        near = difflib.get_close_matches(wanted, [c.name for c in table.columns], n=1, cutoff=0.5)
        remedy = f"did you mean {near[0]}? " if near else ""
        remedy += "columns are: " + ", ".join(c.name for c in table.columns)
    return QuestionError(
        f"`{text}` cannot be evaluated over {table.id}: {message.splitlines()[0]}",
        code="BAD_PREDICATE",
        remedy=remedy,
    )
