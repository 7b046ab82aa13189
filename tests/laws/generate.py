"""Random cases: tables with data, maybe views, and a query that nests constructs.

``cases()`` is the Hypothesis strategy; ``case_of(seed)`` makes the same kind of case from a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import duckdb
from hypothesis import strategies as st

from tests.laws.draw import Draw, HypothesisDraw, SeededDraw
from tests.laws.generator.maker import Maker, Menu, Query
from tests.laws.generator.menus import FULL
from tests.laws.generator.schema import Col, Table, table
from tests.oracle.macros import STATEMENTS

UNPRINTED = {"lists, structs, lambdas", "joins behind commas"}
"""What DuckDB prints in the text of a view as SQL that the parser does not know."""


@dataclass(frozen=True)
class Case:
    """Tables, views and a query; ``tied`` where the result is not determined."""

    statements: tuple[str, ...]
    sql: str
    constructs: Mapping[str, int]
    """Each construct with the most levels of queries around and inside it, its own included."""
    tied: bool = False

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A database with the tables and views in it, and nothing else; the next call empties it."""
        connection = _emptied()
        for statement in self.statements:
            connection.execute(statement)
        return connection

    def has_output(self) -> bool:
        """Whether the query gives a row."""
        try:
            return bool(self.connection().execute(self.sql).fetchmany(1))
        except duckdb.Error:
            return False

    def __str__(self) -> str:
        return ";\n".join([*self.statements, self.sql]) + ";"


@cache
def _shared() -> duckdb.DuckDBPyConnection:
    """To open a database takes longer than to empty one. The macros stay."""
    connection = duckdb.connect(config={"threads": 1})
    for statement in ("CREATE TABLE t0 (a INTEGER)", *STATEMENTS):
        connection.execute(statement)
    return connection


def has_ended() -> bool:
    """Whether the database gave itself up; then the next case gets a new one."""
    try:
        _shared().execute("SELECT 1")
    except duckdb.FatalException:
        _shared.cache_clear()
        return True
    except duckdb.Error:
        pass  # a transaction that failed
    return False


def _emptied() -> duckdb.DuckDBPyConnection:
    has_ended()  # in a case that was left before it was asked
    connection = _shared()
    with suppress(duckdb.TransactionException):
        connection.execute("ROLLBACK")
    for kind in ("view", "table"):
        names = connection.execute(
            f"SELECT {kind}_name, temporary FROM duckdb_{kind}s() WHERE NOT internal"
        )
        for name, temporary in names.fetchall():
            connection.execute(f'DROP {kind} {"temp" if temporary else "main"}."{name}"')
    return connection


def make_case(draw: Draw, depth: int = 3, menu: Menu = FULL) -> Case:
    """A random case."""
    tables = [table(draw, f"t{n}") for n in range(draw.number(2, 4))]
    if not any(t.key for t in tables):
        tables[0] = _keyed(tables[0])
    views: dict[str, Query] = {}
    tied = False
    statements = [sql for t in tables for sql in t.statements()]
    place = len(statements)
    for number in range(draw.number(0, 1)):
        plain = {k: v for k, v in menu.shapes.items() if k not in UNPRINTED}
        maker = Maker(draw, tables, replace(menu, shapes=plain), views)
        query = maker.query(draw.number(0, 1))
        name = f"v{number}"
        statements.append(f"CREATE VIEW {name} AS {_with(maker, query)}")
        views = {**views, name: query}
        tied = tied or maker.tied
    maker = Maker(draw, tables, menu, views)
    query = maker.query(draw.number(0, depth))
    sql = _with(maker, query)
    if maker.chance(10):
        maker.uses("order by")
        sql = f"{_with(maker, replace(query, sql=f'SELECT * FROM ({query.sql}) AS z'))} ORDER BY 1"
    used = [
        s for s in STATEMENTS if any(s.split("(")[0].split()[-1] in text for text in (*statements, sql))
    ]
    statements[place:place] = used
    return Case(tuple(statements), sql, dict(maker.constructs), maker.tied or tied)


def _keyed(plain: Table) -> Table:
    rows = tuple((str(n), *row) for n, row in enumerate(plain.rows))
    return Table(plain.name, (Col("k", "int"), *plain.cols), rows, ("k",))


def _with(maker: Maker, query: Query) -> str:
    """The query with its CTEs before it."""
    if not maker.ctes:
        return query.sql
    if query.sql.startswith("WITH"):
        query = replace(query, sql=f"SELECT * FROM ({query.sql}) AS y")
    listed = ", ".join(f"{name} AS ({cte.sql})" for name, cte in maker.ctes.items())
    return f"WITH {listed} {query.sql}"


def case_of(seed: int, depth: int = 3, menu: Menu = FULL) -> Case:
    """The case of a seed; mostly one that has output, for the others show less."""
    case = make_case(SeededDraw(f"{seed}.0"), depth, menu)
    for attempt in range(1, 1 + seed % 4):
        if case.has_output():
            break
        case = make_case(SeededDraw(f"{seed}.{attempt}"), depth, menu)
    return case


@st.composite
def cases(draw: Any, depth: int = 3, menu: Menu = FULL) -> Case:
    """Random cases for Hypothesis."""
    return make_case(HypothesisDraw(draw), depth, menu)
