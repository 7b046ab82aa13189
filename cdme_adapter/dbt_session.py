"""What a running dbt knows about itself: invocation, command, selection, versions."""

from __future__ import annotations

import functools
import hashlib
import json
import platform
import sys
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click


def invocation_id() -> str:
    """dbt's id of this invocation: CDME's run_id."""
    try:
        from dbt_common.invocation import get_invocation_id
    except ImportError:  # dbt-common before it moved there
        from dbt.tracking import active_user

        return str(getattr(active_user, "invocation_id", "unknown"))
    return str(get_invocation_id())


def batch_window(node: Any) -> tuple[str, str, str] | None:
    """Of a batch of a microbatch model: the column of the event's time and the bounds, in UTC."""
    batch = getattr(node, "batch", None)
    start, end = (getattr(batch, f"event_time_{side}", None) for side in ("start", "end"))
    column = getattr(getattr(node, "config", None), "event_time", None)
    if start is None or end is None or not column:
        return None
    return str(column), f"{start:%Y-%m-%d %H:%M:%S}", f"{end:%Y-%m-%d %H:%M:%S}"


def what_ended() -> BaseException | None:
    """The exception that is ending dbt's command, if any: not dbt's wrapping, which has no text."""
    ending = sys.exc_info()[1]
    return getattr(ending, "exception", None) or ending


def command_name() -> str:
    """The dbt command that runs: ``run``, ``build``, ``seed`` …"""
    from dbt.flags import get_flags

    return str(getattr(get_flags(), "WHICH", "") or "")


def selected_ids() -> frozenset[str]:
    """The unique ids that this command selected; empty where dbt does not say."""
    try:
        from dbt import selected_resources
    except ImportError:
        return frozenset()
    return frozenset(getattr(selected_resources, "SELECTED_RESOURCES", ()) or ())


def retried_ids(target_path: Path) -> frozenset[str] | None:
    """The nodes that ``dbt retry`` takes up again, by its own rule; None for other commands.

    dbt does not announce the selection of a retry, and keeps the last command's in its place. Call
    this in dbt's main thread, before it replaces run_results.json.
    """
    context = click.get_current_context(silent=True)
    results = target_path / "run_results.json"
    if context is None or context.info_name != "retry" or not results.exists():
        return None
    done = {"success", "pass", "warn", "no-op"}
    found = json.loads(results.read_text(encoding="utf-8"))["results"]
    return frozenset(one["unique_id"] for one in found if one["status"] not in done)


def versions(manifest: Any) -> dict[str, Any]:
    """The versions and hashes of what made this run (REQ-NFR-VER-001).

    ``adapter_hash`` is of CDME's own files, ``packages`` of the nodes and macros of each package, the
    project itself among them; ``project_hash`` is of all of these and of every source's definition.
    The hash of a model's compiled SQL stands at its node.
    """
    found: dict[str, Any] = {"python": platform.python_version()}
    for name in ("dbt-cdme", "dbt-core", "dbt-duckdb", "duckdb", "sqlglot"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    metadata = getattr(manifest, "metadata", None)
    found["project"] = str(getattr(metadata, "project_name", "") or "")
    found["adapter_hash"] = _adapter_hash()
    found["packages"] = _package_hashes(manifest)
    found["project_hash"] = _hash(f"{name}={mark}" for name, mark in found["packages"].items())
    return found


def _hash(parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\x1f")
    return digest.hexdigest()


@functools.cache
def _adapter_hash() -> str:
    folder = Path(__file__).resolve().parent
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".sql", ".json"))
    return _hash(f"{path.relative_to(folder).as_posix()}={path.read_text('utf-8')}" for path in files)


def _package_hashes(manifest: Any) -> dict[str, str]:
    """By package, a hash of its nodes' files and options and of its macros."""
    parts: dict[str, list[str]] = defaultdict(list)
    for node in (*manifest.nodes.values(), *manifest.sources.values()):
        mark = getattr(getattr(node, "checksum", None), "checksum", "")
        config = getattr(node, "unrendered_config", None) or {}
        options = json.dumps(config, sort_keys=True, default=str)
        parts[node.package_name].append(f"{node.unique_id}={mark}={options}")
    for macro in manifest.macros.values():
        parts[macro.package_name].append(f"{macro.unique_id}={macro.macro_sql}")
    return {name: _hash(sorted(found)) for name, found in sorted(parts.items())}


def whole_manifest(resolver: Any, target_path: Path) -> Any:
    """The manifest of the project that runs.

    dbt 1.10 and later hand the adapter all of it; before that only its macros, while the file that
    dbt has just written holds the rest.
    """
    if hasattr(resolver, "nodes"):
        return resolver
    from dbt.contracts.graph.manifest import WritableManifest

    return WritableManifest.read_and_check_versions(str(target_path / "manifest.json"))


def manifest_dict(manifest: Any) -> dict[str, Any]:
    """A manifest as manifest.json has it."""
    writable = manifest.writable_manifest() if hasattr(manifest, "writable_manifest") else manifest
    found: dict[str, Any] = writable.to_dict(omit_none=False)
    return found
