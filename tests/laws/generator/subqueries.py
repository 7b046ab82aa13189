"""Subqueries in expressions: IN, EXISTS and their negations, quantified, scalar; correlated or not."""

from __future__ import annotations

from dataclasses import replace

from tests.laws.generator.expressions import COMPARISONS, predicate, scalar, where
from tests.laws.generator.maker import Maker, Scope, scope_of


def _inner(make: Maker, scope: Scope) -> tuple[Scope, str, str]:
    """A scope of a subquery, its FROM and its WHERE, correlated every other time."""
    source = make.source(make.pick([0, 0, 0, 1]))
    inner = scope_of(source)
    filtered = where(make, inner)
    if make.chance(50):
        link = _link(make, scope, inner)
        if link:
            make.uses("correlated subquery")
            filtered = f"{filtered} AND {link}" if filtered else f" WHERE {link}"
    return inner, source.sql, filtered


def _link(make: Maker, outer: Scope, inner: Scope) -> str | None:
    """A comparison of an inner column with an outer one."""
    kinds = [k for k in ("int", "text") if _qualified(outer, k) and inner.of(k)]
    if not kinds:
        return None
    kind = make.pick(kinds)
    comparison = make.pick(["=", "=", "=", *COMPARISONS])
    return f"{make.pick(inner.of(kind))} {comparison} {make.pick(_qualified(outer, kind))}"


def _qualified(scope: Scope, kind: str) -> list[str]:
    return [ref for ref in scope.of(kind) if "." in ref]


def in_(make: Maker, scope: Scope) -> str:
    """``x IN (SELECT …)``."""
    return _membership(make, scope, "IN")


def not_in(make: Maker, scope: Scope) -> str:
    """``x NOT IN (SELECT …)``, where one NULL empties the result."""
    return _membership(make, scope, "NOT IN")


def _membership(make: Maker, scope: Scope, operator: str) -> str:
    inner, source, filtered = _inner(make, scope)
    kind = make.pick([k for k in ("int", "text") if inner.of(k)] or ["int"])
    operand = _operand(make, scope, kind)
    return f"{operand} {operator} (SELECT {scalar(make, inner, kind, 0)} FROM {source}{filtered})"


def _operand(make: Maker, scope: Scope, kind: str) -> str:
    """What is compared with the rows of a subquery; now and then another subquery."""
    if kind == "int" and make.chance(8):
        make.uses("subquery compared with a subquery")
        return scalar_aggregate(make, scope)
    return scalar(make, scope, kind, 0)


def in_list(make: Maker, scope: Scope) -> str:
    """``x IN (1, (SELECT …), y)``: a list in which a member is a subquery."""
    operand = scalar(make, scope, "int", 0)
    members = [make.pick([scalar_aggregate, scalar_first])(make, scope)]
    members += make.some(["1", "0", "NULL", scalar(make, scope, "int", 0)], 0)
    return f"{operand} {make.pick(['IN', 'NOT IN'])} ({', '.join(members)})"


def exists(make: Maker, scope: Scope) -> str:
    """``EXISTS (SELECT …)``."""
    _, source, filtered = _inner(make, scope)
    return f"EXISTS (SELECT 1 FROM {source}{filtered})"


def not_exists(make: Maker, scope: Scope) -> str:
    """``NOT EXISTS (SELECT …)``."""
    return f"NOT {exists(make, scope)}"


def quantified(make: Maker, scope: Scope) -> str:
    """``x > ANY (SELECT …)`` or ``ALL``."""
    inner, source, filtered = _inner(make, scope)
    quantifier = make.pick(["ANY", "ALL"])
    comparison = make.pick(COMPARISONS)
    operand, value = _operand(make, scope, "int"), scalar(make, inner, "int", 0)
    return f"{operand} {comparison} {quantifier} (SELECT {value} FROM {source}{filtered})"


def scalar_aggregate(make: Maker, scope: Scope) -> str:
    """A scalar subquery that is one row by aggregation."""
    inner, source, filtered = _inner(make, scope)
    call = make.pick(["max", "min", "count", "sum"])
    return f"(SELECT {call}({scalar(make, inner, 'int', 0)}) FROM {source}{filtered})"


def scalar_first(make: Maker, scope: Scope) -> str:
    """A scalar subquery that is at most one row by LIMIT."""
    source = make.source(make.pick([0, 0, 1]), keyed=True)
    inner = scope_of(source)
    filtered = where(make, replace(inner, rich=False))
    link = _link(make, scope, inner) if make.chance(50) else None
    if link:
        filtered = f"{filtered} AND {link}" if filtered else f" WHERE {link}"
    value = scalar(make, inner, "int", 0)
    order = ", ".join(inner.key or ())
    if not order:
        return f"(SELECT max({value}) FROM {source.sql}{filtered})"
    if link:
        make.uses("correlated subquery with limit")
    return f"(SELECT {value} FROM {source.sql}{filtered} ORDER BY {order} LIMIT 1)"


def case_exists(make: Maker, scope: Scope) -> str:
    """A predicate subquery inside CASE."""
    asked = make.pick([exists, in_, not_in])(make, scope)
    return f"CASE WHEN {asked} THEN 1 WHEN {predicate(make, scope, 0)} THEN 2 ELSE 0 END"
