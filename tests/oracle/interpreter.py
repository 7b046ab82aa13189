"""The way in: a query over tables of a connection, explained record by record."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from tests.oracle.context import Context, Session
from tests.oracle.evaluate import Evaluated, evaluate
from tests.oracle.join import joined
from tests.oracle.limit import limited
from tests.oracle.macros import with_macros
from tests.oracle.model import Column, Edge, OracleError, Prov, Relation, Row, frozen
from tests.oracle.names import expand
from tests.oracle.scalar import Scalars
from tests.oracle.select import select
from tests.oracle.setop import combined
from tests.oracle.source import with_ctes
from tests.oracle.unpivot import unpivoted


@dataclass(frozen=True)
class Verdict:
    """The class of one input record of a direct edge, with its reason if it was filtered."""

    name: str
    kind: str = ""
    sql: str = ""
    verdict: str = ""
    position: int = -1


@dataclass(frozen=True)
class Explained:
    """What the oracle knows of one query."""

    columns: list[Column]
    rows: list[Row]
    edges: frozenset[Edge]
    classes: dict[str, dict[int, Verdict]]
    """Per relation with a direct edge, per ordinal."""
    occurrences: dict[str, int]
    """How many places of the query read each base table."""


_SCALARS: list[Scalars] = []


def scalars() -> Scalars:
    """The evaluator of scalar expressions, shared so that it remembers."""
    if not _SCALARS:
        _SCALARS.append(Scalars())
    return _SCALARS[0]


def run(context: Context, node: exp.Expr) -> Relation:
    """Evaluate any query expression."""
    if isinstance(node, exp.Select):
        return select(context, node)
    if isinstance(node, exp.SetOperation):
        inside = with_ctes(context, node)
        return _finished(inside, combined(inside, node), node)
    if isinstance(node, exp.Subquery):
        inside = with_ctes(context, node)
        return _finished(inside, inside.run(node.this), node)
    if isinstance(node, exp.Values):
        return _values(context, node)
    if isinstance(node, exp.Pivot):
        inside = with_ctes(context, node)
        return unpivoted(inside, joined(inside, node.this, []), node)
    if isinstance(node, exp.Table):
        return joined(context, node, node.args.get("joins") or [])
    raise OracleError(f"query {type(node).__name__}")


def _finished(context: Context, relation: Relation, node: exp.Expr) -> Relation:
    """ORDER BY and LIMIT written after a set operation or a parenthesis."""
    order = node.args.get("order")
    if order is not None:
        keys = []
        for ordered in order.expressions:
            part = ordered.this
            if isinstance(part, exp.Literal) and not part.is_string:
                slot = int(part.name) - 1
                keys.append([row.values[slot] for row in relation.rows])
            else:
                ready = expand(part, relation.columns, {})
                keys.append(evaluate(context, ready, relation.columns, relation.rows).values)
        relation.keys = [tuple(key[i] for key in keys) for i in range(len(relation.rows))]
    return limited(context, relation, node)


def _values(context: Context, node: exp.Values) -> Relation:
    """VALUES: tuples that no record is behind, but for what subqueries in them read."""
    lines = [
        [evaluate(context, part, [], [Row(())]) for part in line.expressions] for line in node.expressions
    ]
    columns, values = [], []
    for n in range(len(lines[0])):
        kind = lines[0][n].type
        for line in lines[1:]:
            kind = context.session.scalars.common_type(kind, line[n].type)
        columns.append(Column(f"col{n}", None, kind))
        values.append(
            [
                context.session.scalars.values(
                    f"CAST(x AS {kind})", [("x", line[n].type)], [(line[n].values[0],)]
                )[0]
                for line in lines
            ]
        )
    rows = [Row(tuple(column[i] for column in values), _behind(lines[i])) for i in range(len(lines))]
    return Relation(
        columns, rows, frozenset(edge for line in lines for part in line for edge in part.edges)
    )


def _behind(parts: list[Evaluated]) -> Prov:
    """What the subqueries of one tuple of VALUES looked at."""
    found = Prov()
    for part in parts:
        found |= part.provs[0]
    return found


def explain(connection: duckdb.DuckDBPyConnection, sql: str) -> Explained:
    """The output rows with their witnesses, the edges, and the class of every input record."""
    session = Session(connection, scalars(), run, joined)
    tree = with_macros(sqlglot.parse_one(sql, read="duckdb"))
    result = Context(session).run(tree)
    contributed = {record for row in result.rows for record in row.prov.direct}
    classes: dict[str, dict[int, Verdict]] = {}
    for relation in sorted({name for name, role in result.edges if role == "direct"}):
        table = session.table(relation)
        count = len(table.rows) if table else 0
        classes[relation] = {
            i: _class(session, (relation, i), (relation, i) in contributed) for i in range(count)
        }
    occurrences = {name: len(places) for name, places in session.reads.items()}
    return Explained(result.columns, result.rows, result.edges, classes, occurrences)


def _class(session: Session, record: tuple[str, int], contributed: bool) -> Verdict:
    if contributed:
        return Verdict("contributed")
    reason = session.account.reason(record)
    if reason is None:
        return Verdict("unaccounted")
    clause, verdict = reason
    return Verdict("filtered", clause.kind, clause.sql, verdict, clause.position)


def same_values(connection: duckdb.DuckDBPyConnection, sql: str, explained: Explained) -> bool:
    """Whether the oracle's rows are the rows that DuckDB gives."""
    ours = Counter(_rounded(row.values) for row in explained.rows)
    theirs = Counter(_rounded(row) for row in connection.execute(sql).fetchall())
    return ours == theirs


def _rounded(values: Any) -> Any:
    return tuple(float(f"{v:.9e}") if isinstance(v, float) else frozen(v) for v in values)


rounded = _rounded
