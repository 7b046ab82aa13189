"""The gate: from the ledger entries of a model to a verdict (REQ-F-ACC-004). Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cdme_adapter.accounting import Kind, LedgerEntry, ReasonCount, Status
from cdme_adapter.config import CdmeConfig, ExpectedLoss
from cdme_adapter.errors import Finding, Place
from cdme_adapter.provenance import Exactness, Role

Resolve = Callable[[str, Iterable[str]], "str | None"]


EXACT_REQUIRED, NOT_EXACT = "EXACT_REQUIRED", "NOT_EXACT"
"""The codes of findings on direct edges that are not exact."""


@dataclass(frozen=True)
class Verdict:
    """What the gate says: findings, of which those of severity ``error`` fail the model."""

    findings: tuple[Finding, ...]

    @property
    def refused(self) -> bool:
        """Whether the model must be rolled back."""
        return any(finding.severity == "error" for finding in self.findings)


def judge_model(
    entries: Sequence[LedgerEntry],
    config: CdmeConfig,
    resolve: Resolve,
    place: Place,
    today: dt.date,
    witnesses: Callable[[LedgerEntry], str] = lambda entry: "",
) -> Verdict:
    """The gate's verdict on one model; ``witnesses`` describes unaccounted rows of an entry."""
    findings: list[Finding] = []
    severity = {"error": "error", "warn": "warn", "off": "info"}[config.gate]
    for entry in entries:
        findings += _balance(entry, severity, place, witnesses)
        findings += _exactness(entry, config, place)
    findings += _expected(entries, config, resolve, severity, place, today)
    findings += _cardinality(entries, config, resolve, place)
    return Verdict(tuple(findings))


def _balance(
    entry: LedgerEntry, severity: str, place: Place, witnesses: Callable[[LedgerEntry], str]
) -> list[Finding]:
    if entry.status is Status.UNBALANCED:
        return [
            Finding(
                "UNBALANCED",
                f"of {entry.input_count:,} records of {entry.input}, {entry.contributed_count:,} "
                f"contributed, {entry.filtered_count:,} were filtered, {entry.error_count:,} are "
                f"errors and {entry.unaccounted_count:,} are unaccounted{witnesses(entry)}",
                severity,
                entry.model,
                place,
                "look at these records with `cdme explain`; set meta.cdme.gate: warn to let the "
                "model pass meanwhile",
            )
        ]
    return []


def _exactness(entry: LedgerEntry, config: CdmeConfig, place: Place) -> list[Finding]:
    if entry.role is not Role.DIRECT or entry.exactness is Exactness.EXACT:
        return []
    required = config.require == "exact"
    return [
        Finding(
            EXACT_REQUIRED if required else NOT_EXACT,
            f"the edge from {entry.input} is {entry.exactness.value}: {entry.why or 'not captured'}",
            "error" if required else "warn",
            entry.model,
            place,
            "rewrite the construct, or drop `require: exact`" if required else "",
        )
    ]


def _expected(
    entries: Sequence[LedgerEntry], config: CdmeConfig, resolve: Resolve, severity: str,
    place: Place, today: dt.date,
) -> list[Finding]:  # fmt: skip
    """Loss beyond what was foreseen, for inputs that are listed (docs/commands.md, expected_loss)."""
    findings: list[Finding] = []
    inputs = {entry.input: entry for entry in entries if entry.role is Role.DIRECT}
    listed: dict[str, list[ExpectedLoss]] = {}
    for rule in config.expected_loss:
        target = resolve(rule.input, inputs)
        if target is None:
            findings.append(
                Finding(
                    "EXPECTED_LOSS_INPUT", f"expected_loss names {rule.input}, which is no direct "
                    "input of this model", "warn", entries[0].model if entries else None, place,
                    f"inputs are {', '.join(sorted(inputs)) or 'none'}",
                )
            )  # fmt: skip
        else:
            listed.setdefault(target, []).append(rule)
    for name, rules in listed.items():
        findings += _loss(inputs[name], rules, severity, place, today)
    return findings


def _matches(rule: ExpectedLoss, reason: ReasonCount) -> bool:
    if rule.reason is not None and rule.reason != reason.reason.id:
        return False
    if rule.kind is not None and Kind(rule.kind) is not reason.reason.kind:
        return False
    return rule.verdict is None or rule.verdict == reason.verdict.value


def _loss(
    entry: LedgerEntry, rules: list[ExpectedLoss], severity: str, place: Place, today: dt.date
) -> list[Finding]:
    def unexpected(message: str) -> Finding:
        remedy = "find the cause with `cdme explain`, or list it under expected_loss with a reason"
        return Finding("LOSS_UNEXPECTED", message, severity, entry.model, place, remedy)

    findings = []
    covered: set[int] = set()
    lost = [reason for reason in entry.reasons if not reason.unused]
    for rule in rules:
        hits = [n for n, reason in enumerate(lost) if _matches(rule, reason)]
        covered |= set(hits)
        count = sum(lost[n].count for n in hits)
        what = rule.kind or rule.reason or "any clause"
        if rule.until is not None and today > rule.until and count:
            findings.append(unexpected(f"{count:,} records of {entry.input} lost to {what}, which "
                                       f"was expected until {rule.until} only"))  # fmt: skip
        elif rule.max.exceeded(count, entry.input_count or 0):
            findings.append(unexpected(f"{count:,} of {entry.input_count:,} records of "
                                       f"{entry.input} lost to {what}, more than the "
                                       f"{rule.max} expected"))  # fmt: skip
    for n, reason in enumerate(lost):
        if n not in covered and reason.count:
            findings.append(unexpected(f"{reason.count:,} records of {entry.input} lost to "
                                       f"{reason.reason.sql} ({reason.verdict.value}), which "
                                       "expected_loss does not list"))  # fmt: skip
    return findings


def _cardinality(
    entries: Sequence[LedgerEntry], config: CdmeConfig, resolve: Resolve, place: Place
) -> list[Finding]:
    findings = []
    inputs = {entry.input: entry for entry in entries if entry.role is Role.DIRECT}
    for name, declared in config.cardinality.items():
        target = resolve(name, inputs)
        entry = inputs.get(target) if target else None
        if entry is None or entry.cardinality is None:
            continue
        order = {"1:1": "", "N:1": "i", "1:N": "o", "N:M": "io"}
        extra = set(order[entry.cardinality]) - set(order.get(declared, "io"))
        if extra:
            findings.append(
                Finding(
                    "CARDINALITY_OBSERVED",
                    f"{entry.input} is declared {declared} and was observed {entry.cardinality}",
                    "warn", entry.model, place,
                    "a join fans out: look for duplicated keys in the other input, or declare "
                    "what is meant",
                )
            )  # fmt: skip
    return findings
