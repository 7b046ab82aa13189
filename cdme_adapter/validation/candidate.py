"""A mapping that is not in the project: the same rules, no bypass, nothing written."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jinja2
import yaml

from cdme_adapter.errors import Finding, Place
from cdme_adapter.validation.catalog import Catalog
from cdme_adapter.validation.project import Node, ProjectView, project_view
from cdme_adapter.validation.report import Report
from cdme_adapter.validation.validator import Validator

Compile = Callable[[str], str]


class _Missing(Exception):
    """A ref or source that the project does not have."""


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

    ``yaml_text`` is a properties file (``models: - name: …``) or one model's block. ``compile_sql``
    renders Jinja as dbt does; without it ref, source, var, config, this and target are known.
    """
    node = _node(sql, name, yaml_text, project, file)
    refs: list[str] = []
    try:
        compiled = compile_sql(sql) if compile_sql else _render(sql, node, project, refs)
    except _Missing as error:
        code, message, remedy = error.args
        return _refused(node, code, message, remedy, sql)
    except Exception as error:
        # Whatever a template raises is a fault of the candidate, and a report must come out.
        return _refused(
            node, "COMPILE_ERROR", f"does not compile: {error}", "correct the Jinja", sql, error
        )
    node = replace(node, sql=compiled, depends_on=tuple(refs) or _reads(compiled, project))
    whole = replace(project, nodes={**project.nodes, node.id: node})
    with Validator(whole, catalog) as validator:
        return validator.run([node.id])


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
    block = _properties(yaml_text, name)
    unique_id = f"model.{project.name or 'candidate'}.{name}"
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
        return _relation(project, names[-1], ("model", "seed", "snapshot"), refs, "UNKNOWN_RELATION")

    def source(source_name: str, table: str) -> str:
        wanted = f"{source_name}.{table}"
        return _relation(project, wanted, ("source",), refs, "UNKNOWN_RELATION")

    def var(name: str, default: Any = None) -> Any:
        return project.vars.get(name, default)

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, extensions=["jinja2.ext.do"])
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
        env_var=lambda _name, default="": default,
    )


def _relation(project: ProjectView, wanted: str, kinds: tuple[str, ...], refs: list[str], code: str) -> str:
    names = {
        ".".join(n.id.split(".")[-2:]) if n.resource_type == "source" else n.name: n
        for n in project.nodes.values()
        if n.resource_type in kinds
    }
    node = names.get(wanted)
    if node is None:
        near = difflib.get_close_matches(wanted, list(names), 1, 0.5)
        remedy = f"did you mean {near[0]}?" if near else "check the name, or add the model or source"
        raise _Missing(code, f"there is no relation '{wanted}' to build on", remedy)
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
