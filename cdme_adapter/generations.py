"""Generations of inputs and declared keys, as a model's transaction sees them.

A relation that CDME wrote has the generation that its run made. Anything else (a source, a table
that another tool wrote) has one named by its fingerprint, or, where no sound fingerprint exists, by
the run that saw it: answers then say ``stale: "unknown"`` (docs/concepts.md, Generation).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from cdme_adapter.capture.plan import RelationInfo
from cdme_adapter.capture.sqltext import quote
from cdme_adapter.contents import is_content
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import columns_of, fingerprint, literal, ordinals
from cdme_adapter.errors import ConfigError, Finding, Place
from cdme_adapter.file_inputs import register_files
from cdme_adapter.nodes import NodeInfo, Nodes
from cdme_adapter.plan_cache import PlanCache
from cdme_adapter.provenance import stable_id
from cdme_adapter.pseudonyms import Pseudonyms
from cdme_adapter.store.writer import Generation, StoreWriter

_CALM = frozenset(
    {"table", "view", "ephemeral", "incremental", "snapshot", "seed", "external", "source", "test", "unit"}
)
"""Materializations that write nothing but their own relation."""


@dataclass(frozen=True)
class InputGeneration:
    """Which generation of an input was read, and by which run it was made, where known."""

    number: int | None
    run_id: str | None
    row_count: int | None = None


class Reporter(Protocol):
    """Where findings go; ``node`` and ``place`` say whose."""

    findings: list[Finding]

    @property
    def place(self) -> Place:
        """The file that a finding points to."""


@dataclass
class Generations:
    """Shared by the threads of a run."""

    run_id: str
    nodes: Nodes
    side: Execute
    """Runs a statement on a connection of its own, committed at once."""
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Declared keys of sources, by relation id."""
    pseudonyms: Pseudonyms = field(default_factory=Pseudonyms)
    """What stands for the values of personal key columns."""
    plans: PlanCache | None = None
    """The plans of earlier runs, where a run keeps any."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    _known: dict[tuple[str, int], InputGeneration] = field(default_factory=dict)
    _held: set[tuple[str, int]] = field(default_factory=set)
    _marks: dict[tuple[str, int], str | None] = field(default_factory=dict)
    _stores: dict[str, bool] = field(default_factory=dict)
    """Which other databases have a store."""
    _erring: dict[str, frozenset[str]] = field(default_factory=dict)
    """By store, the models that had errors when the run asked first."""

    def of_input(
        self, execute: Execute, store: StoreWriter, info: RelationInfo, written: bool = False,
        count: int | None = None,
    ) -> InputGeneration:  # fmt: skip
        """The generation of an input that is read now; ``count`` are its rows, where they are known.

        ``written``: hooks of the model's own transaction ran before it and may have written to the
        input, so that nobody else sees yet what the model sees.
        """
        if info.scan is not None:
            number, count = register_files(execute, self.side, store, info, self.run_id)
            return InputGeneration(number, self.run_id, count)
        current = store.current(info.id)
        if count is None:
            count = int(execute(f"SELECT count(*) FROM {info.quoted}")[0][0])
        if current is not None and self._holds(execute, store, info, current, count):
            return InputGeneration(current[0], current[1], count)
        if current is None and info.database.lower() != store.database.lower():
            elsewhere = self._elsewhere(execute, store, info, count)
            if elsewhere is not None:
                return elsewhere
        mark = self._mark(execute, info, count)
        number = stable_id("generation", info.id, mark or self.run_id)
        seen = InputGeneration(number, self.run_id, count)
        with self.lock:
            if (store.schema, number) in self._known:
                return self._known[store.schema, number]
            if written and not self._is_public(info, mark, count):
                self._register(execute, store, info, number, mark, count)
                return seen
            side = StoreWriter(self.side, store.database)
            self._register(execute, side, info, number, mark, count)
            return self._known.setdefault((store.schema, number), seen)

    def _elsewhere(
        self, execute: Execute, store: StoreWriter, info: RelationInfo, count: int
    ) -> InputGeneration | None:
        """The generation of a relation that CDME wrote in another database: the one of the store there,
        so that questions go on beyond it. It is noted in this store as well, with its keys, for the
        other one forgets it when the relation is written anew."""
        other = StoreWriter(execute, info.database)
        with self.lock:
            if info.database not in self._stores:
                self._stores[info.database] = other.version() is not None
            if not self._stores[info.database]:
                return None
        current = other.current(info.id)
        if current is None or not self._holds(execute, other, info, current, count):
            return None
        number, run_id = current
        mark = other.fingerprint(number)
        with self.lock:
            side = StoreWriter(self.side, store.database)
            self._register(execute, side, info, number, mark, count, run_id)
            return InputGeneration(number, run_id, count)

    def _holds(
        self, execute: Execute, store: StoreWriter, info: RelationInfo, current: tuple[int, str], count: int
    ) -> bool:
        """Whether an input that CDME wrote is still what its run left there. Asked of its rows, once a
        run, unless this run made it and nothing of the run can have changed it since."""
        number, run_id = current
        if store.row_count(number) not in (None, count):
            return False
        if self.calm and (run_id == self.run_id or (info.id, number) in self._held):
            return True
        if is_content(execute, info.quoted, store.fingerprint(number)) is False:
            return False
        with self.lock:
            self._held.add((info.id, number))
        return True

    def _mark(self, execute: Execute, info: RelationInfo, count: int) -> str | None:
        """The fingerprint of an input, read once a run where nothing of the run can change it: a
        source, in a project none of whose nodes runs SQL or Python of its own beside its query."""
        node = self.nodes.by_id.get(info.id)
        if node is None or node.resource_type != "source" or not self.calm:
            return fingerprint(execute, info.database, info.schema, info.name)
        with self.lock:
            if (info.id, count) not in self._marks:
                found = fingerprint(execute, info.database, info.schema, info.name)
                self._marks[info.id, count] = found
            return self._marks[info.id, count]

    def had_errors(self, store: StoreWriter, model: str) -> bool:
        """Whether earlier runs left errors of a model, of which none is resolved yet."""
        with self.lock:
            if store.schema not in self._erring:
                rows = self.side(
                    f"SELECT DISTINCT model FROM {store.schema}.store_rejects WHERE resolved_run_id IS NULL"
                )
                self._erring[store.schema] = frozenset(str(row[0]) for row in rows)
            return model in self._erring[store.schema]

    @cached_property
    def calm(self) -> bool:
        """Whether no node of the project runs SQL or Python of its own beside its query."""
        nodes = self.nodes.by_id.values()
        hooked = any(node.pre_hooked or node.post_hooked or node.language != "sql" for node in nodes)
        return not hooked and {node.materialized for node in nodes} <= _CALM

    def _is_public(self, info: RelationInfo, mark: str | None, count: int) -> bool:
        """Whether a connection outside the model's transaction sees the same content."""
        if mark is None:
            return int(self.side(f"SELECT count(*) FROM {info.quoted}")[0][0]) == count
        return fingerprint(self.side, info.database, info.schema, info.name) == mark

    def _register(
        self, execute: Execute, store: StoreWriter, info: RelationInfo, number: int,
        mark: str | None, count: int, run_id: str | None = None,
    ) -> None:  # fmt: skip
        """Write the generation once: outside the model's transaction, for all who read it, or in
        it, where nobody else can see it yet."""
        if store.has_generation(number):
            return
        configured = self.keys.get(info.id, ())
        declared = self.nodes.declared_key(info.id, configured)
        node = self.nodes.by_id.get(info.id)
        if node is not None:
            self.require_key(execute, info.quoted, configured, node)
        key = self.verified_key(execute, info.quoted, self.storable(info.id, declared), None)
        kind = node.resource_type if node else "relation"
        store.generation(
            Generation(number, info.id, run_id or self.run_id, kind, info.database, info.schema,
                       info.name, count, mark, key)
        )  # fmt: skip
        if key:
            ordinal = ordinals(execute, info.quoted).column()
            store.keys(number, self.key_rows(info.id, info.quoted, key, ordinal))

    @staticmethod
    def require_key(execute: Execute, relation: str, configured: tuple[str, ...], node: NodeInfo) -> None:
        """Refuse a key that the user configured where the relation has no such column."""
        if not configured:
            return
        names = [name for name, _ in columns_of(execute, relation)]
        there = {name.lower() for name in names}
        missing = [name for name in configured if name.lower() not in there]
        if missing:
            raise ConfigError(
                f"meta.cdme key names {missing[0]!r}, which is no column of {relation}",
                code="KEY_COLUMN_MISSING",
                model=node.id,
                place=Place(node.file),
                remedy=f"columns are {', '.join(names)}",
            )

    def verified_key(
        self, execute: Execute, relation: str, declared: tuple[str, ...], report: Reporter | None
    ) -> tuple[str, ...]:
        """The declared key if it is unique and not null there, else none and a finding."""
        if not declared:
            return ()
        there = {
            str(row[0]).lower(): str(row[0])
            for row in execute(f"SELECT column_name FROM (DESCRIBE {relation})")
        }
        missing = [name for name in declared if name.lower() not in there]
        if missing:
            self._drop(report, f"the key column {missing[0]} is not in {_shown(relation)}")
            return ()
        names = tuple(there[name.lower()] for name in declared)
        columns = ", ".join(quote(name) for name in names)
        nulls = " OR ".join(f"{quote(name)} IS NULL" for name in names)
        total, distinct, null = execute(
            f"SELECT count(*), count(DISTINCT ({columns})), count(*) FILTER ({nulls}) FROM {relation}"
        )[0]
        if null or distinct != total:
            why = f"has NULL in {null:,} rows" if null else f"has {distinct:,} values in {total:,} rows"
            self._drop(report, f"the key ({', '.join(names)}) of {_shown(relation)} {why}")
            return ()
        return names

    @staticmethod
    def _drop(report: Reporter | None, message: str) -> None:
        if report is not None:
            report.findings.append(
                Finding("KEY_DROPPED", message, "warn", None, report.place,
                        "records are shown by their row id instead")
            )  # fmt: skip

    def storable(self, node: str, key: tuple[str, ...]) -> tuple[str, ...]:
        """A declared key, or none where it holds personal values and there is no key to hide them."""
        hidden = () if self.pseudonyms.keyed else self.pseudonyms.hidden(node)
        return () if any(name.lower() in hidden for name in key) else key

    def key_rows(self, node: str, relation: str, key: tuple[str, ...], ordinal: str) -> str:
        """A FROM item of (ordinal, key as JSON text); personal values as pseudonyms."""
        hidden = self.pseudonyms.hidden(node)
        values = {name: hidden.get(name.lower()) or quote(name) for name in key}
        pairs = ", ".join(f"{literal(name)}, {value}" for name, value in values.items())
        json = f"json_object({pairs})::VARCHAR"
        return f"(SELECT {ordinal} AS ordinal, {json} AS key FROM {relation})"


def _shown(relation: str) -> str:
    """A relation as a message names it: no quotes, and not as the delta that dbt builds first."""
    return relation.replace('"', "").removesuffix("__dbt_tmp")
