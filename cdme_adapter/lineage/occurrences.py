"""Tells, in a model's original text, where a relation is read directly and where it is consulted.

Replay restricts each kind of occurrence to its own witnesses (docs/concepts.md, law 4). The text is not
printed anew: only the names of consulted occurrences are replaced where they stand.
"""

from __future__ import annotations

from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from cdme_adapter.store.reader import quote

CONSULTED = "__cdme_consulted"
_HOLDERS = (exp.From, exp.Join, exp.SetOperation, exp.Subquery, exp.Lateral, exp.CTE)


def split(sql: str, name: str) -> str | None:
    """The text with consulted occurrences of a table renamed; None where that is not certain.

    >>> split("select * from t where id not in (select p from t)", "t")
    'select * from t where id not in (select p from "t__cdme_consulted" AS "t")'
    """
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
    except SqlglotError:
        return None
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    found = [t for t in tree.find_all(exp.Table) if t.name.lower() == name.lower()]
    if name.lower() in ctes or not found:
        return None
    edits: list[tuple[int, int, str]] = []
    for table in found:
        consulted = _consulted(tree, table, frozenset())
        place = table.this.meta
        if consulted is None or "start" not in place:
            return None
        if consulted:
            alias = "" if table.alias else f" AS {quote(table.name)}"
            text = quote(table.name + CONSULTED) + alias
            edits.append((int(place["start"]), int(place["end"]) + 1, text))
    if not edits or len(edits) == len(found):
        return None
    for start, end, text in sorted(edits, reverse=True):
        sql = sql[:start] + text + sql[end:]
    return sql


def _consulted(tree: Any, node: Any, seen: frozenset[str]) -> bool | None:
    """Whether a place is read for an expression only; None where it is both or not certain."""
    inner = node
    while inner.parent is not None:
        outer = inner.parent
        right = inner.arg_key == "expression"
        if isinstance(outer, (exp.Except, exp.Intersect)) and right:
            return True
        if isinstance(outer, exp.CTE):
            return _of_cte(tree, outer.alias.lower(), seen)
        if isinstance(inner, (exp.Query, exp.Subquery)) and not isinstance(outer, _HOLDERS):
            return True
        inner = outer
    return False


def _of_cte(tree: Any, name: str, seen: frozenset[str]) -> bool | None:
    """What the places are where a CTE is read."""
    if name in seen:
        return None
    reads = [t for t in tree.find_all(exp.Table) if t.name.lower() == name and not t.db]
    places = {_consulted(tree, table, seen | {name}) for table in reads}
    return places.pop() if len(places) == 1 else None
