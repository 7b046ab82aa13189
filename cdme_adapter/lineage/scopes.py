"""What the columns of a clause are over one stored relation, through the views and CTEs between.

Only what is certain is resolved: columns that are handed on or defined row by row. A wrong value in
an explanation would be worse than none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.relations import Table
from cdme_adapter.project import Manifest, Node
from cdme_adapter.store.reader import Edge, quote

_DEPTH = 40
_CLAUSES = ("where", "having", "qualify")


def parse_clause(sql: str) -> Any:
    """A reason's clause as a syntax tree, whether it is an expression, a join or another clause."""
    for text in (f"SELECT ({sql})", f"SELECT 1 FROM __cdme {sql}", f"SELECT 1 {sql}"):
        try:
            return sqlglot.parse_one(text, read="duckdb")
        except SqlglotError:
            continue
    return None


def clause_columns(tree: Any) -> list[tuple[str, str]]:
    """The (qualifier, column) pairs that a clause names, each once.

    >>> clause_columns(parse_clause("JOIN planes AS p USING (tailnum)"))
    [('', 'tailnum')]
    >>> clause_columns(parse_clause("f.arr_delay > 0"))
    [('f', 'arr_delay')]
    """
    found = [("", i.name) for j in tree.find_all(exp.Join) for i in j.args.get("using") or []]
    found += [(c.table, c.name) for c in tree.find_all(exp.Column) if c.name]
    return list(dict.fromkeys(found))


@dataclass
class Scopes:
    """The SELECTs of a model and of the views beneath it, as places where names mean something."""

    manifest: Manifest
    table: Table
    model: str
    _trees: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(ctx: Context, edge: Edge, table: Table) -> Scopes:
        """The scopes in which the clauses of an edge stand."""
        return Scopes(ctx.manifest, table, edge.model)

    def values(self, clause: str) -> dict[str, str]:
        """For each column in a clause that can be had from the relation: name → SQL over ``r``."""
        tree = parse_clause(clause)
        if tree is None:
            return {}
        select, node = self._find(tree)
        found: dict[str, str] = {}
        for qualifier, name in clause_columns(tree):
            if select is not None and node is not None:
                sql = self._column(select, node, qualifier, name, _DEPTH)
            else:
                own = self.table.column(name)
                sql = f"r.{quote(own.name)}" if own else None
            if sql is not None:
                found.setdefault(name, sql)
        return found

    def over(self, clause: str) -> str | None:
        """A whole conjunct as SQL over ``r``; None where a name in it is not certain."""
        tree = parse_clause(clause)
        if tree is None or tree.find(exp.Join) or len(tree.expressions) != 1:
            return None
        select, node = self._find(tree)
        if select is None or node is None:
            return None
        return self._expression(select, node, tree.expressions[0], _DEPTH)

    # -- where the clause stands -----------------------------------------------------------------

    def _find(self, clause: Any) -> tuple[Any, Node | None]:
        """The one SELECT, in the model or in a view that it reads, that has the clause."""
        wanted = _normal(clause)
        found = [
            (select, node)
            for node in self._nodes()
            for select in self._selects(node)
            if wanted & _clauses(select)
        ]
        return found[0] if len(found) == 1 else (None, None)

    def _nodes(self) -> Iterator[Node]:
        """The model and the views that it reads, through other views too."""
        todo, seen = [self.model], set()
        for name in todo:
            node = self.manifest.nodes.get(name)
            if node is None or name in seen or (name != self.model and node.stored):
                continue
            seen.add(name)
            yield node
            todo += node.parents

    def _tree(self, node: Node) -> Any:
        if node.id not in self._trees:
            sql = next(iter(node.compiled), None)
            try:
                self._trees[node.id] = sqlglot.parse_one(sql, read="duckdb") if sql else None
            except SqlglotError:
                self._trees[node.id] = None
        return self._trees[node.id]

    def _selects(self, node: Node) -> list[Any]:
        tree = self._tree(node)
        return list(tree.find_all(exp.Select)) if tree is not None else []

    # -- what a column is ------------------------------------------------------------------------

    def _column(self, select: Any, node: Node, qualifier: str, name: str, depth: int) -> str | None:
        """SQL over the relation for a column of a SELECT's FROM clause."""
        if depth == 0:
            return None
        from_ = select.args.get("from_")
        joined = [join.this for join in select.args.get("joins") or []]
        found = set()
        for source in ([from_.this] if from_ is not None else []) + joined:
            if qualifier and source.alias_or_name.lower() != qualifier.lower():
                continue
            sql = self._of_source(source, node, name, depth - 1)
            if sql is not None:
                found.add(sql)
        return found.pop() if len(found) == 1 else None

    def _of_source(self, source: Any, node: Node, name: str, depth: int) -> str | None:
        if isinstance(source, exp.Subquery):
            return self._of_query(source.this, node, name, depth)
        if not isinstance(source, exp.Table):
            return None
        cte = None if source.db else _cte(source)
        if cte is not None:
            return self._of_query(cte.this, node, name, depth)
        read = self._read(node, source)
        if read is None:
            return None
        if read.id == self.table.id:
            own = self.table.column(name)
            return f"r.{quote(own.name)}" if own else None
        tree = None if read.stored else self._tree(read)
        return self._of_query(tree, read, name, depth) if tree is not None else None

    def _read(self, node: Node, source: Any) -> Node | None:
        """The node that a table in a node's SQL is."""
        for parent in node.parents:
            read = self.manifest.nodes.get(parent)
            if read is None or read.identifier.lower() != source.name.lower():
                continue
            if not source.db or source.db.lower() == read.schema.lower():
                return read
        return None

    def _of_query(self, query: Any, node: Node, name: str, depth: int) -> str | None:
        """SQL over the relation for an output column of a query."""
        if depth <= 0 or not isinstance(query, exp.Select):
            return None
        for projection in query.expressions:
            if projection.alias_or_name.lower() == name.lower():
                inner = projection.this if isinstance(projection, exp.Alias) else projection
                return self._expression(query, node, inner, depth)
        if any(isinstance(p, exp.Star) or p.is_star for p in query.expressions):
            return self._column(query, node, "", name, depth - 1)
        return None

    def _expression(self, select: Any, node: Node, tree: Any, depth: int) -> str | None:
        """An expression of a SELECT with its columns resolved; None for what is not row by row."""
        if tree.find(exp.AggFunc, exp.Window, exp.Query, exp.Unnest):
            return None
        holder = exp.Paren(this=tree.copy())
        for column in list(holder.find_all(exp.Column)):
            sql = self._column(select, node, column.table, column.name, depth - 1)
            if sql is None:
                return None
            column.replace(exp.Paren(this=sqlglot.parse_one(sql, read="duckdb")))
        return str(holder.this.sql("duckdb"))


def _cte(source: Any) -> Any:
    """The CTE that a table name means where it stands, or None."""
    scope, inner = source.parent, source
    while scope is not None:
        with_ = scope.args.get("with_")
        for cte in with_.expressions if with_ is not None else []:
            if cte.alias.lower() == source.name.lower() and cte is not inner:
                return cte
        scope, inner = scope.parent, scope
    return None


def _text(tree: Any) -> str:
    """An expression's text without quotes, parentheses around it and case."""
    bare = tree
    while isinstance(bare, exp.Paren):
        bare = bare.this
    return str(bare.sql("duckdb", comments=False)).replace('"', "").lower()


def _conditions(join: Any) -> set[str]:
    found = {_text(join.args["on"])} if join.args.get("on") is not None else set()
    using = join.args.get("using") or []
    if using:
        name = join.this.alias_or_name.lower()
        found.add(f"using {name} {sorted(i.name.lower() for i in using)}")
    return found


def _normal(clause: Any) -> set[str]:
    """What :func:`_clauses` would hold for a parsed reason."""
    joins = list(clause.find_all(exp.Join))
    if joins:
        return _conditions(joins[0])
    expressions = clause.expressions
    return {_text(expressions[0])} if expressions else set()


def _clauses(select: Any) -> set[str]:
    """The conjuncts and join conditions of a SELECT, as comparable texts."""
    found: set[str] = set()
    for name in _CLAUSES:
        condition = select.args.get(name)
        if condition is not None:
            parts = condition.this.flatten() if isinstance(condition.this, exp.And) else [condition.this]
            found |= {_text(part) for part in parts} | {_text(condition.this)}
    for join in select.args.get("joins") or []:
        found |= _conditions(join)
    return found
