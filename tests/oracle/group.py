"""GROUP BY, grouping sets and aggregates: tuples fall into groups, a group is all its tuples."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
from sqlglot import exp

from tests.oracle.context import Context
from tests.oracle.evaluate import evaluate, prepare
from tests.oracle.model import Column, OracleError, Prov, Relation, Row, frozen, union
from tests.oracle.names import QUERIES, canonical, slot_of, transform


@functools.cache
def aggregate_names() -> frozenset[str]:
    """The names of DuckDB's aggregate functions, for those that the parser has no class for."""
    rows = duckdb.connect().execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'aggregate'"
    )
    return frozenset(name for (name,) in rows.fetchall())


def is_aggregate(node: exp.Expr) -> bool:
    """Whether a node is an aggregate call (its FILTER and WITHIN GROUP around it included)."""
    if isinstance(node, exp.Filter | exp.WithinGroup):
        return is_aggregate(node.this)
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in aggregate_names()
    return isinstance(node, exp.AggFunc | exp.Grouping)


def aggregates(node: exp.Expr) -> Iterator[exp.Expr]:
    """The aggregate calls of an expression, not those of its subqueries nor window functions."""
    found: list[exp.Expr] = []

    def visit(part: exp.Expr) -> exp.Expr:
        if is_aggregate(part):
            found.append(part)
            return exp.null()
        return part

    transform(node, visit)
    yield from found


@dataclass
class Grouped:
    """The groups as a relation, and how expressions over the input read in it."""

    relation: Relation
    source: list[Column]
    replacements: dict[str, str]

    def rewrite(self, node: exp.Expr) -> exp.Expr:
        """The expression over the groups."""

        def visit(part: exp.Expr) -> exp.Expr:
            if isinstance(part, (*QUERIES, exp.Order, exp.Ordered, exp.Identifier)):
                return part
            known = self.replacements.get(canonical(part, self.source))
            return exp.column(known) if known else part

        return transform(node, visit)


def grouping_sets(keys: list[exp.Expr]) -> list[list[exp.Expr]]:
    """The GROUP BY items as grouping sets: their cross product.

    >>> from sqlglot import parse_one
    >>> group = parse_one("SELECT 1 GROUP BY a, ROLLUP (b, c)", read="duckdb").args["group"]
    >>> [[k.sql() for k in s] for s in grouping_sets(group.expressions)]
    [['a', 'b', 'c'], ['a', 'b'], ['a']]
    """
    result: list[list[exp.Expr]] = [[]]
    for key in keys:
        result = [[*left, *right] for left in result for right in _alternatives(key)]
    return result


def _members(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.Tuple):
        return list(node.expressions)
    return [node.this if isinstance(node, exp.Paren) else node]


def _joined(parts: list[list[exp.Expr]]) -> list[exp.Expr]:
    return list(itertools.chain.from_iterable(parts))


def _alternatives(key: exp.Expr) -> list[list[exp.Expr]]:
    if isinstance(key, exp.Rollup):
        parts = [_members(part) for part in key.expressions]
        return [_joined(parts[:n]) for n in range(len(parts), -1, -1)]
    if isinstance(key, exp.Cube):
        parts = [_members(part) for part in key.expressions]
        chosen = itertools.product([True, False], repeat=len(parts))
        return [_joined(list(itertools.compress(parts, uses))) for uses in chosen]
    if isinstance(key, exp.GroupingSets):
        result: list[list[exp.Expr]] = []
        for part in key.expressions:
            nested = isinstance(part, exp.Rollup | exp.Cube | exp.GroupingSets)
            result.extend(_alternatives(part) if nested else [_members(part)])
        return result
    return [[key]]


def group(
    context: Context, relation: Relation, sets: list[list[exp.Expr]], calls: list[exp.Expr]
) -> Grouped:
    """Group the relation by each grouping set and compute the aggregate calls of each group."""
    columns = relation.columns
    keys = {canonical(key, columns): key for one in sets for key in one}
    edges = relation.edges
    rows = relation.rows
    found = {}
    for name, key in keys.items():
        result = evaluate(context, key, columns, rows)
        edges |= result.edges
        found[name] = result
    extras = [union(f.provs[i] for f in found.values()) for i in range(len(rows))]
    members: list[tuple[list[str], list[int]]] = []
    for one in sets:
        names = [canonical(key, columns) for key in one]
        parts: dict[Any, list[int]] = {} if names else {(): []}
        for i in range(len(rows)):
            parts.setdefault(frozen([found[n].values[i] for n in names]), []).append(i)
        members.extend((names, part) for part in parts.values())
    provs = [union(rows[i].prov | extras[i] for i in part) for _, part in members]
    tuples: list[list[Any]] = [[] for _ in members]
    made: list[Column] = []
    replacements: dict[str, str] = {}
    for name in keys:
        replacements[name] = f"k{len(made)}_"
        made.append(Column(replacements[name], None, found[name].type))
        for row, (names, part) in zip(tuples, members, strict=True):
            row.append(found[name].values[part[0]] if part and name in names else None)
    for call in calls:
        name = canonical(call, columns)
        if name in replacements:
            continue
        replacements[name] = f"k{len(made)}_"
        values, kind, added, more = _aggregate(context, call, relation, members)
        edges |= more
        provs = [a | b for a, b in zip(provs, added, strict=True)]
        made.append(Column(replacements[name], None, kind))
        for row, value in zip(tuples, values, strict=True):
            row.append(value)
    made, tuples = _with_originals(relation, keys, made, tuples)
    result_rows = [Row(tuple(row), prov) for row, prov in zip(tuples, provs, strict=True)]
    return Grouped(Relation(made, result_rows, edges), columns, replacements)


def _with_originals(
    relation: Relation, keys: dict[str, exp.Expr], made: list[Column], tuples: list[list[Any]]
) -> tuple[list[Column], list[list[Any]]]:
    """Grouping columns keep their own names too: correlated subqueries refer to them."""
    for number, key in enumerate(keys.values()):
        slot = slot_of(relation.columns, key) if isinstance(key, exp.Column) else None
        if slot is not None:
            made = [*made, relation.columns[slot]]
            tuples = [[*row, row[number]] for row in tuples]
    return made, tuples


def _aggregate(
    context: Context, call: exp.Expr, relation: Relation, members: list[tuple[list[str], list[int]]]
) -> tuple[list[Any], str, list[Prov], frozenset[tuple[str, str]]]:
    """One aggregate call for every group."""
    if isinstance(call, exp.Grouping):
        values = [_grouping(call, relation.columns, names) for names, _ in members]
        return values, "BIGINT", [Prov() for _ in members], frozenset()
    ready = prepare(context, call, relation.columns, relation.rows)
    scalars = context.session.scalars
    groups = [[ready.tuples[i] for i in part] for _, part in members]
    provs = [union(ready.provs[i] for i in part) for _, part in members]
    kind = scalars.type_of(ready.sql, ready.inputs)
    return scalars.aggregates(ready.sql, ready.inputs, groups), kind, provs, ready.edges


def _grouping(call: exp.Grouping, columns: list[Column], names: list[str]) -> int:
    """GROUPING(a, b): a bit for each argument that the grouping set leaves out."""
    bits = 0
    for argument in call.expressions:
        if not isinstance(argument, exp.Column):
            raise OracleError("GROUPING of an expression")
        bits = bits * 2 + (canonical(argument, columns) not in names)
    return bits
