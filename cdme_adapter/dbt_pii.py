"""From dbt's manifest in memory to what is personal in a run (``pii.py``), and the key that hides it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdme_adapter.dbt_session import manifest_dict
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import literal
from cdme_adapter.pii import declared, of_manifest
from cdme_adapter.project import Manifest
from cdme_adapter.pseudonyms import Pseudonyms, read_secret


def pseudonyms_of(manifest: Any, target_path: Path, execute: Execute) -> Pseudonyms:
    """The pseudonyms of a run; of a project that declares nothing personal they cost nothing."""
    if not any(_declares(node) for node in (*manifest.nodes.values(), *manifest.sources.values())):
        return Pseudonyms()
    return Pseudonyms(_Columns(manifest, target_path, execute).of, read_secret(_profiles_dir()), True)


def _declares(node: Any) -> bool:
    config = getattr(node, "config", None)
    meta = getattr(config, "meta", None) or getattr(node, "meta", None) or {}
    block = meta.get("cdme") if isinstance(meta, Mapping) else None
    described = {name: column.to_dict() for name, column in (getattr(node, "columns", None) or {}).items()}
    return bool(declared(block if isinstance(block, Mapping) else None, described))


def _profiles_dir() -> Path | None:
    from dbt.flags import get_flags

    given = getattr(get_flags(), "PROFILES_DIR", None)
    return Path(str(given)) if given else None


@dataclass
class _Columns:
    """The personal columns of a node, found when they are first asked for: by then it is compiled."""

    manifest: Any
    target_path: Path
    execute: Execute
    lock: threading.Lock = field(default_factory=threading.Lock)
    known: dict[str, frozenset[str]] = field(default_factory=dict)

    def of(self, node: str) -> frozenset[str]:
        with self.lock:
            if node not in self.known:
                read = Manifest.from_dict(manifest_dict(self.manifest), self.target_path)
                self.known[node] = of_manifest(read, self._there).of(node)
            return self.known[node]

    def _there(self, node: str) -> Iterable[str]:
        found = self.manifest.nodes.get(node) or self.manifest.sources.get(node)
        if found is None:
            return ()
        name = getattr(found, "identifier", None) or getattr(found, "alias", None) or found.name
        rows = self.execute(
            "SELECT column_name FROM duckdb_columns() WHERE"
            f" lower(database_name) = lower({literal(str(found.database or ''))}) AND"
            f" lower(schema_name) = lower({literal(str(found.schema))}) AND"
            f" lower(table_name) = lower({literal(str(name))}) ORDER BY column_index"
        )
        return [str(row[0]) for row in rows]
