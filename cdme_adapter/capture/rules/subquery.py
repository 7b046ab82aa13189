"""Subqueries in expressions: they stay as they are; what they read takes part beside the rows.

Their rows take part indirectly (``lookups``), or their relations as guards where the subquery asks
for an absence as a conjunct of its own (docs/concepts.md, Role). A CTE that a subquery names comes
along in a WITH clause of its own, or as the stage that it already is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.accounting import Kind
from cdme_adapter.capture.rules.called import calls_of
from cdme_adapter.capture.rules.lookups import CONJUNCT, Around, look_up, look_up_call
from cdme_adapter.capture.rules.macros import table_macro
from cdme_adapter.capture.rules.recursion import is_recursive
from cdme_adapter.capture.rules.shape import blocks, is_volatile
from cdme_adapter.capture.scope import Cte, Env
from cdme_adapter.capture.sqltext import INNER, not_understood, parse, render, touch, with_text
from cdme_adapter.provenance import Exactness, Role

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

_Names = dict[str, list[tuple[exp.Expr, "_Names"]]]
"""The CTEs that a part of a query sees: their bodies, each with the names that it sees itself."""
_FREE_FUNCTIONS = (exp.GenerateSeries, exp.Unnest, exp.Explode)


def nested_queries(node: exp.Expr) -> list[exp.Expr]:
    """The outermost queries inside an expression (not FROM items)."""
    found: list[exp.Expr] = []

    def walk(part: exp.Expr) -> None:
        if isinstance(part, exp.Query) and not isinstance(part, exp.Subquery):
            found.append(part)
            return
        for child in part.iter_expressions():
            walk(child)

    walk(node)
    return found


def predicate_kind(conjunct: exp.Expr) -> tuple[Kind, Role] | None:
    """semi_join or anti_join where a conjunct is nothing but IN, EXISTS, ANY or ALL.

    >>> predicate_kind(parse("SELECT a NOT IN (SELECT 1)").selects[0])[0].value
    'anti_join'
    """
    bare, negated = _bare(conjunct)
    every = isinstance(bare, exp.Binary) and isinstance(bare.expression, exp.All)
    some = isinstance(bare, exp.Binary) and isinstance(bare.expression, exp.Any)
    found = isinstance(bare, exp.Exists) or (isinstance(bare, exp.In) and bare.args.get("query"))
    if not (found or every or some):
        return None
    if (some or every) and not nested_queries(bare.expression):
        return None  # of a list: no record stands behind it
    if negated != every:
        return Kind.ANTI_JOIN, Role.GUARD
    return Kind.SEMI_JOIN, Role.INDIRECT


def _bare(conjunct: exp.Expr) -> tuple[exp.Expr, bool]:
    """A conjunct without the parentheses and NOTs around it, and whether the NOTs negate it."""
    negated = False
    bare = conjunct.unnest()
    while isinstance(bare, exp.Not):
        negated, bare = not negated, bare.this.unnest()
    return bare, negated


def asked_of(conjunct: exp.Expr) -> list[exp.Expr]:
    """What a predicate subquery asks, without the subqueries that its operands may be.

    >>> asked_of(parse("SELECT NOT (SELECT 1) IN (SELECT 2)").selects[0])[0].sql()
    'SELECT 2'
    """
    bare, _ = _bare(conjunct)
    if isinstance(bare, exp.In):
        return nested_queries(bare.args["query"])
    return nested_queries(bare.this if isinstance(bare, exp.Exists) else bare.expression)


def may_try(conjunct: exp.Expr) -> bool:
    """Whether a conjunct can stand under TRY: DuckDB reads ``= ANY (list)`` and VALUES as subqueries.

    >>> [may_try(parse(f"SELECT {sql}").selects[0]) for sql in ("a > 1", "a = ANY([1])", "a <> ALL([1])")]
    [True, False, False]
    """
    if nested_queries(conjunct) or conjunct.find(exp.Any, exp.All, exp.Values) is not None:
        return False
    return not any(str(call.this).lower() in ("all", "some") for call in conjunct.find_all(exp.Anonymous))


def settle_subqueries(
    planner: Planner, node: exp.Expr, env: Env, role: Role = Role.INDIRECT, around: Around | None = None
) -> None:
    """Make every subquery of an expression bind on its own, and say what it reads.

    ``around`` says where the expression stands; without it the rows of a subquery are not looked up.
    """
    for query in nested_queries(node):
        if INNER in query.meta:
            continue  # another rule, which knew its role, was here before
        _settle(planner, query, env, role, around)
    for part, call in calls_of(planner, node, env):
        found = {relation for query in call.queries for relation in _reads(planner, query, {})[0]}
        place = _place(planner, part, around)
        if place is None or not look_up_call(planner, call, {}, place):
            for relation in found:
                planner.consult(relation, Role.INDIRECT, Exactness.SUPERSET, "a macro")


def settle_guards(planner: Planner, conjunct: exp.Expr, env: Env) -> None:
    """Say what NOT IN, NOT EXISTS or ALL asks; subqueries among its operands are values like any."""
    for query in asked_of(conjunct):
        _settle(planner, query, env, Role.GUARD, None)


def _settle(planner: Planner, query: exp.Expr, env: Env, role: Role, around: Around | None) -> None:
    relations, columns = _reads(planner, query, env)
    if role is Role.GUARD or not _looked_up(planner, query, env, around):
        exactness = Exactness.EXACT if role is Role.GUARD else Exactness.SUPERSET
        for relation in relations:
            planner.consult(relation, role, exactness, "a subquery")
    bring_ctes(planner, query, env)
    query.meta[INNER] = columns


def _looked_up(planner: Planner, query: exp.Expr, env: Env, around: Around | None) -> bool:
    """Plan the subquery's rows exactly, where that can be done."""
    place = _place(planner, query, around)
    if place is None:
        return False
    conjunct = place.conjunct or bool(query.meta.get(CONJUNCT))
    return look_up(planner, query, env, replace(place, conjunct=conjunct))


def _place(planner: Planner, query: exp.Expr, around: Around | None) -> Around | None:
    """Where a subquery or a call is evaluated: for groups, or for their rows; None in a window."""
    part = query.parent
    while part is not None and not isinstance(part, exp.Query):
        if around is None or isinstance(part, exp.Window):
            return None
        name = str(part.this).lower() if isinstance(part, exp.Anonymous) else ""
        if isinstance(part, exp.AggFunc) or (name and planner.catalog.is_aggregate(name)):
            around = replace(around, late=False)
        part = part.parent
    return around


def _reads(planner: Planner, query: exp.Expr, env: Env) -> tuple[set[str], frozenset[str]]:
    """The stored relations that a query reads, and the columns that it can see of its own."""
    if any(is_volatile(part, planner.catalog) for part in query.find_all(exp.Func)):
        raise not_understood("a volatile function in a subquery", query)
    relations: set[str] = set()
    columns: set[str] = {c.alias_or_name.lower() for q in query.find_all(exp.Query) for c in q.selects}
    for table, own in _read(query):
        if not isinstance(table, exp.Table) or isinstance(table.this, _FREE_FUNCTIONS):
            continue
        if not table.db and table.name.lower() in own:
            continue
        found, names = _reads_table(planner, table, env)
        relations |= found
        columns |= names
    return relations | _read_by_macros(planner, query, env), frozenset(columns)


def _read_by_macros(planner: Planner, query: exp.Expr, env: Env) -> set[str]:
    """What the macros read that are called anywhere in a query."""
    relations: set[str] = set()
    for call, _ in _read(query):
        name = str(call.this).lower() if isinstance(call, exp.Anonymous) else ""
        if not name or not planner.catalog.is_macro(name):
            continue
        for macro in planner.catalog.macros(name):
            body = parse(macro.body if macro.is_table else f"SELECT {macro.body}")
            if any(not table.db and table.name.lower() in env for table in body.find_all(exp.Table)):
                raise not_understood(f"the macro {name}() over a CTE", query)
            relations |= _reads(planner, body, {})[0]
    return relations


def own_names(planner: Planner, query: exp.Expr, env: Env) -> frozenset[str]:
    """The columns that a query can see of its own, not of its surroundings."""
    return _reads(planner, query, env)[1]


def _read(query: exp.Expr) -> Iterator[tuple[exp.Expr, _Names]]:
    """Every part of a query with the CTEs that it sees, without those that nothing reads.

    Inside its own definition, the step of a recursion apart, a name is that of something else.
    """
    seen: set[int] = set()

    def visit(node: exp.Expr, names: _Names) -> Iterator[tuple[exp.Expr, _Names]]:
        with_ = node.args.get("with_")
        for cte in with_.expressions if with_ is not None else ():
            name, outside = cte.alias_or_name.lower(), names
            names = {**outside, name: [(cte.this, outside)]}
            if is_recursive(cte):
                names[name] = [(cte.this.this, outside), (cte.this.expression, names)]
        yield node, names
        for child in node.iter_expressions():
            if child is not with_:
                yield from visit(child, names)
        name = node.name.lower() if isinstance(node, exp.Table) and not node.db else ""
        for body, within in names.get(name, ()):
            if id(body) not in seen:
                seen.add(id(body))
                yield from visit(body, within)

    return visit(query, {})


def _reads_table(planner: Planner, table: exp.Table, env: Env) -> tuple[set[str], frozenset[str]]:
    if not isinstance(table.this, exp.Identifier):
        macro = table_macro(planner, table.this)
        if macro is None:
            raise not_understood(f"the table function {table.this.key}() in a subquery", table)
        return _reads(planner, macro, {})
    cte = env.get(table.name.lower()) if not table.db else None
    if cte is not None:
        relations, names = _reads(planner, cte.query, cte.env)
        return relations, names | {c.lower() for c in cte.columns}
    info = planner.catalog.relation(table.catalog, table.db, table.name)
    if info is None:
        raise not_understood(f"{table.sql()} is not a relation of the database", table)
    own = frozenset(c.lower() for c in info.columns)
    if info.view_sql is None:
        planner.relations[info.id] = info
        return {info.id}, own
    created = parse(info.view_sql)
    query = created.expression if isinstance(created, exp.Create) else created
    return _reads(planner, query, {})[0], own


def bring_ctes(planner: Planner, query: exp.Expr, env: Env) -> None:
    """Give a query the CTEs of its surroundings that it names."""
    needed: dict[str, Cte] = {}
    own = query.args.get("with_")
    hidden = {cte.alias_or_name.lower() for cte in own.expressions} if own is not None else set()
    _refuse_two(query, hidden & set(env))

    def need(part: exp.Expr, names: Env) -> None:
        for table in part.find_all(exp.Table):
            name = table.name.lower()
            cte = names.get(name) if not table.db else None
            if cte is None or needed.get(name) is cte:
                continue
            if name in needed:
                raise not_understood(f"two CTEs called {name} in a subquery", table)
            if not _as_stage(planner, cte):
                need(cte.query, cte.env)
            needed[name] = cte

    need(query, {name: cte for name, cte in env.items() if name not in hidden})
    if not needed:
        return
    brought = [_definition(planner, name, cte) for name, cte in needed.items()]
    recursive = False
    if own is not None:
        brought += [cte.copy() for cte in own.expressions]
        recursive = bool(own.args.get("recursive"))
    query.set("with_", exp.With(expressions=brought, recursive=recursive))
    touch(query)


def _refuse_two(query: exp.Expr, names: set[str]) -> None:
    """Raise UnsupportedConstruct where a query means by one name its own CTE and one around it."""
    for table, own in _read(query) if names else ():
        name = table.name.lower() if isinstance(table, exp.Table) and not table.db else ""
        if name in names and name not in own:
            raise not_understood(f"two CTEs called {name}, one inside the other", table)


def _as_stage(planner: Planner, cte: Cte) -> bool:
    """Evaluate a CTE once where it must not, or should not, be evaluated again.

    DuckDB 2.0 cannot plan a lateral item in a CTE that stands inside a correlated subquery.
    """
    once = cte.references > 1 or blocks(cte.query, planner.catalog)
    once = once or cte.query.find(exp.Unnest, exp.Explode, exp.Lateral) is not None
    if once and not planner.has_stage(cte):
        planner.keep_stage(cte)
    return cte.stage is not None


def _definition(planner: Planner, name: str, cte: Cte) -> exp.CTE:
    alias = exp.TableAlias(
        this=exp.to_identifier(name, quoted=True),
        columns=[exp.to_identifier(column, quoted=True) for column in cte.columns],
    )
    if cte.stage is None:
        return exp.CTE(this=cte.query.copy(), alias=alias)
    node = next(n for n in planner.nodes if n.name == cte.stage[0])
    body = with_text(exp.Select(), node.shown().format())
    return exp.CTE(this=body, alias=alias)


def refuse_subqueries(node: exp.Expr, where: str) -> None:
    """Raise UnsupportedConstruct where a subquery stands in a place that no rule knows."""
    if nested_queries(node):
        raise not_understood(f"a subquery in {where}: {render(node)[:60]}", node)
