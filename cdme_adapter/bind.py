"""The plan is bound before anything of it runs (docs/decisions/0032-bind-first.md).

On a connection of its own the stages are made empty and the model's statement is explained: DuckDB
checks every name and type of the instrumented queries and runs none of them. An error there costs
nothing; inside the model's transaction it would abort it.
"""

from __future__ import annotations

from cdme_adapter.capture.plan import CapturePlan
from cdme_adapter.capture.planner import STAGE
from cdme_adapter.engines.base import Execute
from cdme_adapter.errors import CaptureError, UnsupportedConstruct
from cdme_adapter.pipeline import Journey


def bind_plan(journey: Journey) -> None:
    """Give up the capture of a plan that DuckDB does not accept, before any of it has run.

    Where the model's own text is not accepted on that connection either, nothing is learned: it is at
    fault, or it reads what only the model's connection sees (a temporary table of a hook, say).
    """
    if journey.plan is None:
        return
    side = journey.generations.side
    try:
        hiding = side(dry_run(journey.plan))
    except Exception as error:
        if _is_accepted(side, journey.compiled):
            first = str(error).strip().splitlines()[0]
            journey.refuse(CaptureError(f"DuckDB does not accept the plan: {first}"))
        return
    if hiding:
        journey.refuse(
            UnsupportedConstruct("a column called rowid in a part that is kept, which hides the row id")
        )


def dry_run(plan: CapturePlan) -> str:
    """The statements that bind a plan, for one call of a session of its own.

    The last one gives the stages with a user's column that hides the row id.
    """
    stages = [
        f"CREATE OR REPLACE TEMP TABLE {node.name} AS ({node.sql.format()}) WITH NO DATA"
        for node in plan.nodes[:-1]
    ]
    hiding = (
        "SELECT table_name FROM duckdb_columns() WHERE database_name = 'temp' "
        f"AND starts_with(table_name, '{STAGE}') AND lower(column_name) = 'rowid'"
    )
    return ";\n".join([*stages, f"EXPLAIN {plan.root.sql.format()}", hiding])


def _is_accepted(side: Execute, sql: str) -> bool:
    try:
        side(f"EXPLAIN SELECT * FROM (\n{sql}\n)")
    except Exception:
        return False
    return True
