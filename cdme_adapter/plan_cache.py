"""Plans of earlier runs, by the SQL and the schemas that they were made of (``target/cdme/plans.json``).

Planning reads the catalog, parses twice and asks DuckDB to bind what was planned: for a tiny model that
is most of what capture costs. A plan is used again where the text, every relation's columns and types,
its order of magnitude, the views' texts, the user's macros and the versions are the same; all of it is
compared each time, in one statement outside the model's transaction. In a project with hooks or python
models, whose nodes may change any of it between, nothing is remembered.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import cdme_adapter.capture.plan as plan_module
from cdme_adapter import __version__
from cdme_adapter.accounting import Kind, Verdict
from cdme_adapter.capture.plan import CapturePlan, RelationInfo
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import literal
from cdme_adapter.provenance import Exactness, Role

Identify = Callable[[str, str, str], str]
FORMAT = 1
MOST = 5000
"""How many plans are kept; those that were not used for longest go first."""
_SETTINGS = ("preserve_insertion_order", "default_null_order", "default_order", "default_collation",
             "integer_division", "TimeZone")  # fmt: skip
_ENUMS: dict[str, type[Enum]] = {one.__name__: one for one in (Kind, Verdict, Exactness, Role)}


@cache
def _classes() -> dict[str, type[Any]]:
    found = vars(plan_module).values()
    return {one.__name__: one for one in found if isinstance(one, type) and is_dataclass(one)}


def encoded(value: Any) -> Any:
    """A plan, or a part of one, as JSON."""
    if isinstance(value, Enum):
        return {"!": type(value).__name__, "v": value.value}
    if is_dataclass(value) and not isinstance(value, type):
        held = {f.name: getattr(value, f.name) for f in fields(value)}
        return {"~": type(value).__name__, **{name: encoded(one) for name, one in held.items()}}
    if isinstance(value, frozenset):
        return {"#": sorted(encoded(one) for one in value)}
    if isinstance(value, Mapping):
        return {"%": [[key, encoded(one)] for key, one in value.items()]}
    if isinstance(value, (tuple, list)):
        return [encoded(one) for one in value]
    return value


def decoded(value: Any) -> Any:
    """What :func:`encoded` was given; sequences come back as tuples.

    >>> decoded(encoded((Role.DIRECT, frozenset({"a"}), {"k": None})))
    (<Role.DIRECT: 'direct'>, frozenset({'a'}), {'k': None})
    """
    if isinstance(value, list):
        return tuple(decoded(one) for one in value)
    if not isinstance(value, dict):
        return value
    if "!" in value:
        return _ENUMS[value["!"]](value["v"])
    if "#" in value:
        return frozenset(decoded(one) for one in value["#"])
    if "%" in value:
        return {key: decoded(one) for key, one in value["%"]}
    held = {name: decoded(one) for name, one in value.items() if name != "~"}
    return _classes()[value["~"]](**held)


@dataclass
class PlanCache:
    """Shared by the threads of a run; ``path`` None keeps plans for the run alone."""

    path: Path | None = None
    _entries: dict[str, Any] | None = None
    _fresh: dict[str, Any] = field(default_factory=dict)
    _signature: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(
        self, side: Execute, text: str, view_texts: Mapping[str, str], identify: Identify
    ) -> tuple[CapturePlan, list[RelationInfo]] | None:
        """The plan of a text and the views that it read, if all that it was made of is as it was.

        ``view_texts`` are the SELECTs of views that this run made, as they were written; ``identify``
        gives the id that a relation has now.
        """
        key = self._key(side, text)
        entry = self._held().get(key) or self._fresh.get(key)
        if entry is None:
            return None
        infos: list[RelationInfo] = [decoded(one) for one in entry["relations"]]
        views = [decoded(one) for one in entry["views"]]
        if any(identify(info.database, info.schema, info.name) != info.id for info in [*infos, *views]):
            return None
        if any(view_texts.get(info.id, info.view_sql) != info.view_sql for info in views):
            return None
        if _schemas(side, infos, views) != entry["schemas"]:
            return None
        with self._lock:
            self._fresh[key] = entry
        found: CapturePlan = decoded(entry["plan"])
        return found, views

    def keep(self, side: Execute, text: str, plan: CapturePlan, views: Iterable[RelationInfo]) -> None:
        """Remember a plan that was bound; of files nothing is, for their columns are in no catalog."""
        infos = list(plan.relations.values())
        if any(info.scan is not None or not info.name for info in infos) or plan.coarse or plan.whole:
            return
        seen = list(views)
        schemas = _schemas(side, infos, seen)
        if schemas is None:
            return
        entry = {
            "plan": encoded(plan), "relations": encoded(infos), "views": encoded(seen), "schemas": schemas,
        }  # fmt: skip
        with self._lock:
            self._fresh[self._key(side, text)] = entry

    def save(self) -> None:
        """Write the file, whole or not at all; where that cannot be, the next run plans anew."""
        if self.path is None or not self._fresh:
            return
        others = {key: one for key, one in self._held().items() if key not in self._fresh}
        if all(one is self._held().get(key) for key, one in self._fresh.items()):
            return
        kept = dict([*others.items(), *self._fresh.items()][-MOST:])
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside = self.path.with_suffix(f".{os.getpid()}")
            beside.write_text(json.dumps({"format": FORMAT, "version": __version__, "entries": kept}))
            beside.replace(self.path)
        except OSError:
            return

    def _held(self) -> dict[str, Any]:
        with self._lock:
            if self._entries is None:
                self._entries = self._load()
            return self._entries

    def _load(self) -> dict[str, Any]:
        try:
            stored = json.loads(self.path.read_text()) if self.path is not None else {}
        except (OSError, ValueError):
            return {}
        same = stored.get("format") == FORMAT and stored.get("version") == __version__
        return dict(stored.get("entries") or {}) if same else {}

    def _key(self, side: Execute, text: str) -> str:
        if self._signature is None:
            try:
                self._signature = _signature(side)
            except (
                Exception
            ):  # not what the run is about: nothing is found, and nothing kept is found again
                self._signature = os.urandom(8).hex()
        return hashlib.sha256(f"{self._signature}\x1f{text}".encode()).hexdigest()


def _signature(side: Execute) -> str:
    """What every plan rests on: versions, the code of the capture, settings, the user's macros."""
    from importlib.metadata import version

    folder = Path(plan_module.__file__).parent
    code = hashlib.sha256()
    for file in sorted([*folder.rglob("*.py"), folder.parent / "bind.py"]):
        code.update(file.read_bytes())
    settings = ", ".join(f"current_setting('{name}')" for name in _SETTINGS)
    held = side(
        f"SELECT {settings}, (SELECT list_sort(list(concat_ws('|', function_name,"
        " parameters::VARCHAR, macro_definition))) FROM duckdb_functions() WHERE NOT internal),"
        " current_database(), current_schema()"
    )
    return repr((version("duckdb"), version("sqlglot"), code.hexdigest(), held))


def _schemas(side: Execute, tables: list[RelationInfo], views: list[RelationInfo]) -> Any:
    """The columns, types and orders of magnitude of tables, and the views' texts; None where one is
    gone or is no table any more."""
    parts = [
        f"SELECT {n} AS n, column_name AS a, column_type AS b, "
        f"length((SELECT count(rowid) FROM (SELECT rowid FROM {info.quoted}))::VARCHAR)::VARCHAR AS c "
        f"FROM (DESCRIBE {info.quoted})"
        for n, info in enumerate(tables)
    ]
    for info in views:
        where = " AND ".join(
            f"{column} = {literal(value)}"
            for column, value in (
                ("database_name", info.database), ("schema_name", info.schema), ("view_name", info.name),
            )
        )  # fmt: skip
        parts.append(f"SELECT -1, {literal(info.id)}, sql, '' FROM duckdb_views() WHERE {where}")
    if not parts:
        return []
    try:
        return [list(row) for row in side(" UNION ALL ".join(parts))]
    except Exception:
        return None
