"""Column lineage of a query: which input columns an output column is made of, and how.

DIRECT: IDENTITY, TRANSFORMATION or AGGREGATION. INDIRECT: CONDITIONAL and WINDOW of one output column;
FILTER, JOIN, GROUP_BY, SORT and WINDOW of the whole result. Where one column cannot be resolved the
answer for the query is None: never narrower than the truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope
from sqlglot.schema import MappingSchema

Relation = tuple[str, str, str]
"""Database, schema and name, in lower case."""
Columns = Mapping[Relation, Mapping[str, str]]
"""Names and types of the columns of relations."""


@dataclass(frozen=True, order=True)
class How:
    """One way in which an input column takes part."""

    type: str
    subtype: str
    masking: bool = False

    def of(self, inner: How) -> How:
        """This way applied to what an inner query made of the column by ``inner``."""
        for one in (self, inner):
            if one.type == "INDIRECT":
                return one
        order = ("IDENTITY", "TRANSFORMATION", "AGGREGATION")
        masking = self.masking or inner.masking
        return How("DIRECT", max(self.subtype, inner.subtype, key=order.index), masking)


IDENTITY = How("DIRECT", "IDENTITY")
TRANSFORMATION = How("DIRECT", "TRANSFORMATION")
AGGREGATION = How("DIRECT", "AGGREGATION")
Uses = dict[tuple[Relation, str], frozenset[How]]
"""By input column, in which ways it is used."""


def _indirect(subtype: str) -> How:
    return How("INDIRECT", subtype)


@dataclass(frozen=True)
class ColumnLineage:
    """``fields`` by output column; ``dataset`` is what the whole result depends on."""

    fields: Mapping[str, Uses]
    dataset: Uses
    relations: tuple[Relation, ...] = ()
    """Every relation that the query names, CTEs among them."""


class Unresolved(Exception):
    """A column whose origin is not certain."""


def column_lineage(sql: str, columns: Columns, database: str, schema: str) -> ColumnLineage | None:
    """The column lineage of a SELECT; ``database`` and ``schema`` are where bare names live.

    None where one column is not certain.

    >>> known = {("db", "main", "t"): {"a": "INT", "b": "INT"}}
    >>> found = column_lineage("select a + 1 as c from t where b > 0", known, "db", "main")
    >>> [(name, how.subtype) for (_, name), (how,) in found.fields["c"].items()]
    [('a', 'TRANSFORMATION')]
    >>> [(name, how.subtype) for (_, name), (how,) in found.dataset.items()]
    [('b', 'FILTER')]
    """
    return lineage_and_relations(sql, columns, database, schema)[0]


def lineage_and_relations(
    sql: str, columns: Columns, database: str, schema: str
) -> tuple[ColumnLineage | None, tuple[Relation, ...]]:
    """The column lineage, and every relation that the query names, CTEs among them: the latter also
    where the former is not certain, and none where the SQL cannot be read."""
    try:
        parsed = parse_one(sql, dialect="duckdb")
    except (SqlglotError, RecursionError):
        return None, ()
    named = tuple(sorted({_relation(table, database, schema) for table in parsed.find_all(exp.Table)}))
    return _followed(parsed, named, columns, database, schema), named


def _followed(
    parsed: exp.Expr, named: tuple[Relation, ...], columns: Columns, database: str, schema: str
) -> ColumnLineage | None:
    try:
        tree = qualify(
            parsed, dialect="duckdb", schema=_known(named, columns), catalog=database, db=schema,
            quote_identifiers=False, validate_qualify_columns=False,
        )  # fmt: skip
        root = build_scope(tree)
        if root is None:
            return None
        walk = _Walk(columns)
        fields = {name: walk.column(root, name) for name in _names(root)}
        walk.whole(root)
        return ColumnLineage(fields, walk.dataset, named)
    except (SqlglotError, Unresolved, RecursionError, KeyError, ValueError):
        return None


def _known(named: tuple[Relation, ...], columns: Columns) -> MappingSchema:
    """What sqlglot is told of the relations that a query names: in lower case, as it reads the query's
    names too. To let it normalise these as well is slow."""
    known: dict[str, Any] = {}
    for name in named:
        if name in columns:
            found = {column.lower(): kind for column, kind in columns[name].items()}
            known.setdefault(name[0], {}).setdefault(name[1], {})[name[2]] = found
    return MappingSchema(known, dialect="duckdb", normalize=False)


def _relation(table: exp.Table, database: str = "", schema: str = "") -> Relation:
    return (
        (table.catalog or database).lower(), (table.db or schema).lower(), table.name.lower(),
    )  # fmt: skip


def _names(scope: Scope) -> list[str]:
    selects = _selects(scope)
    names = [one.alias_or_name for one in selects]
    if not all(names) or "*" in names or any(one.is_star for one in selects):
        raise Unresolved("*")
    return names


def _selects(scope: Scope) -> list[exp.Expr]:
    """The output expressions of a scope."""
    query = scope.expression
    if not isinstance(query, exp.Query):
        raise Unresolved(query.sql())
    return list(query.selects)


@dataclass
class _Walk:
    """The walk over the scopes of one query."""

    columns: Columns
    dataset: Uses = field(default_factory=dict)
    _memo: dict[tuple[int, str], Uses] = field(default_factory=dict)
    _open: set[tuple[int, str]] = field(default_factory=set)
    _seen: set[int] = field(default_factory=set)

    def column(self, scope: Scope, name: str) -> Uses:
        """What an output column of a scope is made of."""
        key = (id(scope), name)
        if key in self._memo:
            return self._memo[key]
        if key in self._open:  # a recursive CTE: the step adds what its columns already have
            return {}
        self._open.add(key)
        found: Uses = {}
        if isinstance(scope.expression, exp.SetOperation):
            place = _names(scope).index(name)
            sides = scope.set_operation_scopes
            if isinstance(scope.expression, (exp.Except, exp.Intersect)):
                sides = sides[:1]
            for side in sides:
                _add(found, self.column(side, _names(side)[place]))
        else:
            matches = [one for one in _selects(scope) if one.alias_or_name == name]
            if len(matches) != 1:
                raise Unresolved(name)
            self.expression(scope, matches[0].unalias(), IDENTITY, found)
        self._open.discard(key)
        self._memo[key] = found
        return found

    def expression(self, scope: Scope, node: exp.Expr, how: How, found: Uses) -> None:
        """Add what an expression of a scope uses; ``how`` its value is used."""
        if isinstance(node, exp.Columns):
            raise Unresolved(node.sql())
        if isinstance(node, exp.Column):
            _add(found, self._reference(scope, node), how)
        elif isinstance(node, exp.Query):
            self._subquery(scope, node, how, found)
        elif isinstance(node, (exp.Paren, exp.Alias)):
            self.expression(scope, node.this, how, found)
        elif isinstance(node, exp.Star):
            pass  # count(*): no column in particular
        else:
            for child, way in _children(node):
                self.expression(scope, child, how if way is None else how.of(way), found)

    def _reference(self, scope: Scope, column: exp.Column) -> Uses:
        source: Any = None
        alias = not column.table and column.name in [one.alias_or_name for one in _selects(scope)]
        if alias and (id(scope), column.name) not in self._open:
            return self.column(scope, column.name)  # an alias, in ORDER BY say
        at: Scope | None = scope
        while at is not None and source is None:  # outwards, for correlated subqueries
            source = at.sources.get(column.table)
            at = at.parent
        if isinstance(source, Scope):
            if isinstance(source.expression, exp.Query):
                return self.column(source, column.name)
            found: Uses = {}  # UNNEST and its like: whatever it was given
            for inner in source.expression.find_all(exp.Column):
                _add(found, self._reference(scope, inner), TRANSFORMATION)
            return found
        if isinstance(source, exp.Table):
            relation = _relation(source)
            if not isinstance(source.this, exp.Identifier):
                return {}  # a table function: its file is an input without columns
            names = {name.lower(): name for name in self.columns.get(relation, {})}
            if column.name.lower() in names:
                return {(relation, names[column.name.lower()]): frozenset({IDENTITY})}
        raise Unresolved(column.sql())

    def _subquery(self, scope: Scope, query: exp.Expr, how: How, found: Uses) -> None:
        inner = query.unnest()
        for one in scope.subquery_scopes:
            if one.expression is inner:
                for name in _names(one):
                    _add(found, self.column(one, name), how.of(TRANSFORMATION))
                return
        raise Unresolved(query.sql())

    def whole(self, scope: Scope) -> None:
        """Collect what the whole result of a scope, and of those beneath it, depends on."""
        if id(scope) in self._seen:
            return
        self._seen.add(id(scope))
        node = scope.expression
        for clause, expressions in _clauses(node):
            for expression in expressions:
                self.expression(scope, expression, _indirect(clause), self.dataset)
        if isinstance(node, (exp.Except, exp.Intersect)):
            right = scope.set_operation_scopes[1]
            for name in _names(right):
                _add(self.dataset, self.column(right, name), _indirect("FILTER"))
        beneath = [scope.sources.get(name) for name, _ in scope.references]
        scopes = [one for one in beneath if isinstance(one, Scope)]
        for one in (*scopes, *scope.set_operation_scopes, *scope.subquery_scopes):
            self.whole(one)


def _add(found: Uses, uses: Uses, how: How | None = None) -> None:
    for key, ways in uses.items():
        made = ways if how is None else frozenset(how.of(way) for way in ways)
        found[key] = found.get(key, frozenset()) | made


def _clauses(node: exp.Expr) -> Iterable[tuple[str, list[exp.Expr]]]:
    """The parts of a query that decide which rows there are and in which order."""
    for name, clause in (("where", "FILTER"), ("having", "FILTER"), ("qualify", "FILTER")):
        part = node.args.get(name)
        if part is not None:
            yield clause, [part.this]
    for join in node.args.get("joins") or ():
        if join.args.get("on") is not None:
            yield "JOIN", [join.args["on"]]
    group = node.args.get("group")
    if group is not None:
        yield "GROUP_BY", list(group.expressions)
        if group.args.get("all") and isinstance(node, exp.Query):
            yield "GROUP_BY", [one for one in node.selects if not one.find(exp.AggFunc)]
    distinct = node.args.get("distinct")
    if isinstance(distinct, exp.Distinct) and distinct.args.get("on") is not None:
        yield "GROUP_BY", list(distinct.args["on"].expressions)
    order = node.args.get("order")
    if order is not None:
        yield "SORT", [one.this for one in order.expressions if not isinstance(one.this, exp.Literal)]


def _children(node: exp.Expr) -> Iterable[tuple[exp.Expr, How | None]]:
    """The parts of an expression, each with how it takes part; None: as the whole does."""
    if isinstance(node, exp.Case):
        for one in node.args.get("ifs") or ():
            yield one.this, _indirect("CONDITIONAL")
            yield one.args["true"], TRANSFORMATION
        for name, way in (("this", _indirect("CONDITIONAL")), ("default", TRANSFORMATION)):
            if node.args.get(name) is not None:
                yield node.args[name], way
    elif isinstance(node, exp.If):
        yield node.this, _indirect("CONDITIONAL")
        for name in ("true", "false"):
            if node.args.get(name) is not None:
                yield node.args[name], TRANSFORMATION
    elif isinstance(node, exp.Filter):
        yield node.this, None
        yield node.expression.this, _indirect("CONDITIONAL")
    elif isinstance(node, exp.Window):
        yield node.this, TRANSFORMATION
        for part in (*(node.args.get("partition_by") or ()), node.args.get("order")):
            if part is not None:
                yield part, _indirect("WINDOW")
    elif isinstance(node, exp.AggFunc):
        masking = isinstance(node, (exp.Count, exp.CountIf, exp.ApproxDistinct))
        way = How("DIRECT", "AGGREGATION", masking)
        yield from ((child, way) for child in node.iter_expressions())
    else:
        yield from ((child, TRANSFORMATION) for child in node.iter_expressions())
