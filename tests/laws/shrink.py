"""Make a counterexample smaller: fewer rows, fewer clauses, the same kind of disagreement."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import sqlglot
from sqlglot import exp

from tests.laws.generate import Case

Fails = Callable[[Case], bool]
CLAUSES = ("where", "having", "qualify", "order", "limit", "offset", "distinct", "group", "with_")


def shrink(case: Case, fails: Fails, seconds: float = 20.0) -> Case:
    """The smallest case found in the time given that still fails."""
    until = time.monotonic() + seconds
    shrunk = True
    while shrunk:
        shrunk = False
        for smaller in candidates(case):
            if time.monotonic() > until:
                return case
            if len(str(smaller)) < len(str(case)) and _still(smaller, fails):
                case, shrunk = smaller, True
                break
    return case


def _still(case: Case, fails: Fails) -> bool:
    try:
        return fails(case)
    except Exception:
        return False


def candidates(case: Case) -> Iterator[Case]:
    """Cases that are smaller by one step, big steps first."""
    for smaller in _edited(case.sql):
        yield replace(case, sql=smaller)
    for n, statement in enumerate(case.statements):
        yield replace(case, statements=(*case.statements[:n], *case.statements[n + 1 :]))
        for smaller in _edited(statement):
            yield replace(case, statements=(*case.statements[:n], smaller, *case.statements[n + 1 :]))


def _edited(sql: str) -> Iterator[str]:
    """The statement with one part taken out."""
    tree = sqlglot.parse_one(sql, read="duckdb")
    count = sum(1 for _ in tree.walk())
    for place in range(count):
        for number in range(12):
            copied = tree.copy()
            node = next(n for i, n in enumerate(copied.walk()) if i == place)
            result = _edit(copied, node, number)
            if result is None:
                break
            yield result.sql("duckdb")


def _edit(root: exp.Expr, node: exp.Expr, number: int) -> exp.Expr | None:
    """The ``number``-th way to make the tree smaller at a node."""
    edits = list(_ways(root, node))
    return edits[number]() if number < len(edits) else None


def _ways(root: exp.Expr, node: exp.Expr) -> Iterator[Callable[[], exp.Expr]]:
    def taking(other: exp.Expr) -> Callable[[], exp.Expr]:
        def act() -> exp.Expr:
            if node is root:
                return other
            node.replace(other)
            return root

        return act

    def without(key: str, index: int | None = None) -> Callable[[], exp.Expr]:
        def act() -> exp.Expr:
            if index is None:
                node.set(key, None)
            else:
                node.set(key, [v for i, v in enumerate(node.args[key]) if i != index])
            return root

        return act

    if isinstance(node, exp.SetOperation | exp.And | exp.Or | exp.Binary):
        yield taking(node.this)
        yield taking(node.expression)
    if isinstance(node, exp.Not | exp.Paren | exp.Filter):
        yield taking(node.this)
    if isinstance(node, exp.Select | exp.SetOperation | exp.Subquery):
        for key in CLAUSES:
            if node.args.get(key):
                yield without(key)
    if isinstance(node, exp.Select):
        for inner in node.find_all(exp.Select):
            if inner is not node:
                yield taking(inner.copy())
    for key in ("joins", "expressions"):
        parts = node.args.get(key)
        if isinstance(parts, list) and (len(parts) > 1 or key == "joins"):
            for index in range(len(parts)):
                yield without(key, index)
