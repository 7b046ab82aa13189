"""The plan is bound before anything of it runs (docs/decisions/0032-bind-first.md).

On a connection of its own the stages are made empty and the model's statement is explained: DuckDB
checks every name and type of the instrumented queries and runs none of them. An error there costs
nothing; inside the model's transaction it would abort it.
"""

from __future__ import annotations

from cdme_adapter.capture.plan import CapturePlan
from cdme_adapter.engines.base import Execute
from cdme_adapter.errors import CaptureError
from cdme_adapter.pipeline import Journey


def bind_plan(journey: Journey) -> None:
    """Give up the capture of a plan that DuckDB does not accept, before any of it has run.

    Where the model's own text is not accepted on that connection either, nothing is learned: it is at
    fault, or it reads what only the model's connection sees (a temporary table of a hook, say).
    """
    if journey.plan is None:
        return
    side = journey.generations.side
    error = _refusal(side, dry_run(journey.plan))
    if error is None or _refusal(side, f"EXPLAIN SELECT * FROM (\n{journey.compiled}\n)") is not None:
        return
    journey.refuse(CaptureError(f"DuckDB does not accept the plan: {error}"))


def dry_run(plan: CapturePlan) -> str:
    """The statements that bind a plan, for one call of a session of its own."""
    stages = [
        f"CREATE OR REPLACE TEMP TABLE {node.name} AS ({node.sql.format()}) WITH NO DATA"
        for node in plan.nodes[:-1]
    ]
    return ";\n".join([*stages, f"EXPLAIN {plan.root.sql.format()}"])


def _refusal(side: Execute, statements: str) -> str | None:
    """The first line of what DuckDB has against statements, or None where it accepts them."""
    try:
        side(statements)
    except Exception as error:
        return str(error).strip().splitlines()[0]
    return None
