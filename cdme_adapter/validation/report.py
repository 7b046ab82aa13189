"""What a validation found: findings, verdicts and estimates, and whether a run is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdme_adapter.errors import Finding
from cdme_adapter.validation.relations import Relation

NO_SQL = "no compiled SQL of it as it is now"
"""Why nothing can be told of a model that dbt has not compiled."""
SEVERITIES = ("info", "warn", "error")
ALWAYS_REFUSED = frozenset(
    {"ACCESS_DENIED", "BUDGET_EXCEEDED", "CONFIG_INVALID", "CONFIG_UNKNOWN_KEY", "CONFIG_TYPE"}
    | {"KEY_COLUMN_MISSING", "EPOCH_MISMATCH"}
)
"""Codes that refuse a run whatever ``validate`` says: what cannot be followed, and what must not be."""


@dataclass(frozen=True)
class Verdict:
    """What one rule says of one model: ``fine``, ``finding`` or ``unknown``, and why."""

    model: str
    rule: str
    verdict: str
    why: str = ""


@dataclass(frozen=True)
class Estimate:
    """Rows expected against the budget."""

    model: str
    rows: int | None
    budget: int | None
    skew: tuple[str, ...] = ()
    """The joins whose rows few values of a key make, in words."""


@dataclass
class Report:
    """The result of :func:`validate_project`."""

    findings: list[Finding] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    estimates: list[Estimate] = field(default_factory=list)
    suppressed: list[tuple[Finding, str]] = field(default_factory=list)
    refusals: list[Finding] = field(default_factory=list)
    """The findings that refuse a run: by ``validate: error``, or of themselves."""
    relations: dict[str, Relation] = field(default_factory=dict)
    """What is known of each judged model's output: its columns, types and keys."""
    rechecked: int = 0
    """How many models were judged anew, the cache aside."""

    @property
    def counted(self) -> list[Finding]:
        """Findings that are more than information."""
        return [f for f in self.findings if f.severity != "info"]

    def models(self) -> dict[str, str]:
        """Each model's verdict over all rules: ``safe``, ``finding`` or ``unknown``."""
        found = {v.model: "safe" for v in self.verdicts}
        for verdict in self.verdicts:
            if verdict.verdict == "unknown":
                found[verdict.model] = "unknown"
        for finding in self.counted:
            if finding.model in found:
                found[finding.model] = "finding"
        return found

    def losses(self) -> dict[str, str]:
        """Each model's class: ``lossless``, ``lossy`` or ``unknown`` (REQ-DATA-LIN-002)."""
        names = {"fine": "lossless", "finding": "lossy", "unknown": "unknown"}
        return {v.model: names[v.verdict] for v in self.verdicts if v.rule == "lossy"}

    @property
    def status(self) -> str:
        """``pass``, ``findings`` or ``unknown``."""
        if self.counted:
            return "findings"
        return "unknown" if "unknown" in self.models().values() else "pass"

    def summary(self) -> str:
        """One line: ``41 proven safe, 3 findings, 2 unknown``: models, findings, and the models of which
        some rule cannot tell, with findings or without."""
        safe, count = list(self.models().values()).count("safe"), len(self.counted)
        findings = f"{count} finding{'' if count == 1 else 's'}"
        return f"{safe} proven safe, {findings}, {len(self.untold())} unknown"

    def untold(self) -> dict[str, dict[str, list[str]]]:
        """What cannot be told: by model and reason, the rules."""
        found: dict[str, dict[str, list[str]]] = {}
        for verdict in self.verdicts:
            if verdict.verdict == "unknown":
                found.setdefault(verdict.model, {}).setdefault(verdict.why, []).append(verdict.rule)
        return found

    def fails(self, at: str = "error") -> bool:
        """Whether something is at or above this severity (``--fail-on``)."""
        floor = SEVERITIES.index(at)
        return any(SEVERITIES.index(f.severity) >= floor for f in self.findings)

    def as_json(self) -> Mapping[str, Any]:
        """The document of ``cdme validate --output json`` (docs/commands.md)."""
        return {
            "status": self.status,
            "summary": self.summary(),
            "findings": [f.as_json() for f in self.findings],
            "suppressed": [f.as_json() | {"because": why} for f, why in self.suppressed],
            "unknown": [
                {"model": v.model, "rule": v.rule, "why": v.why}
                for v in self.verdicts
                if v.verdict == "unknown"
            ],
            "models": self.models(),
            "losses": self.losses(),
            "estimates": [
                {
                    "model": e.model,
                    "rows": e.rows,
                    "budget": e.budget,
                    **({"skew": [*e.skew]} if e.skew else {}),
                }
                for e in self.estimates
            ],
        }
