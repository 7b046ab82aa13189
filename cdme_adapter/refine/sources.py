"""How rejected records lead to their sources: the settlement's chains, with entity, epoch and path."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cdme_adapter.capture.plan import RelationInfo
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import ordinals
from cdme_adapter.generations import InputGeneration
from cdme_adapter.provenance import stable_id
from cdme_adapter.refine.records import InputErrors
from cdme_adapter.settle import Chain, InputAccount, Map
from cdme_adapter.store import rejects
from cdme_adapter.store.writer import StoreWriter

if TYPE_CHECKING:
    from cdme_adapter.pipeline import Journey


def write_sources(
    execute: Execute, store: StoreWriter, journey: Journey, edge: int, info: RelationInfo,
    seen: InputGeneration, account: InputAccount,
) -> None:  # fmt: skip
    """Write the way from a model's rejected records to one input, and the input's own records that
    were kept out."""
    chains = account.error_chains
    if account.kept_out and journey.refinery is not None and journey.plan is not None:
        checks = journey.refinery.error_clauses(journey.plan)
        errors = int(execute(f"SELECT count(*) FROM {account.kept_out}")[0][0])
        found = InputErrors(
            info.quoted,
            account.kept_out,
            errors,
            account.input_count,
            ordinals(execute, info.quoted),
            checks,
            journey.hidden(info.id),
        )
        written = journey.refinery.write_inputs(execute, store, journey.run_id, journey.generation, found)
        if written:
            chains = (*chains, (Map(written, errors),))
    write_chains(execute, store, journey, edge, info, seen, chains)


def write_chains(
    execute: Execute, store: StoreWriter, journey: Journey, edge: int, info: RelationInfo,
    seen: InputGeneration, chains: tuple[Chain, ...],
) -> None:  # fmt: skip
    """Write the way from a model's rejected records to the records of one input."""
    if not chains:
        return
    entity = info.id if info.scan else ".".join((info.database, info.schema, info.name))
    path = json.dumps([info.id, journey.node.id])
    found = rejects.RejectEdge(
        edge, info.id, seen.number, entity, epoch_of(execute, journey, info, seen), path
    )
    for number, chain in enumerate(chains):
        maps = [
            (stable_id("reject map", str(edge), str(number), str(step)), f"SELECT o, i FROM {part.sql}")
            for step, part in enumerate(chain)
        ]
        rejects.sources(store, journey.generation, journey.node.id, found, number, maps)


def epoch_of(execute: Execute, journey: Journey, info: RelationInfo, seen: InputGeneration) -> str | None:
    """The epoch of an input: what is loaded last of a source that says so, else the run of the
    generation that was read (docs/configuration.md, temporal)."""
    node = journey.nodes.by_id.get(info.id)
    if node is not None and node.loaded_at:
        try:
            value = execute(f"SELECT max({node.loaded_at})::VARCHAR FROM {info.quoted}")[0][0]
        except Exception:
            return seen.run_id
        return str(value) if value is not None else seen.run_id
    return seen.run_id


def resolve_all(store: StoreWriter, model: str, run_id: str) -> None:
    """A model that declares no refinement any more has no errors either."""
    if rejects.any_present(store, model):
        rejects.begin(store, model, run_id)
