"""Which epoch of each input a model read, against its ``temporal`` (REQ-F-TRV-003, REQ-F-CTX-001).

The epoch of a model, seed or snapshot is the run that made the generation which was read; of a source
with a ``loaded_at_field`` what was loaded last; of anything else, the run that first saw its content.
Whether the SQL chooses records by a declared ``column`` was judged before the run
(``validation/rules/epochs.py``); here it is written down, and inputs declared ``exact`` are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdme_adapter.config import Temporal
from cdme_adapter.engines.rows import literal, quote
from cdme_adapter.errors import Finding
from cdme_adapter.store.writer import StoreWriter
from cdme_adapter.watch import SEVERITIES

if TYPE_CHECKING:
    from cdme_adapter.nodes import NodeInfo
    from cdme_adapter.pipeline import Journey

RUN, LOADED_AT, SEEN = "run", "loaded_at", "seen"
"""Kinds of epochs: the run that wrote what was read, the clock of a source, the run that first saw it."""


@dataclass(frozen=True)
class Epoch:
    """The epoch of one input; ``mode`` is None where the model declares another input only."""

    input: str
    mode: str | None
    column: str | None
    value: str | None
    kind: str

    @property
    def compared(self) -> bool:
        """Whether it has to be the one of the other inputs; where a column is named the SQL sees to it."""
        return self.mode is None or (self.mode == "exact" and self.column is None)

    def __str__(self) -> str:
        """As a finding names it."""
        how = {RUN: "of run", LOADED_AT: "loaded at", SEEN: "first seen by run"}[self.kind]
        return f"{self.input} is {how} {self.value}"


def judge_epochs(journey: Journey, store: StoreWriter) -> list[Finding]:
    """Note the epochs that a model with ``temporal`` read, and compare those that must agree."""
    if not journey.config.temporal:
        return []
    epochs = list(_read(journey, store))
    journey.epochs = [(e.input, e.mode, e.column, e.value, e.kind) for e in epochs]
    return [*_exact(journey, epochs), *_latest(journey, epochs)]


def _read(journey: Journey, store: StoreWriter) -> Iterator[Epoch]:
    rows = store.execute(
        "SELECT input, max(input_generation), max(input_run_id)"
        f" FROM {store.schema}.store_edges WHERE output_generation = {journey.generation}"
        f" AND model = {literal(journey.node.id)} GROUP BY input ORDER BY input"
    )
    declared = _declared(journey, [str(row[0]) for row in rows])
    for name, generation, run_id in rows:
        if name == journey.node.id:
            continue  # the table as its own input: its past is what it builds on
        told = declared.get(name)
        value, kind = _epoch(store, journey.nodes.by_id.get(name), name, generation, run_id)
        yield Epoch(name, told.mode if told else None, told.column if told else None, value, kind)


def _declared(journey: Journey, inputs: Sequence[str]) -> dict[str, Temporal]:
    """What is declared of each input; of a view, for the stored relations beneath it."""
    found: dict[str, Temporal] = {}
    for name, told in journey.config.temporal.items():
        one = journey.nodes.resolve(name, inputs)
        if one is not None:
            found[one] = told
            continue
        view = journey.nodes.resolve(name, journey.nodes.by_id)
        if view is not None:
            beneath = journey.nodes.stored_parents(journey.nodes.by_id[view])
            found.update({i: told for i in beneath if i in inputs and i not in found})
    return found


def _epoch(
    store: StoreWriter, node: NodeInfo | None, name: str, generation: Any, run_id: Any
) -> tuple[str | None, str]:
    if node is not None and node.resource_type == "source" and node.loaded_at:
        relation = ".".join(quote(part) for part in (node.database, node.schema, node.identifier))
        try:
            value = store.execute(f"SELECT max(TRY({node.loaded_at}))::VARCHAR FROM {relation}")[0][0]
        except Exception:
            value = None  # a field that is no expression over its columns: the content's own epoch then
        if value is not None:
            return str(value), LOADED_AT
    current = store.current(name)
    written = node is not None and node.resource_type != "source"
    if written and current is not None and current[0] == generation:
        return current[1], RUN
    return (None if run_id is None else str(run_id)), SEEN


def _exact(journey: Journey, epochs: Sequence[Epoch]) -> Iterator[Finding]:
    """Inputs declared exact, and those of which nothing is declared, are of one epoch."""
    together = [e for e in epochs if e.compared]
    if len(together) < 2 or not any(e.mode for e in together):
        return
    for kind in (RUN, LOADED_AT):
        alike = [e for e in together if e.kind == kind]
        if len({e.value for e in alike}) > 1:
            yield _finding(
                journey, "EPOCH_MISMATCH", SEVERITIES[journey.config.gate],
                f"declared exact, and of different epochs: {'; '.join(map(str, alike))}",
                "build them in one run, or declare as_of or latest for what may be of another epoch",
            )  # fmt: skip
            return
    if len({e.kind for e in together}) > 1 or any(e.kind == SEEN for e in together):
        yield _finding(
            journey, "EPOCH_UNKNOWN", "warn",
            f"declared exact, and their epochs cannot be compared: {'; '.join(map(str, together))}",
            "give sources a loaded_at_field, or declare as_of or latest for what keeps a clock of its own",
        )  # fmt: skip


def _latest(journey: Journey, epochs: Sequence[Epoch]) -> Iterator[Finding]:
    """What is declared latest is the generation that its last run left."""
    for epoch in epochs:
        node = journey.nodes.by_id.get(epoch.input)
        written = node is not None and node.resource_type != "source"
        if epoch.mode == "latest" and epoch.kind == SEEN and written:
            yield _finding(
                journey, "EPOCH_UNKNOWN", "warn",
                f"{epoch.input} is declared latest, and is not what its last run left",
                "build it again, so that it is known what was read",
            )  # fmt: skip


def _finding(journey: Journey, code: str, severity: str, message: str, remedy: str) -> Finding:
    return Finding(code, message, severity, journey.node.id, journey.place, remedy)
