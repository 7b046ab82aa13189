"""A capture that fails leaves the model as dbt-duckdb builds it, and says that it failed."""

from __future__ import annotations

from typing import Any

import pytest

from cdme_adapter.pipeline import Journey
from cdme_adapter.settle import Settlement
from cdme_adapter.store.writer import StoreWriter
from tests.functional.project import Project

RAW = "id,v\n1,a\n2,b\n3,c\n"
MODEL = """{{ config(materialized='table', pre_hook="insert into main.audit values ('before')",
    post_hook="insert into main.audit values ('after')") }}
select v, count(*) as n from {{ ref('raw') }} where id > 1 group by v"""


def _broken(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("broken on purpose")


def _broken_sql(self: Journey, execute: Any) -> None:
    execute("SELECT error('broken on purpose')")


BREAKS: dict[str, tuple[type, str, Any]] = {
    "in the settlement": (Settlement, "accounts", _broken),
    "in a stage": (Journey, "stages", _broken_sql),
    "after the table was made": (Journey, "split", _broken),
    "while writing the account": (StoreWriter, "chain", _broken),
}


@pytest.mark.parametrize("where", list(BREAKS))
def test_the_model_is_built_plain(project: Project, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    project.write({"m.sql": MODEL, "raw.csv": RAW})
    project.configure(**{"on-run-start": ["create table if not exists main.audit (what varchar)"]})
    project.dbt("seed")
    monkeypatch.setattr(*BREAKS[where])
    outcome = project.dbt("run")
    assert outcome.status == {"m": "success"}
    assert project.sql("SELECT v, n FROM m ORDER BY v") == [("b", 1), ("c", 1)]
    assert [row[0] for row in project.sql("DESCRIBE m")] == ["v", "n"]
    assert project.sql("SELECT what FROM audit") == [("before",), ("after",)]
    row = project.ledger("m")["raw"]
    assert (row["exactness"], row["status"], row["output_count"]) == ("opaque", "UNKNOWN", 2)
    assert "broken on purpose" in row["why"]
    finding = project.sql("SELECT code, message FROM cdme.store_findings WHERE code LIKE 'CAPT%'")
    assert len(finding) == 1
    assert finding[0][0] == "CAPTURE_FAILED"
    assert project.one("SELECT count(*) FROM cdme.reverse_join WHERE model LIKE '%.m'") == 0
    assert project.one("SELECT status FROM cdme.runs ORDER BY started_at DESC LIMIT 1") == (
        "COMPLETE_WITH_WARNINGS"
    )


@pytest.mark.parametrize(
    "query",
    [
        "select nosuch from {{ ref('raw') }}",
        "select id::date as d from {{ ref('raw') }} where v > 'a'",
        "select error('stop at ' || v) as e from {{ ref('raw') }}",
        "select id from {{ ref('raw') }} where",
        "select id from {{ ref('raw') }} where id > 1;  -- the last",
        "select columns(c -> c like 'i%') from {{ ref('raw') }}",
        "select id, case when id = 2 then error('two') end as e from {{ ref('raw') }} group by all",
    ],
)
def test_a_users_own_error_is_the_users_own(project: Project, query: str) -> None:
    project.write({"m.sql": f"{{{{ config(materialized='table') }}}}\n{query}", "raw.csv": RAW})
    plain = project.twin().dbt("build", ok=False)
    found = project.dbt("build", ok=False)
    assert found.status == plain.status == {"raw": "success", "m": "error"}
    assert _bare(found.message["m"]) == _bare(plain.message["m"])
    assert project.ledger("m")["raw"]["status"] == "UNKNOWN"
    assert project.one("SELECT status FROM cdme.runs") == "FAILED"


def _bare(message: str) -> str:
    """A message without the place of the project."""
    return message.replace("shop_duckdb", "shop")


def test_a_constraint_that_fails_is_the_users_own(project: Project) -> None:
    properties = """{version: 2, models: [{name: m, config: {contract: {enforced: true}},
      columns: [{name: id, data_type: integer, constraints: [{type: check, expression: id < 3}]}]}]}"""
    project.write(
        {
            "raw.csv": RAW,
            "properties.yml": properties,
            "m.sql": "{{ config(materialized='table') }} select id from {{ ref('raw') }}",
        }
    )
    plain = project.twin().dbt("build", ok=False)
    found = project.dbt("build", ok=False)
    assert found.status["m"] == "error"
    assert _bare(found.message["m"]) == _bare(plain.message["m"])
    assert not project.sql("SELECT 1 FROM duckdb_tables() WHERE table_name LIKE 'm%'")
