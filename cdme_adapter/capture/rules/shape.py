"""What a SELECT contains, asked once and in one place."""

from __future__ import annotations

from sqlglot import exp

from cdme_adapter.capture.catalog import Catalog
from cdme_adapter.capture.plan import HIDDEN
from cdme_adapter.capture.rules.columns import expands, refuse_unknown_columns
from cdme_adapter.capture.sqltext import functions, not_understood, own_nodes

_KNOWN = {
    "expressions", "distinct", "from_", "joins", "where", "group", "having", "qualify", "windows",
    "order", "limit", "offset", "with_",
}  # fmt: skip


def is_grouped(select: exp.Select, catalog: Catalog) -> bool:
    """Whether the SELECT groups: GROUP BY, or an aggregate that is no window function."""
    if select.args.get("group"):
        return True
    parts = [*select.expressions, select.args.get("having"), select.args.get("qualify")]
    return any(has_aggregate(part, catalog) for part in parts if part is not None)


def has_aggregate(node: exp.Expr, catalog: Catalog) -> bool:
    """Whether an aggregate over groups stands in the expression, outside nested queries."""
    for function, name in functions(node):
        if isinstance(function, exp.AggFunc) or catalog.is_aggregate(name):
            wrapper = function.parent
            while isinstance(wrapper, (exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup)):
                wrapper = wrapper.parent
            if not isinstance(wrapper, exp.Window) or wrapper.this is None:
                return True
            if not any(part is function for part in wrapper.this.walk()):
                return True
    return False


def has_window(node: exp.Expr) -> bool:
    """Whether a window function stands in the expression, outside nested queries."""
    return any(isinstance(part, exp.Window) for part in own_nodes(node))


def projects_window(select: exp.Select) -> bool:
    """Whether a window function stands in the SELECT list."""
    return any(has_window(projection) for projection in select.expressions)


def sorts_by_window(select: exp.Select) -> bool:
    """Whether a window function stands in ORDER BY."""
    order = select.args.get("order")
    return order is not None and has_window(order)


def projects_volatile(select: exp.Select, catalog: Catalog) -> bool:
    """Whether the SELECT list calls a volatile function."""
    return any(is_volatile(projection, catalog) for projection in select.expressions)


def is_volatile(node: exp.Expr, catalog: Catalog) -> bool:
    """Whether two evaluations of the expression may differ."""
    return any(catalog.is_volatile(name) for _, name in functions(node))


def is_repeatable(select: exp.Select, catalog: Catalog) -> bool:
    """Whether the SELECT itself, over the same rows, gives the same again: no volatile function, no
    subquery outside FROM, no window whose ties may fall otherwise."""
    parts = [part for part in (*select.expressions, select.args.get("where")) if part is not None]
    nested = any(_has_query(part) for part in parts)
    return not (nested or any(has_window(part) or is_volatile(part, catalog) for part in parts))


def _has_query(node: exp.Expr) -> bool:
    """Whether a query is nested in the expression."""
    return next(node.find_all(exp.Query, exp.Subquery), None) is not None


def is_distinct(select: exp.Select) -> bool:
    """SELECT DISTINCT without ON."""
    distinct = select.args.get("distinct")
    return distinct is not None and distinct.args.get("on") is None


def distinct_on(select: exp.Select) -> list[exp.Expr]:
    """The expressions of DISTINCT ON, none where there is none."""
    distinct = select.args.get("distinct")
    on = distinct.args.get("on") if distinct is not None else None
    if on is None:
        return []
    return list(on.expressions) if isinstance(on, exp.Tuple) else [on]


def has_limit(select: exp.Expr) -> bool:
    """LIMIT, OFFSET or a percentage."""
    return bool(select.args.get("limit") or select.args.get("offset"))


def blocks(query: exp.Expr, catalog: Catalog) -> bool:
    """Whether the query, used inside another, must be materialised as a stage.

    Aggregations need an identity for their groups; windows, LIMIT, DISTINCT ON and volatile
    functions may come out differently when they are evaluated again.
    """
    while isinstance(query, (exp.Subquery, exp.Paren)):
        if has_limit(query):
            return True
        query = query.this
    if isinstance(query, exp.SetOperation):
        return not isinstance(query, exp.Union) or bool(query.args.get("distinct")) or has_limit(query)
    if not isinstance(query, exp.Select):
        return False
    return bool(
        query.args.get("distinct")
        or has_limit(query)
        or query.args.get("qualify")
        or (query.args.get("where") is not None and is_volatile(query.args["where"], catalog))
        or any(_is_kept_lateral(join.this, catalog) for join in query.args.get("joins") or ())
        or any(join.args.get("method") in ("ASOF", "POSITIONAL") for join in query.args.get("joins") or ())
        or projects_window(query)
        or sorts_by_window(query)
        or projects_volatile(query, catalog)
        or is_grouped(query, catalog)
    )


def _is_kept_lateral(item: exp.Expr, catalog: Catalog) -> bool:
    """LATERAL of groups or a limit, which is evaluated once."""
    inner = item.this.unnest() if isinstance(item, exp.Lateral) else None
    return isinstance(inner, exp.Select) and (has_limit(inner) or is_grouped(inner, catalog))


def refuse_unknown_parts(select: exp.Select, catalog: Catalog) -> None:
    """Raise UnsupportedConstruct for what no rule reads."""
    for key, value in select.args.items():
        if value and key not in _KNOWN:
            raise not_understood(f"the clause {key.strip('_').upper()}", value)
    for key in ("expressions", "where", "group", "having", "qualify", "order", "windows"):
        values = select.args.get(key)
        for value in values if isinstance(values, list) else [values]:
            if value is not None:
                _refuse_in_expression(value, catalog, key == "expressions")
    for join in select.args.get("joins") or ():
        if join.args.get("on"):
            _refuse_in_expression(join.args["on"], catalog)


def _refuse_in_expression(node: exp.Expr, catalog: Catalog, listed: bool = False) -> None:
    if listed:
        refuse_unknown_columns(node)
    for part in own_nodes(node):
        if isinstance(part, exp.Columns) and not listed:
            raise not_understood("COLUMNS()", part)
        if isinstance(part, exp.Star) and not _star_is_plain(part) and not (listed and expands(node)):
            raise not_understood("a star inside an expression", part)
    for _, name in functions(node):
        if catalog.is_macro(name) and not listed:
            raise not_understood(f"the macro {name}()", node)


def _star_is_plain(star: exp.Star) -> bool:
    parent = star.parent
    if isinstance(parent, exp.Column):
        parent = parent.parent
    return parent is None or isinstance(parent, (exp.Select, exp.Count))


def flag_clause(conjunct: exp.Expr) -> str | None:
    """The hidden flag column that a conjunct is, if it is one that a rule made."""
    if isinstance(conjunct, exp.Column) and conjunct.name.startswith(HIDDEN):
        return conjunct.name
    return None
