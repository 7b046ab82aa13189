"""What every question needs: the store, the graph, the project's nodes, and the records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cdme_adapter.engines.files import SCAN, SEED
from cdme_adapter.errors import QuestionError
from cdme_adapter.lineage.freshness import Freshness, Stale
from cdme_adapter.lineage.graph import UNSEEN, Graph, Node
from cdme_adapter.lineage.masking import Masking
from cdme_adapter.lineage.names import known_names, nearest_remedy, resolve
from cdme_adapter.lineage.relations import Table, columns_by_node, fetch_keys, fetch_records, open_table
from cdme_adapter.lineage.values import parse_key
from cdme_adapter.project import Manifest
from cdme_adapter.store.reader import Generation, Store, quote

DEFAULT_LIMIT = 20


@dataclass
class Context:
    """The surroundings of one question."""

    store: Store
    manifest: Manifest
    graph: Graph
    freshness: Freshness
    masking: Masking
    recomputed: frozenset[str] = frozenset()
    _tables: dict[int, Table | None] = field(default_factory=dict)

    @staticmethod
    def over(store: Store, manifest: Manifest, show_pii: bool = False) -> Context:
        """The context over a loaded store."""
        masking = Masking(manifest, show_pii, columns_by_node(store, manifest))
        return Context(store, manifest, Graph(store, manifest), Freshness(store), masking)

    def resolve(self, text: str, what: str = "relation") -> str:
        """The unique id that a text names."""
        return resolve(text, known_names(self.manifest, self.store), what)

    def is_view(self, model: str) -> bool:
        """Whether a model stores no rows of its own: a view, or an ephemeral model."""
        node = self.manifest.nodes.get(model)
        generation = self.store.current_generation(model)
        stored = node.stored if node else not (generation and generation.evaluated)
        return not stored and model not in self.recomputed

    def stored_model(self, text: str) -> tuple[str, Generation]:
        """A model whose rows can be asked, with the generation that they are now."""
        model = self.resolve(text, "model")
        generation = self.store.current_generation(model)
        if generation and not generation.evaluated:
            return model, generation
        node = self.manifest.nodes.get(model)
        if node and node.type == "source":
            raise QuestionError(
                f"{model} is a source: nothing of dbt's made its records",
                code="NOT_A_MODEL",
                remedy=f"ask `cdme impact {model}`",
            )
        raise QuestionError(
            f"nothing has been captured of {model}",
            code="NOT_CAPTURED",
            remedy="run `dbt build` with `type: cdme`, then ask again",
        )

    def why_not_captured(self, model: str) -> str:
        """Why no law can be checked on a model."""
        node = self.manifest.nodes.get(model)
        if node and not node.stored:
            return f"it stores no records: test {self._readers_hint(model)}"
        return "nothing has been captured of this model"

    def _readers_hint(self, view: str) -> str:
        readers = [n.id for n in self.manifest.nodes.values() if view in n.parents and n.stored]
        return (
            f"a model that reads it: {', '.join(sorted(readers))}"
            if readers
            else ("a table that it is built on, or materialize it as a table")
        )

    def table(self, generation: Generation) -> Table | None:
        """The table of a generation's relation, or None where it is gone or is no table."""
        if generation.evaluated or (generation.kind == "file" and generation.schema not in (SCAN, SEED)):
            return None
        if generation.id not in self._tables:
            masked = self.masking.of(generation.relation)
            self._tables[generation.id] = open_table(self.store.con, generation, masked)
        return self._tables[generation.id]

    def need_table(self, generation: Generation) -> Table:
        """The table of a generation's relation; an error where there is nothing to ask."""
        table = self.table(generation)
        if table is None:
            there = self.store.rows(
                "SELECT count(*) FROM duckdb_databases() WHERE lower(database_name) = lower(?)",
                [generation.database],
            )
            raise QuestionError(
                f"{generation.relation} is not in the database as"
                f" {generation.database}.{generation.schema}.{generation.name}",
                code="RELATION_GONE",
                remedy="run dbt again, or ask without --where" if there[0][0] or not generation.database
                else f"give its database: --attach {generation.database}=FILE",
            )  # fmt: skip
        return table

    def stale(self, node: Node) -> Stale:
        """Whether the node's records are still there as they were."""
        if node.generation == UNSEEN:
            return "unknown"
        return self.freshness.of(self.graph.generation(node))

    def changed(self, nodes: Iterable[Node]) -> list[Node]:
        """The nodes of which it was found that they are not what a recipe was made from."""
        return [node for node in nodes if self.freshness.was_changed(node.generation)]

    def show(self, node: Node, ordinals: Iterable[int], present: bool = False) -> dict[int, dict[str, Any]]:
        """Key and record of each ordinal; a record whose generation is gone is null.

        ``present`` says that the ordinals are of what is in the relation now, whatever was read.
        """
        wanted = list(ordinals)
        generation = self.graph.generation(node)
        if generation is None:
            return {o: {"key": {"rowid": o}, "record": None} for o in wanted}
        stale = False if present else self.freshness.of(generation)
        table = self.table(generation)
        keys = {} if present and self.stale(node) is True else fetch_keys(self.store, generation, wanted)
        records = {}
        if table is not None and stale is not True:
            records = fetch_records(self.store, table, wanted)
        masked = self.masking.of(node.relation)
        shown: dict[int, dict[str, Any]] = {}
        changed = present and self.stale(node) is True
        for ordinal in wanted:
            key = parse_key(keys.get(ordinal), ordinal, masked)
            shown[ordinal] = {"key": key, "record": records.get(ordinal)}
            if changed and (record := records.get(ordinal)) and generation.key_columns:
                shown[ordinal]["key"] = _key_of(record, generation.key_columns) or key
            if stale is True and table is not None and ordinal in keys:
                self._refetch(table, keys[ordinal], shown[ordinal])
        return shown

    def _refetch(self, table: Table, text: str, shown: dict[str, Any]) -> None:
        """The present record with a key, where the one that was read is gone (docs/concepts.md)."""
        key = parse_key(text, 0)
        if not key or any(table.column(name) is None for name in key):
            return
        test = " AND ".join(
            f"CAST(r.{quote(name)} AS VARCHAR) IS NOT DISTINCT FROM CAST(? AS VARCHAR)" for name in key
        )
        selected = ", ".join(c.sql("r") for c in table.columns)
        rows = self.store.rows(
            f"SELECT {selected} FROM {table.source} WHERE {test} LIMIT 2", list(key.values())
        )
        if len(rows) == 1:
            shown["record"], shown["refetched"] = table.record(rows[0]), True

    def no_such_upstream(self, model: str, wanted: str, upstream: Iterable[str]) -> QuestionError:
        """The error for a relation that a model was not made from."""
        names = {name: {name} for name in upstream}
        return QuestionError(
            f"{wanted} is not upstream of {model}",
            code="NOT_UPSTREAM",
            remedy=nearest_remedy(wanted, names),
        )


def _key_of(record: dict[str, Any], columns: tuple[str, ...]) -> dict[str, Any] | None:
    """The key of a record as it is now, masked where the record is; None where a column is gone."""
    there = {name.lower(): name for name in record}
    if any(name.lower() not in there for name in columns):
        return None
    return {name: record[there[name.lower()]] for name in columns}
