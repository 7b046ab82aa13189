"""What a condition can come to where all columns of one alias are NULL: SQL's three values, by hand.

An outer join fills an alias with NULLs; a condition that such a row cannot meet undoes the join.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from itertools import product

from sqlglot import exp

from cdme_adapter.validation.predicates import COMPARISONS, bare, children

Outcomes = frozenset[str]
"""Some of ``t``, ``f``, ``n`` (NULL), ``v`` (another value), and constants as ``=`` with their SQL."""
_ANY: Outcomes = frozenset("tfnv")
_BOTH: Outcomes = frozenset("tf")
_NULL: Outcomes = frozenset("n")
# What may make a value of a NULL: by its own rules, or by ones that are not known here.
_MAKERS = (
    exp.Concat, exp.ConcatWs, exp.Greatest, exp.Least, exp.Array, exp.List, exp.Struct, exp.Map, exp.Tuple,
    exp.AggFunc, exp.Window, exp.Query, exp.Exists, exp.Any, exp.All, exp.Anonymous, exp.Interval,
    exp.Lambda, exp.PropertyEQ, exp.Placeholder, exp.Uuid, exp.Rand,
)  # fmt: skip


def can_be_true(condition: exp.Expr, alias: str) -> bool:
    """Whether a condition may hold in a row whose columns of ``alias`` are all NULL.

    >>> import sqlglot
    >>> one = sqlglot.parse_one("CASE WHEN r.x > 0 THEN TRUE ELSE FALSE END", dialect="duckdb")
    >>> can_be_true(one, "r"), can_be_true(one, "s")
    (False, True)
    """
    return "t" in _truth(_outcomes(condition, alias))


def _outcomes(node: exp.Expr | None, alias: str) -> Outcomes:
    node = bare(node)
    if node is None or isinstance(node, exp.Null):
        return _NULL
    if isinstance(node, exp.Boolean):
        return frozenset("t" if node.this else "f")
    if isinstance(node, exp.Literal):
        return frozenset({"=" + node.sql("duckdb")})
    if isinstance(node, exp.Column):
        return _NULL if node.text("table").lower() == alias else _ANY
    known = _KNOWN.get(type(node))
    if known is not None:
        return known(node, alias)
    if isinstance(node, _MAKERS):
        return _ANY
    return _strict(node, alias)


def _strict(node: exp.Expr, alias: str) -> Outcomes:
    """Operators and functions that make NULL of a NULL."""
    parts = [_outcomes(child, alias) for child in children(node) if not isinstance(child, _WORDS)]
    return _NULL if _NULL in parts else _ANY


_WORDS = (exp.DataType, exp.Var, exp.Identifier)


def _compared(node: exp.Expr, alias: str) -> Outcomes:
    operands = [c for c in children(node) if not isinstance(c, _WORDS)]
    if isinstance(node, exp.In):
        return _in(node, alias)
    parts = [_outcomes(child, alias) for child in operands]
    if _NULL in parts:
        return _NULL
    found = _equal(*parts) if isinstance(node, (exp.EQ, exp.NEQ)) and len(parts) == 2 else None
    if found is not None:
        return found if isinstance(node, exp.EQ) else _not_of(found)
    return _BOTH | _NULL if any("n" in part for part in parts) else _BOTH


def _equal(one: Outcomes, other: Outcomes) -> Outcomes | None:
    """What ``=`` gives of constants and truth values; None where either may be something else."""
    if "v" in one | other:
        return None
    return frozenset(o for pair in product(one, other) for o in _equal_pair(*pair))


def _equal_pair(left: str, right: str) -> str:
    if "n" in (left, right):
        return "n"
    if left == right:
        return "t"
    first, second = _number(left), _number(right)
    if first is not None and second is not None:
        return "t" if first == second else "f"
    texts = left[:2] == right[:2] == "='"
    return "f" if texts or {left, right} == {"t", "f"} else "tf"


def _in(node: exp.In, alias: str) -> Outcomes:
    left = _outcomes(node.this, alias)
    listed = [_outcomes(one, alias) for one in node.expressions]
    if left == _NULL or (listed and all(one == _NULL for one in listed)):
        return _NULL  # over an empty subquery it is FALSE, which drops the row as well
    found = [_equal(left, one) for one in listed]
    if listed and not node.args.get("negate") and all(one is not None and "t" not in one for one in found):
        return frozenset("fn")
    return _BOTH | _NULL


def _truth(found: Outcomes) -> Outcomes:
    """Outcomes as truth values: a number is true unless it is 0; of other values nothing is known."""
    truth: set[str] = set()
    for one in found:
        number = _number(one)
        if number is not None:
            truth.add("t" if number else "f")
        else:
            truth.update(one if one in "tfn" else "tf")
    return frozenset(truth)


def _number(outcome: str) -> Decimal | None:
    try:
        return Decimal(outcome[1:]) if outcome.startswith("=") else None
    except InvalidOperation:
        return None


def _not_of(found: Outcomes) -> Outcomes:
    turned = {"t": "f", "f": "t"}
    return frozenset(turned.get(one, one) for one in found)


def _not(node: exp.Expr, alias: str) -> Outcomes:
    return _not_of(_truth(_outcomes(node.this, alias)))


def _and(node: exp.Expr, alias: str) -> Outcomes:
    pairs = product(*(_truth(_outcomes(side, alias)) for side in (node.this, node.expression)))
    return frozenset("f" if "f" in pair else "n" if "n" in pair else "t" for pair in pairs)


def _or(node: exp.Expr, alias: str) -> Outcomes:
    pairs = product(*(_truth(_outcomes(side, alias)) for side in (node.this, node.expression)))
    return frozenset("t" if "t" in pair else "n" if "n" in pair else "f" for pair in pairs)


def _is(node: exp.Expr, alias: str) -> Outcomes:
    """``IS NULL``, ``IS TRUE``, ``IS FALSE``."""
    found, wanted = _outcomes(node.this, alias), bare(node.expression)
    if isinstance(wanted, exp.Null):
        return frozenset("t") if found == _NULL else _BOTH if "n" in found else frozenset("f")
    if isinstance(wanted, exp.Boolean):
        hit = "t" if wanted.this else "f"
        if found <= frozenset("tfn"):
            return frozenset("t") if found == {hit} else _BOTH if hit in found else frozenset("f")
    return _BOTH


def _same(node: exp.Expr, alias: str) -> Outcomes:
    """``IS NOT DISTINCT FROM``, and its opposite."""
    one, other = _outcomes(node.this, alias), _outcomes(node.expression, alias)
    if one == other == _NULL:
        found = frozenset("t")
    elif _NULL in (one, other) and "n" not in one & other:
        found = frozenset("f")
    else:
        found = _BOTH
    return _not_of(found) if isinstance(node, exp.NullSafeNEQ) else found


def _case(node: exp.Expr, alias: str) -> Outcomes:
    branches = node.args.get("ifs") or [node]
    found: Outcomes = frozenset()
    for branch in branches:
        asked = branch.this
        if isinstance(node, exp.Case) and node.this is not None:
            asked = exp.EQ(this=node.this.copy(), expression=branch.this.copy())
        when = _truth(_outcomes(asked, alias))
        if "t" in when:
            found |= _outcomes(branch.args.get("true"), alias)
        if when == frozenset("t"):
            return found
    default = node.args.get("default") if isinstance(node, exp.Case) else node.args.get("false")
    return found | _outcomes(default, alias)


def _coalesce(node: exp.Expr, alias: str) -> Outcomes:
    """Whoever writes COALESCE has said what a NULL is to be: any value, for all that is judged here."""
    parts = [_outcomes(part, alias) for part in (node.this, *node.expressions)]
    if all(part == _NULL for part in parts):
        return _NULL
    return _ANY if all("n" in part for part in parts) else _ANY - _NULL


def _nullif(node: exp.Expr, alias: str) -> Outcomes:
    found = _outcomes(node.this, alias)
    return _NULL if found == _NULL else found | _NULL


_KNOWN: dict[type[exp.Expr], Callable[..., Outcomes]] = {
    **dict.fromkeys(COMPARISONS, _compared),
    exp.Not: _not,
    exp.And: _and,
    exp.Or: _or,
    exp.Is: _is,
    exp.NullSafeEQ: _same,
    exp.NullSafeNEQ: _same,
    exp.Case: _case,
    exp.If: _case,
    exp.Coalesce: _coalesce,
    exp.Nullif: _nullif,
}
