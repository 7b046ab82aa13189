"""What a model's journey is held against beyond its counts: control totals, and the last run's losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cdme_adapter.accounting import Verdict
from cdme_adapter.drift import judge_changes
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import quote
from cdme_adapter.errors import Finding
from cdme_adapter.settle import InputAccount
from cdme_adapter.store.writer import StoreWriter
from cdme_adapter.totals import Total, measure, measure_file, numeric_columns, wrong_totals

if TYPE_CHECKING:
    from cdme_adapter.pipeline import Journey

ROW, REJECTS = "__cdme_row", "cdme_rejects"
SEVERITIES = {"error": "error", "warn": "warn", "off": "info"}


def account_totals(journey: Journey, execute: Execute, account: InputAccount) -> bool:
    """Measure the control totals of an input and say whether they add up."""
    wanted = _wanted(journey, account.relation)
    # The table as its own input is no longer what the query read.
    if not wanted or account.relation == journey.node.id or journey.plan is None:
        return True
    relation = journey.plan.relations[account.relation].quoted
    columns, refused = numeric_columns(execute, relation, wanted)
    if refused:
        _say(journey, "CONTROL_TOTAL_TYPE", f"{', '.join(refused)} of {account.relation} cannot be summed")
    if not columns:
        return True
    return _adds_up(journey, account.relation, measure(execute, relation, columns, account))


def account_seed(journey: Journey, execute: Execute, source: str, file: str, table: str, low: int) -> bool:
    """Measure the control totals of a seed's file and say whether they add up.

    ``file`` is a FROM item of its records in order, ``low`` the first row id that its table had. Lines
    that do not parse have no values to sum.
    """
    wanted = _wanted(journey, source)
    columns, refused = numeric_columns(execute, table, wanted) if wanted else ({}, [])
    if refused:
        _say(journey, "CONTROL_TOTAL_TYPE", f"{', '.join(refused)} of {source} cannot be summed")
    if not columns:
        return True
    rejected = journey.refinery is not None and journey.refinery.emission is not None
    bad = f"(SELECT {quote(ROW)} - {low} AS i FROM temp.{REJECTS})" if rejected else ""
    return _adds_up(journey, source, measure_file(execute, file, table, columns, bad))


def _adds_up(journey: Journey, relation: str, found: list[Total]) -> bool:
    """Keep the totals of an input; what does not add up is a finding for the gate."""
    journey.totals[relation] = found
    wrong = wrong_totals(found)
    if wrong:
        journey.findings.append(
            Finding(
                "TOTALS_UNBALANCED",
                f"the control totals of {relation} do not add up: {'; '.join(wrong)} accounted for",
                SEVERITIES[journey.config.gate],
                journey.node.id,
                journey.place,
                "look at the records with `cdme explain`; set meta.cdme.gate: warn to let the model pass "
                "meanwhile",
            )
        )
    return not wrong


def _wanted(journey: Journey, relation: str) -> list[str]:
    """The columns that the model or the input declares, but for personal ones."""
    node = journey.nodes.by_id.get(relation)
    meta: Mapping[str, Any] = (node.meta if node else None) or {}
    declared = (*_names(meta.get("pii")), *journey.config.pii, *journey.hidden(relation))
    personal = {name.lower() for name in declared}
    wanted = [*journey.config.control_totals, *_names(meta.get("control_totals"))]
    hidden = sorted({name for name in wanted if name.lower() in personal})
    if hidden:
        _say(journey, "CONTROL_TOTAL_PII", f"{', '.join(hidden)} is personal and is not summed")
    return [name for name in wanted if name.lower() not in personal]


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(one) for one in value) if isinstance(value, (list, tuple)) else ()


def _say(journey: Journey, code: str, message: str) -> None:
    finding = Finding(code, message, "warn", journey.node.id, journey.place,
                      "name numeric columns of inputs under meta.cdme.control_totals")  # fmt: skip
    if finding not in journey.findings:
        journey.findings.append(finding)


def total_rows(journey: Journey) -> list[tuple[Any, ...]]:
    """The control totals as the store keeps them: clauses by their reason's id, verdicts by name."""
    verdicts = list(Verdict)
    return [
        (
            relation, total.column, total.kind,
            None if total.clause is None else journey.reason_id(total.clause),
            None if total.verdict is None else verdicts[total.verdict].value,
            total.records, total.nulls, total.total, total.exact,
        )
        for relation, totals in journey.totals.items()
        for total in totals
    ]  # fmt: skip


def judge_drift(journey: Journey, store: StoreWriter) -> list[Finding]:
    """Findings of the gate that look beyond this run's counts."""
    own = (journey.node.meta or {}).get("control_totals")
    summed = {total.column.lower() for totals in journey.totals.values() for total in totals}
    if own and journey.captured:
        for name in journey.config.control_totals:
            spoken = any(name.lower() in f.message.lower() for f in journey.findings if "TOTAL" in f.code)
            if name.lower() not in summed and not spoken:
                _say(journey, "CONTROL_TOTAL_MISSING", f"{name} is a column of no captured input")
    most = journey.config.max_change
    if most is None:
        return []
    earlier = store.last_good_edges(journey.node.id, journey.run_id)
    return judge_changes(journey.entries, earlier, most, SEVERITIES[journey.config.gate], journey.place)
