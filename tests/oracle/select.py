"""One SELECT, clause after clause in the order the contract names them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlglot import exp

from tests.oracle import conjuncts, window
from tests.oracle.context import Context
from tests.oracle.distinct import distinct, distinct_on
from tests.oracle.evaluate import evaluate, extend
from tests.oracle.group import aggregates, group, grouping_sets
from tests.oracle.join import joined
from tests.oracle.limit import limited
from tests.oracle.model import Column, OracleError, Prov, Relation, Row
from tests.oracle.names import expand, transform
from tests.oracle.source import with_ctes
from tests.oracle.stars import Item, items_of
from tests.oracle.unnest import expanded

Rewrite = Callable[[exp.Expr], exp.Expr]


@dataclass
class Select:
    """A SELECT on its way through its clauses: the tuples so far, the expressions still to come."""

    context: Context
    node: exp.Select
    relation: Relation
    items: list[Item] = field(default_factory=list)
    having: list[tuple[exp.Expr, exp.Expr]] = field(default_factory=list)
    qualify: list[tuple[exp.Expr, exp.Expr]] = field(default_factory=list)
    keys: list[exp.Expr] = field(default_factory=list)
    """The ORDER BY expressions."""
    on: list[exp.Expr] = field(default_factory=list)
    """The DISTINCT ON expressions."""

    def rewrite(self, change: Rewrite) -> None:
        """Change every expression that is evaluated after this point."""
        self.items = [Item(item.name, change(item.node)) for item in self.items]
        self.having = [(written, change(ready)) for written, ready in self.having]
        self.qualify = [(written, change(ready)) for written, ready in self.qualify]
        self.keys = [change(key) for key in self.keys]
        self.on = [change(part) for part in self.on]

    def pending(self) -> list[exp.Expr]:
        """Every expression that is evaluated after this point."""
        return [
            *(item.node for item in self.items),
            *(ready for _, ready in self.having),
            *(ready for _, ready in self.qualify),
            *self.keys,
            *self.on,
        ]

    def keep(self, clause: str, conditions: list[tuple[exp.Expr, exp.Expr]]) -> None:
        """Apply the conjuncts of a filtering clause."""
        rows, edges = conjuncts.keep(
            self.context, clause, conditions, self.relation.columns, self.relation.rows
        )
        self.relation = Relation(self.relation.columns, rows, self.relation.edges | edges)


def select(context: Context, node: exp.Select) -> Relation:
    """Evaluate a SELECT with everything that belongs to it."""
    context = with_ctes(context, node)
    state = Select(context, node, _from(context, node))
    aliases = _resolve(state)
    where = node.args.get("where")
    if where is not None:
        columns = state.relation.columns
        state.keep("where", [(c, expand(c, columns, aliases)) for c in conjuncts.split(where.this)])
    _group(state, aliases)
    state.keep("having", state.having)
    _windows(state)
    state.keep("qualify", state.qualify)
    _unnest(state)
    return limited(context, _distinct(state, _project(state)), node)


def _from(context: Context, node: exp.Select) -> Relation:
    source = node.args.get("from_")
    if source is None:
        return Relation([], [Row(())])
    if node.args.get("sample"):
        raise OracleError("SAMPLE")
    return joined(context, source.this, node.args.get("joins") or [])


def _resolve(state: Select) -> dict[str, exp.Expr]:
    """Expand stars and aliases; number the ORDER BY and DISTINCT ON expressions."""
    node, columns = state.node, state.relation.columns
    aliases: dict[str, exp.Expr] = {}
    for item in items_of(state.context, node.expressions, columns):
        ready = expand(item.node, columns, aliases)
        state.items.append(Item(item.name, ready))
        if item.named:
            aliases.setdefault(item.name.lower(), ready)
    clause = node.args.get("having")
    for written in conjuncts.split(clause.this) if clause is not None else []:
        state.having.append((written, _in_having(state, written, aliases)))
    clause = node.args.get("qualify")
    for written in conjuncts.split(clause.this) if clause is not None else []:
        state.qualify.append((written, expand(written, columns, aliases)))
    order = node.args.get("order")
    if order is not None and [o.this.sql().upper() for o in order.expressions] == ["ALL"]:
        places = [exp.Literal.number(n + 1) for n in range(len(state.items))]
        order.set("expressions", [exp.Ordered(**{**order.expressions[0].args, "this": n}) for n in places])
    ordered = order.expressions if order is not None else []
    state.keys = [_output(state, o.this, aliases, first=True) for o in ordered]
    on = node.args["distinct"].args.get("on") if node.args.get("distinct") else None
    if on is not None:
        parts = on.expressions if isinstance(on, exp.Tuple) else [on]
        state.on = [_output(state, part, aliases, first=False) for part in parts]
    return aliases


def _in_having(state: Select, written: exp.Expr, aliases: dict[str, exp.Expr]) -> exp.Expr:
    """In HAVING an alias hides a column, but for the columns grouped by and inside of aggregates."""
    columns = state.relation.columns
    grouped = {key.name.lower() for key in _plain_keys(state, aliases) if isinstance(key, exp.Column)}

    def visit(part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.AggFunc):
            return expand(part, columns, aliases)
        if isinstance(part, exp.Column) and not part.table and part.name.lower() not in grouped:
            known = aliases.get(part.name.lower())
            return exp.Paren(this=known) if known is not None else part
        return part

    return expand(transform(written, visit), columns, aliases)


def _plain_keys(state: Select, aliases: dict[str, exp.Expr]) -> list[exp.Expr]:
    """What the SELECT groups by, grouping sets left out."""
    clause = state.node.args.get("group")
    if clause is None:
        return []
    if clause.args.get("all"):
        return _all_keys([item.node for item in state.items])
    return [_output(state, part, aliases, first=False) for part in clause.expressions]


def _output(state: Select, part: exp.Expr, aliases: dict[str, exp.Expr], first: bool) -> exp.Expr:
    """An expression of ORDER BY, DISTINCT ON or GROUP BY: an ordinal, an alias, or itself."""
    if isinstance(part, exp.Literal) and not part.is_string:
        return state.items[int(part.name) - 1].node
    return expand(part, state.relation.columns, aliases, first)


def _all_keys(items: list[exp.Expr]) -> list[exp.Expr]:
    """The keys of GROUP BY ALL: what reads columns outside of aggregates."""
    plain = [item for item in items if not any(aggregates(item))]
    keys = [item for item in plain if item.find(exp.Column)]
    return keys or (plain if len(plain) == len(items) else [])


def _grouping_item(state: Select, part: exp.Expr, aliases: dict[str, exp.Expr]) -> exp.Expr:
    """A GROUP BY item, ordinals and aliases resolved down to the members of grouping sets."""
    if isinstance(part, exp.Paren):
        return exp.Paren(this=_grouping_item(state, part.this, aliases))
    if isinstance(part, exp.Rollup | exp.Cube | exp.GroupingSets | exp.Tuple):
        members = [_grouping_item(state, member, aliases) for member in part.expressions]
        return part.__class__(expressions=members)
    return _output(state, part, aliases, first=False)


def _group(state: Select, aliases: dict[str, exp.Expr]) -> None:
    clause = state.node.args.get("group")
    calls = [call for part in state.pending() for call in aggregates(part)]
    if clause is None and not calls and not state.having:
        return
    if clause is not None and clause.args.get("all"):
        sets = [_all_keys([item.node for item in state.items])]
    else:
        written = clause.expressions if clause is not None else []
        resolved = [_grouping_item(state, part, aliases) for part in written]
        state.relation, change = expanded(state.context, state.relation, resolved, state.node)
        if change is not None:  # what is grouped by is unnested before
            state.rewrite(change)
            resolved, calls = [change(key) for key in resolved], [change(call) for call in calls]
        sets = grouping_sets(resolved)
    grouped = group(state.context, state.relation, sets, calls)
    state.relation = grouped.relation
    state.rewrite(grouped.rewrite)


def _windows(state: Select) -> None:
    """Every window function, each over the same tuples, becomes a column."""
    named = {w.this.name.lower(): w for w in state.node.args.get("windows") or []}
    found: dict[str, exp.Window] = {}
    for part in state.pending():
        for inner in part.find_all(exp.Window):
            if not _in_subquery(part, inner):
                found.setdefault(inner.sql("duckdb"), inner)
    if not found:
        return
    source = state.relation
    columns, values = list(source.columns), [list(row.values) for row in source.rows]
    provs: list[Prov] = [row.prov for row in source.rows]
    edges = source.edges
    names: dict[str, str] = {}
    for sql, node in found.items():
        result = window.compute(state.context, node, named, source)
        names[sql] = f"w{len(names)}_"
        columns.append(Column(names[sql], None, result.type))
        for row, value in zip(values, result.values, strict=True):
            row.append(value)
        provs = [a | b for a, b in zip(provs, result.provs, strict=True)]
        edges |= result.edges
    rows = [Row(tuple(row), prov) for row, prov in zip(values, provs, strict=True)]
    state.relation = Relation(columns, rows, edges)

    def visit(part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.Window):
            return exp.column(names[part.sql("duckdb")])
        return part

    state.rewrite(lambda node: transform(node, visit))


def _in_subquery(root: exp.Expr, node: exp.Expr) -> bool:
    """Whether a node lies in a subquery of ``root``."""
    inside: list[exp.Expr] = []

    def visit(part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.Window):
            inside.append(part)
        return part

    transform(root, visit)
    return all(part is not node for part in inside)


def _unnest(state: Select) -> None:
    relation, change = expanded(state.context, state.relation, state.pending(), state.node)
    state.relation = relation
    if change is not None:
        state.rewrite(change)


def _project(state: Select) -> tuple[Relation, list[tuple[object, ...]]]:
    """The SELECT list; with it the ORDER BY keys and the DISTINCT ON groups of each tuple."""
    context, columns, rows = state.context, state.relation.columns, state.relation.rows
    edges = state.relation.edges
    made, values = [], []
    for item in state.items:
        found = evaluate(context, item.node, columns, rows)
        rows = extend(rows, found.provs)
        edges |= found.edges
        made.append(Column(item.name, None, found.type))
        values.append(found.values)
    keys = []
    for key in state.keys:
        found = evaluate(context, key, columns, rows)
        rows = extend(rows, found.provs)
        edges |= found.edges
        keys.append(found.values)
    on = [evaluate(context, part, columns, rows).values for part in state.on]
    output = [Row(tuple(v[i] for v in values), row.prov) for i, row in enumerate(rows)]
    sorting = [tuple(k[i] for k in keys) for i in range(len(rows))] if keys else []
    groups = [tuple(o[i] for o in on) for i in range(len(rows))]
    return Relation(made, output, edges, sorting), groups


def _distinct(state: Select, projected: tuple[Relation, list[tuple[object, ...]]]) -> Relation:
    relation, groups = projected
    clause = state.node.args.get("distinct")
    if clause is None:
        return relation
    if not state.on:
        return distinct(relation)
    order = state.node.args.get("order")
    ordered = order.expressions if order is not None else []
    return distinct_on(state.context, relation, groups, ordered, clause)
