"""Column lineage that was found before: of the same SQL over the same columns it is the same.

Finding it is most of what making an event costs. One row per node; a relation that the query reads
and whose columns or whose database's place have changed since makes it worthless.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from cdme_adapter.emit.catalog import Catalog, Relation
from cdme_adapter.engines.base import Binding, Execute
from cdme_adapter.engines.rows import literal

Facet = dict[str, Any]


@dataclass
class Remembered:
    """The column lineage that a store keeps."""

    catalog: Catalog
    _known: dict[str, tuple[str, list[Relation], Facet | None]] = field(default_factory=dict)
    _new: dict[str, tuple[str, list[Relation], Facet | None]] = field(default_factory=dict)

    def read(self, execute: Execute, schema: str) -> None:
        """Read what is kept."""
        for node, mark, relations, lineage in execute(
            f"SELECT node, mark, relations, lineage FROM {schema}.store_columns"
        ):
            listed = [(r[0], r[1], r[2]) for r in json.loads(relations)]
            self._known[node] = (mark, listed, json.loads(lineage))

    def get(self, node: str, sql: str) -> tuple[bool, Facet | None]:
        """Whether the lineage of a node's SQL is known, and it (None: it is not certain)."""
        mark, relations, facet = self._known.get(node, ("", [], None))
        return mark == self._mark(sql, relations), facet

    def put(self, node: str, sql: str, relations: list[Relation], facet: Facet | None) -> None:
        """Remember what was found; ``relations`` are those that the SQL and the facet name."""
        self._new[node] = (self._mark(sql, relations), relations, facet)

    def write(self, execute: Binding, schema: str) -> None:
        """Keep what is new."""
        if not self._new:
            return
        nodes = ", ".join(literal(node) for node in self._new)
        marks, relations, facets = zip(*self._new.values(), strict=True)
        columns = [
            list(self._new),
            list(marks),
            *([json.dumps(x) for x in xs] for xs in (relations, facets)),
        ]
        values = ", ".join(["unnest(?::VARCHAR[])"] * len(columns))
        execute(f"DELETE FROM {schema}.store_columns WHERE node IN ({nodes})")
        execute(f"INSERT INTO {schema}.store_columns SELECT {values}", columns)

    def _mark(self, sql: str, relations: list[Relation]) -> str:
        """A hash of all that the lineage depends on."""
        seen = [
            (relation, list(self.catalog.columns.get(relation, {})), self.catalog.namespace(relation[0]))
            for relation in sorted(relations)
        ]
        return hashlib.sha256(json.dumps([sql, seen]).encode()).hexdigest()
