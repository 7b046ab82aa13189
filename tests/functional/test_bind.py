"""A plan that DuckDB would refuse is given up before anything with a side effect runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cdme_adapter.pipeline import Journey
from tests.functional.project import Project

FILES = {
    "raw.csv": "id,v\n1,a\n2,b\n3,c\n",
    "m.sql": "{{ config(materialized='table', pre_hook=\"insert into main.audit values ('before')\") }}\n"
    "select id, nextval('main.s') as n from (select id from {{ ref('raw') }} where id > 1 limit 5)",
}


@pytest.mark.parametrize("part", ["a stage", "the statement"])
def test_a_refused_plan_costs_nothing(project: Project, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    project.write(FILES)
    project.configure(**{
        "on-run-start": [
            "create table if not exists main.audit (what varchar)",
            "create sequence if not exists main.s",
        ]
    })  # fmt: skip
    made = Journey.make_plan
    staged: list[str] = []

    def broken(self: Journey, execute: object) -> None:
        made(self, execute)  # type: ignore[arg-type]
        if self.node.name == "m" and self.plan is not None:
            first, *_, last = self.plan.nodes
            wrong = {"a stage": first, "the statement": last}[part]
            nodes = tuple(
                replace(n, sql=f"SELECT nosuch FROM ({n.sql})") if n is wrong else n
                for n in self.plan.nodes
            )
            self.plan = replace(self.plan, nodes=nodes)

    stages = Journey.stages
    monkeypatch.setattr(Journey, "make_plan", broken)
    monkeypatch.setattr(
        Journey, "stages", lambda *a: (staged.extend(n.name for n in a[0].plan.nodes[:-1]), stages(*a))[1]
    )
    project.dbt("build")
    assert staged == []
    assert project.sql("SELECT id, n FROM m ORDER BY id") == [(2, 1), (3, 2)]
    assert project.sql("SELECT what FROM audit") == [("before",)]
    row = project.ledger("m")["raw"]
    assert (row["exactness"], row["status"]) == ("superset", "UNKNOWN")
    assert "nosuch" in row["why"]
    findings = project.sql(
        "SELECT code FROM cdme.store_findings WHERE model LIKE '%.m' AND code LIKE 'CAPT%'"
    )
    assert findings == [("CAPTURE_SUPERSET",)]


def test_a_refused_lookup_costs_its_own_edge_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How a subquery's rows are found is bound beforehand, too: it would fail in the transaction."""
    project.write({
        "raw.csv": FILES["raw.csv"],
        "other.csv": "id,w\n1,x\n3,y\n",
        "m.sql": "{{ config(materialized='table') }} select id, (select max(w) from {{ ref('other') }} o "
        "where o.id = r.id) as w from {{ ref('raw') }} as r where id > 1",
    })  # fmt: skip
    made = Journey.make_plan

    def broken(self: Journey, execute: object) -> None:
        made(self, execute)  # type: ignore[arg-type]
        if self.node.name == "m" and self.plan is not None:
            lookups = tuple(replace(x, sql=f"SELECT nosuch FROM ({x.sql})") for x in self.plan.lookups)
            assert lookups
            self.plan = replace(self.plan, lookups=lookups)

    monkeypatch.setattr(Journey, "make_plan", broken)
    project.dbt("build")
    assert project.sql("SELECT id, w FROM m ORDER BY id") == [(2, None), (3, "y")]
    edges = project.sql("SELECT input, role, exactness FROM cdme.edges WHERE model LIKE '%.m' ORDER BY 1")
    assert [(i.split(".")[-1], role, exactness) for i, role, exactness in edges] == [
        ("other", "indirect", "superset"),
        ("raw", "direct", "exact"),
    ]
    found = project.sql("SELECT message FROM cdme.store_findings WHERE code = 'CAPTURE_SUPERSET'")
    assert len(found) == 1 and "nosuch" in found[0][0]


def test_a_column_called_rowid_in_a_kept_part_is_not_taken_for_the_row_id(project: Project) -> None:
    """Its name is known to DuckDB alone: the planner sees a star over a pivot."""
    model = (
        "{{ config(materialized='table') }} with wide as (select * from {{ ref('raw') }} as r join "
        "(pivot (select id * 100 as rowid, v from {{ ref('raw') }}) on v in ('a') using count(*)"
        " group by rowid) as p on p.rowid = r.id * 100 qualify row_number() over (order by r.id) < 3)"
        " select id from wide"
    )
    project.write({"raw.csv": FILES["raw.csv"], "m.sql": model})
    project.dbt("build")
    assert project.sql("SELECT id FROM m ORDER BY id") == [(1,), (2,)]
    row = project.ledger("m")["raw"]
    assert row["exactness"] in ("opaque", "superset") and "rowid" in row["why"]


def test_what_only_the_models_connection_sees_is_still_captured(project: Project) -> None:
    hooks = "create or replace table main.seen as select 2 as least"
    model = (
        f'{{{{ config(materialized="table", pre_hook="{hooks}") }}}}\n'
        "select id from {{ ref('raw') }} where id >= (select least from main.seen)"
    )
    project.write({"raw.csv": FILES["raw.csv"], "m.sql": model})
    project.dbt("build")
    assert project.sql("SELECT id FROM m ORDER BY id") == [(2,), (3,)]
    row = project.ledger("m")["raw"]
    assert (row["exactness"], row["contributed_count"], row["status"]) == ("exact", 2, "BALANCED")
