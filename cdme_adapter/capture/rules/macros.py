"""Table macros of the database: their query stands in the place of the call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.sqltext import functions, not_understood, parse, touch

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner


def table_macro(planner: Planner, call: exp.Expr) -> exp.Expr | None:
    """The query of a table macro with the arguments of a call in it, or None where it is none.

    Raises UnsupportedConstruct where the call does not say every parameter as a constant.
    """
    if not isinstance(call, exp.Anonymous):
        return None
    found = [macro for macro in planner.catalog.macros(str(call.this)) if macro.is_table]
    if not found:
        return None
    if len(found) > 1:
        raise not_understood(f"the table macro {call.this}() with several forms", call)
    values: dict[str, exp.Expr] = {}
    names = [name.lower() for name in found[0].parameters]
    for place, argument in enumerate(call.expressions):
        named = isinstance(argument, (exp.PropertyEQ, exp.Kwarg))
        name = argument.this.name.lower() if named else names[place] if place < len(names) else ""
        value = argument.expression if named else argument
        if value.find(exp.Column, exp.Query, exp.Subquery):
            raise not_understood(f"a table macro of columns: {call.this}()", call)
        if any(planner.catalog.is_volatile(function) for _, function in functions(value)):
            raise not_understood(f"a volatile argument of {call.this}()", call)
        values[name] = value
    if set(values) != set(names):
        raise not_understood(f"the table macro {call.this}() with parameters left out", call)
    query = parse(found[0].body)
    for column in list(query.find_all(exp.Column)):
        if not column.table and column.name.lower() in values:
            touch(column)
            value = values[column.name.lower()].copy()
            column.replace(value if isinstance(value, exp.Literal) else exp.Paren(this=value))
    return query
