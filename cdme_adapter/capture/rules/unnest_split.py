"""UNNEST in the SELECT list beside groups or windows: the query is split where the engine does it.

What is grouped by is unnested before the groups are made; everything else after groups, windows and
QUALIFY.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.plan import HIDDEN
from cdme_adapter.capture.rules.shape import is_grouped, projects_window, sorts_by_window
from cdme_adapter.capture.rules.split import move_order, outer_over
from cdme_adapter.capture.rules.subquery import nested_queries
from cdme_adapter.capture.rules.unnest import unnests, unnests_in
from cdme_adapter.capture.scope import Env, Scope
from cdme_adapter.capture.sqltext import (
    as_written,
    conjuncts,
    keep_shown,
    own_nodes,
    quote,
    shown_as,
    touch,
    with_text,
)

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

_AFTER = ("distinct", "limit", "offset")
_COLUMN = "cdme__u"


def split_unnest(planner: Planner, select: exp.Select, env: Env) -> Scope | None:
    """The rule; it leaves alone what it cannot split without guessing a name."""
    made = is_grouped(select, planner.catalog) or projects_window(select) or sorts_by_window(select)
    made = made or bool(select.args.get("qualify"))
    if not unnests(select) or not made or any(select.args.get(part) for part in _AFTER):
        return None
    select = _with_names(select)
    outer = _before_groups(select) if _is_key(select) else _after_all(planner, select)
    return planner.query(outer, env) if outer is not None else None


def _with_names(select: exp.Select) -> exp.Select:
    """A copy in which ``unnest(tags)`` has the name that DuckDB gives it, where that is certain."""
    named = select.copy()
    for item in named.expressions:
        lists = _arguments(item) if unnests_in(item)[:1] == [item] else []
        if len(lists) == 1 and isinstance(lists[0], exp.Column):
            parts = lists[0].parts
            if all(isinstance(part, exp.Identifier) and not part.quoted for part in parts):
                shown = ".".join(part.name for part in parts)
                item.replace(exp.alias_(item.copy(), f"unnest({shown})", quoted=True))
    return named


def _is_key(select: exp.Select) -> bool:
    """Whether an UNNEST is grouped by."""
    group = select.args.get("group")
    if group is None:
        return False
    items = select.expressions
    names = {item.alias.lower() for item in items if unnests_in(item)}
    for key in group.expressions:
        if isinstance(key, exp.Literal) and key.name.isdigit() and 0 < int(key.name) <= len(items):
            key = items[int(key.name) - 1]
        if unnests_in(key) or (_is_bare(key) and key.name.lower() in names):
            return True
    return False


def _is_bare(part: exp.Expr) -> bool:
    return isinstance(part, exp.Column) and not part.table


# -- after groups and windows -------------------------------------------------------------------------


def _after_all(planner: Planner, select: exp.Select) -> exp.Select | None:
    """The query over one that has the lists under the names of what becomes of them."""
    if not all(_is_alone(item) for item in select.expressions if unnests_in(item)):
        return None
    inner = select.copy()
    order, keys = move_order(planner, inner)
    opened: list[exp.Expr] = []
    for item in list(inner.expressions):
        if calls := unnests_in(item):
            opened.append(_opened(item, calls[0]))
            item.set("this", _list_of(calls[0]))
            touch(item)
    outer = outer_over(inner, keys, [])
    outer.selects[0].set("replace", opened)
    outer.set("order", order)
    return outer


def _arguments(call: exp.Expr) -> list[exp.Expr]:
    return [a for a in (call.args.get("this"), *call.expressions) if isinstance(a, exp.Expr)]


def _list_of(call: exp.Expr) -> exp.Expr:
    return _arguments(call)[0]


def _is_alone(item: exp.Expr) -> bool:
    """Whether an item has a name and is made of one list and of nothing else."""
    calls = unnests_in(item)
    if len(calls) != 1 or len(_arguments(calls[0])) != 1 or not isinstance(item, exp.Alias):
        return False
    inside = list(_list_of(calls[0]).walk())
    outside = [p for p in own_nodes(item) if isinstance(p, (exp.Column, exp.Window, exp.AggFunc))]
    return all(any(p is q for q in inside) for p in outside) and not _asks(item)


def _asks(item: exp.Expr) -> bool:
    return bool(nested_queries(item))


def _opened(item: exp.Expr, call: exp.Expr) -> exp.Expr:
    """An item whose list is a column of its own name by now."""
    made = item.copy()
    unnested = exp.Explode(this=exp.column(item.alias, quoted=True))
    unnested.meta.update(shown_as(as_written(call)))
    old = unnests_in(made)[0]
    touch(old)
    old.replace(with_text(unnested, f"unnest({quote(item.alias)})"))
    return made


# -- before the groups --------------------------------------------------------------------------------


def _before_groups(select: exp.Select) -> exp.Select | None:
    """The query over one that gives the columns it speaks of, and the elements."""
    outer = select.copy()
    aliases = {item.alias.lower() for item in outer.expressions if isinstance(item, exp.Alias)}
    parts = _parts(outer)
    used = [c for c in _columns(parts) if c.table or c.name.lower() not in aliases]
    ambiguous = aliases & {c.name.lower() for c in used}  # a column, or an alias
    nameless = any(unnests_in(i) and not isinstance(i, exp.Alias) for i in outer.expressions)
    more = any(_asks(part) or _stars(part) for part in parts)
    if ambiguous or nameless or more or outer.args.get("qualify") or outer.args.get("windows"):
        return None
    having = outer.args.get("having")
    for conjunct in conjuncts(having.this) if having is not None else ():
        keep_shown(conjunct)
    for item in outer.expressions:
        if isinstance(item, exp.Column):
            item.replace(exp.alias_(item.copy(), item.name, quoted=True))
    inner = exp.Select(expressions=[], **{key: outer.args.get(key) for key in ("from_", "joins", "where")})
    given: dict[str, str] = {}
    parts = _parts(outer)
    for call in [call for part in parts for call in unnests_in(part)]:
        _give(inner, given, call)
    for column in _columns(parts):
        if column.name not in given.values() and (column.table or column.name.lower() not in aliases):
            _give(inner, given, column)
    for key in ("joins", "where"):
        outer.set(key, None)
    alias = exp.TableAlias(this=exp.to_identifier(f"{HIDDEN}unnested"))
    outer.set("from_", exp.From(this=exp.Subquery(this=inner, alias=alias)))
    touch(outer)
    return outer


def _parts(select: exp.Select) -> list[exp.Expr]:
    """What speaks of the columns of FROM once WHERE is done."""
    clauses = [select.args.get(key) for key in ("group", "having", "order")]
    return [*select.expressions, *(clause for clause in clauses if clause is not None)]


def _columns(parts: list[exp.Expr]) -> list[exp.Column]:
    return [node for part in parts for node in own_nodes(part) if isinstance(node, exp.Column)]


def _stars(part: exp.Expr) -> list[exp.Expr]:
    """Stars that stand for columns, not those of count(*)."""
    return [p for p in own_nodes(part) if isinstance(p, exp.Star) and not isinstance(p.parent, exp.Count)]


def _give(inner: exp.Select, given: dict[str, str], part: exp.Expr) -> None:
    """Let ``inner`` give an expression, and the outer query take it from there."""
    written = as_written(part)
    if "'" not in written and '"' not in written:
        written = written.lower()
    if written not in given:
        given[written] = f"{_COLUMN}{len(given)}"
        inner.append("expressions", exp.alias_(part.copy(), given[written]))
    touch(part)
    part.replace(exp.column(given[written]))
