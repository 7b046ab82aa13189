"""Why a record found no partner in a join: the verdict, without joining again.

For a record x without a partner, a candidate y gives FALSE if some ON conjunct is FALSE for (x, y),
else NULL. "Every candidate gave NULL" therefore means: no conjunct is FALSE for any candidate. For a
comparison of x's side with y's side that is decided by the least and the greatest value of y's side,
so that the verdict costs one pass over each side (docs/concepts.md, picky clause).
"""

from __future__ import annotations

from sqlglot import exp

from cdme_adapter.capture.scope import Visible, sides
from cdme_adapter.capture.sqltext import quote, text

_FLIP: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.EQ: exp.EQ, exp.NEQ: exp.NEQ, exp.LT: exp.GT, exp.GT: exp.LT, exp.LTE: exp.GTE,
    exp.GTE: exp.LTE,
}  # fmt: skip

# {x} is the record's operand, {lo} and {hi} the least and greatest of the candidates' operands.
_FALSE_FOR_SOME: dict[type[exp.Expr], str] = {
    exp.EQ: "({x} <> {lo} OR {x} <> {hi})",
    exp.LT: "({x} >= {lo})",
    exp.LTE: "({x} > {lo})",
    exp.GT: "({x} <= {hi})",
    exp.GTE: "({x} < {hi})",
}


class _Evidence:
    """The pieces of one evidence query while its conjuncts are sorted."""

    def __init__(self, other: str) -> None:
        self.other = other
        self.facts: list[str] = ["count(*) AS __cdme_n"]
        self.false_for_some: list[str] = []
        self.own: list[str] = []

    def compare(self, kind: type[exp.Expr], mine: str, theirs: str) -> None:
        """A comparison of an operand of this side with one of the other side."""
        if kind is exp.NEQ:
            self.false_for_some.append(f"({mine} IN (SELECT {theirs} FROM {self.other}))")
            return
        number = len(self.facts)
        self.facts += [f"min({theirs}) AS __cdme_lo{number}", f"max({theirs}) AS __cdme_hi{number}"]
        bound = _FALSE_FOR_SOME[kind]
        self.false_for_some.append(bound.format(x=mine, lo=f"__cdme_lo{number}", hi=f"__cdme_hi{number}"))

    def theirs(self, conjunct: str) -> None:
        """A conjunct on the other side alone."""
        number = len(self.facts)
        self.facts.append(f"bool_or(({conjunct}) IS FALSE) AS __cdme_of{number}")
        self.false_for_some.append(f"__cdme_of{number}")

    def mine(self, conjunct: str) -> None:
        """A conjunct on this record alone."""
        self.own.append(conjunct)
        self.false_for_some.append(f"(({conjunct}) IS FALSE)")

    def general(self, conjunct: str) -> None:
        """A conjunct that can only be decided pair by pair."""
        self.false_for_some.append(f"EXISTS (SELECT 1 FROM {self.other} WHERE ({conjunct}) IS FALSE)")

    def sql(self, side: str) -> str:
        """Rows (i, verdict) for the records in {cur}."""
        some = " OR ".join(f"coalesce({part}, FALSE)" for part in self.false_for_some) or "FALSE"
        false = " OR ".join(f"coalesce(({c}) IS FALSE, FALSE)" for c in self.own) or "FALSE"
        null = " OR ".join(f"(({c}) IS NULL)" for c in self.own) or "FALSE"
        return (
            "SELECT i, CASE WHEN own_false THEN {false} WHEN own_null THEN {null} "
            "WHEN n > 0 AND NOT for_some THEN {all_null} ELSE {no_match} END AS verdict FROM ("
            f"SELECT {{port}} AS i, max(__cdme_n) AS n, bool_or({some}) AS for_some, "
            f"bool_or({false}) AS own_false, bool_or({null}) AS own_null "
            f"FROM {side} CROSS JOIN (SELECT {', '.join(self.facts)} FROM {self.other}) AS __cdme_f "
            "WHERE {port} IN (SELECT i FROM {cur}) GROUP BY ALL)"
        )


def no_match_evidence(
    side: str, side_names: tuple[Visible, ...], other: str, other_names: tuple[Visible, ...],
    on: list[exp.Expr], using: list[str], denied: str | None = None,
) -> str:  # fmt: skip
    """A template selecting (i, verdict) for records of ``side`` without a partner in ``other``.

    ``denied``: the condition, where a candidate that meets it may still not be the partner.
    """
    evidence = _Evidence(other)
    if denied is not None:
        evidence.false_for_some.append(f"EXISTS (SELECT 1 FROM {other} WHERE {denied})")
    for name in using:
        evidence.compare(exp.EQ, quote(name), quote(name))
    mine = frozenset(v.alias for v in side_names)
    every = side_names + other_names
    for conjunct in on:
        for part in _without_between(conjunct):
            _sort(evidence, part, mine, every)
    return evidence.sql(side)


def _without_between(conjunct: exp.Expr) -> list[exp.Expr]:
    bare = conjunct.unnest()
    if isinstance(bare, exp.Between) and not bare.args.get("symmetric"):
        low = exp.GTE(this=bare.this.copy(), expression=bare.args["low"].copy())
        high = exp.LTE(this=bare.this.copy(), expression=bare.args["high"].copy())
        return [low, high]
    return [bare]


def _sort(
    evidence: _Evidence, conjunct: exp.Expr, mine: frozenset[str], every: tuple[Visible, ...]
) -> None:
    used = sides(conjunct, every)
    if used is None:
        evidence.general(text(conjunct))
    elif used and used <= mine:
        evidence.mine(text(conjunct))
    elif not used & mine:
        evidence.theirs(text(conjunct))
    elif isinstance(conjunct, exp.Binary) and type(conjunct) in _FLIP:
        left, right = sides(conjunct.left, every), sides(conjunct.right, every)
        if left and right and left <= mine and not right & mine:
            evidence.compare(type(conjunct), text(conjunct.left), text(conjunct.right))
        elif left and right and right <= mine and not left & mine:
            evidence.compare(_FLIP[type(conjunct)], text(conjunct.right), text(conjunct.left))
        else:
            evidence.general(text(conjunct))
    else:
        evidence.general(text(conjunct))
