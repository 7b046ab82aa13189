"""Before the first model of a run the selected ones are judged; a refused run writes its ledger alone."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from cdme_adapter.cli import cli
from tests.functional.project import Project, release

TABLE = "{{ config(materialized='table') }}"
RAW = "id,grp,v\n1,a,10\n2,a,20\n3,b,\n"


def with_meta(meta: dict[str, Any], sql: str) -> str:
    return f"{{{{ config(materialized='table', meta={{'cdme': {meta!r}}}) }}}} {sql}"


def content(project: Project) -> Any:
    """What is in the database beside the account: relations with their rows, and schemas."""
    found = {}
    with project.connect() as con:
        for schema, table in con.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema <> 'cdme'"
        ).fetchall():
            found[schema, table] = con.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall()
        schemas = con.execute("SELECT schema_name FROM duckdb_schemas() ORDER BY ALL").fetchall()
    return found, schemas


def cdme(project: Project, *args: str) -> Any:
    release()
    found = ["--project-dir", str(project.root), "--profiles-dir", str(project.root)]
    return CliRunner().invoke(cli, [*args, *found], catch_exceptions=False)


def test_a_run_that_no_node_began_has_a_ledger(project: Project) -> None:
    """Jinja that fails in every model, and a hook that fails before the first: of both there is one."""
    project.write({"m.sql": f"{TABLE} select {{{{ nosuch() }}}} as x"})
    outcome = project.dbt("run", ok=False)
    assert outcome.status == {"m": "error"}
    first = project.file_ledger()
    assert [(n["node"], n["state"]) for n in first["nodes"]] == [("model.shop.m", "failed")]
    assert "nosuch" in first["nodes"][0]["message"] and first["status"] == "FAILED"
    project.write({"m.sql": f"{TABLE} select 1 as x", "v.sql": "select 1 as x"})
    project.configure(
        **{"on-run-start": ["{% if execute %}{{ exceptions.raise_compiler_error('no start') }}{% endif %}"]}
    )
    project.dbt("run", ok=False)
    second = project.file_ledger()
    assert {n["node"]: n["state"] for n in second["nodes"]} == {
        "model.shop.m": "skipped", "model.shop.v": "skipped",
    }  # fmt: skip
    assert all("no start" in n["message"] for n in second["nodes"])
    assert second["previous_hashes"] == {"shop": first["ledger_hash"]}
    project.configure(**{"on-run-start": []})
    project.dbt("run")
    assert project.sql("SELECT status FROM cdme.runs ORDER BY started_at") == [
        ("FAILED",), ("FAILED",), ("COMPLETE",),
    ]  # fmt: skip
    assert cdme(project, "ledger", "verify").exit_code == 0


def seeded(project: Project) -> Project:
    project.write({"raw.csv": RAW, "good.sql": f"{TABLE} select * from {{{{ ref('raw') }}}}"})
    project.dbt("seed")
    return project


FAN = "select a.grp, b.id from {{ ref('raw') }} a join {{ ref('raw') }} b on a.grp = b.grp"


@pytest.mark.parametrize(
    ("meta", "sql", "code"),
    [
        ({"validate": "error"}, "select idd from {{ ref('raw') }}", "UNKNOWN_COLUMN"),
        ({"grain": "id"}, FAN, "GRAIN_FANOUT"),
        ({"budget": {"join_depth": 0}, "validate": False}, FAN, "BUDGET_EXCEEDED"),
        ({"validate": False}, "select * from {{ ref('secret') }}", "ACCESS_DENIED"),
        ({"key": "nosuch"}, "select * from {{ ref('raw') }}", "KEY_COLUMN_MISSING"),
    ],
)
def test_a_refused_run_runs_nothing_and_leaves_its_ledger(
    project: Project, meta: dict[str, Any], sql: str, code: str
) -> None:
    """Without the dbt package's hooks; not even the schema that dbt would create."""
    seeded(project).write({
        "bad.sql": with_meta(meta, sql),
        "secret.sql": with_meta({"roles": ["boss"]}, "select * from {{ ref('raw') }}"),
        "s.yml": "seeds: [{name: raw, columns: [{name: id, data_tests: [unique, not_null]}]}]",
    })  # fmt: skip
    hook = {"on-run-start": ["create table if not exists hooked(i int)"]}
    project.configure(models={"shop": {"+schema": "marts"}}, **hook)
    before, tip = content(project), project.file_ledger()["ledger_hash"]
    outcome = project.dbt("run", ok=False)
    assert f"[{code}]" in outcome.text and "bad.sql" in outcome.text and "what to do:" in outcome.text
    assert "refused before any model ran" in outcome.text
    assert outcome.status == {}
    assert content(project) == before
    ledger = project.file_ledger()
    assert ledger["status"] == "FAILED" and ledger["previous_hashes"] == {"shop": tip}
    assert {n["node"]: n["state"] for n in ledger["nodes"]} == {
        f"model.shop.{name}": "skipped" for name in ("bad", "good", "secret")
    }
    assert all("refused before any model ran" in n["message"] for n in ledger["nodes"])
    assert {e["status"] for e in ledger["edges"]} == {"UNKNOWN"} and len(ledger["edges"]) >= 2
    # One refuses; that the join is many to many is said beside it, as the cause, and refuses nothing.
    (finding,) = [f for f in ledger["findings"] if f["code"] == code and f["severity"] == "error"]
    assert finding["model"] == "model.shop.bad"
    assert (project.root / "target/cdme" / ledger["run_id"] / "proof/manifest.json").exists()
    assert cdme(project, "ledger", "verify").exit_code == 0
    assert cdme(project, "ledger").exit_code == 1
    # What is not selected refuses nothing.
    project.dbt("run", "--select", "good")
    assert project.one("select count(*) from main_marts.good") == 3


def test_findings_are_warnings_by_default_and_are_kept(project: Project) -> None:
    seeded(project).write({"m.sql": f"{TABLE} select * from {{{{ ref('raw') }}}} where grp <> 'b' limit 1"})
    outcome = project.dbt("run")
    assert "[NO_TOTAL_ORDER] models/m.sql:1" in outcome.log and "[NULL_DROPPED]" not in outcome.log
    assert "validation: " in outcome.log
    kept = {(f["code"], f["model"]) for f in project.file_ledger()["findings"]}
    assert ("NO_TOTAL_ORDER", "model.shop.m") in kept
    assert outcome.status == {"good": "success", "m": "success"}


def test_an_error_is_a_warning_too_until_it_shall_refuse(project: Project) -> None:
    seeded(project).write({"bad.sql": f"{TABLE} select idd from {{{{ ref('raw') }}}}"})
    outcome = project.dbt("run", ok=False)
    assert "[UNKNOWN_COLUMN] models/bad.sql:1" in outcome.log
    assert outcome.status == {"good": "success", "bad": "error"}
    project.configure(vars={"cdme": {"validate": "error"}})
    outcome = project.dbt("run", ok=False)
    assert outcome.status == {} and "[UNKNOWN_COLUMN]" in outcome.text


def test_compiling_ahead_is_not_noticed(project: Project) -> None:
    """Jinja that reads may; what it writes, logs or warns happens once; nothing of dbt's is touched."""
    seeded(project).write({
        "eph.sql": "{{ config(materialized='ephemeral') }} select id, grp from {{ ref('raw') }}",
        "onto.sql": TABLE + """{% if execute %}{% do log('ONCE', info=true) %}
            {% do exceptions.warn('WARNED') %}
            {% set found = run_query('select distinct grp from ' ~ ref('raw')) %}
            select id, {% for g in found.columns[0].values() | sort %}
            grp = '{{ g }}' as is_{{ g }}{{ ',' if not loop.last }}{% endfor %}
            from {{ ref('eph') }}{% else %} {{ ref('eph') }} {{ ref('raw') }}{% endif %}""",
        "writes.sql": TABLE + """{% if execute %}
            {% do run_query('insert into main.marks values (1)') %}{% endif %} select 1 as x""",
        "inc.sql": """{{ config(materialized='incremental') }} select id from {{ ref('raw') }}
            {% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}""",
    })  # fmt: skip
    with project.connect() as con:
        con.execute("create table marks (i int)")
    outcome = project.dbt("run")
    assert project.sql("select * from onto order by id limit 1") == [(1, True, False)]
    assert project.one("select count(*) from marks") == 1
    assert outcome.log.count("ONCE") == 1 and outcome.log.count("WARNED") == 1
    cached = (project.root / "target/cdme/compiled.json").read_text()
    assert "max(id)" not in cached and "is_a" not in cached and "insert" not in cached
    written = (project.root / "target/compiled/shop/models/onto.sql").read_text()
    assert "__dbt__cte__eph" in written and written.count("__dbt__cte__eph as") == 1
    project.dbt("run", "--select", "inc")
    assert "max(id)" in (project.root / "target/cdme/compiled.json").read_text()


def test_the_parameters_of_a_table_function_are_no_unknown_columns(project: Project) -> None:
    project.configure(vars={"cdme": {"validate": "error"}})
    project.write({
        "raw.csv": RAW,
        "below.sql": "{{ config(materialized='table_function', parameters=['n']) }}"
                     " select id, v from {{ ref('raw') }} where id < n",
        "few.sql": TABLE + "select * from {{ ref('below') }}(3)",
    })  # fmt: skip
    outcome = project.dbt("build", "--select", "raw", "below", "few")
    assert "UNKNOWN_COLUMN" not in outcome.log
    assert project.sql("SELECT id FROM few ORDER BY id") == [(1,), (2,)]
    assert project.ledger("few")["raw"]["exactness"] == "superset"
