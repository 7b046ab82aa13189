"""A dbt project as values, read from its manifest; dbt itself is not needed (REQ-F-AIA-001)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cdme_adapter.config import CdmeConfig, parse_config
from cdme_adapter.errors import ConfigError, Finding, Place
from cdme_adapter.pii import declared
from cdme_adapter.validation.catalog import canonical
from cdme_adapter.validation.declared import DeclaredColumn, declared_columns, declared_keys, replaced_by

EDITED = "cdme_edited"
"""Set on a manifest's node whose file has changed since."""
RELATIONS = ("model", "seed", "snapshot", "source")


@dataclass(frozen=True)
class Node:
    """One node that is, or once run will be, a relation (an ephemeral one is only a CTE)."""

    id: str
    name: str
    resource_type: str
    package: str = ""
    relation: str = ""
    """Its canonical name ``database.schema.identifier``; empty for an ephemeral."""
    materialized: str = ""
    language: str = "sql"
    sql: str | None = None
    raw: str = ""
    file: str | None = None
    config: CdmeConfig = field(default_factory=CdmeConfig)
    config_findings: tuple[Finding, ...] = ()
    depends_on: tuple[str, ...] = ()
    named: tuple[str, ...] | None = None
    """What ref() and source() name, where ``depends_on`` holds more than that (a candidate)."""
    columns: tuple[DeclaredColumn, ...] = ()
    keys: tuple[frozenset[str], ...] = ()
    replaced_by: frozenset[str] = frozenset()
    """The ``unique_key`` by which delete+insert replaces rows, where nothing else says that it is a key."""
    contract: bool = False
    group: str | None = None
    access: str = "protected"
    loaded_at_field: str | None = None
    fqn: tuple[str, ...] = ()
    column_types: Mapping[str, str] = field(default_factory=dict)
    pii: tuple[str, ...] = ()
    """The columns that are declared personal."""
    incremental_filter: bool = False
    """Whether its SQL asks ``is_incremental()``."""
    why_no_sql: str = ""
    """Why ``sql`` is None, where that is known."""
    edited: bool = False
    """Whether its file says something else than what dbt compiled."""

    @property
    def stored(self) -> bool:
        """Whether it has a relation in the database once it ran."""
        return bool(self.relation)


@dataclass(frozen=True)
class ProjectView:
    """The nodes of a project, its macros' texts and where its models go."""

    nodes: Mapping[str, Node] = field(default_factory=dict)
    name: str = ""
    database: str = ""
    schema: str = ""
    macros: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Unique id of a macro → (file, text); those of the project and its packages."""
    macro_names: tuple[str, ...] = ()
    """Unique ids of all macros, dbt's own among them."""
    vars: Mapping[str, Any] = field(default_factory=dict)
    yaml: Mapping[str, Any] = field(default_factory=dict)
    """dbt_project.yml, when it was given: what folders say."""
    directory: str | None = None
    as_roles: tuple[str, ...] = ()

    def by_relation(self, name: str) -> Node | None:
        """The node whose relation has this canonical name."""
        return self._index().get(name)

    def _index(self) -> dict[str, Node]:
        cached: dict[str, Node] | None = self.__dict__.get("_by_relation")
        if cached is None:
            cached = {n.relation: n for n in self.nodes.values() if n.relation}
            object.__setattr__(self, "_by_relation", cached)
        return cached

    def matching(self, names: Iterable[str] | None) -> list[str]:
        """Unique ids for names, ``source.table``, ``schema.table`` or ids; None: all with SQL."""
        if names is None:
            return [n.id for n in self.nodes.values() if n.resource_type in ("model", "snapshot")]
        wanted = set(names)
        return [
            n.id
            for n in self.nodes.values()
            if n.resource_type in ("model", "snapshot")
            and ({n.id, n.name, ".".join(n.relation.split(".")[1:])} & wanted)
        ]

    def ancestors(self, start: Iterable[str]) -> set[str]:
        """These nodes and all that they stand on."""
        found: set[str] = set()
        stack = list(start)
        while stack:
            current = stack.pop()
            if current not in found and current in self.nodes:
                found.add(current)
                stack += self.nodes[current].depends_on
        return found

    def order(self) -> list[str]:
        """All ids, parents before children."""
        done: dict[str, None] = {}
        for start in self.nodes:
            stack = [(start, False)]
            while stack:
                current, ready = stack.pop()
                if current in done:
                    continue
                if ready:
                    done[current] = None
                    continue
                stack.append((current, True))
                parents = self.nodes[current].depends_on
                stack += [(p, False) for p in parents if p in self.nodes and p not in done]
        return list(done)


def project_view(
    manifest: Mapping[str, Any],
    *,
    project_vars: Mapping[str, Any] | None = None,
    project_yaml: Mapping[str, Any] | None = None,
    directory: str | None = None,
    compiled: Mapping[str, str] | None = None,
    database: str = "",
    schema: str = "",
) -> ProjectView:
    """The project in a ``manifest.json``; ``compiled`` overrides the SQL of nodes by id."""
    raw = {**manifest.get("nodes", {}), **manifest.get("sources", {})}
    tests: dict[str, list[Mapping[str, Any]]] = {}
    for test in raw.values():
        if test.get("resource_type") == "test":
            parents = (test.get("depends_on") or {}).get("nodes") or []
            for owner in [test["attached_node"]] if test.get("attached_node") else parents:
                tests.setdefault(owner, []).append(test)
    own_vars = (project_vars or {}).get("cdme")
    name = str(manifest.get("metadata", {}).get("project_name") or "")
    nodes = {}
    for unique_id, node in raw.items():
        if node.get("resource_type") not in RELATIONS:
            continue
        sql = (compiled or {}).get(unique_id) or node.get("compiled_code")
        nodes[unique_id] = _node(unique_id, node, tests.get(unique_id, []), own_vars, sql)
    first = next((n for n in nodes.values() if n.resource_type == "model" and n.stored), None)
    where = first.relation.split(".") if first else ["", "", ""]
    roles = (own_vars or {}).get("as_roles") or ()
    return ProjectView(
        nodes=nodes,
        name=name,
        database=(database or where[0]).lower(),
        schema=(schema or where[1]).lower(),
        macros={
            key: (macro.get("original_file_path", ""), macro.get("macro_sql", ""))
            for key, macro in manifest.get("macros", {}).items()
            if macro.get("package_name") not in _SHIPPED
        },
        macro_names=tuple(manifest.get("macros", {})),
        vars=project_vars or {},
        yaml=project_yaml or {},
        directory=directory,
        as_roles=tuple([roles] if isinstance(roles, str) else roles),
    )


def with_compiled(
    project: ProjectView, compiled: Mapping[str, str], why_not: Mapping[str, str]
) -> ProjectView:
    """The project with the compiled SQL of these nodes, and why others have none."""
    nodes = dict(project.nodes)
    for unique_id in {**compiled, **why_not}:
        nodes[unique_id] = replace(
            nodes[unique_id],
            sql=compiled.get(unique_id),
            why_no_sql=why_not.get(unique_id, ""),
        )
    return replace(project, nodes=nodes)


_SHIPPED = ("dbt", "dbt_duckdb", "dbt_cdme", "dbt_cdme_internal")


def _node(
    unique_id: str,
    raw: Mapping[str, Any],
    tests: list[Mapping[str, Any]],
    project_vars: Mapping[str, Any] | None,
    sql: str | None,
) -> Node:
    config = raw.get("config") or {}
    kind = str(raw.get("resource_type"))
    materialized = str(config.get("materialized") or kind)
    file = raw.get("original_file_path")
    place = Place(file)
    meta = config.get("meta") or raw.get("meta") or {}
    try:
        parsed, findings = parse_config(meta.get("cdme"), project_vars, model=unique_id, place=place)
    except ConfigError as wrong:
        parsed, findings = CdmeConfig(), [wrong.as_finding()]
    ephemeral = materialized == "ephemeral"
    relation = canonical(
        raw.get("database"),
        raw.get("schema"),
        str(raw.get("identifier") or raw.get("alias") or raw.get("name")),
    )
    keys = declared_keys(unique_id, raw, tests)
    if parsed.key:
        keys = (*keys, frozenset(c.lower() for c in parsed.key))
    return Node(
        id=unique_id,
        name=str(raw.get("name")),
        resource_type=kind,
        package=str(raw.get("package_name") or ""),
        relation="" if ephemeral else relation,
        materialized=materialized,
        language=str(raw.get("language") or "sql"),
        sql=sql,
        raw=str(raw.get("raw_code") or ""),
        file=file,
        config=parsed,
        config_findings=tuple(findings),
        depends_on=tuple((raw.get("depends_on") or {}).get("nodes") or ()),
        columns=declared_columns(unique_id, raw, tests),
        keys=keys,
        edited=bool(raw.get(EDITED)),
        replaced_by=replaced_by(unique_id, raw, tests),
        contract=bool((config.get("contract") or {}).get("enforced")),
        group=raw.get("group") or config.get("group"),
        access=str(raw.get("access") or config.get("access") or "protected"),
        loaded_at_field=raw.get("loaded_at_field"),
        fqn=tuple(raw.get("fqn") or ()),
        column_types=dict(config.get("column_types") or {}),
        pii=tuple(sorted({*map(str.lower, parsed.pii), *declared(None, raw.get("columns"))})),
        incremental_filter="is_incremental" in str(raw.get("raw_code") or ""),
    )
