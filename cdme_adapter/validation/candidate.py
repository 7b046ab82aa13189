"""A mapping that is not in the project: the same rules, no bypass, nothing written."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jinja2
import jinja2.meta
import yaml

from cdme_adapter.errors import Finding, Place
from cdme_adapter.validation.catalog import Catalog
from cdme_adapter.validation.permission import denied
from cdme_adapter.validation.project import Node, ProjectView, project_view
from cdme_adapter.validation.report import Report
from cdme_adapter.validation.validator import Validator

Compile = Callable[[str, str], tuple[str, list[str]]]
"""SQL with Jinja and the model's name → what dbt compiles it to, and the nodes that it refers to."""
_DBTS = frozenset(
    {"adapter", "dbt", "exceptions", "graph", "model", "modules", "builtins", "api", "run_query"}
)
_DO = ["jinja2.ext.do"]


class _Adapter:
    """What a template may ask of dbt's adapter where there is none."""

    def type(self) -> str:
        """The adapter's type."""
        return "cdme"


class MissingTarget(Exception):
    """A ref or source that the project does not have, or that may not be built on: the same to a reader.

    Raised with what was asked for, and whether it is a ``model`` or a ``source``.
    """

    def __init__(self, wanted: str, kind: str, code: str = "UNKNOWN_RELATION") -> None:
        super().__init__(wanted)
        self.wanted, self.kind, self.code = wanted, kind, code


_KINDS = {"model": ("model", "seed", "snapshot"), "source": ("source",)}


def validate_candidate(
    sql: str,
    name: str,
    yaml_text: str | None,
    project: ProjectView,
    catalog: Catalog,
    *,
    file: str | None = None,
    compile_sql: Compile | None = None,
) -> Report:
    """Judge ``sql`` as if it were the project's model ``name``.

    ``yaml_text`` is a properties file (``models: - name: …``) or one model's block; without it a model of
    that name keeps what the project declares of it. ``compile_sql`` has
    dbt compile it, macros and all; without it ref, source, var, config, this and target are known.
    """
    node = _node(sql, name, yaml_text, project, file)
    refs: list[str] = []
    try:
        compiled = _render(sql, node, project, refs) if compile_sql is None else ""
        if compile_sql is not None:
            compiled, targets = compile_sql(sql, name)
            refs += targets
            _permit(project, node, refs)
    except MissingTarget as error:
        return _no_target(node, sql, project, error)
    except jinja2.UndefinedError as error:
        return _refused(node, "COMPILE_ERROR", *_undefined(sql, project, error), sql, error)
    except Exception as error:
        # Whatever a template raises is a fault of the candidate, and a report must come out.
        return _refused(
            node, "COMPILE_ERROR", f"does not compile: {error}", "correct the Jinja", sql, error
        )
    reads = tuple(dict.fromkeys([*refs, *_reads(compiled, project)]))
    node = replace(node, sql=compiled, depends_on=reads, named=tuple(refs))
    whole = replace(project, nodes={**project.nodes, node.id: node})
    with Validator(whole, catalog) as validator:
        return validator.run([node.id])


def _permit(project: ProjectView, node: Node, refs: list[str]) -> None:
    """Raise for the first of these that the candidate may not build on, as if it were not there."""
    for other in denied(project, node, [project.nodes[one] for one in refs if one in project.nodes]):
        kind = "source" if other.resource_type == "source" else "model"
        raise MissingTarget(_asked(other), kind, "ACCESS_DENIED")


def _no_target(node: Node, sql: str, project: ProjectView, missing: MissingTarget) -> Report:
    known = [n for n in project.nodes.values() if n.resource_type in _KINDS[missing.kind]]
    hidden = {n.id for n in denied(project, node, known)}
    seen = [_asked(n) for n in known if n.id not in hidden]
    near = difflib.get_close_matches(missing.wanted, seen, 1, 0.5)
    remedy = f"did you mean {near[0]}?" if near else "check the name, or add the model or source"
    word = missing.wanted.split(".")[-1]
    lines = (number for number, text in enumerate(sql.splitlines(), 1) if word in text)
    message = f"there is no relation {missing.wanted} to build on"
    place = Place(node.file, next(lines, 1))
    return Report([Finding(missing.code, message, "error", node.id, place, remedy)])


def _asked(node: Node) -> str:
    return ".".join(node.id.split(".")[-2:]) if node.resource_type == "source" else node.name


def _undefined(sql: str, project: ProjectView, error: Exception) -> tuple[str, str]:
    """What is said of a name that only dbt, or nobody, knows."""
    known = _DBTS | {part for macro in project.macro_names for part in macro.split(".")[1:]}
    try:
        used = jinja2.meta.find_undeclared_variables(jinja2.Environment(extensions=_DO).parse(sql))
    except jinja2.TemplateError:
        used = set()
    if not (macros := sorted(used & known)):
        return f"does not compile: {error}", "correct the Jinja"
    return (
        f"does not compile without dbt: {error}; it calls {', '.join(macros)}",
        "let dbt compile it: dbt run-operation cdme_validate --args '{sql: FILE, name: NAME}'",
    )


def _refused(
    node: Node, code: str, message: str, remedy: str, sql: str, error: Exception | None = None
) -> Report:
    line = getattr(error, "lineno", None) or next(
        (
            number
            for number, text in enumerate(sql.splitlines(), 1)
            if any(word in text for word in re.findall(r"'([^']+)'", message))
        ),
        1,
    )
    return Report([Finding(code, message, "error", node.id, Place(node.file, line), remedy)])


def _node(sql: str, name: str, yaml_text: str | None, project: ProjectView, file: str | None) -> Node:
    unique_id = f"model.{project.name or 'candidate'}.{name}"
    standing = project.nodes.get(unique_id)
    if standing is not None and yaml_text is None:
        # Another text for a model of the project: what is declared of it, and its group, still holds.
        return replace(standing, raw=sql, file=file, language="sql", why_no_sql="")
    block = _properties(yaml_text, name)
    config = {**(block.get("config") or {})}
    if "meta" in block:
        config.setdefault("meta", block["meta"])
    columns = {c["name"]: c for c in block.get("columns") or [] if isinstance(c, Mapping)}
    raw = {
        "resource_type": "model",
        "name": name,
        "package_name": project.name,
        "database": project.database,
        "schema": project.schema,
        "alias": config.get("alias") or name,
        "config": {"materialized": "table", **config},
        "columns": columns,
        "constraints": block.get("constraints") or [],
        "original_file_path": file,
        "raw_code": sql,
        "group": config.get("group") or block.get("group"),
        "access": block.get("access"),
        "fqn": [project.name, name],
    }
    tests = {f"test.{number}": test for number, test in enumerate(_tests(unique_id, block, columns))}
    view = project_view(
        {"nodes": {unique_id: raw, **tests}, "metadata": {"project_name": project.name}},
        project_vars=project.vars,
    )
    return view.nodes[unique_id]


def _properties(yaml_text: str | None, name: str) -> Mapping[str, Any]:
    loaded = yaml.safe_load(yaml_text) if yaml_text else None
    if not isinstance(loaded, Mapping):
        return {}
    if "models" not in loaded:
        return loaded
    return next((m for m in loaded["models"] or [] if m.get("name") == name), {})


def _tests(
    unique_id: str, block: Mapping[str, Any], columns: Mapping[str, Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for column, told in [(None, block), *columns.items()]:
        for test in told.get("data_tests") or told.get("tests") or []:
            kind = test if isinstance(test, str) else next(iter(test))
            arguments = {} if isinstance(test, str) else dict(test[kind] or {})
            arguments = {**arguments, **(arguments.get("arguments") or {})}
            found.append(
                {
                    "resource_type": "test",
                    "attached_node": unique_id,
                    "test_metadata": {
                        "name": kind.split(".")[-1],
                        "kwargs": {**arguments, "column_name": column},
                    },
                    "config": arguments.get("config") or {},
                }
            )
    return found


def _render(sql: str, node: Node, project: ProjectView, refs: list[str]) -> str:
    if "{{" not in sql and "{%" not in sql:
        return sql

    def ref(*names: str, **_: Any) -> str:
        return _relation(project, node, names[-1], "model", refs)

    def source(source_name: str, table: str) -> str:
        wanted = f"{source_name}.{table}"
        return _relation(project, node, wanted, "source", refs)

    def var(name: str, default: Any = None) -> Any:
        return project.vars.get(name, default)

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, extensions=_DO)
    template = environment.from_string(sql)
    return template.render(
        ref=ref,
        source=source,
        var=var,
        config=lambda *_, **__: "",
        this=_quoted(node.relation),
        target={"type": "cdme", "schema": project.schema, "database": project.database},
        is_incremental=lambda: False,
        execute=True,
        adapter=_Adapter(),
        env_var=lambda _name, default="": default,
    )


def _relation(project: ProjectView, reader: Node, wanted: str, kind: str, refs: list[str]) -> str:
    names = {_asked(n): n for n in project.nodes.values() if n.resource_type in _KINDS[kind]}
    node = names.get(wanted)
    if node is None:
        raise MissingTarget(wanted, kind)
    _permit(project, reader, [node.id])
    refs.append(node.id)
    if not node.stored and node.sql:
        return f"({node.sql})"
    return _quoted(node.relation)


def _quoted(relation: str) -> str:
    return ".".join(f'"{part}"' for part in relation.split(".") if part)


def _reads(sql: str, project: ProjectView) -> tuple[str, ...]:
    """The nodes whose relation is named in the SQL: what ref() would have said."""
    words = set(re.findall(r"\w+", sql.lower()))
    return tuple(n.id for n in project.nodes.values() if n.relation and _last(n) in words)


def _last(node: Node) -> str:
    return node.relation.split(".", 2)[-1]
