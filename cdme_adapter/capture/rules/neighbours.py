"""ASOF and POSITIONAL joins: who meets whom depends on the other rows, so they meet once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.accounting import Kind
from cdme_adapter.capture.plan import StepCheck
from cdme_adapter.capture.rules.nomatch import no_match_evidence
from cdme_adapter.capture.rules.once import SURVIVORS, evaluated_once, refuse_if_unknown
from cdme_adapter.capture.scope import FromGroup
from cdme_adapter.capture.sqltext import conjuncts, not_understood, text

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

METHODS = frozenset({"ASOF", "POSITIONAL"})


def method_of(join: exp.Join) -> str:
    """ASOF, POSITIONAL, NATURAL or nothing."""
    return str(join.args.get("method") or "").upper()


def join_neighbours(
    planner: Planner, left: FromGroup, right: FromGroup, join: exp.Join, shown: str, alone: bool
) -> FromGroup:
    """Plan an ASOF or POSITIONAL join; ``alone``: nothing else was planned in this node."""
    method, side = method_of(join), str(join.args.get("side") or "").upper()
    on = join.args.get("on")
    if not alone or side not in ("", "LEFT") or (method == "ASOF" and on is None):
        raise not_understood(f"{' '.join(w for w in (method, side) if w)} JOIN in this place", join)
    refuse_if_unknown((left, right), join.parent, join)
    ports = left.ports + right.ports
    if method == "POSITIONAL":
        both = FromGroup(f"{left.sql} POSITIONAL JOIN {right.sql}", left.visible + right.visible, ports)
        return evaluated_once(planner, both)
    words = f"ASOF {side} JOIN" if side else "ASOF JOIN"
    assert on is not None
    condition = text(on)
    both = FromGroup(f"{left.sql} {words} {right.sql} ON {condition}", left.visible + right.visible, ports)
    lossy = (right,) if side else (left, right)
    if any(group.ports for group in lossy):
        clause = planner.clause(Kind.JOIN_NO_MATCH, shown, join)
        for group in lossy:
            other = left if group is right else right
            evidence = no_match_evidence(
                group.sql, group.visible, other.sql, other.visible, conjuncts(on), [],
                condition if group is right else None,
            )  # fmt: skip
            names = frozenset(port.column for port in group.ports)
            if names:
                planner.check(StepCheck(clause, names, SURVIVORS, evidence, lookup=group is right))
    return evaluated_once(planner, both)
