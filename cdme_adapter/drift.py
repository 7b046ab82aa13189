"""How shares of loss change from one run to another (``max_change``, ``cdme ledger --against``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdme_adapter.accounting import LedgerEntry
from cdme_adapter.errors import Finding, Place
from cdme_adapter.provenance import Role

Reason = tuple[str, str, str, str]
"""Model, input, reason id and verdict."""


@dataclass(frozen=True)
class Loss:
    """How many records of how many a clause removed with one verdict."""

    count: int
    whole: int
    kind: str
    sql: str

    @property
    def share(self) -> float:
        """The part of the input's records, from 0 to 1."""
        return self.count / self.whole if self.whole else 0.0


@dataclass(frozen=True)
class Change:
    """One clause's loss, before and now; None where the clause is not in one of both."""

    reason: Reason
    before: Loss | None
    now: Loss | None

    @property
    def change(self) -> float:
        """The share now less the share before."""
        return (self.now.share if self.now else 0.0) - (self.before.share if self.before else 0.0)

    def as_json(self) -> dict[str, Any]:
        """The entry of ``against.changes`` in the answer of ``cdme ledger``."""
        model, source, ident, verdict = self.reason
        shown = self.now or self.before
        assert shown is not None
        return {
            "model": model, "input": source, "reason_id": ident, "verdict": verdict,
            "kind": shown.kind, "sql": shown.sql,
            "count": self.now.count if self.now else 0,
            "share": self.now.share if self.now else 0.0,
            "count_before": self.before.count if self.before else 0,
            "share_before": self.before.share if self.before else 0.0,
            "change": self.change,
        }  # fmt: skip


def losses(edges: Sequence[Mapping[str, Any]]) -> dict[Reason, Loss]:
    """The losses of the direct edges of a ledger (as in ledger.json)."""
    return {
        (edge["model"], edge["input"], reason["id"], reason["verdict"]): Loss(
            reason["count"], edge["input_count"] or 0, reason["kind"], reason["sql"]
        )
        for edge in edges
        if edge["role"] == "direct"
        for reason in edge["reasons"]
    }


def changes(before: Mapping[Reason, Loss], now: Mapping[Reason, Loss]) -> list[Change]:
    """What changed, the greatest change first; equal shares are left out.

    >>> one = {("m", "i", "r", "false"): Loss(1, 10, "where", "x > 1")}
    >>> two = {("m", "i", "r", "false"): Loss(3, 10, "where", "x > 1")}
    >>> [round(change.change, 2) for change in changes(one, two)]
    [0.2]
    """
    found = [Change(key, before.get(key), now.get(key)) for key in sorted({*before, *now})]
    return sorted((c for c in found if c.change), key=lambda c: -abs(c.change))


def judge_changes(
    entries: Sequence[LedgerEntry], earlier: Sequence[Mapping[str, Any]], most: float, severity: str,
    place: Place,
) -> list[Finding]:  # fmt: skip
    """Findings about shares of loss that changed by more than ``most`` since the last good run.

    ``earlier`` are that run's edges of the model; an input that it did not have is not judged.
    """
    known = {edge["input"] for edge in earlier}
    edges = [
        {
            "model": e.model, "input": e.input, "role": e.role.value, "input_count": e.input_count,
            "reasons": [
                {"id": r.reason.id, "verdict": r.verdict.value, "count": r.count,
                 "kind": r.reason.kind.value, "sql": r.reason.sql}
                for r in e.reasons if not r.unused
            ],
        }
        for e in entries
        if e.role is Role.DIRECT and e.input in known and e.contributed_count is not None
    ]  # fmt: skip
    there = {edge["input"] for edge in edges}
    unused = {(r.reason.id, r.verdict.value) for e in entries for r in e.reasons if r.unused}
    before = {
        key: loss for key, loss in losses(earlier).items()
        if key[1] in there and (key[2], key[3]) not in unused
    }  # fmt: skip
    return [
        Finding(
            "LOSS_CHANGED",
            f"{_percent(one.now)} of {one.reason[1]} lost to {(one.now or one.before).sql}"  # type: ignore[union-attr]
            f" ({one.reason[3]}), {_percent(one.before)} in the last run: a change of more than"
            f" {100 * most:g} points",
            severity,
            one.reason[0],
            place,
            "find the cause with `cdme ledger --against RUN`, or allow more by max_change",
        )
        for one in changes(before, losses(edges))
        if abs(one.change) > most
    ]


def _percent(loss: Loss | None) -> str:
    return f"{100 * loss.share:.4g}%" if loss else "0%"
