"""The plan is bound before anything of it runs (docs/decisions/0032-bind-first.md).

On a connection of its own the stages are made empty and the model's statement is explained: DuckDB
checks every name and type of the instrumented queries and runs none of them. An error there costs
nothing; inside the model's transaction it would abort it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cdme_adapter.capture.plan import CapturePlan, Coarse, Held, Lookup
from cdme_adapter.capture.planner import plan_of_reads
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.duckdb import DuckDbCatalog
from cdme_adapter.engines.rows import literal
from cdme_adapter.engines.scans import relations_scanned
from cdme_adapter.errors import CaptureError, UnsupportedConstruct
from cdme_adapter.pipeline import Journey
from cdme_adapter.provenance import Exactness, Role
from cdme_adapter.settle_indirect import keys_of, rows_of

_ROOT = "cdme_bind_root"


def bind_plan(journey: Journey) -> None:
    """Give up the capture of a plan that DuckDB does not accept, before any of it has run.

    What it scans by DuckDB's own word is then a superset, or opaque where that is not known. Where it
    does not accept how the rows of a subquery are found, only their relations are a superset. Where the
    model's own text is not accepted on that connection either, nothing is learned: it is at fault, or it
    reads what only the model's connection sees (a temporary table of a hook, say).
    """
    if journey.plan is None or journey.bound:
        return
    side = journey.generations.side
    try:
        plan, hiding = bound(side, journey.plan)
        journey.take(plan)
    except Exception as error:
        if _is_accepted(side, journey.compiled):
            _instead(journey, f"DuckDB does not accept the plan: {_first_line(error)}")
        return
    if hiding:
        journey.refuse(
            UnsupportedConstruct("a column called rowid in a part that is kept, which hides the row id")
        )
    elif journey.plans is not None and journey.read_views is not None:
        journey.plans.keep(side, journey.compiled, plan, journey.read_views)


def _instead(journey: Journey, why: str) -> None:
    """The text runs as it is: all records of what DuckDB scans for it may be behind its rows."""
    side = journey.generations.side
    catalog = DuckDbCatalog(side, journey.nodes.identify, journey.view_texts)
    relations = relations_scanned(side, catalog, journey.compiled) if journey.refinery is None else None
    if relations is None:
        journey.refuse(CaptureError(why))
    else:
        journey.take(plan_of_reads(journey.compiled, relations, why))


def bound(side: Execute, plan: CapturePlan) -> tuple[CapturePlan, bool]:
    """The plan without the lookups that DuckDB does not accept, and whether a stage hides its row ids.

    ``side`` runs outside the model's transaction. Raises the engine's error where it refuses more
    than a lookup.
    """
    used = [lookup for lookup in reversed(plan.lookups) if lookup.name in _beneath(plan, plan.root.name)]
    try:
        return plan, bool(side(dry_run(plan, used)))
    except Exception:
        if not used:
            raise
    hiding = bool(side(dry_run(plan, ())))
    fine: list[Lookup] = []
    for lookup in used:
        try:
            side(dry_run(plan, [*fine, lookup]))
            fine.append(lookup)
        except Exception as error:
            plan = _without(plan, lookup, _first_line(error))
    return plan, hiding


def dry_run(plan: CapturePlan, lookups: Sequence[Lookup]) -> str:
    """The statements that bind a plan and lookups, for one call outside the model's session.

    The last one gives the stages with a user's column that hides the row id.
    """

    def empty(name: str, sql: str) -> str:
        return f"CREATE OR REPLACE TEMP TABLE {name} AS ({sql}) WITH NO DATA"

    def rows(held: Held) -> str:
        name = f"{held.name}_rows" if isinstance(held, Lookup) else held.name
        return _ROOT if held is plan.root else name

    statements = [empty(node.name, node.sql.format()) for node in plan.nodes[:-1]]
    root = plan.root.sql.format()
    statements.append(empty(_ROOT, root) if lookups else f"EXPLAIN {root}")
    holding: list[Held] = [node for node in plan.nodes if node.name in _beneath(plan, plan.root.name)]
    for lookup in lookups:
        statements.append(empty(lookup.keys, keys_of(lookup, holding, rows)))
        statements.append(empty(f"{lookup.name}_rows", rows_of(lookup)))
        holding.append(lookup)
    # Of a stage that runs as it was written nobody asks for a row; and the session may hold other plans'.
    asked = ", ".join(literal(node.name) for node in plan.nodes[:-1] if node.ports) or "NULL"
    statements.append(
        "SELECT table_name FROM duckdb_columns() WHERE database_name = 'temp' "
        f"AND table_name IN ({asked}) AND lower(column_name) = 'rowid'"
    )
    return ";\n".join(statements)


def _without(plan: CapturePlan, lookup: Lookup, why: str) -> CapturePlan:
    """The plan, what is looked up that way known as a whole only."""
    lost = _beneath(plan, lookup.name)
    consulted = tuple(
        replace(one, exactness=Exactness.SUPERSET, why="rows that DuckDB does not look up")
        if one.relation in lost and one.role is Role.INDIRECT and one.exactness is Exactness.EXACT
        else one
        for one in plan.consulted
    )
    coarse = Coarse(f"how the rows of a subquery are found, which DuckDB does not accept: {why}")
    return replace(plan, consulted=consulted, coarse=(*plan.coarse, coarse))


def _beneath(plan: CapturePlan, name: str) -> frozenset[str]:
    """Everything beneath a node or a lookup, itself included."""
    every: list[Held] = [*plan.nodes, *plan.lookups]
    held = {one.name: one for one in every}
    seen: set[str] = set()
    todo = [name]
    while todo:
        if (next_name := todo.pop()) not in seen:
            seen.add(next_name)
            todo += [port.target for port in held[next_name].ports] if next_name in held else []
    return frozenset(seen)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _is_accepted(side: Execute, sql: str) -> bool:
    try:
        side(f"EXPLAIN SELECT * FROM (\n{sql}\n)")
    except Exception:
        return False
    return True
