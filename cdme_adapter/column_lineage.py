"""Which columns of a query's result hold values of given columns of the relations that it reads.

sqlglot qualifies the query; this follows its columns through the scopes. It serves privacy, so it
errs on the wide side: a value counts as derived wherever it may show, also by a CASE condition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from cdme_adapter.capture.sqltext import DIALECT, parse
from cdme_adapter.errors import UnsupportedConstruct

Place = tuple[str, str, str]
"""Database, schema and name of a relation, in lower case."""
Followed = tuple[Sequence[str], frozenset[str]]
"""A relation's columns, as far as they are known, and those of them to follow; in lower case."""

_SHOWS_NOTHING = (exp.Count, exp.ApproxDistinct, exp.CountIf)
_NOT_FOLLOWED = (exp.Pivot, exp.Columns, exp.MatchRecognize)


class NotUnderstood(Exception):
    """The query's columns cannot be told apart."""


def derived_columns(sql: str, relations: Mapping[Place, Followed]) -> list[tuple[str, bool]]:
    """The result's columns in order, in lower case, and whether each holds values of followed columns.

    The name of an expression without an alias is not DuckDB's. Raises NotUnderstood for queries that
    cannot be followed.

    >>> relations = {("d", "s", "t"): (["x", "z"], frozenset("x"))}
    >>> derived_columns("SELECT a.x AS y, a.z FROM d.s.t AS a", relations)
    [('y', True), ('z', False)]
    """
    try:
        tree = parse(sql)
        recursive = any(part.args.get("recursive") for part in tree.find_all(exp.With))
        if not isinstance(tree, exp.Query) or tree.find(*_NOT_FOLLOWED) or recursive:
            raise NotUnderstood("it recurses, pivots, or is no query")
        names = _flatten(tree, relations)
        schema: dict[str, object] = {
            names[p]: dict.fromkeys(c, "VARCHAR") for p, (c, _) in relations.items() if c and p in names
        }
        tree = qualify(
            tree, dialect=DIALECT, schema=schema, validate_qualify_columns=False, quote_identifiers=False
        )
        scope = build_scope(tree)
    except (SqlglotError, UnsupportedConstruct, RecursionError, ValueError, KeyError) as error:
        raise NotUnderstood(str(error).splitlines()[0]) from error
    if scope is None:
        raise NotUnderstood("it has no scope")
    follower = _Follower({name: relations[place] for place, name in names.items()})
    return follower.outputs(scope)


def _flatten(tree: exp.Expr, relations: Mapping[Place, Followed]) -> dict[Place, str]:
    """Give every known relation in the query a short name of its own; the names by place."""
    defined = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    names: dict[Place, str] = {}
    for table in list(tree.find_all(exp.Table)):
        if not isinstance(table.this, exp.Identifier) or (not table.db and table.name.lower() in defined):
            continue
        place = _place(table, relations)
        if place is None:
            continue
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
        names.setdefault(place, f"cdme_relation_{len(names)}")
        table.set("this", exp.to_identifier(names[place]))
        table.set("db", None)
        table.set("catalog", None)
    for column in tree.find_all(exp.Column):
        column.set("db", None)
        column.set("catalog", None)
    return names


def _place(table: exp.Table, relations: Mapping[Place, Followed]) -> Place | None:
    wanted = tuple(part.lower() for part in (table.catalog, table.db, table.name) if part)
    found = [place for place in relations if place[len(place) - len(wanted) :] == wanted]
    if len(found) > 1:
        raise NotUnderstood(f"{table.sql()} may be several relations")
    return found[0] if found else None


@dataclass
class _Follower:
    """Follows columns from scope to scope; ``relations`` by the short names."""

    relations: Mapping[str, Followed]
    _done: dict[int, list[tuple[str, bool]]] = field(default_factory=dict)

    def outputs(self, scope: Scope) -> list[tuple[str, bool]]:
        """Each output column of a scope and whether it holds followed values."""
        key = id(scope.expression)
        if key not in self._done:
            self._done[key] = self._outputs(scope)
        return self._done[key]

    def _outputs(self, scope: Scope) -> list[tuple[str, bool]]:
        if scope.set_operation_scopes:
            sides = [self.outputs(side) for side in scope.set_operation_scopes]
            return _united(sides, bool(scope.expression.args.get("by_name")))
        if not isinstance(scope.expression, exp.Select):
            inner = scope.subquery_scopes or scope.derived_table_scopes
            if len(inner) == 1:
                return self.outputs(inner[0])
            raise NotUnderstood(f"{scope.expression.key} as a query")
        found = []
        for projection in scope.expression.selects:
            if projection.is_star or isinstance(projection, (exp.Star, exp.Columns)):
                raise NotUnderstood("a star over columns that are not known")
            found.append((projection.alias_or_name.lower(), self._holds(scope, projection)))
        return found

    def _holds(self, scope: Scope, node: exp.Expr) -> bool:
        """Whether an expression's value may show a followed value."""
        if isinstance(node, _SHOWS_NOTHING):
            return False
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            return False
        if isinstance(node, exp.TableColumn):  # a whole row as a value
            return any(hit for _, hit in self._source(scope, node.name))
        if isinstance(node, exp.Column):
            return self._column(scope, node)
        if isinstance(node, exp.Query) and not isinstance(node, exp.Subquery):
            inner = next((s for s in scope.subquery_scopes if s.expression is node), None)
            if inner is None:
                raise NotUnderstood("a subquery that has no scope")
            return any(hit for _, hit in self.outputs(inner))
        return any(self._holds(scope, child) for child in node.iter_expressions())

    def _column(self, scope: Scope, column: exp.Column) -> bool:
        name = column.name.lower()
        if column.table:
            return self._from(scope, column.table, name)
        return any(self._from(scope, source, name) for source in scope.sources)

    def _from(self, scope: Scope, source: str, name: str) -> bool:
        """Whether a column may hold followed values; of an unknown name, whether any of its source does."""
        found = self._source(scope, source)
        by_name = dict(found)
        return by_name[name] if name in by_name else any(by_name.values())

    def _source(self, scope: Scope, source: str) -> list[tuple[str, bool]]:
        """The columns of one thing in FROM, as far as they are known."""
        held = scope.sources.get(source)
        if held is None and scope.parent is not None:
            return self._source(scope.parent, source)
        if held is None:  # a struct, perhaps: what follows the dot is then no column of a relation
            return [pair for name in scope.sources for pair in self._source(scope, name)]
        if isinstance(held, exp.Table):
            columns, followed = self.relations.get(held.name, ((), frozenset()))
            return [(column, column in followed) for column in dict.fromkeys((*columns, *followed))]
        if isinstance(held.expression, exp.Query) and not isinstance(held.expression, exp.UDTF):
            return self.outputs(held)
        return [("", any(self._column(scope, c) for c in held.expression.find_all(exp.Column)))]


def _united(sides: list[list[tuple[str, bool]]], by_name: bool) -> list[tuple[str, bool]]:
    """The columns of a set operation: by position and named by the first side, or BY NAME."""
    if by_name:
        names = dict.fromkeys(name for side in sides for name, _ in side)
        return [(name, any((name, True) in side for side in sides)) for name in names]
    return [
        (name, any(number < len(side) and side[number][1] for side in sides))
        for number, (name, _) in enumerate(sides[0])
    ]
