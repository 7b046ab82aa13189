"""How many rejected records a model may have, and what its failure means."""

from __future__ import annotations

from cdme_adapter.config import CdmeConfig
from cdme_adapter.errors import Finding, Place
from cdme_adapter.refine.emission import Emission

THRESHOLD = "ERROR_THRESHOLD"
BREAKER = "CIRCUIT_BREAKER"


def describe(emission: Emission, of_inputs: int = 0) -> str:
    """Whether the errors are the data's, record by record, or the structure's, all alike.

    They are structural where every record that was emitted fails in the same way: then a column was
    renamed, a unit changed or the refinement is wrong, and looking at single records will not help.
    """
    beside = f"{of_inputs:,} of inputs were kept out or did not parse" if of_inputs else ""
    if beside and not emission.rejected:
        return f"data: {beside}"
    counts = sorted(emission.counts().items(), key=lambda item: -item[1])
    told = ", ".join(f"{name} {count:,}" for name, count in counts[:5])
    alike = len(emission.masks) == 1 and emission.rejected == emission.emitted > 1
    if alike:
        return f"structural: all {emission.emitted:,} records fail the same way ({told})"
    more = f", {beside}" if beside else ""
    return f"data: {emission.rejected:,} of {emission.emitted:,} records fail ({told}){more}"


def judge_errors(
    emission: Emission, totals: tuple[int, int], config: CdmeConfig, model: str, place: Place
) -> list[Finding]:
    """A finding of severity error where there are more errors than ``error_threshold`` allows."""
    limit, (emitted, rejected) = config.error_threshold, totals
    if limit is None or not limit.exceeded(rejected, emitted):
        return []
    kept = "kept" if limit.commits else "rolled back"
    return [
        Finding(
            THRESHOLD,
            f"{rejected:,} of {emitted:,} records were rejected, more than the {limit} allowed;"
            f" the good rows are {kept}. {describe(emission, rejected - emission.rejected)}",
            "error", model, place, _remedy(emission),
        )
    ]  # fmt: skip


def judge_sample(emission: Emission, config: CdmeConfig, model: str, place: Place) -> list[Finding]:
    """A finding where the first records fail too often for the rest to be tried."""
    breaker = config.circuit_breaker
    if breaker is None or emission.rejected <= breaker.share * emission.emitted:
        return []
    return [
        Finding(
            BREAKER,
            f"of the first {emission.emitted:,} records {emission.rejected:,} were rejected, more than"
            f" {100 * breaker.share:g}%: the model was stopped. {describe(emission)}",
            "error", model, place, _remedy(emission),
        )
    ]  # fmt: skip


def _remedy(emission: Emission) -> str:
    if emission.rejected == emission.emitted and len(emission.masks) == 1:
        return "look at the columns of the inputs and at the refinement itself, not at single records"
    return "look at them with `cdme errors`; mend the source, or raise the limit"
