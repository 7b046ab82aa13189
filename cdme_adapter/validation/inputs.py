"""Relations as they come in: what is declared of them, seeds not loaded yet, python models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from cdme_adapter.validation.binding import Scratch
from cdme_adapter.validation.catalog import Catalog
from cdme_adapter.validation.project import Node, ProjectView
from cdme_adapter.validation.relations import Column, Nulls, Relation

_SNAPSHOT = (
    ("dbt_scd_id", "VARCHAR"),
    ("dbt_updated_at", "TIMESTAMP"),
    ("dbt_valid_from", "TIMESTAMP"),
    ("dbt_valid_to", "TIMESTAMP"),
)


def enrich(relation: Relation, node: Node) -> Relation:
    """Add the keys and NOT NULLs that the node declares, and a snapshot's own columns."""
    if node.resource_type == "snapshot" and not relation.opaque:
        relation = _snapshot(relation)
    firm = {c.name.lower() for c in node.columns if c.not_null}
    columns = tuple(
        replace(c, nulls=Nulls.NEVER) if c.name.lower() in firm else c for c in relation.columns
    )
    if node.pii:
        columns = tuple(replace(c, personal=c.personal or c.name.lower() in node.pii) for c in columns)
    names = {c.name.lower() for c in columns}
    keys = [key for key in firm_keys(node, columns) if key <= names or relation.opaque]
    if any(key not in relation.keys for key in keys):
        # A key that a test holds and the SQL does not prove: rows are not repeated after all.
        columns = tuple(replace(c, repeat=None) for c in columns)
    return replace(relation, columns=columns).with_keys(keys)


def firm_keys(node: Node, columns: Iterable[Column]) -> list[frozenset[str]]:
    """The declared keys, but a ``unique_key`` of dates by which delete+insert replaces whole days."""
    dates = {c.name.lower() for c in columns if (c.type or "").startswith(("DATE", "TIMESTAMP"))}
    return [key for key in node.keys if key != node.replaced_by or not key <= dates]


def _snapshot(relation: Relation) -> Relation:
    present = {c.name.lower() for c in relation.columns}
    added = tuple(Column(name, kind) for name, kind in _SNAPSHOT if name not in present)
    # The query has one row per record, the table one per record and epoch.
    return replace(relation, columns=relation.columns + added, keys=(), keys_known=False)


def seed_relation(node: Node, project: ProjectView, scratch: Scratch) -> Relation | None:
    """A seed that is not in the warehouse yet, read from its file's header."""
    if not node.file or project.directory is None:
        return None
    path = Path(project.directory) / node.file
    if not path.exists():
        return None
    escaped = str(path).replace("'", "''")
    found = scratch.bind(f"SELECT * FROM read_csv('{escaped}', header = true)")
    if not isinstance(found, list):
        return Relation(node.relation, opaque=True)
    given = {name.lower(): kind for name, kind in node.column_types.items()}
    columns = tuple(replace(c, type=given.get(c.name.lower(), c.type)) for c in found)
    with path.open("rb") as file:
        rows = max(sum(1 for _ in file) - 1, 0)
    return Relation(node.relation, columns, rows=rows)


def declared_relation(node: Node, catalog: Catalog) -> Relation:
    """A model that cannot be inferred: its contract's columns, or what is built.

    Of a SQL model only where nothing but the compiled SQL is missing, a snapshot's after ``dbt run`` say:
    what was edited, or does not compile yet, may have other columns.
    """
    if node.contract and node.columns and all(c.type for c in node.columns):
        return Relation(node.relation, tuple(Column(c.name, c.type) for c in node.columns))
    built = catalog.relation(node.relation)
    current = node.language != "sql" or not (node.sql or node.edited or node.why_no_sql)
    if current and built is not None:
        return built
    return Relation(node.relation, opaque=True)
