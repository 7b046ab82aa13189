"""Names: which column a reference means, which alias it reuses, what an outer row lends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from tests.oracle.model import Column, OracleError, Row

QUERIES = (exp.Subquery, exp.Select, exp.SetOperation)


@dataclass
class Outer:
    """The row of the enclosing query that a correlated subquery sees, and what it touched."""

    columns: list[Column]
    row: Row
    parent: Outer | None
    touched: set[int] = field(default_factory=set)

    def find(self, name: str, table: str | None) -> tuple[Column, Any] | None:
        """The column of that name in the nearest enclosing query that has one."""
        slot = find(self.columns, name, table)
        if slot is not None:
            self.touched.add(slot)
            return self.columns[slot], self.row.values[slot]
        return self.parent.find(name, table) if self.parent else None


def find(columns: list[Column], name: str, table: str | None) -> int | None:
    """The slot of a column, by name and optional qualifier.

    >>> find([Column("a", "t", "INTEGER"), Column("a", "u", "INTEGER", merged=True)], "A", None)
    0
    """
    if name.startswith("#"):
        return int(name[1:])
    name, table = name.lower(), table.lower() if table else None
    found = [
        i
        for i, column in enumerate(columns)
        if column.name.lower() == name and (column.table == table if table else not column.merged)
    ]
    if len(found) > 1:
        raise OracleError(f"ambiguous column {name}")
    return found[0] if found else None


def slot_of(columns: list[Column], node: exp.Column) -> int | None:
    """The slot a column node means among these columns."""
    return find(columns, node.name, node.table or None)


def slot_reference(slot: int) -> exp.Column:
    """A column node that means exactly this slot."""
    return exp.Column(this=exp.to_identifier(f"#{slot}", quoted=True))


def expand(
    node: exp.Expr, columns: list[Column], aliases: Mapping[str, exp.Expr], first: bool = False
) -> exp.Expr:
    """The expression with SELECT aliases replaced by what they stand for.

    A column of FROM hides an alias of the same name, unless ``first``.
    """

    def visit(part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.Column) and not part.table:
            known = aliases.get(part.name.lower())
            if known is not None and (first or slot_of(columns, part) is None):
                return exp.Paren(this=known)
        return part

    return transform(node, visit)


def transform(node: exp.Expr, visit: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """A copy of the tree with ``visit`` applied top-down.

    Subqueries and what ``visit`` puts in are left as they are; the function of a window is no
    expression of its own, so only its arguments are visited.
    """
    changed = visit(node)
    if changed is not node or isinstance(node, QUERIES):
        return changed
    return _rebuilt(node, visit)


def _rebuilt(node: exp.Expr, visit: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    copied = node.__class__()
    for key, value in node.args.items():
        if isinstance(value, exp.Expr):
            function = isinstance(node, exp.Window) and key == "this"
            copied.set(key, _function(value, visit) if function else transform(value, visit))
        elif isinstance(value, list):
            parts = [transform(v, visit) if isinstance(v, exp.Expr) else v for v in value]
            copied.set(key, parts)
        else:
            copied.set(key, value)
    return copied


def _function(node: exp.Expr, visit: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """The function of a window, inside FILTER and IGNORE NULLS."""
    if not isinstance(node, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
        return _rebuilt(node, visit)
    copied = node.__class__(this=_function(node.this, visit))
    if node.args.get("expression") is not None:
        copied.set("expression", transform(node.expression, visit))
    return copied


def canonical(node: exp.Expr, columns: list[Column]) -> str:
    """The expression as text with columns resolved: equal texts mean equal expressions.

    >>> from sqlglot import parse_one
    >>> here = [Column("a", "t", "INTEGER")]
    >>> canonical(parse_one("t.a + 1"), here) == canonical(parse_one("(A + 1)"), here)
    True
    """

    def visit(part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.Column):
            slot = slot_of(columns, part)
            return part if slot is None else slot_reference(slot)
        return part

    while isinstance(node, exp.Paren):
        node = node.this
    return transform(node, visit).sql("duckdb")
