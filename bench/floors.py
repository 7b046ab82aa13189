"""The floor of a model: what plain DuckDB takes for the least that a full account has to do.

It writes the class codes (one byte for each row of each direct input) and the witness pairs that CDME
stored, and counts each direct input by its class, as ``bench/tpch/classes`` says by hand. Codes and pairs
are made beforehand and lie in temporary tables of the narrowest types: making them is not timed, so nothing
of CDME's forms is in the floor. Counts that differ from the ledger end the benchmark.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

CLASSES = Path(__file__).resolve().parent / "tpch" / "classes"
PARTS = "floor_parts"
_WIDTHS = ("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")


@dataclass
class Floor:
    """Seconds of the floor of one model: wall, and CPU of all threads; in all and of the counts alone."""

    wall: float = 0.0
    cpu: float = 0.0
    counts_cpu: float = 0.0


@dataclass(frozen=True)
class Edge:
    """An edge of a model as the run left it: the number of its input's rows is that of its codes."""

    number: int
    relation: str
    role: str
    counts: tuple[int, int, int] = field(default=(0, 0, 0))
    """Rows of the input, contributed and filtered."""


def classes(text: str) -> dict[str, str]:
    """The queries of a file of ``bench/tpch/classes``, by input: each gives the class of every row.

    >>> classes("-- with\\na AS (SELECT 1)\\n-- t\\nSELECT 0 AS class FROM t")
    {'t': 'WITH a AS (SELECT 1) SELECT 0 AS class FROM t'}
    """
    parts = re.split(r"^-- (\w+)$", text, flags=re.MULTILINE)[1:]
    found = {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}
    shared = found.pop("with", "")
    return {name: f"WITH {shared} {sql}" if shared else sql for name, sql in found.items()}


def edges(con: duckdb.DuckDBPyConnection, model: str) -> list[Edge]:
    """The edges of the generation that is in the model's table now."""
    rows = con.execute(
        "SELECT e.edge, e.input, e.role, l.input_count, l.contributed_count, l.filtered_count"
        " FROM cdme.store_current c JOIN cdme.store_edges e ON e.output_generation = c.generation"
        " JOIN cdme.ledger l ON (l.run_id, l.model, l.input, l.role) = (e.run_id, e.model, e.input, e.role)"
        " WHERE split_part(c.relation, '.', -1) = ? ORDER BY e.role, e.input",
        [model],
    ).fetchall()
    return [Edge(n, str(i).rpartition(".")[2], role, (a, b, c)) for n, i, role, a, b, c in rows]


def prepare(con: duckdb.DuckDBPyConnection, model: str, name: str) -> None:
    """Make what the floor of a model writes, in the attached database of parts: codes and pairs.

    ``name`` is what the model is called there; the tables are ``<name>:0``, ``<name>:1`` and so on.
    """
    found = edges(con, model)
    selects = [_codes(con, edge) for edge in found if edge.role == "direct"]
    numbers = ", ".join(str(edge.number) for edge in found) or "NULL"
    maps = con.execute(
        f"SELECT DISTINCT map FROM cdme.store_steps WHERE edge IN ({numbers}) AND step > 0 ORDER BY map"
    ).fetchall()
    for (number,) in maps:
        selects += _pairs(con, "store_pairs", number, ("o", "i"))
        selects += _pairs(con, "store_ranges", number, ("o", "lo", "hi"))
    for place, select in enumerate(selects):
        con.execute(f'CREATE OR REPLACE TABLE {PARTS}."{name}:{place}" AS {select}')


def _codes(con: duckdb.DuckDBPyConnection, edge: Edge) -> str:
    """The class of every row of an edge's input, by ordinal: 0 is contributed, the others are reasons."""
    losses = f"(SELECT i, reason, verdict FROM cdme.store_losses WHERE edge = {edge.number})"
    kinds = f"SELECT DISTINCT reason, verdict FROM {losses}"
    return (
        f"WITH kinds AS (SELECT *, row_number() OVER (ORDER BY reason, verdict) AS code FROM ({kinds}))"
        f" SELECT coalesce(code, 0)::UTINYINT AS code FROM range({edge.counts[0]}) AS r(n)"
        f" LEFT JOIN (SELECT i, code FROM {losses} JOIN kinds USING (reason, verdict)) ON i = n ORDER BY n"
    )


def _pairs(con: duckdb.DuckDBPyConnection, table: str, number: int, columns: tuple[str, ...]) -> list[str]:
    """The rows of a map in the order in which they are stored, in the narrowest integers."""
    where = f"FROM cdme.{table} WHERE map = {number}"
    most = con.execute(f"SELECT {', '.join(f'max({column})' for column in columns)} {where}").fetchone()
    if most is None or most[0] is None:
        return []
    cast = (f"{column}::{_width(value)} AS {column}" for column, value in zip(columns, most, strict=True))
    return [f"SELECT {', '.join(cast)} {where}"]


def _width(largest: int) -> str:
    """The narrowest type for integers up to ``largest``."""
    return next(name for place, name in enumerate(_WIDTHS) if largest < 256 ** (1 << place))


def measure(con: duckdb.DuckDBPyConnection, model: str, name: str) -> Floor:
    """The floor of a model whose parts were prepared, in the database that its run left."""
    queries = classes((CLASSES / f"{name}.sql").read_text())
    counted = [f"SELECT class, count(*) FROM ({sql}) GROUP BY class" for sql in queries.values()]
    _compare(con, model, dict(zip(queries, counted, strict=True)))  # also reads the columns into memory
    tables = con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = ?"
        " AND starts_with(table_name, ? || ':')",
        [PARTS, name],
    ).fetchall()
    for place, (table,) in enumerate(sorted(tables)):
        con.execute(f'CREATE OR REPLACE TEMP TABLE part_{place} AS FROM {PARTS}."{table}"')
    written = [f"CREATE TABLE main.floor_{place} AS FROM temp.part_{place}" for place in range(len(tables))]
    counts = _timed(con, counted)
    writes = _timed(con, ["BEGIN", *written, "COMMIT"] if written else [])
    for place in range(len(tables)):
        con.execute(f"DROP TABLE main.floor_{place}; DROP TABLE temp.part_{place}")
    return Floor(counts.wall + writes.wall, counts.cpu + writes.cpu, counts.cpu)


def _compare(con: duckdb.DuckDBPyConnection, model: str, counted: dict[str, str]) -> None:
    """The classes by hand and the ledger must agree on every direct input."""
    for edge in edges(con, model):
        if edge.role != "direct":
            continue
        found = dict(con.execute(counted[edge.relation]).fetchall())
        contributed = found.pop(0, 0)
        if (contributed, sum(found.values())) != edge.counts[1:]:
            raise SystemExit(
                f"{model}, {edge.relation}: the classes by hand have {contributed} contributed and "
                f"{sum(found.values())} filtered, the ledger {edge.counts[1]} and {edge.counts[2]}"
            )


def _timed(con: duckdb.DuckDBPyConnection, statements: list[str]) -> Floor:
    """The seconds of some statements."""
    wall, cpu = time.perf_counter(), time.process_time()
    for statement in statements:
        con.execute(statement).fetchall()
    return Floor(time.perf_counter() - wall, time.process_time() - cpu)
