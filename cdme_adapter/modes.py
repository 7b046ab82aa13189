"""Which lineage mode a model gets: the one that was asked for where it holds, else ``full``, and why.

``key_derivable`` needs a proof that the same inputs give the same records again, by which the reverse
joins are found when they are asked for (``recipes.py``). ``summary`` needs rows that no later statement
changes. What is not proven is captured in full, and a finding says so (REQ-DATA-LIN-002, -003).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.duckdb import DuckDbCatalog
from cdme_adapter.errors import Finding
from cdme_adapter.provenance import Exactness, LineageMode, Role
from cdme_adapter.recipes import Recipe, recipe_of, why_unstable
from cdme_adapter.settle import InputAccount, Settlement
from cdme_adapter.settle_totals import TotalsSettlement
from cdme_adapter.store.recipes import keep_recipe
from cdme_adapter.store.writer import StoreWriter

if TYPE_CHECKING:
    from cdme_adapter.pipeline import Journey

LIGHT = frozenset({LineageMode.KEY_DERIVABLE, LineageMode.SUMMARY})
"""The modes that store no reverse join of all rows."""


def begin(journey: Journey) -> None:
    """Before anything is known of the SQL: only a table that one query makes can be other than full."""
    node = journey.node
    if journey.config.lineage_mode not in LIGHT or (
        node.materialized == "table" and node.language == "sql"
    ):
        return
    if node.stores and node.resource_type != "seed":
        kind = "python model" if node.language != "sql" else node.materialized
        _full(journey, f"it is a model of the kind {kind}")
    else:
        journey.config = replace(journey.config, lineage_mode=LineageMode.FULL)


def choose(journey: Journey, catalog: DuckDbCatalog) -> None:
    """Settle on a mode, once the model is planned."""
    if journey.config.lineage_mode not in LIGHT:
        return
    why = _why_full(journey, catalog)
    if why:
        _full(journey, why)
    else:
        journey.recipe_texts = catalog.views


def look_again(journey: Journey) -> None:
    """A plan was taken, also one in the place of another: a coarse one is no recipe."""
    mode, plan = journey.config.lineage_mode, journey.plan
    if mode is LineageMode.KEY_DERIVABLE and plan is not None and (plan.coarse or plan.whole):
        _full(journey, "part of it is not understood")


def _full(journey: Journey, why: str) -> None:
    mode = journey.config.lineage_mode
    journey.config = replace(journey.config, lineage_mode=LineageMode.FULL)
    journey.findings.append(
        Finding(
            "MODE_FULL", f"lineage_mode {mode.value} is captured as full: {why}", "info", journey.node.id,
            journey.place, "nothing is lost by it but time and space; set lineage_mode: full to say so",
        )
    )  # fmt: skip


def _why_full(journey: Journey, catalog: DuckDbCatalog) -> str:
    """What stands against the mode that was asked for; "" where nothing does."""
    if journey.plan is None:
        return ""
    if journey.in_place or journey.batch:
        return "its table is changed in place"
    if journey.node.post_hooked:
        return "hooks may change its table"
    if journey.refinery is not None:
        return "it has an error domain"
    if journey.config.cardinality:
        return "a cardinality is declared, which is seen in the reverse join"
    if journey.config.lineage_mode is LineageMode.SUMMARY:
        return ""
    return _why_not_derivable(journey, catalog)


def _why_not_derivable(journey: Journey, catalog: DuckDbCatalog) -> str:
    plan = journey.plan
    assert plan is not None
    if plan.coarse or any(
        c.exactness is not Exactness.EXACT and c.role is not Role.GUARD for c in plan.consulted
    ):
        return "part of it is not understood"
    for info in plan.relations.values():
        if info.scan is not None or not info.name:
            return "it reads files"
        if info.id == journey.node.id:
            return "it reads its own table"
        if any(name.lower() == "rowid" for name in info.columns):
            return f"{info.id} has a column called rowid"
    return why_unstable([journey.compiled, *catalog.views.values()], catalog, journey.ordered)


def settlement_of(journey: Journey, execute: Execute) -> Settlement:
    """The settlement that the mode needs."""
    assert journey.plan is not None
    if journey.config.lineage_mode not in LIGHT:
        return Settlement(execute, journey.plan)
    return TotalsSettlement(
        execute,
        journey.plan,
        sample=journey.config.lineage_mode is LineageMode.SUMMARY,
        keys=bool(journey.config.control_totals or journey.inputs_summed),
        reasons=bool(journey.config.expected_loss) or journey.config.max_change is not None,
    )


def keep(
    journey: Journey, execute: Execute, store: StoreWriter, settlement: Settlement,
    accounts: Sequence[InputAccount],
) -> None:  # fmt: skip
    """Write what stands for the reverse joins: the recipe, or which rows the sample holds."""
    mode, plan = journey.config.lineage_mode, journey.plan
    if plan is None or mode not in LIGHT:
        return
    if mode is LineageMode.KEY_DERIVABLE:
        texts = dict(journey.recipe_texts)
        found: Recipe = recipe_of(execute, plan, journey.compiled, texts, list(texts.values()))
        keep_recipe(execute, store.schema, journey.generation, found.text())
        return
    assert isinstance(settlement, TotalsSettlement)
    for account in accounts:
        rows = settlement.kept.get(account.relation)
        if rows is not None:
            store.sampled(journey.edge_id(account.relation, Role.DIRECT), f"SELECT o, o AS i FROM {rows}")
