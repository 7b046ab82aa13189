"""An expression on every tuple of a relation, subqueries included.

Columns become placeholders, each subquery becomes one placeholder whose value is computed per tuple;
what is left is scalar and goes to ``Scalars``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from tests.oracle import subquery
from tests.oracle.context import Context
from tests.oracle.model import NOTHING, Column, Edge, OracleError, Prov, Row
from tests.oracle.names import slot_of, transform
from tests.oracle.scalar import literal


@dataclass
class Evaluated:
    """Per tuple the value and what the subqueries in it add to its derivation."""

    values: list[Any]
    type: str
    provs: list[Prov]
    edges: frozenset[Edge] = frozenset()


@dataclass
class Prepared:
    """An expression with placeholders, and the input values of each tuple."""

    sql: str
    inputs: list[tuple[str, str]]
    tuples: list[tuple[Any, ...]]
    provs: list[Prov]
    edges: frozenset[Edge] = frozenset()


@dataclass
class _Rewriter:
    context: Context
    columns: list[Column]
    rows: Sequence[Row]
    inputs: dict[str, tuple[str, list[Any]]] = field(default_factory=dict)
    provs: list[Prov] = field(default_factory=list)
    edges: frozenset[Edge] = frozenset()
    bound: frozenset[str] = frozenset()
    """The variables of lambdas and comprehensions."""

    def visit(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column):
            free = node.table or node.name not in self.bound
            return self._column(node) if free else node
        if isinstance(node, exp.Any | exp.All) and isinstance(node.this.unnest(), exp.Query):
            raise OracleError("ANY or ALL outside a comparison")
        if subquery.is_subquery(node):
            found = subquery.value(self.context, node, self.columns, self.rows)
            name = f"s{len(self.inputs)}"
            self.inputs[name] = (found.type, found.values)
            self.provs = [a | b for a, b in zip(self.provs, found.provs, strict=True)]
            self.edges |= found.edges
            return exp.column(name)
        return node

    def _column(self, node: exp.Column) -> exp.Expr:
        slot = slot_of(self.columns, node)
        if slot is not None:
            self.inputs[f"c{slot}"] = (self.columns[slot].type, [r.values[slot] for r in self.rows])
            return exp.column(f"c{slot}")
        outer = self.context.outer
        lent = outer.find(node.name, node.table or None) if outer else None
        if lent is not None:
            column, value = lent
            return exp.Paren(this=exp.Var(this=literal(value, column.type)))
        if node.table:
            inner = exp.column(node.table, table=node.args.get("db"))
            return exp.Dot(this=self._column(inner), expression=exp.to_identifier(node.name))
        raise OracleError(f"unknown column {node.sql()}")


def prepare(context: Context, node: exp.Expr, columns: list[Column], rows: Sequence[Row]) -> Prepared:
    """Replace columns and subqueries by placeholders."""
    rewriter = _Rewriter(context, columns, rows, provs=[NOTHING] * len(rows), bound=_bound(node))
    sql = transform(node, rewriter.visit).sql("duckdb")
    names = list(rewriter.inputs)
    tuples = list(zip(*(rewriter.inputs[n][1] for n in names), strict=True)) if names else [()] * len(rows)
    inputs = [(name, rewriter.inputs[name][0]) for name in names]
    return Prepared(sql, inputs, tuples, rewriter.provs, rewriter.edges)


def _bound(node: exp.Expr) -> frozenset[str]:
    """The variables that lambdas and comprehensions of an expression bind."""
    names = {p.name for found in node.find_all(exp.Lambda) for p in found.expressions}
    names |= {found.expression.name for found in node.find_all(exp.Comprehension)}
    return frozenset(names)


def evaluate(
    context: Context,
    node: exp.Expr,
    columns: list[Column],
    rows: Sequence[Row],
    trying: bool = False,
) -> Evaluated:
    """The expression on each tuple."""
    ready = prepare(context, node, columns, rows)
    scalars = context.session.scalars
    kind = scalars.type_of(ready.sql, ready.inputs)
    values = scalars.values(ready.sql, ready.inputs, ready.tuples, trying)
    return Evaluated(values, kind, ready.provs, ready.edges)


def extend(rows: Sequence[Row], provs: Sequence[Prov]) -> list[Row]:
    """The tuples with what an evaluation added to their derivations."""
    return [Row(row.values, row.prov | prov) for row, prov in zip(rows, provs, strict=True)]
