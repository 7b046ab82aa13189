"""The condition of a join: its conjuncts, common columns, and the truth of each candidate pair."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from tests.oracle.conjuncts import split
from tests.oracle.context import Context
from tests.oracle.evaluate import evaluate
from tests.oracle.model import NOTHING, Column, Edge, OracleError, Prov, Relation, Row
from tests.oracle.names import find, slot_of


@dataclass
class Condition:
    """What a join demands of a pair: ON conjuncts or pairs of common columns."""

    conjuncts: list[exp.Expr] = field(default_factory=list)
    common: list[tuple[int, int]] = field(default_factory=list)
    """Slots (left, right) of the columns of USING or NATURAL."""
    names: list[str] = field(default_factory=list)
    sql: str = ""


def condition_of(node: exp.Join, left: Relation, right: Relation) -> Condition:
    """Read the ON, USING or NATURAL of a join."""
    on = node.args.get("on")
    if on is not None:
        return Condition(split(on), sql=on.sql("duckdb"))
    names = [identifier.name for identifier in node.args.get("using") or []]
    if node.method == "NATURAL":
        names = [
            left.columns[i].name
            for i in left.visible()
            if find(right.columns, left.columns[i].name, None) is not None
        ]
    common = []
    for name in names:
        slots = find(left.columns, name, None), find(right.columns, name, None)
        if slots[0] is None or slots[1] is None:
            raise OracleError(f"no common column {name}")
        common.append((slots[0], slots[1]))
    return Condition([], common, names, f"USING ({', '.join(names)})" if names else "")


def truths(
    context: Context,
    condition: Condition,
    left: list[Column],
    right: list[Column],
    pairs: list[Row],
) -> tuple[list[bool | None], frozenset[Edge], list[Prov]]:
    """The three-valued truth of the whole condition for each pair of tuples, and what its subqueries
    add to the derivation."""
    result: list[bool | None] = [True] * len(pairs)
    edges: frozenset[Edge] = frozenset()
    provs = [NOTHING] * len(pairs)
    columns = [*left, *right]
    for conjunct in condition.conjuncts:
        found = evaluate(context, conjunct, columns, pairs)
        edges |= found.edges
        provs = [a | b for a, b in zip(provs, found.provs, strict=True)]
        result = [conjoin(a, b) for a, b in zip(result, found.values, strict=True)]
    for ours, theirs in condition.common:
        inputs = [("x", left[ours].type), ("y", right[theirs].type)]
        values = [(row.values[ours], row.values[len(left) + theirs]) for row in pairs]
        equal = context.session.scalars.values("x = y", inputs, values)
        result = [conjoin(a, b) for a, b in zip(result, equal, strict=True)]
    return result, edges, provs


def conjoin(left: Any, right: Any) -> bool | None:
    """AND of SQL.

    >>> conjoin(None, False), conjoin(True, None), conjoin(True, True)
    (False, None, True)
    """
    known = [None if value is None else bool(value) for value in (left, right)]
    if False in known:
        return False
    return None if None in known else True


def own_tokens(
    context: Context,
    condition: Condition,
    ours: list[Column],
    theirs: list[Column],
    rows: list[Row],
) -> list[set[str]]:
    """Per tuple of one side: how the conjuncts on that side alone judge it."""
    tokens: list[set[str]] = [set() for _ in rows]
    for conjunct in condition.conjuncts:
        if not _only(conjunct, ours, theirs):
            continue
        for token, value in zip(tokens, evaluate(context, conjunct, ours, rows).values, strict=True):
            if value is None:
                token.add("own:null")
            elif not value:
                token.add("own:false")
    return tokens


def _only(conjunct: exp.Expr, ours: list[Column], theirs: list[Column]) -> bool:
    """Whether a conjunct reads columns of our side and none of theirs, in no subquery either."""
    nested = [c for query in conjunct.find_all(exp.Select) for c in query.find_all(exp.Column)]
    own = [c for c in conjunct.find_all(exp.Column) if not any(c is n for n in nested)]
    aliases = {column.table for column in [*ours, *theirs]}
    return (
        any(slot_of(ours, column) is not None for column in own)
        and all(slot_of(theirs, column) is None for column in own)
        and not any(column.table.lower() in aliases for column in nested)
    )
