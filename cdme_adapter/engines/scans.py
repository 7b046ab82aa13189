"""Which tables a statement scans, in the engine's own words.

For text that cannot be read here or proven to be read rightly: DuckDB binds it (EXPLAIN), and its
plan names every table. The optimiser is off: it would answer ``count(*)`` without a scan.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cdme_adapter.capture.catalog import Catalog
from cdme_adapter.capture.plan import RelationInfo
from cdme_adapter.engines.base import Execute

Table = tuple[str, str, str]
"""Database, schema, name."""

_ROWS_OF_NOTHING = {"DUMMY_SCAN", "EMPTY_RESULT", "COLUMN_DATA_SCAN", "CTE_SCAN", "REC_CTE_SCAN",
                    "RECURSIVE_CTE_SCAN", "DELIM_SCAN", "INOUT_FUNCTION", "CHUNK_SCAN"}  # fmt: skip
_SCANS = {"SEQ_SCAN", "TABLE_SCAN", "INDEX_SCAN"}
_SERIES = {"RANGE", "GENERATE_SERIES", "UNNEST", "REPEAT"}


def scanned(execute: Execute, sql: str) -> list[Table] | None:
    """The tables that ``sql`` scans, or None where its rows may come from something else, too.

    Nothing of the statement is run, but for what its binding needs (the values of a PIVOT).
    ``execute`` must not be the model's own session: a setting is changed in it for a moment. Errors of
    the engine are raised as they are.
    """
    # In parentheses, as where a table is made of it: several statements are an error, and none runs.
    try:
        rows = execute(f"PRAGMA disable_optimizer; EXPLAIN (FORMAT json) SELECT * FROM (\n{sql}\n)")
    finally:
        execute("PRAGMA enable_optimizer")
    found: list[Table] = []
    for node in (node for tree in json.loads(rows[0][1]) for node in _nodes(tree)):
        name = str(node.get("name", "")).strip()
        table = (node.get("extra_info") or {}).get("Table")
        if name in _SCANS and isinstance(table, str):
            parts = _parts(table)
            if parts is None:
                return None
            found.append(parts)
        elif node.get("children") or name in _ROWS_OF_NOTHING or name in _SERIES:
            continue
        else:
            return None
    return list(dict.fromkeys(found))


def relations_scanned(execute: Execute, catalog: Catalog, sql: str) -> list[RelationInfo] | None:
    """The stored relations that ``sql`` reads, or None where they are not known (also: on an error)."""
    try:
        tables = scanned(execute, sql)
    except Exception:  # whatever the engine has against the text, the model's own statement will tell
        return None
    found = [catalog.relation(*table) for table in tables or ()]
    known = [info for info in found if info is not None and info.view_sql is None]
    return known if tables is not None and len(known) == len(found) else None


def _nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree
    for child in tree.get("children") or ():
        yield from _nodes(child)


def _parts(name: str) -> Table | None:
    """``db.schema.table`` in its parts.

    >>> _parts('memory.main."a.b"'), _parts("t")
    (('memory', 'main', 'a.b'), None)
    """
    parts: list[str] = []
    rest = name
    while rest:
        if rest.startswith('"'):
            end = rest.replace('""', "  ").find('"', 1)
            parts.append(rest[1:end].replace('""', '"'))
            rest = rest[end + 1 :].removeprefix(".")
        else:
            head, _, rest = rest.partition(".")
            parts.append(head)
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else None
