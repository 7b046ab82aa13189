"""The same commands on plain dbt-duckdb and on cdme: the same statuses, exit codes and tables."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.functional.project import Project, release

TABLE = "{{ config(materialized='table', tags=['t']) }} "
FILES = {
    "raw.csv": "id,v,day\n" + "".join(f"{n},{n % 3},2020-01-0{n}\n" for n in range(1, 10)),
    "a.sql": TABLE + "select id, v from {{ ref('raw') }} where id > 2",
    "b.sql": "{{ config(materialized='incremental', unique_key='id', post_hook=\"insert into main.said"
    " values ('b')\") }} select id, v from {{ ref('a') }}"
    " {% if is_incremental() %} where id > (select max(id) - 2 from {{ this }}) {% endif %}",
    "c.sql": TABLE + "select v, count(*) as n from {{ ref('b') }} group by v",
    "seen.sql": "select * from {{ ref('a') }} where v = 1",
    "checked.sql": "{{ config(materialized='table', grants={'select': []}) }}"
    " select id from {{ ref('a') }}",
    "fragile.sql": TABLE + "select id, {{ var('bad', 'id') }}::integer as x from {{ ref('raw') }}",
    "over_fragile.sql": TABLE + "select * from {{ ref('fragile') }}",
    "late.sql": "{{ config(materialized='table', event_time='day') }} select * from {{ ref('raw') }}",
    "over_late.sql": TABLE + "select * from {{ ref('late') }}",
    "snapshots/s.sql": "{% snapshot s %}{{ config(unique_key='id', strategy='check', check_cols=['v'],"
    " target_schema='main') }} select id, v from {{ ref('raw') }}{% endsnapshot %}",
    "models/m.yml": """
version: 2
models:
  - name: checked
    description: ids
    config: {contract: {enforced: true}, persist_docs: {relation: true, columns: true}}
    columns:
      - {name: id, data_type: integer, description: an id, constraints: [{type: not_null}]}
  - name: a
    columns:
      - name: v
        data_tests: [{accepted_values: {values: [0, 1], config: {store_failures: true}}}]
  - name: seen
    columns: [{name: id, data_tests: [unique]}]
unit_tests:
  - name: counted
    model: c
    given: [{input: ref('b'), rows: [{id: 1, v: 1}, {id: 2, v: 1}]}]
    expect: {rows: [{v: 1, n: 2}]}
""",
}  # fmt: skip
COMMANDS: list[list[str]] = [
    ["run", "--empty", "--select", "a", "c"],  # its parents are not there: it fails
    ["seed"],
    ["run", "--empty"],
    ["build", "--full-refresh"],  # a test fails: what is behind it is skipped
    ["build", "--exclude-resource-type", "test"],
    ["run", "--select", "b+", "--exclude", "tag:none"],
    ["run", "--select", "fragile+", "--vars", "{bad: \"'x'\"}"],
    ["retry"],
    ["run", "--fail-fast", "--select", "fragile", "seen", "--vars", "{bad: \"'x'\"}"],
    ["run", "--select", "state:modified+", "--state", "kept", "--defer", "--favor-state"],
    ["run", "--select", "c", "--state", "kept", "--defer"],
    ["run", "--select", "over_late", "--sample", "{'start': '2020-01-02', 'end': '2020-01-05'}"],
    ["test", "--store-failures"],
    ["snapshot"],
    ["run", "--select", "nothing_of_this_name"],
]
TABLES = """
SELECT table_schema || '.' || table_name FROM information_schema.tables
WHERE table_schema NOT IN ('cdme', 'information_schema') ORDER BY 1
"""


def play(project: Project) -> list[Any]:
    """Every command's success, statuses and what it left in the database."""
    with project.connect() as con:
        con.execute("CREATE TABLE main.said (who VARCHAR)")
    found: list[Any] = []
    for number, command in enumerate(COMMANDS):
        if number == 9:
            project.write({"c.sql": TABLE + "select v, count(*) + 0 as n from {{ ref('b') }} group by v"})
        command = [part if part != "kept" else str(project.root / "kept") for part in command]
        outcome = project.dbt(*command, ok=None)
        if number == 4:
            shutil.copytree(project.root / "target", project.root / "kept")
        with project.connect() as con:
            names = [row[0] for row in con.execute(TABLES).fetchall()]
            rows = {
                name: con.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall()
                for name in names
                if name != "main.s"  # its times differ
            }
            comments = con.execute(
                "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE schema_name = 'main'"
                " AND comment IS NOT NULL ORDER BY ALL"
            ).fetchall()
            versions = "main.s" in names and con.execute("SELECT count(*) FROM main.s").fetchall()
        found.append((command[:2], outcome.success, outcome.status, names, rows, comments, versions))
    return found


@pytest.mark.slow
def test_every_command_does_the_same(tmp_path: Path) -> None:
    project = Project(tmp_path / "shop").write(FILES)
    plain = project.twin()
    ours, theirs = play(project), play(plain)
    release()
    for mine, other in zip(ours, theirs, strict=True):
        assert mine == other, (mine[:3], other[:3])
    assert [one[1] for one in ours].count(False) >= 4, "some commands must fail, or little is compared"
