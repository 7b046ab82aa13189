"""The nodes of a project as the pipeline sees them: plain values, no dbt.

The adapter fills them from dbt's manifest in memory, the commands from manifest.json.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cdme_adapter.declared_tests import DeclaredTest
from cdme_adapter.provenance import external_relation_id


@dataclass(frozen=True)
class NodeInfo:
    """A model, seed, snapshot or source; ``meta`` is its ``meta.cdme`` block."""

    id: str
    name: str
    resource_type: str
    materialized: str
    database: str
    schema: str
    identifier: str
    file: str | None
    parents: tuple[str, ...] = ()
    meta: Mapping[str, Any] | None = None
    unique_key: tuple[str, ...] = ()
    raw_code: str = ""
    language: str = "sql"
    source_name: str = ""
    tested_key: tuple[str, ...] = ()
    pre_hooked: bool = False
    post_hooked: bool = False
    """Whether hooks run in the node's own transaction, before and after its statement."""
    snapshot_key: tuple[str, ...] = ()
    """A snapshot's unique_key: it repeats in the table, once a version."""
    loaded_at: str = ""
    """A source's loaded_at_field."""
    tests: tuple[DeclaredTest, ...] = ()

    @property
    def names(self) -> set[str]:
        """Every name that a user may call it by, in lower case (docs/commands.md, In the database)."""
        names = {self.id, self.name, f"{self.schema}.{self.identifier}"}
        if self.source_name:
            names.add(f"{self.source_name}.{self.name}")
        return {name.lower() for name in names}

    @property
    def stores(self) -> bool:
        """Whether the node has rows of its own."""
        return self.resource_type in ("seed", "source", "snapshot") or (
            self.materialized not in ("view", "ephemeral")
        )


@dataclass(frozen=True)
class Outcome:
    """What dbt said of a node when it was done; ``failures`` are the rows that a test found."""

    node: str
    status: str
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    failures: int = 0
    message: str = ""

    @property
    def failed(self) -> bool:
        """Whether dbt exits 1 because of it."""
        return self.status in ("error", "runtime error", "fail", "partial success")


@dataclass
class Nodes:
    """All nodes of a project, found by id, by relation and by the names that users write."""

    by_id: dict[str, NodeInfo]
    _relations: dict[tuple[str, str, str], str] = field(default_factory=dict)
    _children: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, nodes: Iterable[NodeInfo]) -> Nodes:
        """Index nodes."""
        made = cls({node.id: node for node in nodes})
        for node in made.by_id.values():
            key = (node.database.lower(), node.schema.lower(), node.identifier.lower())
            made._relations[key] = node.id
            for parent in node.parents:
                made._children.setdefault(parent, set()).add(node.id)
        return made

    def identify(self, database: str, schema: str, name: str) -> str:
        """The unique id of a relation, or the name for one that dbt does not know."""
        known = self._relations.get((database.lower(), schema.lower(), name.lower()))
        return known or external_relation_id(database, schema, name)

    def resolve(self, name: str, among: Iterable[str]) -> str | None:
        """Which of some ids a user means by ``name``; None if none or several."""
        wanted = name.lower()
        found = [
            one for one in among
            if one.lower() == wanted
            or (one in self.by_id and wanted in self.by_id[one].names)
            or one.lower().endswith("." + wanted)
        ]  # fmt: skip
        return found[0] if len(set(found)) == 1 else None

    def stored_parents(self, node: NodeInfo) -> list[str]:
        """The stored relations beneath a node, through views and ephemerals."""
        found: list[str] = []
        seen: set[str] = set()
        todo = list(node.parents)
        while todo:
            one = todo.pop(0)
            if one in seen or one not in self.by_id:
                continue
            seen.add(one)
            parent = self.by_id[one]
            if parent.stores:
                found.append(one)
            else:
                todo += parent.parents
        return found

    def is_read_by_stored(self, node_id: str) -> bool:
        """Whether a stored model reads a view, directly or through other views."""
        todo, seen = list(self._children.get(node_id, ())), set()
        while todo:
            one = todo.pop()
            if one in seen:
                continue
            seen.add(one)
            if self.by_id[one].stores:
                return True
            todo += self._children.get(one, ())
        return False

    def declared_key(self, node_id: str, configured: tuple[str, ...]) -> tuple[str, ...]:
        """The key that the project declares for a relation (docs/concepts.md, Record key)."""
        node = self.by_id.get(node_id)
        if configured or node is None:
            return configured
        return node.tested_key or node.unique_key


def as_text(time: Any) -> str:
    """A time as ledgers and events write it."""
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"
