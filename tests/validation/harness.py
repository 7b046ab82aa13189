"""Fixtures as values: a small schema and models in YAML become a project and a catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb

from cdme_adapter.validation import Catalog, ProjectView, Report, load_catalog, project_view
from cdme_adapter.validation.validator import validate_project


def warehouse(tables: Mapping[str, Any], database: str = "wh") -> Catalog:
    """A real DuckDB with these tables and rows, read as the product reads one."""
    connection = duckdb.connect()
    connection.execute(f"ATTACH ':memory:' AS {database}; CREATE SCHEMA {database}.raw")
    for name, table in tables.items():
        columns = ", ".join(f'"{c}" {t}' for c, t in table["columns"].items())
        connection.execute(f"CREATE TABLE {database}.raw.{name} ({columns})")
        for row in table.get("rows") or []:
            marks = ", ".join("?" for _ in row)
            connection.execute(f"INSERT INTO {database}.raw.{name} VALUES ({marks})", row)
        if table.get("fill"):
            connection.execute(f"INSERT INTO {database}.raw.{name} {table['fill']}")
    return load_catalog(lambda sql: connection.execute(sql).fetchall())


def manifest(tables: Mapping[str, Any], models: Mapping[str, Any], database: str = "wh") -> dict[str, Any]:
    """What dbt would write for sources over ``tables`` and for these models."""
    nodes: dict[str, Any] = {}
    sources: dict[str, Any] = {}
    for name, table in tables.items():
        unique_id = f"source.shop.raw.{name}"
        sources[unique_id] = {
            "resource_type": "source",
            "name": name,
            "source_name": "raw",
            "package_name": "shop",
            "database": database,
            "schema": "raw",
            "identifier": name,
            "loaded_at_field": table.get("loaded_at_field"),
            "columns": {c: {"name": c} for c in table["columns"]},
        }
        _tests(nodes, unique_id, table)
    for name, model in models.items():
        told = {"sql": model} if isinstance(model, str) else model
        kind = told.get("resource_type", "model")
        unique_id = f"{kind}.{told.get('package', 'shop')}.{name}"
        nodes[unique_id] = {
            "resource_type": kind,
            "name": name,
            "package_name": told.get("package", "shop"),
            "database": database,
            "schema": "main",
            "alias": name,
            "compiled_code": _refs(told["sql"], tables, models, database),
            "raw_code": told.get("raw", told["sql"]),
            "original_file_path": f"models/{name}.sql",
            "config": {
                "materialized": told.get("materialized", "table"),
                "meta": {"cdme": told["meta"]} if told.get("meta") else {},
                "contract": {"enforced": bool(told.get("contract"))},
                **told.get("config", {}),
            },
            "columns": {c: {"name": c, "data_type": t} for c, t in (told.get("contract") or {}).items()},
            "depends_on": {"nodes": _parents(told["sql"], tables, models)},
            "group": told.get("group"),
            "access": told.get("access", "protected"),
            "fqn": ["shop", *told.get("folder", []), name],
            "language": told.get("language", "sql"),
        }
        _tests(nodes, unique_id, told)
    return {"nodes": nodes, "sources": sources, "metadata": {"project_name": "shop"}}


def _parents(sql: str, tables: Mapping[str, Any], models: Mapping[str, Any]) -> list[str]:
    found = [f"source.shop.raw.{t}" for t in tables if f"{{{t}}}" in sql]
    for name, model in models.items():
        if f"{{{name}}}" in sql:
            told = model if isinstance(model, Mapping) else {}
            kind, package = told.get("resource_type", "model"), told.get("package", "shop")
            found.append(f"{kind}.{package}.{name}")
    return found


def _refs(sql: str, tables: Mapping[str, Any], models: Mapping[str, Any], database: str) -> str:
    for name in tables:
        sql = sql.replace(f"{{{name}}}", f'"{database}"."raw"."{name}"')
    for name in models:
        sql = sql.replace(f"{{{name}}}", f'"{database}"."main"."{name}"')
    return sql


def _tests(nodes: dict[str, Any], unique_id: str, told: Mapping[str, Any]) -> None:
    listed = [("unique", {"column_name": c}) for c in told.get("unique", []) if isinstance(c, str)]
    listed += [
        ("unique_combination_of_columns", {"combination_of_columns": c})
        for c in told.get("unique", [])
        if not isinstance(c, str)
    ]
    listed += [("not_null", {"column_name": c}) for c in told.get("not_null", [])]
    for kind, arguments in listed:
        nodes[f"test.{unique_id}.{kind}.{len(nodes)}"] = {
            "resource_type": "test",
            "attached_node": unique_id,
            "test_metadata": {"name": kind, "kwargs": arguments},
            "config": {},
        }


def view(tables: Mapping[str, Any], models: Mapping[str, Any], **settings: Any) -> ProjectView:
    """The project of these tables and models."""
    return project_view(manifest(tables, models), database="wh", schema="main", **settings)


def judge(tables: Mapping[str, Any], models: Mapping[str, Any], **settings: Any) -> Report:
    """The report on these models."""
    return validate_project(view(tables, models, **settings), warehouse(tables))
