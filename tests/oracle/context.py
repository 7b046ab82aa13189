"""What a part of a query is evaluated in: the session, the CTEs in sight, the outer row, the role."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from tests.oracle.account import Account, Clause
from tests.oracle.macros import with_macros
from tests.oracle.model import DIRECT, Column, Prov, Relation, Row, through
from tests.oracle.names import Outer
from tests.oracle.scalar import Scalars


@dataclass
class Session:
    """One evaluation: the tables read, the views parsed, the account kept."""

    connection: duckdb.DuckDBPyConnection
    scalars: Scalars
    query: Callable[[Context, exp.Expr], Relation]
    joined: Callable[[Context, exp.Expr, list[exp.Join]], Relation]
    account: Account = field(default_factory=Account)
    reads: dict[str, set[Hashable]] = field(default_factory=dict)
    """Per base table the places in the query that read it."""
    remembered: dict[int, Relation] = field(default_factory=dict)
    """Results of CTEs and views by their body, where nothing is accounted for."""
    _tables: dict[str, Relation] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    _views: dict[str, exp.Expr] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._names = {row[0] for row in self._ask("SELECT lower(table_name) FROM duckdb_tables()")}
        views = self._ask("SELECT lower(view_name), sql FROM duckdb_views() WHERE NOT internal")
        self._views = {name: with_macros(sqlglot.parse_one(sql, read="duckdb")) for name, sql in views}

    def table(self, name: str) -> Relation | None:
        """A base table with the ordinal of each record, or None."""
        if name not in self._names and name not in self._tables:
            return None
        if name not in self._tables:
            columns = [Column(row[0], name, row[1]) for row in self._ask(f'DESCRIBE "{name}"')]
            found = self._ask(f'SELECT * FROM "{name}" ORDER BY rowid')
            rows = [Row(row, Prov(frozenset({(name, i)}))) for i, row in enumerate(found)]
            self._tables[name] = Relation(columns, rows, frozenset({(name, DIRECT)}))
        return self._tables[name]

    def files(self, function: exp.Expr) -> tuple[str, Relation] | None:
        """The rows of a scan of files, as ``file.<path>``, or None where this is no such scan."""
        sql = function.sql("duckdb")
        path = function.find(exp.Literal)
        if not sql.lower().startswith(("read_csv", "read_parquet", "read_json")) or path is None:
            return None
        name = f"file.{path.name}"
        if name not in self._tables:
            columns = [Column(row[0], None, row[1]) for row in self._ask(f"DESCRIBE SELECT * FROM {sql}")]
            rows = [
                Row(row, Prov(frozenset({(name, i)})))
                for i, row in enumerate(self._ask(f"SELECT * FROM {sql}"))
            ]
            self._tables[name] = Relation(columns, rows, frozenset({(name, DIRECT)}))
        return name, self._tables[name]

    def view(self, name: str) -> exp.Expr | None:
        """The definition of a view (a CREATE statement), or None."""
        return self._views.get(name)

    def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()


@dataclass(frozen=True)
class Cte:
    """A common table expression and where it was defined; evaluated anew at each reference."""

    body: exp.Expr
    names: list[str]
    context: Context
    recursive: bool = False
    table: Relation | None = None
    """The rows of the last step, while a recursive CTE is evaluated."""


@dataclass(frozen=True)
class Context:
    """Where in the query an evaluation stands."""

    session: Session
    ctes: Mapping[str, Cte] = field(default_factory=dict)
    outer: Outer | None = None
    path: tuple[Hashable, ...] = ()
    role: str = DIRECT
    recording: bool = True

    def run(self, node: exp.Expr) -> Relation:
        """Evaluate a query expression here."""
        return self.session.query(self, node)

    def at(self, *steps: Hashable) -> Context:
        """One reference deeper: the same body read twice has clauses of its own each time."""
        return replace(self, path=(*self.path, *steps))

    def inside(self, role: str, outer: Outer) -> Context:
        """In a subquery of an expression, which can see ``outer`` and accounts for nothing."""
        return replace(self, outer=outer, role=role, recording=False)

    def clause(self, key: Hashable, kind: str, sql: str) -> Clause:
        """The clause standing here."""
        if self.role != DIRECT:
            return Clause(kind, sql, -1)
        return self.session.account.clause((self.path, key), kind, sql)

    def fail(self, clause: Clause, prov: Prov, tokens: Iterable[str]) -> None:
        """A derivation stopped at ``clause``."""
        if self.recording and self.role == DIRECT:
            self.session.account.fail(clause, prov, tokens)


def entering(relation: Relation, role: str) -> Relation:
    """A subquery's result with its edges seen from outside."""
    return replace(relation, edges=through(relation.edges, role))
