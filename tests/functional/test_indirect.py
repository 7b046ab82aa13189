"""What takes part indirectly is stored with its exact witnesses, and every question uses them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cdme_adapter.lineage.opening import open_questions
from tests.functional.project import Project, counts

ROWS = 20
ODD, EVEN = list(range(0, ROWS, 2)), list(range(1, ROWS, 2))
"""Ordinals of the rows of group 1 and of group 0."""
TABLE = "{{ config(materialized='table') }}\n"
FILES = {
    "raw.csv": "id,grp,v\n" + "".join(f"{n},{n % 2},{n * 10}\n" for n in range(1, ROWS + 1)),
    "keys.csv": "k,w\n1,5\n1,6\n3,7\n9,8\n",
    # The frame of row n is rows 1 to n of its group: kept as ranges.
    "running.sql": TABLE + """
select id, sum(v) over (partition by grp order by id rows unbounded preceding) as s
from {{ ref('raw') }}""",
    "ranked.sql": TABLE + """
select id, rank() over (partition by grp order by v desc) as r from {{ ref('raw') }}""",
    "asked.sql": TABLE + """
select id, (select sum(w) from {{ ref('keys') }} as k where k.k = raw.id) as s
from {{ ref('raw') }} as raw
where v >= (select min(v) from {{ ref('raw') }} where grp = 0)""",
    "matched.sql": TABLE + """
select id from {{ ref('raw') }} where id in (select k from {{ ref('keys') }} where w < 7)""",
    "later.sql": TABLE + "select id from {{ ref('raw') }} where grp = 1 order by id limit 1 offset 1",
    # Beneath the window's rows is a grouping: what it is made of is indirect too.
    "nested.sql": TABLE + """
with g as (select grp, sum(v) as s from {{ ref('raw') }} group by grp)
select grp, lag(s) over (order by grp) as before from g""",
    "grown.sql": """{{ config(materialized='incremental', unique_key='id') }}
select id, v from {{ ref('raw') }}
{% if is_incremental() %} where id > (select max(id) from {{ this }}) - 2 {% endif %}""",
}  # fmt: skip
MODELS = ("running", "ranked", "asked", "matched", "later", "nested")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root: Path = tmp_path_factory.mktemp("indirect") / "shop"
    project = Project(root).write(FILES)
    project.dbt("build")
    yield project


def pairs(project: Project, model: str, source: str = "raw") -> dict[int, list[int]]:
    """The indirect witnesses of each row, by ordinal, as the view has them."""
    rows = project.sql(
        "SELECT output_key, input_key FROM cdme.reverse_join WHERE role = 'indirect'"
        f" AND model LIKE '%.{model}' AND input LIKE '%.{source}'"
    )
    found: dict[int, list[int]] = {}
    for o, i in rows:
        found.setdefault(int(o.split(":")[1][:-1]), []).append(int(i.split(":")[1][:-1]))
    return {o: sorted(held) for o, held in sorted(found.items())}


def by_id(
    project: Project, model: str, found: dict[int, list[int]], column: str = "id"
) -> dict[int, list[int]]:
    ids = [row[0] for row in project.sql(f"SELECT {column} FROM {model} ORDER BY rowid")]
    return {ids[o]: held for o, held in found.items()}


def test_the_reverse_join_holds_frames_partitions_and_matches(built: Project) -> None:
    assert by_id(built, "running", pairs(built, "running")) == {
        n: list(range((n + 1) % 2, n, 2)) for n in range(1, ROWS + 1)
    }
    assert by_id(built, "ranked", pairs(built, "ranked")) == {
        n: ODD if n % 2 else EVEN for n in range(1, ROWS + 1)
    }
    assert by_id(built, "asked", pairs(built, "asked", "keys")) == {3: [2], 9: [3]}
    assert by_id(built, "asked", pairs(built, "asked")) == dict.fromkeys(range(2, ROWS + 1), EVEN)
    assert by_id(built, "matched", pairs(built, "matched", "keys")) == {1: [0, 1]}
    assert by_id(built, "later", pairs(built, "later")) == {3: ODD}
    assert by_id(built, "nested", pairs(built, "nested"), "grp") == {1: EVEN}


def test_indirect_edges_are_consulted_in_the_ledger(built: Project) -> None:
    rows = built.sql(
        "SELECT DISTINCT model, exactness, status, consulted_count = input_count FROM cdme.ledger"
        " WHERE role = 'indirect' AND model NOT LIKE '%.grown'"
    )
    assert {row[1:] for row in rows} == {("exact", "BALANCED", True)}
    assert len(rows) == len(MODELS)


def test_frames_are_kept_as_ranges(built: Project) -> None:
    assert built.one(
        "SELECT count(*) FROM cdme.store_ranges WHERE map IN (SELECT map FROM cdme.store_ranged)"
    )
    assert built.one("SELECT max(hi - lo) FROM cdme.store_ranges") == 9


def test_trace_goes_through_indirect_edges_and_back(built: Project) -> None:
    with open_questions(built.root) as questions:
        answer = questions.trace("running", where="id = 5", role="all")
        held = {w["role"]: w for w in answer["records"][0]["witnesses"]}
        assert {role: w["count"] for role, w in held.items()} == {"direct": 1, "indirect": 3}
        assert held["indirect"]["exactness"] == "exact"
        reached = questions.impact("raw", where="id = 1", role="all")["records"][0]["reaches"]
        assert {r["relation"].split(".")[-1]: r["count"] for r in reached}["running"] == 10


def test_every_row_comes_out_of_its_witnesses_again(built: Project) -> None:
    with open_questions(built.root) as questions:
        answer = questions.reconcile(list(MODELS), sample=0)
    replays = {e["model"].split(".")[-1]: e for e in answer["edges"] if e["law"] == "replay"}
    assert {name: e["verdict"] for name, e in replays.items()} == dict.fromkeys(MODELS, "exact")
    assert {e["law"]: e for e in answer["edges"] if e["verdict"] == "violation"} == {}


def test_a_table_that_asks_itself_names_the_rows_that_it_had(built: Project) -> None:
    before = [row[0] for row in built.sql("SELECT id FROM grown ORDER BY rowid")]
    built.dbt("run", "--select", "grown")
    ledger = built.sql(
        "SELECT exactness, consulted_count FROM cdme.ledger WHERE role = 'indirect'"
        " AND model LIKE '%.grown' AND input LIKE '%.grown'"
    )
    assert ledger == [("exact", len(before))]
    assert counts(built.ledger("grown")["raw"])[-1] == "BALANCED"
    found = built.sql(
        "SELECT count(DISTINCT output_key), count(DISTINCT input_key) FROM cdme.reverse_join"
        " WHERE role = 'indirect' AND model LIKE '%.grown'"
    )
    assert found == [(2, len(before))]
