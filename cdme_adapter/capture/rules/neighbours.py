"""Joins that are made once: ASOF and POSITIONAL, where who meets whom depends on the other rows, and
those whose condition calls a volatile function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.accounting import Kind
from cdme_adapter.capture.plan import StepCheck
from cdme_adapter.capture.rules.nomatch import no_match_evidence
from cdme_adapter.capture.rules.once import SURVIVORS, evaluated_once, refuse_if_unknown
from cdme_adapter.capture.rules.shape import is_volatile
from cdme_adapter.capture.rules.subquery import nested_queries
from cdme_adapter.capture.scope import FromGroup
from cdme_adapter.capture.sqltext import as_written, conjuncts, not_understood, text

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

METHODS = frozenset({"ASOF", "POSITIONAL"})


def method_of(join: exp.Join) -> str:
    """ASOF, POSITIONAL, NATURAL or nothing."""
    return str(join.args.get("method") or "").upper()


def join_neighbours(
    planner: Planner, left: FromGroup, right: FromGroup, join: exp.Join, shown: str
) -> FromGroup:
    """Plan an ASOF or POSITIONAL join."""
    method, side = method_of(join), str(join.args.get("side") or "").upper()
    on = join.args.get("on")
    if side not in ("", "LEFT") or (method == "ASOF" and on is None):
        raise not_understood(f"{' '.join(w for w in (method, side) if w)} JOIN in this place", join)
    refuse_if_unknown((left, right), join.parent, join)
    ports = left.ports + right.ports
    if method == "POSITIONAL":
        both = FromGroup(f"{left.sql} POSITIONAL JOIN {right.sql}", left.visible + right.visible, ports)
        return evaluated_once(planner, both)
    words = f"ASOF {side} JOIN" if side else "ASOF JOIN"
    lossy = (right,) if side else (left, right)
    return _met(planner, left, right, join, words, shown, lossy)


def join_by_chance(
    planner: Planner, left: FromGroup, right: FromGroup, join: exp.Join, shown: str
) -> FromGroup:
    """Plan a join whose ON calls a volatile function: a pair that passes the rest of it may be refused."""
    side, kind = (str(join.args.get(key) or "").upper() for key in ("side", "kind"))
    on = join.args["on"]
    if side == "FULL" or kind in ("SEMI", "ANTI") or method_of(join) or nested_queries(on):
        raise not_understood(f"a volatile function in {as_written(join)}", join)
    refuse_if_unknown((left, right), join.parent, join)
    lossy = {"LEFT": (right,), "RIGHT": (left,)}.get(side, (left, right))
    return _met(planner, left, right, join, f"{side} JOIN".strip(), shown, lossy)


def _met(
    planner: Planner, left: FromGroup, right: FromGroup, join: exp.Join, words: str, shown: str,
    lossy: tuple[FromGroup, ...],
) -> FromGroup:  # fmt: skip
    """The join made once; ``lossy`` are the sides that lose what has no partner."""
    on = join.args["on"]
    parts = conjuncts(on)
    certain = [part for part in parts if not is_volatile(part, planner.catalog)]
    by_chance = len(certain) < len(parts)
    condition = " AND ".join(f"({text(part)})" for part in certain) or "TRUE"
    both = FromGroup(
        f"{left.sql} {words} {right.sql} ON {text(on)}",
        left.visible + right.visible,
        left.ports + right.ports,
    )
    if any(group.ports for group in lossy):
        clause = planner.clause(Kind.JOIN_NO_MATCH, shown, join)
        for group in lossy:
            other = left if group is right else right
            evidence = no_match_evidence(
                group.sql, group.visible, other.sql, other.visible, certain, [],
                condition if group is right or by_chance else None,
            )  # fmt: skip
            names = frozenset(port.column for port in group.ports)
            looked_up = group is (left if words.startswith("RIGHT") else right)
            if names:
                planner.check(StepCheck(clause, names, SURVIVORS, evidence, lookup=looked_up))
    return evaluated_once(planner, both)
