"""Replays of tables that are changed in place: what their last run read must be shown as it was.

The rows are tampered with in the store, not in the table, so that nothing but the replay can tell.
"""

from __future__ import annotations

from typing import Any

from cdme_adapter.lineage.opening import open_questions
from tests.functional.project import Project, release

LATER = """{{ config(materialized='incremental', unique_key=%s) }}
select id, v, moment from {{ source('lake', 'raw') }}
{%% if is_incremental() %%} where moment > (select max(moment) from {{ this }}) {%% endif %%}
"""
SNAP = """{% snapshot versions %}{{ config(unique_key='id', strategy='check', check_cols=['v']) }}
select id, v, moment from {{ source('lake', 'raw') }} where v <> 'x'{% endsnapshot %}
"""
SOURCES = "{version: 2, sources: [{name: lake, schema: main, tables: [{name: raw}]}]}"


def twice(project: Project) -> None:
    """A run over three records, and one over two more: one of a new id, one of an old one."""
    files = {"m.yml": SOURCES, "added.sql": LATER % "none", "merged.sql": LATER % "'id'"}
    project.write({f"models/{name}": text for name, text in files.items()})
    project.write({"snapshots/versions.sql": SNAP})
    records = "(VALUES (1, 'a', 1), (2, 'b', 1), (3, 'x', 1)) t(id, v, moment)"
    project.sql(f"CREATE TABLE raw AS SELECT * FROM {records}")
    project.dbt("build")
    project.sql("INSERT INTO raw VALUES (4, 'd', 2), (1, 'A', 2)")
    project.sql("DELETE FROM raw WHERE id = 1 AND v = 'a'")
    project.dbt("build")
    release()


def replays(project: Project) -> dict[str, tuple[int, str, str]]:
    questions = open_questions(str(project.root), str(project.root))
    answer: dict[str, Any] = questions.reconcile([], sample=0)
    questions.close()
    release()
    found = [edge for edge in answer["edges"] if edge["law"] == "replay"]
    return {e["model"].split(".")[-1]: (e["checked"], e["verdict"], e["why"]) for e in found}


def test_what_the_last_run_wrote_comes_out_of_what_it_read(project: Project) -> None:
    twice(project)
    found = replays(project)
    assert found["added"] == (2, "exact", "")  # max(moment) of the three rows that were there then
    assert found["versions"] == (2, "exact", "")
    checked, verdict, why = found["merged"]
    assert (checked, verdict) == (0, "unknown")
    assert "of which its run replaced or deleted some" in why


def test_a_wrong_witness_does_not_give_the_row(project: Project) -> None:
    twice(project)
    last = "SELECT run_id FROM cdme.store_runs ORDER BY started_at DESC LIMIT 1"
    own = "SELECT edge FROM cdme.store_edges WHERE model LIKE '%.{}' AND input LIKE '%raw'"
    own += f" ORDER BY run_id = ({last}) DESC LIMIT 1"
    for model in ("added", "versions"):
        ((edge,),) = project.sql(own.format(model))
        found = f"FROM cdme.store_steps WHERE edge = {edge} ORDER BY step DESC LIMIT 1"
        steps = project.sql(f"SELECT map {found}")
        project.sql(f"UPDATE cdme.store_pairs SET i = 0 WHERE map = {steps[0][0]}")
    release()
    found = replays(project)
    assert {found[model][1] for model in ("added", "versions")} == {"violation"}, found
