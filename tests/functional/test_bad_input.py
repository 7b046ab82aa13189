"""What cannot be followed is refused before anything is written, with code and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dbt_common.exceptions import DbtRuntimeError

from cdme_adapter.credentials import CdmeCredentials
from tests.functional.project import Project

RAW = "id,v\n1,a\n2,b\n"
PLAIN = "{{ config(materialized='table') }} select * from {{ ref('raw') }}"


def with_meta(meta: dict[str, Any]) -> str:
    config = f"{{{{ config(materialized='table', meta={{'cdme': {meta!r}}}) }}}}"
    return config + " select * from {{ ref('raw') }}"


def nothing_was_written(project: Project) -> bool:
    """Nothing but the account of the run that was refused."""
    if not Path(project.path).exists():
        return True
    return not project.sql("SELECT 1 FROM duckdb_tables() WHERE schema_name <> 'cdme'")


@pytest.mark.parametrize(
    ("meta", "code", "words"),
    [
        ({"lineage": "full"}, "CONFIG_UNKNOWN_KEY", "lineage_mode"),
        ({"gate": "hard"}, "CONFIG_TYPE", "gate"),
        ({"expected_loss": [{"input": "raw"}]}, "CONFIG_TYPE", "expected_loss"),
        ({"cardinality": {"raw": "2:2"}}, "CONFIG_TYPE", "cardinality"),
        ({"account_views": False}, "CONFIG_UNKNOWN_KEY", "vars: cdme:"),
    ],
)
def test_a_wrong_option_stops_the_run(
    project: Project, meta: dict[str, Any], code: str, words: str
) -> None:
    """Also when a good model would run before the wrong one."""
    project.write({"raw.csv": RAW, "good.sql": PLAIN, "wrong.sql": with_meta(meta)})
    outcome = project.dbt("build", ok=False)
    assert f"[{code}]" in outcome.text and words in outcome.text
    assert "what to do:" in outcome.text and "wrong.sql" in outcome.text
    assert nothing_was_written(project)


def test_a_wrong_option_of_the_project_stops_the_run(project: Project) -> None:
    project.write({"raw.csv": RAW, "good.sql": PLAIN})
    project.configure(vars={"cdme": {"gates": "warn"}})
    outcome = project.dbt("build", ok=False)
    assert "[CONFIG_UNKNOWN_KEY]" in outcome.text
    assert nothing_was_written(project)


def test_a_wrong_option_of_a_model_that_is_not_selected_does_not_matter(project: Project) -> None:
    project.write({"raw.csv": RAW, "good.sql": PLAIN, "wrong.sql": with_meta({"gate": "hard"})})
    project.dbt("build", "--select", "raw", "good")


def test_a_configured_key_that_does_not_exist_is_an_error(project: Project) -> None:
    project.write({"raw.csv": RAW, "m.sql": with_meta({"key": ["id", "nosuch"]})})
    outcome = project.dbt("build", ok=False)
    assert "[KEY_COLUMN_MISSING]" in outcome.text and "nosuch" in outcome.text
    assert nothing_was_written(project)


def test_a_configured_key_of_a_source_that_does_not_exist_is_an_error(project: Project) -> None:
    with project.connect() as con:
        con.execute("CREATE TABLE t AS SELECT 1 AS id")
    project.write({
        "sources.yml": "{version: 2, sources: [{name: s, schema: main, tables: "
                       "[{name: t, config: {meta: {cdme: {key: nosuch}}}}]}]}",
        "m.sql": "{{ config(materialized='table') }} select * from {{ source('s', 't') }}",
    })  # fmt: skip
    outcome = project.dbt("build", ok=False)
    assert "[KEY_COLUMN_MISSING]" in outcome.text and "nosuch" in outcome.text
    assert not project.sql("SELECT 1 FROM duckdb_tables() WHERE table_name = 'm'")


def test_a_configured_key_of_a_seed_that_does_not_exist_is_an_error(project: Project) -> None:
    project.write(
        {
            "raw.csv": RAW,
            "p.yml": "{version: 2, seeds: [{name: raw, config: {meta: {cdme: {key: x}}}}]}",
        }
    )
    outcome = project.dbt("seed", ok=False)
    assert "[KEY_COLUMN_MISSING]" in outcome.text
    assert not project.sql("SELECT 1 FROM duckdb_tables() WHERE table_name = 'raw'")


def test_a_key_that_only_tests_imply_is_dropped_with_a_finding(project: Project) -> None:
    """unique + not_null tests declare a key; that they do not hold is dbt test's to say."""
    project.write({
        "raw.csv": "id,v\n1,a\n1,b\n",
        "m.sql": PLAIN,
        "p.yml": "{version: 2, models: [{name: m, columns: [{name: id, tests: [unique, not_null]}]}]}",
    })  # fmt: skip
    project.dbt("run", "--select", "m", ok=False)
    project.dbt("seed")
    project.dbt("run")
    assert project.one("SELECT count(*) FROM cdme.store_findings WHERE code = 'KEY_DROPPED'") == 1


def test_a_schema_from_a_newer_version_is_refused(project: Project) -> None:
    project.write({"raw.csv": RAW, "m.sql": PLAIN})
    project.dbt("build")
    with project.connect() as con:
        con.execute("UPDATE cdme.store_meta SET value = '999' WHERE name = 'version'")
        con.execute("DELETE FROM m")
    runs = project.one("SELECT count(*) FROM cdme.store_runs")
    outcome = project.dbt("build", ok=False)
    assert "[STORE_NEWER]" in outcome.text and "what to do:" in outcome.text
    assert project.one("SELECT count(*) FROM m") == 0
    assert project.one("SELECT count(*) FROM cdme.store_runs") == runs


def test_a_database_that_cannot_be_written_is_refused(project: Project) -> None:
    project.write({"raw.csv": RAW, "m.sql": PLAIN})
    project.dbt("seed")
    project.profile["config_options"] = {"access_mode": "READ_ONLY"}
    project.configure()
    outcome = project.dbt("run", ok=False)
    assert "[STORE_READ_ONLY]" in outcome.text and "what to do:" in outcome.text
    assert not project.sql("SELECT 1 FROM duckdb_tables() WHERE table_name = 'm'")


@pytest.mark.parametrize(
    "profile",
    [
        {"path": "x/cdme.duckdb", "schema": "main"},
        {"path": "x/a.duckdb", "schema": "main", "attach": [{"path": "y/CDME.db"}]},
    ],
)
def test_a_database_called_as_the_accounts_schema_is_refused(profile: dict[str, Any]) -> None:
    with pytest.raises(DbtRuntimeError, match=r'called "cdme"(.|\n)*warehouse\.duckdb'):
        CdmeCredentials.from_dict(CdmeCredentials.__pre_deserialize__(profile))


def test_an_alias_makes_such_a_database_usable() -> None:
    profile = {"path": "x/a.duckdb", "schema": "main", "attach": [{"path": "cdme.db", "alias": "b"}]}
    assert CdmeCredentials.from_dict(CdmeCredentials.__pre_deserialize__(profile)).database == "a"
