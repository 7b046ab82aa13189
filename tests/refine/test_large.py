"""A failing aggregate over a million records stands in the store once, its sources factorised."""

from __future__ import annotations

from pathlib import Path

from cdme_adapter.lineage.opening import open_questions
from tests.functional.project import Project
from tests.refine.shop import model

ROWS = 1_000_000


def test_a_failing_aggregate_over_a_million_records(tmp_path: Path) -> None:
    """Also through a window over all rows of it: two steps of maps, never their product."""
    project = Project(tmp_path / "shop")
    source = "{{ source('raw', 'many') }}"
    project.write(
        {
            "s.yml": "{version: 2, sources: [{name: raw, schema: main, tables: [{name: many}]}]}",
            "total.sql": model({"refine": [{"name": "small", "expression": "n < 10"}]},
                               f"select g % 2 as g, count(*) as n from {source} group by 1"),
            "spread.sql": model({"refine": [{"name": "small", "expression": "n < 10 or d > 2"}]},
                                f"with t as (select count(*) as n from {source}) select n, d"
                                " from t cross join range(5) as r(d)"),
        }
    )  # fmt: skip
    project.sql(f"CREATE TABLE many AS SELECT range AS g FROM range({ROWS})")
    project.dbt("run")
    found = project.sql("SELECT model, count(*) FROM cdme.store_rejects GROUP BY 1 ORDER BY 1")
    assert found == [("model.shop.spread", 3), ("model.shop.total", 2)]
    pairs = project.sql(
        "SELECT e.model, count(*) FROM cdme.store_reject_pairs AS p JOIN (SELECT DISTINCT model, map FROM"
        " cdme.store_reject_edges) AS e USING (map) GROUP BY 1 ORDER BY 1"
    )
    by_model = dict(pairs)
    assert by_model["model.shop.total"] <= ROWS + 10
    assert by_model["model.shop.spread"] <= ROWS + 10, "three records share one group of a million"
    assert project.ledger("total")["many"]["error_count"] == ROWS
    # Two of the five rows are good: what they are made of contributed, the errors name it all the same.
    entry = project.ledger("spread")["many"]
    assert (entry["contributed_count"], entry["error_count"]) == (ROWS, 0)
    with open_questions(str(project.root), str(project.root)) as asked:
        listed = asked.errors("spread")["errors"]
        assert [e["sources"][0]["count"] for e in listed] == [ROWS] * 3
        assert {len(e["sources"][0]["keys"]) for e in listed} == {5}
        (whole,) = asked.explain("total", "raw.many", limit=1)["summary"]
    assert (whole["class"], whole["failure_type"], whole["count"]) == ("error", "small", ROWS)
