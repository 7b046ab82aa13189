"""The end of a run that was refused, failed or was stopped before its first model began.

Every run has a ledger (REQ-F-ACC-002): this one's says of each selected node that it did not run, and
why. Nothing but the schema ``cdme`` is written.
"""

from __future__ import annotations

from collections.abc import Mapping

from cdme_adapter.nodes import Outcome
from cdme_adapter.run import Run


def close_unbegun(run: Run, outcomes: Mapping[str, Outcome], why: str, interrupted: bool) -> bool:
    """Write the ledger of a run of which no model began; False where no database can hold one.

    ``outcomes`` is what dbt said of nodes, ``why`` what ended the run, if anything did. Raises what
    the databases raise.
    """
    run.prepare_all()
    if not run.databases:
        return False
    silent = {
        ident: Outcome(ident, "skipped", None, None, 0, why)
        for ident in run.selected
        if ident not in outcomes
    }
    run.failure = why or "no node of it began"
    run.finish(interrupted, {**silent, **outcomes})
    return True
