"""The items of a SELECT list, stars expanded."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlglot import exp

from tests.oracle.context import Context
from tests.oracle.model import Column, OracleError
from tests.oracle.names import slot_reference


@dataclass(frozen=True)
class Item:
    """One output column: its name, its expression, and whether the name is an alias."""

    name: str
    node: exp.Expr
    named: bool = False


def items_of(context: Context, written: list[exp.Expr], columns: list[Column]) -> list[Item]:
    """The output columns of a SELECT list over these columns."""
    items: list[Item] = []
    for node in written:
        if isinstance(node, exp.Star):
            items.extend(_star(node, columns, [i for i, c in enumerate(columns) if not c.merged]))
        elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            own = [i for i, c in enumerate(columns) if c.table == node.table.lower()]
            items.extend(_star(node.this, columns, own))
        elif isinstance(node, exp.Alias):
            items.append(Item(node.alias, node.this, named=True))
        elif isinstance(node, exp.Columns) and isinstance(node.this, exp.Literal):
            items.extend(_matching(node.this.name, columns))
        elif isinstance(node, exp.Columns):
            raise OracleError("COLUMNS()")
        else:
            name = node.name if isinstance(node, exp.Column) else node.sql("duckdb")
            items.append(Item(name, node))
    return items


def _matching(pattern: str, columns: list[Column]) -> list[Item]:
    """``COLUMNS('pattern')``: the columns whose names it is found in."""
    slots = [i for i, c in enumerate(columns) if not c.merged and re.search(pattern, c.name)]
    return [Item(columns[slot].name, slot_reference(slot)) for slot in slots]


def _star(star: exp.Star, columns: list[Column], slots: list[int]) -> list[Item]:
    """``*`` with EXCLUDE, REPLACE and RENAME."""
    excluded = {part.name.lower() for part in star.args.get("except_") or []}
    replaced = {part.alias.lower(): part.this for part in star.args.get("replace") or []}
    renamed = {part.this.name.lower(): part.alias for part in star.args.get("rename") or []}
    items = []
    for slot in slots:
        name = columns[slot].name
        if name.lower() not in excluded:
            node = replaced.get(name.lower(), slot_reference(slot))
            items.append(Item(renamed.get(name.lower(), name), node))
    return items
