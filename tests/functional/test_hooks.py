"""Hooks in a model's transaction: what they do to its table is never counted as its own work."""

from __future__ import annotations

import pytest

from tests.functional.project import Project, counts

RAW = "id,v\n" + "".join(f"{n},{n % 3}\n" for n in range(1, 10))


def _hooked(hook: str, query: str = "select id, v from {{ ref('raw') }}", meta: str = "{}") -> str:
    return f"{{{{ config(materialized='table', post_hook=\"{hook}\", meta={{'cdme': {meta}}}) }}}} {query}"


def test_a_hook_that_deletes_makes_the_model_unbalanced(project: Project) -> None:
    project.write(
        {
            "raw.csv": RAW,
            "m.sql": _hooked("delete from {{ this }} where id in (2, 5)"),
            "child.sql": "{{ config(materialized='table') }} select * from {{ ref('m') }}",
        }
    )
    outcome = project.dbt("build", ok=False)
    assert outcome.status == {"raw": "success", "m": "error", "child": "skipped"}
    assert "[UNBALANCED]" in outcome.message["m"]
    assert "a hook deleted 2 rows" in outcome.message["m"]
    assert "unaccounted row ids: 1, 4" in outcome.message["m"]
    assert not project.sql("SELECT 1 FROM duckdb_tables() WHERE table_name IN ('m', 'child')")
    assert counts(project.ledger("m")["raw"]) == (9, 7, 0, 0, 2, "UNBALANCED")
    assert project.ledger("child")["m"]["status"] == "UNKNOWN"
    assert project.one("SELECT status FROM cdme.runs") == "FAILED"
    assert project.one("SELECT count(*) FROM cdme.edges WHERE model LIKE '%.m'") == 0


@pytest.mark.parametrize("gate", ["warn", "off"])
def test_a_softer_gate_lets_it_pass_with_the_true_account(project: Project, gate: str) -> None:
    project.write(
        {
            "raw.csv": RAW,
            "m.sql": _hooked(
                "delete from {{ this }} where id in (2, 5)",
                meta=f"{{'gate': '{gate}', 'key': 'id'}}",
            ),
            "properties.yml": "{version: 2, seeds: [{name: raw, config: {meta: {cdme: {key: id}}}}]}",
        }
    )
    outcome = project.dbt("build")
    assert ("UNBALANCED" in outcome.log) is (gate == "warn")
    assert counts(project.ledger("m")["raw"]) == (9, 7, 0, 0, 2, "UNBALANCED")
    assert project.ledger("m")["raw"]["output_count"] == 7
    assert project.one("SELECT status FROM cdme.runs") == "COMPLETE_WITH_WARNINGS"
    # Each row that is left still leads to its own record, whatever its row id is now.
    pairs = project.sql(
        "SELECT output_key, input_key FROM cdme.reverse_join WHERE model LIKE '%.m' ORDER BY ALL"
    )
    assert pairs == [(f'{{"id":{n}}}', f'{{"id":{n}}}') for n in (1, 3, 4, 6, 7, 8, 9)]
    assert project.one("SELECT row_count FROM cdme.store_generations WHERE relation LIKE '%.m'") == 7


def test_records_with_another_output_left_are_not_unaccounted(project: Project) -> None:
    fan = "select r.id, n.range as n from {{ ref('raw') }} r, range(2) n"
    project.write({"raw.csv": RAW, "m.sql": _hooked("delete from {{ this }} where n = 0", fan)})
    project.dbt("build")
    row = project.ledger("m")["raw"]
    assert counts(row) in {(9, 9, 0, 0, 0, "BALANCED"), (None, None, None, None, None, "UNKNOWN")}
    assert row["output_count"] == 9


def test_a_deleted_group_loses_all_of_its_records(project: Project) -> None:
    grouped = "select v, count(*) as n from {{ ref('raw') }} group by v"
    project.write({"raw.csv": RAW, "m.sql": _hooked("delete from {{ this }} where v = 0", grouped)})
    project.dbt("build", ok=False)
    assert counts(project.ledger("m")["raw"]) == (9, 6, 0, 0, 3, "UNBALANCED")


@pytest.mark.parametrize(
    "hook",
    [
        "insert into {{ this }} values (99, 99)",
        "update {{ this }} set v = 100 where id = 1",
        "delete from {{ this }} where id = 1; insert into {{ this }} values (99, 99)",
        "alter table {{ this }} add column w integer",
        "create or replace table {{ this }} as select id + 1 as id, v from {{ this }}",
    ],
)
def test_a_hook_that_writes_makes_the_edges_opaque(project: Project, hook: str) -> None:
    project.write({"raw.csv": RAW, "m.sql": _hooked(hook)})
    project.dbt("build")
    row = project.ledger("m")["raw"]
    assert (row["exactness"], row["status"]) == ("opaque", "UNKNOWN")
    assert row["why"].startswith("a hook ")
    assert row["output_count"] == project.one("SELECT count(*) FROM m")
    assert project.sql("SELECT exactness FROM cdme.edges WHERE model LIKE '%.m'") == [("opaque",)]
    assert project.one("SELECT count(*) FROM cdme.reverse_join WHERE model LIKE '%.m'") == 0
    assert project.one("SELECT count(*) FROM cdme.store_findings WHERE code = 'HOOK_WROTE_ROWS'") == 1


@pytest.mark.parametrize(
    "hook",
    [
        "select 1",
        "create index on_id on {{ this }} (id)",
        "create table if not exists other as select * from {{ this }}",
    ],
)
def test_a_hook_that_leaves_the_rows_alone_changes_nothing(project: Project, hook: str) -> None:
    project.write({"raw.csv": RAW, "m.sql": _hooked(hook)})
    project.dbt("build")
    assert counts(project.ledger("m")["raw"]) == (9, 9, 0, 0, 0, "BALANCED")


def test_a_hook_outside_the_transaction_is_not_the_models(project: Project) -> None:
    """It runs after the commit: the account was true when it was made."""
    hook = "{{ config(materialized='table', post_hook={'sql': 'delete from {{ this }}', "
    project.write(
        {"raw.csv": RAW, "m.sql": hook + "'transaction': false}) }} select * from {{ ref('raw') }}"}
    )
    project.dbt("build")
    assert counts(project.ledger("m")["raw"]) == (9, 9, 0, 0, 0, "BALANCED")


def test_a_pre_hook_that_writes_to_a_source_is_seen_by_the_account(project: Project) -> None:
    """The source's content is what the model's transaction saw, its own writes included."""
    with project.connect() as con:
        con.execute("CREATE SCHEMA src; CREATE TABLE src.t AS SELECT range AS id FROM range(3)")
    project.write(
        {
            "sources.yml": "{version: 2, sources: [{name: src, tables: "
            "[{name: t, config: {meta: {cdme: {key: id}}}}]}]}",
            "m.sql": "{{ config(materialized='table', pre_hook='insert into src.t values (77)') }}"
            " select id from {{ source('src', 't') }} where id > 0",
        }
    )
    project.dbt("run")
    assert counts(project.ledger("m")["t"]) == (4, 3, 1, 0, 0, "BALANCED")
    keys = project.sql("SELECT input_key FROM cdme.reverse_join ORDER BY ALL")
    assert keys == [('{"id":1}',), ('{"id":2}',), ('{"id":77}',)]


def test_a_hook_on_a_table_of_another_model_makes_it_a_generation_of_its_own(
    project: Project,
) -> None:
    project.write(
        {
            "raw.csv": RAW,
            "a.sql": "{{ config(materialized='table') }} select * from {{ ref('raw') }}",
            "b.sql": "{{ config(materialized='table', pre_hook='delete from main.a where id = 1')"
            " }} select id from {{ ref('a') }} where id > 2",
        }
    )
    project.dbt("build")
    assert counts(project.ledger("b")["a"]) == (8, 7, 1, 0, 0, "BALANCED")
    made, read = project.sql(
        "SELECT DISTINCT (SELECT generation FROM cdme.store_current WHERE relation LIKE '%.a'),"
        " input_generation FROM cdme.store_edges WHERE model LIKE '%.b'"
    )[0]
    assert made != read
