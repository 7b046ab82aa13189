"""dbt's manifest in memory as plain nodes; the only place that knows its shape."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cdme_adapter.declared_tests import Render, tests_of
from cdme_adapter.nodes import NodeInfo, Nodes

_KINDS = frozenset({"model", "seed", "snapshot", "source"})


def nodes_of(manifest: Any, render: Render | None = None) -> Nodes:
    """All models, seeds, snapshots and sources of a manifest; ``render`` gives the arguments of a test."""
    keys, tests = _tested_keys(manifest), tests_of(manifest, render)
    found = [
        replace(_node(node, keys.get(node.unique_id, ())), tests=tests.get(node.unique_id, ()))
        for node in (*manifest.nodes.values(), *manifest.sources.values())
        if str(node.resource_type) in _KINDS
    ]
    return Nodes.of(found)


def _node(node: Any, tested_key: tuple[str, ...]) -> NodeInfo:
    kind = str(node.resource_type)
    config = node.config
    meta = getattr(config, "meta", None) or getattr(node, "meta", None) or {}
    block = meta.get("cdme") if isinstance(meta, Mapping) else None
    unique_key = getattr(config, "unique_key", None) or ()
    if isinstance(unique_key, str):
        unique_key = (unique_key,)
    materialized = {"source": "source", "seed": "seed", "snapshot": "snapshot"}.get(
        kind, str(getattr(config, "materialized", "view") or "view")
    )
    return NodeInfo(
        id=node.unique_id,
        name=node.name,
        resource_type=kind,
        materialized=materialized,
        database=node.database or "",
        schema=node.schema,
        identifier=getattr(node, "identifier", None) or getattr(node, "alias", node.name),
        file=node.original_file_path,
        parents=tuple(getattr(getattr(node, "depends_on", None), "nodes", None) or ()),
        meta=block,
        unique_key=_snapshot_key(config)
        if kind == "snapshot"
        else tuple(unique_key if kind == "model" else ()),
        snapshot_key=tuple(unique_key) if kind == "snapshot" else (),
        raw_code=getattr(node, "raw_code", "") or "",
        language=str(getattr(node, "language", None) or "sql"),
        loaded_at=getattr(node, "loaded_at_field", None) or "",
        source_name=getattr(node, "source_name", "") or "",
        tested_key=tested_key or _constrained_key(node),
        pre_hooked=_in_transaction(getattr(config, "pre_hook", None)),
        post_hooked=_in_transaction(getattr(config, "post_hook", None)),
    )


def _snapshot_key(config: Any) -> tuple[str, ...]:
    """The column that dbt makes to tell the versions of a snapshot's records apart."""
    names = getattr(config, "snapshot_meta_column_names", None)
    return (str(getattr(names, "dbt_scd_id", None) or "dbt_scd_id"),)


def _in_transaction(hooks: Any) -> bool:
    """Whether some hook runs in the model's own transaction, as hooks do by default."""
    return any(hook.transaction for hook in hooks or ())


def _constrained_key(node: Any) -> tuple[str, ...]:
    """A primary key that the contract declares."""
    for constraint in getattr(node, "constraints", None) or ():
        if str(getattr(constraint.type, "value", constraint.type)) == "primary_key":
            return tuple(constraint.columns or ())
    for name, column in (getattr(node, "columns", None) or {}).items():
        for constraint in getattr(column, "constraints", None) or ():
            if str(getattr(constraint.type, "value", constraint.type)) == "primary_key":
                return (name,)
    return ()


def _tested_keys(manifest: Any) -> dict[str, tuple[str, ...]]:
    """Columns that both a unique and a not_null test name, by the node that they test."""
    unique: dict[str, list[str]] = defaultdict(list)
    present: dict[str, set[str]] = defaultdict(set)
    for node in manifest.nodes.values():
        metadata = getattr(node, "test_metadata", None)
        column = getattr(node, "column_name", None)
        if metadata is None or column is None or metadata.namespace:
            continue
        if getattr(node.config, "where", None):
            continue
        owner = getattr(node, "attached_node", None)
        owners = [owner] if owner else list(node.depends_on.nodes)
        if len(owners) != 1:
            continue
        if metadata.name == "unique":
            unique[owners[0]].append(column)
        elif metadata.name == "not_null":
            present[owners[0]].add(column)
    return {
        owner: (keys[0],)
        for owner, columns in unique.items()
        if (keys := sorted(c for c in columns if c in present[owner]))
    }
