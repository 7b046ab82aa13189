"""What FROM reads: tables, views, CTEs, derived tables, VALUES, table functions, UNNEST, LATERAL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import sqlglot
from sqlglot import exp

from tests.oracle.context import Context, Cte
from tests.oracle.evaluate import evaluate
from tests.oracle.macros import TABLE
from tests.oracle.model import DIRECT, Column, OracleError, Prov, Relation, Row
from tests.oracle.names import Outer
from tests.oracle.recursion import is_recursive, iterated
from tests.oracle.unpivot import unpivoted


@dataclass(frozen=True)
class Alias:
    """A table alias with its column aliases."""

    table: str | None
    columns: list[str]


def alias_of(node: exp.Expr, default: str | None = None) -> Alias:
    """The alias of a FROM item."""
    alias = node.args.get("alias")
    if alias is None:
        return Alias(default, [])
    name = alias.this.name.lower() if alias.this else default
    return Alias(name, [column.name for column in alias.args.get("columns") or []])


def with_ctes(context: Context, node: exp.Expr) -> Context:
    """The context inside a query: its own CTEs in sight."""
    with_ = node.args.get("with_")
    if with_ is None:
        return context
    for cte in with_.expressions:
        alias = alias_of(cte)
        recursive = with_.args.get("recursive") and is_recursive(cte.this, str(alias.table))
        defined = Cte(cte.this, alias.columns, context, recursive=bool(recursive))
        context = replace(context, ctes={**context.ctes, str(alias.table): defined})
    return context


def read(context: Context, node: exp.Expr) -> Relation:
    """The relation that a FROM item is."""
    for pivot in node.args.get("pivots") or []:
        bare = _without_pivots(node)
        return unpivoted(context, read(context, bare), pivot).renamed(alias_of(pivot).table, [])
    if isinstance(node, exp.Table):
        return _table(context, node)
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table | exp.Subquery):
        if node.args.get("alias"):
            alias = alias_of(node)
            return context.run(_selected(node)).renamed(alias.table, alias.columns)
        return context.session.joined(context, node.this, node.this.args.get("joins") or [])
    if isinstance(node, exp.Subquery):
        alias = alias_of(node)
        inner = with_ctes(context, node).run(node.this)
        return inner.renamed(alias.table, alias.columns)
    if isinstance(node, exp.Values):
        alias = alias_of(node)
        return context.run(node).renamed(alias.table, alias.columns)
    if isinstance(node, exp.Lateral):
        alias = alias_of(node)
        if isinstance(node.this, exp.Unnest):
            return _unnest(context, node.this, alias)
        return context.run(node.this).renamed(alias.table, alias.columns)
    if isinstance(node, exp.Unnest):
        return _unnest(context, node, alias_of(node, "unnest"))
    raise OracleError(f"FROM {type(node).__name__}")


_BARE: dict[int, tuple[exp.Expr, exp.Expr]] = {}


def _selected(node: exp.Subquery) -> exp.Expr:
    """``(a JOIN b)`` under an alias as ``SELECT * FROM a JOIN b``; the same item each time."""
    if id(node) not in _BARE:
        inner = node.this.copy()
        query = exp.select("*").from_(inner, copy=False)
        query.set("joins", inner.args.get("joins"))
        inner.set("joins", None)
        _BARE[id(node)] = node, query
    return _BARE[id(node)][1]


def _without_pivots(node: exp.Expr) -> exp.Expr:
    """The same item each time: places in a query are known by their nodes."""
    if id(node) not in _BARE:
        bare = node.copy()
        bare.set("pivots", None)
        _BARE[id(node)] = node, bare
    return _BARE[id(node)][1]


def _table(context: Context, node: exp.Table) -> Relation:
    if not isinstance(node.this, exp.Identifier):
        return _table_function(context, node)
    name = node.name.lower()
    alias = alias_of(node, name)
    cte = None if node.db else context.ctes.get(name)
    if cte is not None:
        relation, names = _cte(context, node, name, cte), cte.names
    elif (view := context.session.view(name)) is not None:
        outside = Context(context.session)
        relation = _inlined(context, node, view.expression, outside)
        schema = view.this
        names = [c.name for c in schema.expressions] if isinstance(schema, exp.Schema) else []
    elif (base := context.session.table(name)) is not None:
        context.session.reads.setdefault(name, set()).add((context.path, id(node)))
        relation, names = base, []
    else:
        raise OracleError(f"unknown relation {name}")
    renamed = relation.renamed(alias.table, names)
    return renamed.renamed(alias.table, alias.columns)


def _cte(context: Context, node: exp.Table, name: str, cte: Cte) -> Relation:
    """A reference to a CTE."""
    if cte.table is not None:
        return cte.table
    return _inlined(context, node, cte.body, cte.context, name if cte.recursive else None, cte)


def _inlined(
    context: Context,
    node: exp.Table,
    body: exp.Expr,
    defined: Context,
    recursive: str | None = None,
    cte: Cte | None = None,
) -> Relation:
    """The body of a CTE or a view, evaluated at this reference.

    Where nothing is accounted for (in subqueries of expressions) the result is remembered.
    """
    steady = defined.outer is None and all(known.table is None for known in defined.ctes.values())
    remembered = context.session.remembered if steady and context.role != DIRECT else {}
    if id(body) in remembered:
        for name, _ in remembered[id(body)].edges:
            context.session.reads.setdefault(name, set()).add((context.path, id(node)))
    else:
        inside = replace(
            defined, path=(*context.path, id(node)), role=context.role, recording=context.recording
        )
        found = iterated(inside, recursive, cte) if recursive and cte else inside.run(body)
        remembered[id(body)] = found
    return remembered[id(body)]


def _table_function(context: Context, node: exp.Table) -> Relation:
    """generate_series and range: records that nothing is behind, but for what subqueries read."""
    function = node.this
    if isinstance(function, exp.Values):
        alias = alias_of(node)
        return context.run(function).renamed(alias.table, alias.columns)
    files = context.session.files(function)
    if files is not None:
        name, relation = files
        context.session.reads.setdefault(name, set()).add((context.path, id(node)))
        alias = alias_of(node, function.sql("duckdb").split("(")[0].lower())
        return relation.renamed(alias.table, alias.columns)
    if isinstance(function, exp.Anonymous) and function.name.lower() in TABLE:
        alias = alias_of(node, function.name.lower())
        body = _macro(function)
        inside = replace(Context(context.session), path=(*context.path, id(node)))
        inside = replace(inside, role=context.role, recording=context.recording)
        return inside.run(body).renamed(alias.table, alias.columns)
    if not isinstance(function, exp.GenerateSeries):
        raise OracleError(f"table function {function.sql('duckdb')}")
    found = evaluate(context, function, [], [Row(())])
    values, prov = found.values[0], found.provs[0]
    name = "range" if function.args.get("is_end_exclusive") else "generate_series"
    alias = alias_of(node, name)
    rows = [Row((value,), prov) for value in values or []]
    columns = [Column(name, None, "BIGINT")]
    return Relation(columns, rows, found.edges).renamed(alias.table, alias.columns)


@cache
def _body(call: str) -> exp.Expr:
    function = sqlglot.parse_one(call, read="duckdb")
    values = dict(zip(TABLE[function.name.lower()][0], function.expressions, strict=True))
    values = {  # name := value
        given.this.name if isinstance(given, exp.PropertyEQ | exp.Kwarg) else name: given.expression
        if isinstance(given, exp.PropertyEQ | exp.Kwarg)
        else given
        for name, given in values.items()
    }

    def visit(part: exp.Expr) -> exp.Expr:
        bare = isinstance(part, exp.Column) and not part.table
        return values[part.name].copy() if bare and part.name in values else part

    return sqlglot.parse_one(TABLE[function.name.lower()][1], read="duckdb").transform(visit)


def _macro(function: exp.Expr) -> exp.Expr:
    """The query of a table macro with the arguments of a call; one object for equal calls."""
    return _body(function.sql("duckdb"))


def _unnest(context: Context, node: exp.Unnest, alias: Alias) -> Relation:
    """UNNEST over what the outer row lends; one alias names its column, too."""
    lists = [evaluate(context, part, [], [Row(())]) for part in node.expressions]
    provs = [found.provs[0] for found in lists]
    named = alias.table if len(lists) == 1 and not node.args.get("offset") else None
    columns = [Column(named or "unnest", None, element_type(found.type)) for found in lists]
    rows = [Row(values) for values in zip_longest([found.values[0] for found in lists])]
    if node.args.get("offset"):
        columns.append(Column("ordinality", None, "BIGINT"))
        rows = [Row((*row.values, i + 1)) for i, row in enumerate(rows)]
    edges = frozenset(edge for found in lists for edge in found.edges)
    extra = Prov()
    for prov in provs:
        extra |= prov
    rows = [Row(row.values, row.prov | extra) for row in rows]
    return Relation(columns, rows, edges).renamed(alias.table, alias.columns)


def element_type(kind: str) -> str:
    """The element type of a list type.

    >>> element_type("INTEGER[]"), element_type("VARCHAR[3]")
    ('INTEGER', 'VARCHAR')
    """
    if not kind.endswith("]"):
        raise OracleError(f"UNNEST of {kind}")
    return kind[: kind.rindex("[")]


def zip_longest(lists: list[Any]) -> list[tuple[Any, ...]]:
    """Several lists side by side, the short ones padded; NULL is an empty list."""
    filled = [list(values) if values is not None else [] for values in lists]
    length = max((len(values) for values in filled), default=0)
    return [tuple(v[i] if i < len(v) else None for v in filled) for i in range(length)]


def for_row(context: Context, columns: list[Column], row: Row) -> Context:
    """The context of a lateral item for one row on its left."""
    return replace(context, outer=Outer(columns, row, context.outer))
