"""FROM items: stored tables, views, CTEs, derived tables, VALUES."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter import plugins
from cdme_adapter.capture.plan import HIDDEN, MACRO, ConsultedInput, Node, Port, RelationInfo
from cdme_adapter.capture.rules.files import file_alias, file_of, kept
from cdme_adapter.capture.rules.lookups import Around, keys_source
from cdme_adapter.capture.rules.macros import table_macro
from cdme_adapter.capture.rules.shape import blocks
from cdme_adapter.capture.rules.subquery import nested_queries, settle_subqueries
from cdme_adapter.capture.rules.unpivot import unpivot_of, unpivoted_item
from cdme_adapter.capture.rules.whole import plan_whole, whole_item
from cdme_adapter.capture.scope import Cte, Env, Source, Thin, Visible
from cdme_adapter.capture.sqltext import (
    functions,
    not_understood,
    own_nodes,
    parse,
    quote,
    render,
    text,
    touch,
)
from cdme_adapter.errors import UnsupportedConstruct
from cdme_adapter.provenance import Role

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

_TABLE_ARGS = {"this", "db", "catalog", "alias"}
_SERIES = frozenset({"range", "generate_series"})
_SUBQUERY_ARGS = {"this", "alias"}
_ASKED = "cdme_asked"


def plan_source(planner: Planner, item: exp.Expr, env: Env, alone: bool) -> Source:
    """Plan one item of a FROM clause; ``alone``: nothing stands beside it, so it stands for itself."""
    if not alone:
        return _source(planner, item, env)
    return planner.attempt(
        lambda: _source(planner, item.copy(), env), lambda why: whole_item(planner, item, env, why)
    )


def _source(planner: Planner, item: exp.Expr, env: Env) -> Source:
    pivot = unpivot_of(item)
    if pivot is not None:
        bare = item.copy()
        bare.set("pivots", None)
        return unpivoted_item(planner, _source(planner, bare, env), pivot)
    if isinstance(item, exp.Table):
        return _table(planner, item, env)
    if isinstance(item, exp.Subquery):
        _refuse_extras(item, _SUBQUERY_ARGS)
        return _derived(planner, item, env)
    if isinstance(item, exp.Values):
        return _values(planner, item, env)
    if isinstance(item, exp.Unnest):
        return _generated(planner, item, env)
    raise not_understood(f"{item.key.upper()} in FROM", item)


def _refuse_extras(item: exp.Expr, known: set[str]) -> None:
    for key, value in item.args.items():
        if value and key not in known:
            raise not_understood(f"{key.upper()} on a FROM item", value)


def _table(planner: Planner, item: exp.Table, env: Env) -> Source:
    _refuse_extras(item, _TABLE_ARGS)
    if isinstance(item.this, (exp.GenerateSeries, exp.GenerateDateArray)) or (
        isinstance(item.this, exp.Anonymous) and str(item.this.this).lower() in _SERIES
    ):
        return _generated(planner, item, env)
    if isinstance(item.this, exp.Values):
        values = item.this.copy()
        values.set("alias", item.args.get("alias"))
        return _values(planner, values, env)
    files = file_of(planner, item, env)
    if files is not None:
        alias, columns = _alias_of(item)
        return _stored(planner, kept(planner, files, item), alias or file_alias(item), columns)
    macro = table_macro(planner, item.this)
    if macro is not None:
        alias, columns = _alias_of(item)
        with planner.within(f"{MACRO}{item.this.this}"):
            return _from_query(planner, macro, {}, alias or str(item.this.this), columns)
    if isinstance(item.this, exp.Anonymous):
        arguments = [part.sql("duckdb") for part in item.this.expressions]
        known = plugins.first(
            "cdme_capture_function", name=str(item.this.this).lower(), arguments=arguments
        )
        if known is not None:
            alias, columns = _alias_of(item)
            return _from_query(planner, parse(known), {}, alias or str(item.this.this), columns)
    if not isinstance(item.this, exp.Identifier):
        raise not_understood(f"the table function {next(functions(item.this))[1]}() in FROM", item)
    alias, columns = _alias_of(item)
    if item.name in planner.key_columns and not item.db:
        return keys_source(planner, item.name)
    cte = env.get(item.name.lower()) if not item.db else None
    if cte is not None:
        return _cte(planner, cte, item.name if alias is None else alias, columns)
    info = planner.catalog.relation(item.catalog, item.db, item.name)
    if info is None:
        raise not_understood(f"{item.sql()} is not a relation of the database", item)
    name = alias or item.name
    if info.view_sql is not None:
        return _view(planner, info, name, columns)
    return _stored(planner, info, name, columns)


def _stored(planner: Planner, info: RelationInfo, alias: str, columns: tuple[str, ...]) -> Source:
    """A stored table: its rows carry their row id."""
    if any(column.lower() == "rowid" for column in info.columns):
        raise UnsupportedConstruct(f"{info.id} has a column called rowid, which hides the row id")
    planner.relations[info.id] = info
    port = Port(planner.hidden("p"), info.id)
    if planner.wants_rowid and info.scan is None:
        sql = f"(SELECT *, rowid, rowid AS {port.column} FROM {info.quoted})"
        source = _named(sql, alias, columns, info.columns or None, (port,), single=True)
        names = replace(source.visible[0], hidden=("rowid", port.column))
        return replace(source, visible=(names,))
    sql = f"(SELECT *, rowid AS {port.column} FROM {info.quoted})"
    source = _named(sql, alias, columns, info.columns or None, (port,), single=True)
    return replace(source, pure=True)


def _view(planner: Planner, info: RelationInfo, alias: str, columns: tuple[str, ...]) -> Source:
    """A view stores nothing: its query stands in its place."""
    created = parse(info.view_sql or "")
    query = created.expression if isinstance(created, exp.Create) else created
    if not isinstance(query, (exp.Query, exp.Subquery)):
        raise UnsupportedConstruct(f"the definition of the view {info.id} could not be read")
    for limit in query.find_all(exp.Limit):
        if isinstance(limit.expression, exp.Paren):  # DuckDB prints LIMIT (30) PERCENT, and reads it not
            limit.set("expression", limit.expression.unnest())
            touch(limit)
    with planner.within(info.id):
        source = _from_query(planner, query, {}, alias, info.columns)
    if not columns:
        return source
    return _renamed(source, alias, columns)


def _renamed(source: Source, alias: str, columns: tuple[str, ...]) -> Source:
    """A source under an alias list of its own: ``FROM cte AS c(a, b)``."""
    return _named(f"(SELECT * FROM {source.sql})", alias, columns, source.visible[0].columns,
                  source.ports)  # fmt: skip


def _cte(planner: Planner, cte: Cte, alias: str, columns: tuple[str, ...]) -> Source:
    """A CTE: in its place where it is read once or is cheap, else a stage that is shared."""
    with planner.within(cte.origin):
        if not planner.has_stage(cte) and cte.references > 1 and not _is_cheap(cte.query):
            planner.keep_stage(cte)
        if cte.stage is None:
            source = _from_query(planner, cte.query, cte.env, alias, cte.columns)
        else:
            source = stage_source(planner, *cte.stage, alias, cte.columns)
    if not columns:
        return source
    return _renamed(source, alias, columns)


def _is_cheap(query: exp.Expr) -> bool:
    """A projection and filter of one relation: reading it twice costs less than keeping it."""
    if not isinstance(query, exp.Select):
        return False
    heavy = ("joins", "group", "having", "qualify", "distinct", "limit", "offset", "with_")
    source = query.args.get("from_")
    return (
        not any(query.args.get(key) for key in heavy)
        and source is not None
        and isinstance(source.this, exp.Table)
        and not any(True for _ in query.find_all(exp.Window, exp.AggFunc))
    )


def _derived(planner: Planner, item: exp.Subquery, env: Env) -> Source:
    alias, columns = _alias_of(item)
    return _from_query(planner, item.this, env, alias or planner.hidden("d"), columns)


def _from_query(
    planner: Planner, query: exp.Expr, env: Env, alias: str, columns: tuple[str, ...]
) -> Source:
    """A query as a FROM item: in place, or as a stage where it blocks."""
    if blocks(query, planner.catalog):
        name, names = planner.stage(query, env)
        return stage_source(planner, name, names, alias, columns)

    def in_place() -> Source:
        scope = planner.query(query.copy(), env)
        source = _named(f"({scope.sql})", alias, columns, scope.columns, scope.ports, scope.single)
        return replace(source, pure=scope.pure)

    def whole(reason: UnsupportedConstruct) -> Source:
        return stage_source(planner, plan_whole(planner, query, env, reason), None, alias, columns)

    return planner.attempt(in_place, whole)


def stage_source(
    planner: Planner, name: str, names: tuple[str, ...] | None, alias: str,
    columns: tuple[str, ...] = (),
) -> Source:  # fmt: skip
    """A stage as a FROM item: its user columns and its row id."""
    node = next(node for node in planner.nodes if node.name == name)
    planner.builder.items.append(name)
    if not node.ports:  # nobody asks for its rows: no input made them, or all of several did
        planner.builder.consulted += planner.stage_consulted[name]
        return _named(f"({node.shown()})", alias, columns, names, ())
    if any(column.lower() == "rowid" for column in names or ()):
        raise UnsupportedConstruct("a column called rowid in a part that is kept, which hides the row id")
    port = Port(planner.hidden("p"), name)
    source = _named(f"({node.shown(port.column)})", alias, columns, names, (port,), single=True)
    return source if columns else replace(source, thin=_thin(node, port, alias))


def _thin(node: Node, port: Port, alias: str) -> Thin | None:
    """A stage with the columns that it keeps itself, where others are fetched."""
    if node.fetch is None:
        return None
    kept = "".join(f", {name} AS {quote(shown)}" for shown, name in node.fetch.kept)
    sql = f"(SELECT rowid AS {port.column}{kept} FROM temp.{node.name}) AS {quote(alias)}"
    return Thin(sql, frozenset(shown.lower() for shown, _ in node.fetch.kept))


def _values(planner: Planner, item: exp.Values, env: Env) -> Source:
    """VALUES: records that no input made (``generated``), but for what subqueries in them read."""
    if _asks(item):
        return _asking(planner, item, env, "valueslist")
    alias, columns = _alias_of(item)
    bare = item.copy()
    bare.set("alias", None)
    # What one of several rows asks is nothing to the others: a superset then.
    settle_subqueries(planner, bare, env, around=Around(()) if len(bare.expressions) == 1 else None)
    rows = bare.expressions
    width = len(rows[0].expressions) if rows and isinstance(rows[0], exp.Tuple) else 1
    names = columns + tuple(f"col{n}" for n in range(len(columns), width))
    body = text(bare)
    body = body if body.startswith("(") else f"({body})"
    return _named(body, alias or "valueslist", columns, names, ())


def _generated(planner: Planner, item: exp.Expr, env: Env) -> Source:
    """A series or a list of constants: records that no input made, but for what subqueries read."""
    if any(isinstance(part, exp.Column) for part in own_nodes(item)):
        raise not_understood(f"a table function of columns: {render(item)[:60]}", item)
    if _asks(item):
        return _asking(planner, item, env, planner_name(item))
    item = item.copy()
    settle_subqueries(planner, item, env, around=Around(()))
    alias, columns = _alias_of(item)
    visible = Visible(alias or planner_name(item), columns or None)
    return Source(text(item), (visible,), ())


def _asks(item: exp.Expr) -> bool:
    """Whether subqueries stand in an item that is no derived table yet."""
    return _ASKED not in item.meta and bool(nested_queries(item))


def _asking(planner: Planner, item: exp.Expr, env: Env, name: str) -> Source:
    """An item with subqueries as ``(SELECT * FROM item) AS name``: its own rows read them, and no others
    that a join puts in their place."""
    inner = item.copy()
    inner.meta[_ASKED] = True
    query = exp.select("*").from_(inner, copy=False)
    return _from_query(planner, query, env, _alias_of(item)[0] or name, ())


def planner_name(item: exp.Expr) -> str:
    """The name that DuckDB gives a table function without an alias."""
    inner = item.this if isinstance(item, exp.Table) else item
    return render(inner).split("(", 1)[0].strip().lower()


def _alias_of(item: exp.Expr) -> tuple[str | None, tuple[str, ...]]:
    alias = item.args.get("alias")
    if alias is None:
        return None, ()
    names = tuple(column.name for column in alias.args.get("columns") or ())
    return (alias.name or None), names


def _named(
    sql: str, alias: str, columns: tuple[str, ...], inner: tuple[str, ...] | None,
    ports: tuple[Port, ...],
    single: bool = False,
) -> Source:  # fmt: skip
    names = f"({', '.join(quote(c) for c in columns)})" if columns else ""
    visible = Visible(alias, _merged(columns, inner), tuple(port.column for port in ports))
    return Source(f"{sql} AS {quote(alias)}{names}", (visible,), ports, single)


def _merged(columns: tuple[str, ...], inner: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Column names after an alias list that may be shorter than the columns."""
    if inner is None:
        return columns or None
    kept = tuple(name for name in inner if not name.startswith(HIDDEN))
    return columns + kept[len(columns) :]


def whole_relations(consulted: list[ConsultedInput]) -> set[str]:
    """The relations that are behind everything as a whole."""
    return {one.relation for one in consulted if one.role is Role.DIRECT}
