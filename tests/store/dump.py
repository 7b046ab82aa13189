"""Writes a database as one SQL text, to keep what an earlier version of CDME made.

``python -m tests.store.dump FOLDER`` builds the project in a folder with the CDME of today and writes
``tests/fixtures/store/version_<n>.sql``. Run it once per version, before VERSION is raised.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import duckdb

from cdme_adapter.store.schema import VERSION
from cdme_adapter.store.writer import sql_value
from tests.functional.project import Project

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "store"
TABLE = "{{ config(materialized='table') }}\n"
FILES = {
    "raw.csv": "id,v\n" + "".join(f"{n},{n % 3}\n" for n in range(1, 10)),
    "a.sql": TABLE + "select id, v from {{ ref('raw') }} where id > 1",
    "b.sql": TABLE + "select v, count(*) as n from {{ ref('a') }} group by v",
    "c.sql": TABLE + "select a.id, b.n from {{ ref('a') }} a join {{ ref('b') }} b using (v)",
    "m.yml": "{version: 2, models: [{name: a, config: {meta: {cdme: {key: id}}}}]}",
}


def dump(con: duckdb.DuckDBPyConnection) -> str:
    """The tables of a database with their rows, then its views."""
    lines = []
    schemas = con.execute("SELECT schema_name FROM duckdb_schemas() WHERE NOT internal ORDER BY 1")
    lines += [f"CREATE SCHEMA IF NOT EXISTS {row[0]};" for row in schemas.fetchall()]
    tables = con.execute(
        "SELECT schema_name || '.' || table_name, sql FROM duckdb_tables() ORDER BY 1"
    ).fetchall()
    for name, sql in tables:
        lines.append(sql.replace("CREATE TABLE shop.", "CREATE TABLE "))
        for row in con.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall():
            lines.append(f"INSERT INTO {name} VALUES ({', '.join(_literal(value) for value in row)});")
    first = "view_name NOT LIKE 'store_%'"  # the others read these
    views = con.execute(f"SELECT sql FROM duckdb_views() WHERE NOT internal ORDER BY {first}, view_name")
    lines += [row[0] for row in views.fetchall()]
    return "\n".join(lines) + "\n"


def _literal(value: Any) -> str:
    simple = value is None or isinstance(value, (bool, int, float, str, list))
    return sql_value(value if simple else str(value))


if __name__ == "__main__":
    project = Project(Path(sys.argv[1])).write(FILES)
    project.dbt("build")
    with project.connect() as connection:
        (FIXTURES / f"version_{VERSION}.sql").write_text(dump(connection))
