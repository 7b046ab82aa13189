"""Macros of the database that hold a subquery, called in a SELECT list.

The call stays as it is. DuckDB puts the arguments in the places of the parameters, whatever they are
called; so the values of the arguments are what the subquery is asked with (``lookups``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.catalog import Catalog
from cdme_adapter.capture.scope import Env
from cdme_adapter.capture.sqltext import functions, not_understood, own_nodes, parse

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

_OTHER = (exp.Window, exp.Star, exp.Columns, exp.Unnest, exp.Explode)


@dataclass(frozen=True)
class Call:
    """The subqueries that a call stands for, and the arguments by the name of the parameter."""

    queries: tuple[exp.Expr, ...]
    arguments: dict[str, exp.Expr]


def read_call(catalog: Catalog, call: exp.Expr) -> Call | None:
    """What a call of a macro stands for; None where the macro is more than subqueries and expressions."""
    found = catalog.macros(str(call.this)) if isinstance(call, exp.Anonymous) else []
    if len(found) != 1 or found[0].is_table:
        return None
    names = [name.lower() for name in found[0].parameters]
    given: dict[str, exp.Expr] = {}
    for place, argument in enumerate(call.expressions):
        named = isinstance(argument, (exp.PropertyEQ, exp.Kwarg))
        name = argument.this.name.lower() if named else names[place] if place < len(names) else ""
        given[name] = argument.expression if named else argument
    tree = parse(f"SELECT {found[0].body}")
    if not isinstance(tree, exp.Select):
        return None
    body = tree.selects[0]
    called = list(functions(body))
    if set(given) != set(names) or any(isinstance(part, _OTHER) for part in own_nodes(body)):
        return None
    if any(isinstance(f, exp.AggFunc) or catalog.is_aggregate(n) or catalog.macros(n) for f, n in called):
        return None
    if any(part.find(exp.Query, exp.Window, *_OTHER) for part in given.values()):
        return None
    if any(
        isinstance(f, exp.AggFunc) or catalog.is_aggregate(n)
        for v in given.values()
        for f, n in functions(v)
    ):
        return None
    queries = tuple(_outermost(body))
    plain = not any(isinstance(query.parent, (exp.In, exp.Any, exp.All)) for query in queries)
    return Call(queries, given) if queries and plain else None


def _outermost(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.Query) and not isinstance(node, exp.Subquery):
        return [node]
    return [query for child in node.iter_expressions() for query in _outermost(child)]


def calls_of(planner: Planner, node: exp.Expr, env: Env) -> list[tuple[exp.Expr, Call]]:
    """The calls of such macros in an expression, outside of its subqueries.

    Raises UnsupportedConstruct where a CTE has the name of a table that a macro reads: the name would
    mean the CTE.
    """
    found: list[tuple[exp.Expr, Call]] = []
    for part, name in functions(node):
        if not planner.catalog.is_macro(name):
            continue
        call = read_call(planner.catalog, part)
        if call is None:
            raise not_understood(f"the macro {name}()", node)
        for table in [t for query in call.queries for t in query.find_all(exp.Table)]:
            if not table.db and table.name.lower() in env:
                raise not_understood(f"the macro {name}() over a CTE", node)
        found.append((part, call))
    return found
