"""A relation that a window and a scalar subquery both consult: its one indirect edge names the rows of
both, so a replay can give neither its own. That is said, and is no violation."""

from __future__ import annotations

from typing import Any

from cdme_adapter.lineage.opening import open_questions
from tests.functional.project import Project, release

RANKED = """{{ config(materialized='table') }}
select item, rank() over (order by p) as rnk
from (
    select item, avg(profit) as p from {{ ref('sales') }} group by item
    having avg(profit) > 0.75 * (select avg(profit) from {{ ref('sales') }} where addr is null)
) as v
"""


def test_a_replay_that_cannot_tell_is_unknown(project: Project) -> None:
    project.write({"sales.csv": "item,addr,profit\n1,5,-70\n1,,80\n2,5,80\n2,,90\n3,5,60\n3,5,70\n"})
    project.write({"ranked.sql": RANKED})
    project.dbt("build")
    assert project.sql("SELECT item, rnk FROM ranked ORDER BY rnk") == [(3, 1), (2, 2)]
    release()
    questions = open_questions(str(project.root), str(project.root))
    answer: dict[str, Any] = questions.reconcile(["ranked"], sample=0)
    questions.close()
    assert answer["verdict"] == "unknown"
    assert any(
        "not_replayable: a window and a subquery" in edge.get("why", "") for edge in answer["edges"]
    ), answer
