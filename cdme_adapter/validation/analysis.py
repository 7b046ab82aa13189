"""A model's SQL, read: every SELECT and set operation with its facts, children first.

sqlglot parses and qualifies; the facts are CDME's. What cannot be read is an AnalysisError, and the
rules then say *cannot tell*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope
from sqlglot.schema import MappingSchema

from cdme_adapter.validation.catalog import canonical
from cdme_adapter.validation.output import output_of
from cdme_adapter.validation.predicates import walk
from cdme_adapter.validation.relations import Column, Relation, Shape
from cdme_adapter.validation.select_facts import SelectFacts, read_select
from cdme_adapter.validation.set_facts import SetFacts, union_output
from cdme_adapter.validation.using_columns import settle_using

Lookup = Callable[[str], Relation | None]
Describe = Callable[[str], list[Column] | None]
Fill = Callable[[SelectFacts, Relation], Relation]


class AnalysisError(Exception):
    """The SQL is beyond this analysis; the message says why."""


@dataclass
class Analysis:
    """All that was read from one model's SQL."""

    tree: exp.Expr
    selects: list[SelectFacts] = field(default_factory=list)
    sets: list[SetFacts] = field(default_factory=list)
    root: Relation = field(default_factory=lambda: Relation("", opaque=True))
    reads: dict[str, Relation] = field(default_factory=dict)
    """Stored relations by canonical name, as the SQL reads them."""
    places: dict[str, int | None] = field(default_factory=dict)
    """The line on which each is first read."""
    root_select: SelectFacts | None = None
    missing: list[str] = field(default_factory=list)
    """Canonical names of tables that nobody knows."""
    unsettled: list[str] = field(default_factory=list)
    """Relations that exist but whose columns are not known."""

    def walk(self, *kinds: type[exp.Expr]) -> Iterator[tuple[SelectFacts, exp.Expr]]:
        """Nodes of these kinds, each with the SELECT it stands in."""
        return (pair for pair in self._nodes if isinstance(pair[1], kinds))

    @cached_property
    def _nodes(self) -> list[tuple[SelectFacts, exp.Expr]]:
        return [
            (facts, node)
            for facts in self.selects
            for part in _own_parts(facts.select)
            for node in walk(part, exp.Expr)
        ]


def _own_parts(select: exp.Select) -> Iterator[exp.Expr]:
    yield from select.expressions
    for key in ("where", "group", "having", "qualify", "order", "limit", "distinct", "sample"):
        part = select.args.get(key)
        if isinstance(part, exp.Expr):
            yield part
    for join in select.args.get("joins") or []:
        if join.args.get("on") is not None:
            yield join.args["on"]


def analyse(
    sql: str,
    lookup: Lookup,
    describe: Describe,
    *,
    database: str = "",
    schema: str = "",
    fill: Fill | None = None,
) -> Analysis:
    """Read ``sql``; ``lookup`` knows stored relations, ``describe`` asks DuckDB for columns.

    ``fill`` adds the types of computed columns to the output of a SELECT.
    """
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    except SqlglotError as error:
        raise AnalysisError(f"not parsed: {str(error).splitlines()[0]}") from error
    if not isinstance(tree, exp.Query):
        raise AnalysisError(f"a {type(tree).__name__} statement")
    if next(walk(tree, exp.Pivot, into=True), None) is not None:
        raise AnalysisError("PIVOT")
    bases = _name_tables(tree, lookup, describe, database, schema)
    columns: dict[str, object] = {
        flat: {c.name.lower(): c.type or "VARCHAR" for c in relation.columns}
        for flat, (relation, _) in bases.items()
        if not relation.opaque and relation.columns
    }
    try:
        tree = qualify(
            tree,
            schema=MappingSchema(columns, dialect="duckdb"),
            dialect="duckdb",
            validate_qualify_columns=False,
            allow_partial_qualification=True,
            identify=False,
            quote_identifiers=False,
        )
        settle_using(tree)
        scope = build_scope(tree)
    except (SqlglotError, RecursionError, KeyError, AttributeError, ValueError, TypeError) as error:
        why = str(error).split("\n", 1)[0] or type(error).__name__
        raise AnalysisError(f"not qualified: {why}") from error
    if scope is None:
        raise AnalysisError("no query")
    analysis = Analysis(tree)
    for relation, line in bases.values():
        analysis.places.setdefault(relation.name, line)
        if relation.opaque and not relation.expands:
            kind = analysis.unsettled if relation.file or relation.edges else analysis.missing
            kind.append(relation.name)
        if relation.edges:
            analysis.reads.setdefault(relation.name, relation)
    relations = {flat: relation for flat, (relation, _) in bases.items()}
    _Reader(analysis, relations, fill).read(scope)
    return analysis


def table_names(sql: str, database: str, schema: str) -> list[str]:
    """Canonical names of the tables that a text names, where sqlglot can parse it; CTEs among them."""
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    except SqlglotError:
        return []
    named = (t for t in walk(tree, exp.Table, into=True) if isinstance(t.this, exp.Identifier))
    return [canonical(t.catalog or database, t.db or schema, t.name) for t in named]


def _name_tables(
    tree: exp.Expr, lookup: Lookup, describe: Describe, database: str, schema: str
) -> dict[str, tuple[Relation, int | None]]:
    """Give every stored table a flat name of its own; return the relations by those names."""
    bases: dict[str, tuple[Relation, int | None]] = {}
    for table in list(walk(tree, exp.Table, into=True)):
        if _is_cte(table):
            continue
        relation = _relation_of(table, lookup, describe, database, schema)
        flat = f"cdme_base_{len(bases)}"
        line = next((p.meta["line"] for p in table.walk() if p._meta and "line" in p._meta), None)
        bases[flat] = (relation, line)
        if not table.alias:
            alias = table.name if isinstance(table.this, exp.Identifier) else flat
            table.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
        named = exp.to_identifier(flat, quoted=True)
        if line is not None:
            named.meta["line"] = line  # where a star is all that is selected, the one place there is
        table.set("this", named)
        table.set("db", None)
        table.set("catalog", None)
    return bases


def _is_cte(table: exp.Table) -> bool:
    """Whether a name is that of a CTE in sight; inside its own definition it is the table."""
    if table.args.get("db") is not None or not isinstance(table.this, exp.Identifier):
        return False
    name, node = table.name.lower(), table.parent
    inside: exp.Expr | None = None
    while node is not None:
        if isinstance(node, exp.CTE):
            inside = node
        with_ = node.args.get("with_") if isinstance(node, exp.Expr) else None
        if with_ is not None:
            for cte in with_.expressions:
                if cte is inside and not with_.args.get("recursive"):
                    break
                if cte.alias.lower() == name:
                    return True
            inside = None
        node = node.parent
    return False


def _relation_of(
    table: exp.Table, lookup: Lookup, describe: Describe, database: str, schema: str
) -> Relation:
    if isinstance(table.this, exp.Identifier):
        name = canonical(table.catalog or database, table.db or schema, table.name)
        found = lookup(name)
        if found is not None:
            return replace(found, edges={found.name: Shape()})
    bare = table.copy()
    bare.set("alias", None)
    bare.set("joins", None)
    columns = describe(f"SELECT * FROM {bare.sql('duckdb')}")
    name = bare.sql("duckdb")[:60]
    if isinstance(table.this, (exp.GenerateSeries, exp.Explode, exp.Unnest, exp.Values)) or (
        isinstance(table.this, exp.Anonymous) and table.this.name.lower() in ("range", "unnest")
    ):
        listed = tuple(columns or ())
        alias = table.args.get("alias")
        if alias is not None and alias.columns:
            listed = tuple(replace(c, name=n.name) for c, n in zip(listed, alias.columns, strict=False))
            alias.set("columns", None)
        keys = (frozenset({listed[0].name.lower()}),) if len(listed) == 1 else ()
        return Relation(name, listed, keys, bool(keys), opaque=not listed, expands=True)
    named = isinstance(table.this, exp.Identifier)
    is_file = not named or bool(columns) or any(mark in table.name for mark in "/.*")
    if columns is None:
        if not is_file:
            name = canonical(table.catalog or database, table.db or schema, table.name)
        return Relation(name, opaque=True, file=is_file)
    return Relation(name, tuple(columns), file=is_file)


class _Reader:
    """Walks the scopes, children first, and keeps each one's output."""

    def __init__(self, analysis: Analysis, bases: dict[str, Relation], fill: Fill | None) -> None:
        self.analysis, self.bases, self.fill = analysis, bases, fill
        self.outputs: dict[int, Relation] = {}

    def read(self, root: Scope) -> None:
        for scope in root.traverse():
            self.outputs[id(scope)] = self._output(scope)
        self.analysis.root = self.outputs[id(root)]
        last = self.analysis.selects[-1] if self.analysis.selects else None
        if last is not None and last.select is root.expression:
            self.analysis.root_select = last

    def _output(self, scope: Scope) -> Relation:
        node = scope.expression
        if isinstance(node, exp.Subquery):
            node = node.unnest()
        if isinstance(node, exp.Select):
            relations = {alias.lower(): self._relation(source) for alias, source in scope.sources.items()}
            facts = read_select(node, relations)
            facts.name = _scope_name(scope)
            facts.output = output_of(facts, facts.name)
            if self.fill is not None:
                facts.output = self.fill(facts, facts.output)
            self.analysis.selects.append(facts)
            return facts.output
        if isinstance(node, exp.SetOperation):
            branches = [self.outputs.get(id(s)) for s in scope.set_operation_scopes]
            known = [b for b in branches if b is not None]
            if len(known) != 2 or _recursive(scope):
                return Relation("", opaque=True)
            output = union_output(node, known)
            self.analysis.sets.append(SetFacts(node, known, output))
            return output
        alias = node.alias_or_name if isinstance(node, exp.Expr) else ""
        names = tuple(Column(c) for c in scope.outer_columns)
        return Relation(alias, names, (), True, opaque=not names, expands=True)

    def _relation(self, source: exp.Expr | Scope) -> Relation:
        if isinstance(source, Scope):
            return self.outputs.get(id(source), Relation("", opaque=True))
        name = source.name if isinstance(source, exp.Table) else ""
        return self.bases.get(name, Relation(name, opaque=True))


def _recursive(scope: Scope) -> bool:
    cte = scope.expression.find_ancestor(exp.CTE)
    with_ = cte.find_ancestor(exp.With) if cte is not None else None
    if with_ is None or not with_.args.get("recursive") or cte is None:
        return False
    return any(t.name.lower() == cte.alias.lower() for t in cte.this.find_all(exp.Table))


def _scope_name(scope: Scope) -> str:
    parent = scope.expression.parent
    return parent.alias if isinstance(parent, (exp.CTE, exp.Subquery)) else ""
