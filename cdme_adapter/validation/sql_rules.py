"""A project's own rules, written as SQL: ``cdme_rules/*.sql`` over a documented set of tables.

Each file is one SELECT that returns a row per finding: ``model`` (a unique id) and ``message``; and,
where it has them, ``code``, ``severity``, ``line`` and ``remedy``. The tables hold every model that
was judged or inferred, its inputs, columns and keys, and what CDME's own rules found
(docs/validation.md, Rules of your own).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb

from cdme_adapter.errors import ConfigError, Finding, Place
from cdme_adapter.validation.project import Node, ProjectView
from cdme_adapter.validation.relations import Relation
from cdme_adapter.validation.report import SEVERITIES, Report

FOLDER = "cdme_rules"
TABLES: Mapping[str, str] = {
    "models": (
        "model VARCHAR, name VARCHAR, type VARCHAR, package VARCHAR, materialized VARCHAR,"
        ' relation VARCHAR, file VARCHAR, "group" VARCHAR, access VARCHAR, language VARCHAR,'
        " contract BOOLEAN, expected_rows BIGINT, judged BOOLEAN, compiled VARCHAR, cdme JSON"
    ),
    "inputs": "model VARCHAR, input VARCHAR",
    "columns": "model VARCHAR, name VARCHAR, position INTEGER, type VARCHAR, nulls VARCHAR",
    "keys": "model VARCHAR, columns VARCHAR[]",
    "findings": "model VARCHAR, code VARCHAR, severity VARCHAR, line INTEGER, message VARCHAR",
    "verdicts": "model VARCHAR, rule VARCHAR, verdict VARCHAR, why VARCHAR",
}
"""The tables that a rule may read."""


def own_findings(
    project: ProjectView, relations: Mapping[str, Relation | None], report: Report, judged: set[str]
) -> Iterator[Finding]:
    """What the project's own rules say of the judged models.

    Raises ConfigError (RULE_INVALID) where a file is no SELECT of the columns that a rule returns.
    """
    folder = Path(project.directory or ".") / FOLDER
    files = sorted(folder.glob("*.sql")) if project.directory else []
    if not files:
        return
    with duckdb.connect(":memory:") as connection:
        # A rule reads these tables and nothing else: no file, no other database.
        connection.execute("SET enable_external_access = false")
        for name, typed in TABLES.items():
            connection.execute(f"CREATE TABLE {name} ({typed})")
        for name, rows in _rows(project, relations, report, judged).items():
            if rows:
                listed = ", ".join("unnest(?)" for _ in rows[0])
                columns = [list(column) for column in zip(*rows, strict=True)]
                connection.execute(f"INSERT INTO {name} SELECT {listed}", columns)
        for file in files:
            for row in _ask(connection, file):
                if row["model"] in judged:
                    yield _finding(project.nodes[row["model"]], file, row)


def _rows(
    project: ProjectView, relations: Mapping[str, Relation | None], report: Report, judged: set[str]
) -> dict[str, list[tuple[Any, ...]]]:
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in TABLES}
    for node in project.nodes.values():
        known = relations.get(node.relation) if node.relation else None
        rows["models"].append((
            node.id, node.name, node.resource_type, node.package, node.materialized, node.relation or None,
            node.file, node.group, node.access, node.language, node.contract,
            known.rows if known else None, node.id in judged, node.sql, json.dumps(_said(node)),
        ))  # fmt: skip
        rows["inputs"] += [(node.id, parent) for parent in node.depends_on]
        if known is not None and not known.opaque:
            rows["columns"] += [
                (node.id, c.name, number, c.type, c.nulls.value)
                for number, c in enumerate(known.columns, 1)
            ]
            rows["keys"] += [(node.id, sorted(key)) for key in known.keys]
    rows["findings"] = [(f.model, f.code, f.severity, f.place.line, f.message) for f in report.findings]
    rows["verdicts"] = [(v.model, v.rule, v.verdict, v.why) for v in report.verdicts]
    return rows


def _said(node: Node) -> dict[str, Any]:
    """The options that decide about a mapping, as they hold for the node."""
    config = node.config
    return {
        "key": list(config.key),
        "grain": list(config.grain),
        "gate": config.gate,
        "validate": config.validate,
        "require": config.require,
        "lineage_mode": config.lineage_mode.value,
        "roles": list(config.roles),
        "pii": list(config.pii),
        "expected_loss": [loss.input for loss in config.expected_loss],
    }


def _ask(connection: duckdb.DuckDBPyConnection, file: Path) -> list[dict[str, Any]]:
    text = file.read_text(encoding="utf-8").strip().rstrip(";")
    try:
        cursor = connection.execute(f"SELECT * FROM (\n{text}\n)")
        names = [str(column[0]).lower() for column in cursor.description or []]
        rows = cursor.fetchall()
    except duckdb.Error as error:
        raise _invalid(file, str(error).split("\n", 1)[0]) from error
    missing = {"model", "message"} - set(names)
    if missing:
        raise _invalid(file, f"it returns no column {' and no column '.join(sorted(missing))}")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    for row in found:
        if row.get("severity") is not None and row["severity"] not in SEVERITIES:
            raise _invalid(file, f"severity is {row['severity']!r}, not one of {', '.join(SEVERITIES)}")
    return found


def _finding(node: Node, file: Path, row: Mapping[str, Any]) -> Finding:
    return Finding(
        str(row.get("code") or file.stem.upper()),
        str(row["message"]),
        str(row.get("severity") or "warn"),
        node.id,
        Place(node.file, int(row["line"]) if row.get("line") else 1),
        str(row.get("remedy") or f"see {FOLDER}/{file.name}"),
    )


def _invalid(file: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{FOLDER}/{file.name}: {why}",
        code="RULE_INVALID",
        place=Place(f"{FOLDER}/{file.name}"),
        remedy=f"write one SELECT of model and message; the tables are {', '.join(TABLES)}",
    )
