"""Random scalar expressions, predicates and aggregates over a scope."""

from __future__ import annotations

from dataclasses import replace

from tests.laws.generator.maker import Maker, Scope

LITERALS = {
    "int": ["1", "0", "2", "1", "0", "2", "NULL"],
    "text": ["'x'", "'y'", "''"],
    "date": ["DATE '2024-01-02'", "DATE '2024-01-01'"],
    "double": ["0.5", "1.5"],
    "list": ["[1, 2]"],
}
EASY = {
    "int": ["0", "2", "7"],
    "text": ["'w'", "'y'"],
    "date": ["DATE '2024-01-01'", "DATE '2024-01-04'"],
    "double": ["0.25", "1.5"],
}
"""Values that most others are on one side of."""
COMPARISONS = ["=", "<>", "<", ">", "<=", ">="]
LOOSE = [">=", "<>", "<=", "="]


def scalar(make: Maker, scope: Scope, kind: str, depth: int = 1) -> str:
    """An expression of a kind; mostly a column."""
    columns = scope.of(kind)
    if scope.outer and make.chance(15):
        lent = [ref for ref, k in scope.outer if k == kind]
        if lent:
            return make.pick(lent)
    if columns and (depth <= 0 or not make.chance(35)):
        return make.pick(columns)
    if depth <= 0 or kind in ("date", "double", "list"):
        return _simple(make, kind)
    if kind == "text":
        inner = scalar(make, scope, "text", depth - 1)
        return make.pick([f"upper({inner})", f"{inner} || 'z'", f"coalesce({inner}, 'n')", "'x'"])
    if scope.rich and make.menu.scalars and make.nests(25):
        return make.subquery(make.menu.scalars, replace(scope, rich=False))
    left, right = (scalar(make, scope, "int", depth - 1) for _ in range(2))
    options = [f"{left} + {right}", f"coalesce({left}, 0)", f"nullif({left}, {right})", "1"]
    if make.chance(25):
        return f"CASE WHEN {predicate(make, scope, depth - 1)} THEN {left} ELSE {right} END"
    return f"({make.pick(options)})"


def _simple(make: Maker, kind: str) -> str:
    literal = make.pick(LITERALS[kind])
    return "CAST(NULL AS INTEGER)" if literal == "NULL" else literal


def predicate(make: Maker, scope: Scope, depth: int = 1) -> str:
    """A condition that may come out TRUE, FALSE and NULL."""
    kinds = [k for k in ("int", "text", "date", "double") if scope.of(k)] or ["int"]
    kind = make.pick(kinds)
    left = scalar(make, scope, kind, depth)
    form = make.number(0, 11)
    if form > 9:
        return f"{left} {make.pick(['>=', '<=', '<>', '>'])} {make.pick(EASY[kind])}"
    if form <= 4:
        return f"{left} {make.pick([*LOOSE, *COMPARISONS])} {_other(make, scope, kind, left)}"
    if form == 5:
        return f"{left} IS {make.pick(['NOT ', 'NOT ', ''])}NULL"
    if form == 6:
        members = ", ".join(make.some(LITERALS[kind]))
        if make.chance(25):
            make.uses("any or all of a list")
            return f"{left} {make.pick(['= ANY', '<> ALL', '>= ANY', '<= ALL'])} ([{members}])"
        return f"{left} {make.pick(['', 'NOT '])}IN ({members})"
    if form == 7 and depth > 0:
        return f"({predicate(make, scope, depth - 1)} OR {predicate(make, scope, depth - 1)})"
    if form == 8 and depth > 0:
        return f"NOT ({predicate(make, scope, depth - 1)})"
    return f"{left} IS {make.pick(['', 'NOT '])}DISTINCT FROM {_other(make, scope, kind, left)}"


def _other(make: Maker, scope: Scope, kind: str, left: str) -> str:
    """The right operand: a literal as often as not, and rarely the left one again."""
    if make.chance(50):
        return _simple(make, kind)
    right = scalar(make, scope, kind, 0)
    return right if right != left or make.chance(10) else _simple(make, kind)


def where(make: Maker, scope: Scope) -> str:
    """Nought to three conjuncts with WHERE before them, subqueries among them."""
    parts = []
    rich = replace(scope, rich=True)
    for _ in range(make.pick([0, 0, 0, 0, 1, 1, 2, 3])):
        if make.menu.conjuncts and make.nests(30):
            asked = make.subquery(make.menu.conjuncts, scope)
            if make.chance(20):
                make.uses("predicate subquery under OR")
                asked = f"({asked} OR {predicate(make, scope, 0)})"
            parts.append(asked)
        else:
            parts.append(predicate(make, rich))
    if parts:
        make.uses("where")
    return f" WHERE {' AND '.join(parts)}" if parts else ""


def aggregate(make: Maker, scope: Scope) -> tuple[str, str]:
    """An aggregate call and the kind of its value."""
    number = scalar(make, scope, "int")
    calls = [
        ("count(*)", "int"),
        (f"sum({number})", "int"),
        (f"count({number})", "int"),
        (f"min({number})", "int"),
        (f"max({number})", "int"),
        (f"avg({number})", "double"),
        (f"count(DISTINCT {number})", "int"),
    ]
    for kind in ("text", "date"):
        if scope.of(kind):
            calls.append((f"max({make.pick(scope.of(kind))})", kind))
    call, kind = make.pick(calls)
    if make.chance(20):
        make.uses("aggregate filter")
        return f"{call} FILTER (WHERE {predicate(make, scope, 0)})", kind
    if make.chance(10):
        make.uses("ordered aggregate")
        return f"list({number} ORDER BY {number})", "list"
    return call, kind
