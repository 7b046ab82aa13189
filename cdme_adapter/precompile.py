"""A project's models compiled by dbt before the first of them runs (REQ-F-AIA-001).

dbt compiles a model when its turn comes; a run can only be refused before any model runs if all
selected ones are known by then. The texts are kept below the target path under a hash of what they
rest on, so that a second run compiles only what changed. The manifest that dbt runs is not touched.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbt.compilation import Compiler
from dbt.context import exceptions_jinja
from dbt.exceptions import TargetNotFoundError
from dbt.parser.manifest import process_node
from dbt.parser.sql import SqlBlockParser

from cdme_adapter import __version__
from cdme_adapter.validation.cache import digest
from cdme_adapter.validation.candidate import MissingTarget

# What makes a text depend on more than the files: such a model is compiled every time.
_VOLATILE = re.compile(
    r"\b(graph|env_var|invocation_id|run_started_at|modules|selected_resources|dbt_metadata_envs)\b"
)
_BUILT_IN = ("dbt", "dbt_duckdb", "dbt_cdme_internal")


@dataclass
class Texts:
    """Compiled SQL by unique id, and why there is none."""

    sql: dict[str, str] = field(default_factory=dict)
    why_not: dict[str, str] = field(default_factory=dict)
    compiled: int = 0
    """How many were not in the cache."""


class _Compiler(Compiler):
    """dbt's compiler, which writes no files."""

    def _write_node(self, node: Any, split_suffix: str | None = None) -> Any:
        return node


class Precompiler:
    """Compiles copies of nodes; ``queries`` counts the statements that this thread executed."""

    def __init__(
        self, config: Any, manifest: Any, *, existing: frozenset[str], queries: Callable[[], int],
        path: Path | None,
    ) -> None:  # fmt: skip
        self.manifest, self.existing, self.queries, self.path = manifest, existing, queries, path
        self._config, self._compiler = config, _Compiler(config)
        # Not copy.copy: Manifest pickles itself by position, and the positions have drifted.
        self._shadow = object.__new__(type(manifest))
        self._shadow.__dict__.update(manifest.__dict__, nodes=dict(manifest.nodes))
        self._volatile: dict[str, bool] = {}
        self._digests: dict[str, str | None] = {}
        self._settings = digest(
            __version__,
            sorted((key, macro.macro_sql) for key, macro in manifest.macros.items()),
            sorted(config.vars.to_dict().items(), key=str),
            sorted((config.cli_vars or {}).items(), key=str),
            config.target_name,
            bool(getattr(config.args, "full_refresh", False)),
            bool(getattr(config.args, "empty", False)),
            str(getattr(config.args, "defer", "")),
            str(getattr(config.args, "sample", "")),
        )

    def texts(self, wanted: Iterable[str]) -> Texts:
        """Compile these nodes, or take them from the cache."""
        stored, found = self._load(), Texts()
        used: dict[str, str] = {}
        for unique_id in wanted:
            node = self.manifest.nodes.get(unique_id)
            if node is None or str(getattr(node, "language", "sql")) != "sql":
                continue
            key = self._digest(unique_id)
            text = stored.get(key) if key is not None else None
            if text is None:
                before = self.queries()
                try:
                    text = self._compile(unique_id)
                except Exception as error:  # dbt says so itself when the model's turn comes
                    found.why_not[unique_id] = " ".join(str(error).split())[:300]
                    continue
                found.compiled += 1
                if self.queries() != before:
                    key = None
            found.sql[unique_id] = text
            if key is not None:
                used[key] = text
        if found.compiled:
            self._save({**stored, **used} if len(stored) < 4 * len(used) + 1000 else used)
        return found

    def inline(self, sql: str, name: str) -> tuple[str, list[str]]:
        """A text that is no model, compiled as for ``dbt show --inline``, and what it refers to."""
        parser = SqlBlockParser(project=self._config, manifest=self._shadow, root_project=self._config)
        block = parser.parse_remote(sql, name)
        try:
            process_node(self._config, self._shadow, block)
        except TargetNotFoundError as error:
            if error.disabled:
                raise
            kind = "source" if error.target_kind == "source" else "model"
            raise MissingTarget(error.target_name, kind) from error
        models = [parent for parent in block.depends_on.nodes if parent in self.manifest.nodes]
        for parent in {one for model in models for one in (model, *self._ephemerals(model))}:
            self._shadow.nodes[parent] = self._copy(parent)
        with _silence():
            done = self._compiler.compile_node(block, self._shadow, {"log": _nothing, "print": _nothing})
        return str(done.compiled_code), list(block.depends_on.nodes)

    def _compile(self, unique_id: str) -> str:
        node = self._copy(unique_id)
        for parent in self._ephemerals(unique_id):
            self._shadow.nodes[parent] = self._copy(parent)
        with _silence():
            done = self._compiler.compile_node(node, self._shadow, {"log": _nothing, "print": _nothing})
        return str(done.compiled_code)

    def _copy(self, unique_id: str) -> Any:
        node = copy.copy(self.manifest.nodes[unique_id])
        node.extra_ctes = []
        node.extra_ctes_injected = False
        if getattr(node, "constraints", None) or getattr(node, "columns", None):
            # The compiler replaces the targets of foreign keys in place.
            node.constraints = copy.deepcopy(getattr(node, "constraints", []))
            node.columns = copy.deepcopy(node.columns)
        return node

    def _ephemerals(self, unique_id: str) -> Iterator[str]:
        stack, seen = [unique_id], set()
        while stack:
            for parent in self._parents(stack.pop()):
                node = self.manifest.nodes.get(parent)
                if node is not None and parent not in seen and node.is_ephemeral_model:
                    seen.add(parent)
                    stack.append(parent)
                    yield parent

    def _parents(self, unique_id: str) -> list[str]:
        depends_on = getattr(self.manifest.nodes[unique_id], "depends_on", None)
        return list(getattr(depends_on, "nodes", None) or [])

    def _digest(self, unique_id: str) -> str | None:
        """What the text rests on; None: it may differ from run to run."""
        if unique_id not in self._digests:
            self._digests[unique_id] = None
            self._digests[unique_id] = self._make_digest(unique_id)
        return self._digests[unique_id]

    def _make_digest(self, unique_id: str) -> str | None:
        node = self.manifest.nodes[unique_id]
        raw = getattr(node, "raw_code", "") or ""
        if _VOLATILE.search(raw) or any(self._is_volatile(m) for m in node.depends_on.macros):
            return None
        parts: list[str] = []
        for parent in self._parents(unique_id):
            other = self.manifest.nodes.get(parent) or self.manifest.sources.get(parent)
            if other is not None and getattr(other, "is_ephemeral_model", False):
                below = self._digest(parent)
                if below is None:
                    return None
                parts.append(below)
            else:
                parts += [str(getattr(other, a, "")) for a in ("relation_name", "defer_relation")]
        this = f"{node.database}.{node.schema}.{node.alias}".lower()
        return digest(self._settings, raw, repr(node.config), this, this in self.existing, *parts)

    def _is_volatile(self, macro_id: str) -> bool:
        if macro_id not in self._volatile:
            self._volatile[macro_id] = False
            macro = self.manifest.macros.get(macro_id)
            if macro is not None and macro.package_name not in _BUILT_IN:
                self._volatile[macro_id] = bool(_VOLATILE.search(macro.macro_sql)) or any(
                    self._is_volatile(one) for one in macro.depends_on.macros
                )
        return self._volatile[macro_id]

    def _load(self) -> Mapping[str, str]:
        if self.path is None or not self.path.exists():
            return {}
        try:
            loaded = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return loaded if isinstance(loaded, Mapping) else {}

    def _save(self, texts: Mapping[str, str]) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(f".{os.getpid()}.tmp")
        beside.write_text(json.dumps(texts), encoding="utf-8")
        beside.replace(self.path)


def _nothing(*_: Any, **__: Any) -> str:
    """``log`` and ``print`` say their word when the model runs, not twice."""
    return ""


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """``exceptions.warn`` says its word when the model runs, not twice."""
    said = exceptions_jinja.warn_or_error
    exceptions_jinja.warn_or_error = _nothing
    try:
        yield
    finally:
        exceptions_jinja.warn_or_error = said
