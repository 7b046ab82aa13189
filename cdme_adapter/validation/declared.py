"""Keys and NOT NULLs that a node declares: tests, constraints, ``unique_key`` (REQ-F-LDM-007)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DeclaredColumn:
    """What a column is said to be."""

    name: str
    type: str | None = None
    not_null: bool = False


def declared_keys(
    unique_id: str, node: Mapping[str, Any], tests: Iterable[Mapping[str, Any]]
) -> tuple[frozenset[str], ...]:
    """Every set of columns that is declared to be unique."""
    return tuple(dict.fromkeys((*_tested_keys(unique_id, node, tests), *_unique_key(node))))


def replaced_by(
    unique_id: str, node: Mapping[str, Any], tests: Iterable[Mapping[str, Any]]
) -> frozenset[str]:
    """The ``unique_key`` of delete+insert, if that is all that speaks for it: it may be a day of rows."""
    config = node.get("config") or {}
    found = _unique_key(node) if config.get("materialized") == "incremental" else []
    if config.get("incremental_strategy") == "merge" or not found:
        return frozenset()
    return frozenset() if found[0] in _tested_keys(unique_id, node, tests) else found[0]


def _tested_keys(
    unique_id: str, node: Mapping[str, Any], tests: Iterable[Mapping[str, Any]]
) -> list[frozenset[str]]:
    keys: list[frozenset[str]] = []
    for name, kwargs in _tests_of(unique_id, tests):
        if name == "unique" and kwargs.get("column_name"):
            keys.append(_columns([kwargs["column_name"]]))
        if name == "unique_combination_of_columns":
            keys.append(_columns(kwargs.get("combination_of_columns") or []))
        if name == "expect_compound_columns_to_be_unique":
            keys.append(_columns(kwargs.get("column_list") or []))
    for constraint in node.get("constraints") or []:
        if constraint.get("type") in ("primary_key", "unique"):
            keys.append(_columns(constraint.get("columns") or []))
    for column in (node.get("columns") or {}).values():
        kinds = {c.get("type") for c in column.get("constraints") or []}
        if kinds & {"primary_key", "unique"}:
            keys.append(_columns([column["name"]]))
    return [key for key in keys if key]


def _unique_key(node: Mapping[str, Any]) -> list[frozenset[str]]:
    config = node.get("config") or {}
    given = config.get("unique_key")
    listed = [given] if isinstance(given, str) else list(given or [])
    if not listed or not all(isinstance(c, str) and c.isidentifier() for c in listed):
        return []
    if node.get("resource_type") == "snapshot":
        return [_columns([*listed, "dbt_valid_from"]), _columns(["dbt_scd_id"])]
    merges = config.get("incremental_strategy") not in ("append", "microbatch", "insert_overwrite")
    return [_columns(listed)] if config.get("materialized") == "incremental" and merges else []


def declared_columns(
    unique_id: str, node: Mapping[str, Any], tests: Iterable[Mapping[str, Any]]
) -> tuple[DeclaredColumn, ...]:
    """The columns that are written down, and those that tests say are never NULL."""
    not_null = {
        str(kwargs["column_name"]).strip('"').lower()
        for name, kwargs in _tests_of(unique_id, tests)
        if name == "not_null" and kwargs.get("column_name")
    }
    found: dict[str, DeclaredColumn] = {}
    for column in (node.get("columns") or {}).values():
        name = str(column["name"])
        kinds = {c.get("type") for c in column.get("constraints") or []}
        firm = bool(kinds & {"not_null", "primary_key"}) or name.lower() in not_null
        found[name.lower()] = DeclaredColumn(name, column.get("data_type"), firm)
    for name in not_null - found.keys():
        found[name] = DeclaredColumn(name, None, True)
    return tuple(found.values())


def _tests_of(
    unique_id: str, tests: Iterable[Mapping[str, Any]]
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Tests that hold for every row, and whose failure is an error."""
    for test in tests:
        metadata = test.get("test_metadata")
        if not metadata or test.get("attached_node", unique_id) not in (unique_id, None):
            continue
        config = test.get("config") or {}
        parents = (test.get("depends_on") or {}).get("nodes") or []
        if not test.get("attached_node") and parents != [unique_id]:
            continue
        if config.get("where") or str(config.get("severity") or "error").lower() != "error":
            continue
        if config.get("enabled") is False:
            continue
        yield str(metadata.get("name")), metadata.get("kwargs") or {}


def _columns(names: Iterable[Any]) -> frozenset[str]:
    return frozenset(str(name).strip().strip('"').lower() for name in names)
