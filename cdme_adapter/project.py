"""A dbt project read without dbt: dbt_project.yml, profiles.yml and target/manifest.json.

Only what the questions need is read: where the database is, what else is attached, and the nodes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cdme_adapter.errors import ConfigError

# What nearly all profiles hold; Jinja itself is only loaded for more.
_ENV_VAR = re.compile(r"""\{\{\s*env_var\(\s*(['"])(\w+)\1\s*(?:,\s*(['"])([^'"{}]*)\3\s*)?\)\s*\}\}""")
_LATE_RUNS = 5
STORED_TYPES = frozenset({"model", "seed", "snapshot", "source"})


@dataclass(frozen=True)
class Attachment:
    """A database that the profile attaches beside the main one."""

    path: str
    alias: str
    type: str = ""


@dataclass(frozen=True)
class Project:
    """Where things are: what the questions take from a project and its profile."""

    root: Path
    name: str
    target_path: Path
    database_path: str
    database_name: str
    schema: str = "main"
    attach: tuple[Attachment, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def manifest_path(self) -> Path:
        """Where dbt writes the manifest."""
        return self.target_path / "manifest.json"

    def with_files(self, given: Sequence[str]) -> Project:
        """With more files attached, each given as ``NAME=FILE``, or as ``FILE`` of that name.

        >>> nothing = Project(Path(), "", Path(), "", "")
        >>> [one.alias for one in nothing.with_files(["raw=/data/2.duckdb", "/data/x.duckdb"]).attach]
        ['raw', 'x']
        """
        return replace(self, attach=(*self.attach, *map(_attachment, given)))


@dataclass(frozen=True)
class Node:
    """A model, seed, snapshot or source of the manifest."""

    id: str
    type: str
    name: str
    database: str
    schema: str
    identifier: str
    source_name: str
    materialized: str
    raw: Mapping[str, Any]
    target_path: Path | None = None

    @property
    def compiled(self) -> list[str]:
        """The texts that may be the compiled SQL: the manifest's, and the file under target."""
        found = [str(self.raw["compiled_code"])] if self.raw.get("compiled_code") else []
        path = self.raw.get("original_file_path")
        if self.target_path is not None and path:
            package = str(self.raw.get("package_name") or "")
            file = self.target_path / "compiled" / package / str(path)
            if file.suffix == ".sql" and file.exists():
                found.append(file.read_text(encoding="utf-8"))
        if not found and self.type == "snapshot" and self.target_path is not None:
            found += _proven(self.target_path, self.id)
        return found

    @property
    def parents(self) -> list[str]:
        """The ids of what the node reads."""
        return list((self.raw.get("depends_on") or {}).get("nodes") or [])

    @property
    def stored(self) -> bool:
        """Whether the node's rows are stored; a view's or an ephemeral's are not."""
        return self.type != "model" or self.materialized not in ("view", "ephemeral")

    @property
    def cdme(self) -> Mapping[str, Any]:
        """The node's ``meta.cdme`` block, or an empty one."""
        config = self.raw.get("config") or {}
        for meta in (config.get("meta"), self.raw.get("meta")):
            block = (meta or {}).get("cdme")
            if isinstance(block, Mapping):
                return block
        return {}


def _proven(target_path: Path, node: str) -> list[str]:
    """The SQL that a late run judged: of a snapshot dbt keeps it in the manifest, until the next parse."""
    files = sorted(target_path.glob("cdme/*/proof/sql.json"), key=lambda file: file.stat().st_mtime)
    for file in reversed(files[-_LATE_RUNS:]):
        try:
            sql = json.loads(file.read_text(encoding="utf-8"))["compiled"].get(node)
        except (OSError, ValueError, KeyError):
            continue
        if sql:
            return [str(sql)]
    return []


@dataclass(frozen=True)
class Manifest:
    """The nodes and exposures of a project; empty where there is no manifest."""

    nodes: Mapping[str, Node] = field(default_factory=dict)
    exposures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @staticmethod
    def from_dict(raw: Mapping[str, Any], target_path: Path | None = None) -> Manifest:
        """From the content of manifest.json; ``target_path`` is where compiled SQL may be found."""
        entries = {**(raw.get("sources") or {}), **(raw.get("nodes") or {})}
        nodes = {
            key: _node(key, value, target_path)
            for key, value in entries.items()
            if value.get("resource_type", key.split(".")[0]) in STORED_TYPES
        }
        return Manifest(nodes, dict(raw.get("exposures") or {}))

    @staticmethod
    def read(path: Path) -> Manifest:
        """From a file; what is wrong with it is said."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(
                f"there is no manifest at {path}",
                code="NO_MANIFEST",
                remedy="run `dbt parse`, or give --manifest",
            ) from None
        except ValueError as error:
            raise ConfigError(
                f"{path} is not JSON: {error}",
                code="BAD_MANIFEST",
                remedy="run `dbt parse` to write it again",
            ) from error
        return Manifest.from_dict(raw, path.parent)


def _node(key: str, raw: Mapping[str, Any], target_path: Path | None) -> Node:
    kind = raw.get("resource_type", key.split(".")[0])
    identifier = raw.get("identifier") or raw.get("alias") or raw.get("name") or key
    materialized = (raw.get("config") or {}).get("materialized") or ""
    return Node(
        id=key,
        type=kind,
        name=raw.get("name") or key,
        database=raw.get("database") or "",
        schema=raw.get("schema") or "",
        identifier=identifier,
        source_name=raw.get("source_name") or "",
        materialized=materialized,
        raw=raw,
        target_path=target_path,
    )


def read_project(
    project_dir: str | None = None, profiles_dir: str | None = None, target: str | None = None
) -> Project:
    """The project in a folder, with the output of its profile that ``target`` names."""
    root = Path(project_dir or os.environ.get("DBT_PROJECT_DIR") or ".").resolve()
    main = _yaml(root / "dbt_project.yml", "this is not a dbt project's folder; give --project-dir")
    profile = _render(main.get("profile") or main.get("name"))
    output = _output(root, profiles_dir, str(profile), target)
    folder = os.environ.get("DBT_TARGET_PATH") or _render(main.get("target-path")) or "target"
    path = _database_path(root, str(output.get("path") or ":memory:"))
    return Project(
        root=root,
        name=str(main.get("name")),
        target_path=root / str(folder),
        database_path=path,
        database_name=str(output.get("database") or Path(path).name.split(".")[0]),
        schema=str(output.get("schema") or "main"),
        attach=tuple(_attachments(root, output)),
        settings=output.get("settings") or {},
    )


def project_of_file(database: str, manifest: Manifest, target_path: Path | None = None) -> Project:
    """A project of which only a database file is at hand; the manifest knows its name."""
    names = [n.database for n in manifest.nodes.values() if n.database and n.type != "source"]
    name = max(set(names), key=names.count) if names else Path(database).name.split(".")[0]
    folder = target_path or Path(database).resolve().parent / "target"
    return Project(folder.parent, name, folder, str(Path(database).resolve()), name)


def _output(root: Path, profiles_dir: str | None, profile: str, target: str | None) -> dict[str, Any]:
    path = _profiles_path(root, profiles_dir)
    profiles = _yaml(path, "give --profiles-dir, or ask a file with --database")
    if profile not in profiles:
        raise ConfigError(
            f"{path} has no profile {profile!r}; it has {_names(profiles)}",
            code="NO_PROFILE",
            remedy="mend `profile:` in dbt_project.yml",
        )
    entry = profiles[profile] or {}
    outputs = entry.get("outputs") or {}
    name = target or os.environ.get("DBT_TARGET") or _render(entry.get("target")) or "default"
    if name not in outputs:
        raise ConfigError(
            f"profile {profile!r} has no output {name!r}; it has {_names(outputs)}",
            code="NO_TARGET",
            remedy="give --target",
        )
    rendered = _render(outputs[name])
    return dict(rendered)


def _names(entries: Mapping[str, Any]) -> str:
    return ", ".join(sorted(map(str, entries))) or "none"


def _profiles_path(root: Path, profiles_dir: str | None) -> Path:
    given = profiles_dir or os.environ.get("DBT_PROFILES_DIR")
    if given:
        return Path(given) / "profiles.yml"
    for folder in (Path.cwd(), root, Path.home() / ".dbt"):
        if (folder / "profiles.yml").exists():
            return folder / "profiles.yml"
    return root / "profiles.yml"


def _database_path(root: Path, path: str) -> str:
    if ":" in path and not Path(path).is_absolute():
        return path
    inside = (root / path).resolve()
    outside = Path(path).resolve()
    return str(outside if outside.exists() and not inside.exists() else inside)


def _attachments(root: Path, output: Mapping[str, Any]) -> list[Attachment]:
    found = []
    for entry in output.get("attach") or []:
        given = {"path": entry} if isinstance(entry, str) else dict(entry)
        kind = str(given.get("type") or "")
        path = str(given["path"])
        alias = given.get("alias") or Path(path).name.split(".")[0]
        found.append(Attachment(path if kind else _database_path(root, path), str(alias), kind))
    return found


def _attachment(given: str) -> Attachment:
    name, sign, path = given.partition("=")
    if not sign or "/" in name:
        name, path = Path(given).name.split(".")[0], given
    return Attachment(path, name)


def _yaml(path: Path, remedy: str) -> dict[str, Any]:
    import yaml

    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no {path}", code="NO_PROJECT", remedy=remedy) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}", code="BAD_YAML") from error
    return dict(loaded or {})


def _env_var(name: str, default: str | None = None) -> str:
    value = os.environ.get(name, default)
    if value is None:
        raise ConfigError(
            f"profiles.yml needs the environment variable {name}",
            code="NO_ENV_VAR",
            remedy=f"set {name}, or give env_var a default",
        )
    return value


def _render(value: Any) -> Any:
    """A value with its Jinja (``env_var`` and dbt's native filters) evaluated, at any depth."""
    if isinstance(value, Mapping):
        return {key: _render(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_render(item) for item in value]
    if not isinstance(value, str) or "{" not in value:
        return value
    plain = _ENV_VAR.sub(lambda found: _env_var(found[2], found[4]), value)
    if "{{" not in plain and "{%" not in plain:
        return plain
    return _jinja().from_string(value).render(env_var=_env_var)


def _jinja() -> Any:
    from jinja2.nativetypes import NativeEnvironment

    environment = NativeEnvironment(autoescape=False)
    environment.filters.update(
        as_native=lambda v: v,
        as_number=float,
        as_bool=lambda v: str(v).lower() == "true",
        as_text=str,
    )
    return environment
