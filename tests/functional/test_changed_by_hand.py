"""Tables that somebody writes to between runs: noticed whatever the number of rows, and never mixed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdme_adapter.lineage.opening import open_questions
from tests.functional.project import Project, counts, release

KEYED = "{{ config(materialized='table', meta={'cdme': {'key': 'id'}}) }} "
PLAIN = "{{ config(materialized='table') }} "
FILES = {
    "raw.csv": "id,v\n" + "".join(f"{n},{n % 3}\n" for n in range(1, 10)),
    "keyed.sql": KEYED + "select id, v from {{ ref('raw') }} where id > 1",
    "plain.sql": PLAIN + "select id, v from {{ ref('raw') }} where id > 1",
    "on_keyed.sql": KEYED + "select id, v from {{ ref('keyed') }}",
    "on_plain.sql": PLAIN + "select id, v from {{ ref('plain') }}",
    "k.yml": "{version: 2, seeds: [{name: raw, config: {meta: {cdme: {key: id}}}}]}",
}
CHANGES = {
    "deleted": "delete from {t} where id = 2",
    "put back elsewhere": "delete from {t} where id = 2; insert into {t} values (2, 2)",
    "another value": "update {t} set v = 7 where id = 9",
    "two rows changed places in the last column": "update {t} set v = if(id = 3, 1, 0) where id in (3, 4)",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("hand") / "shop").write(FILES)
    made.dbt("build")
    with made.connect() as con:
        for table in ("keyed", "plain"):
            con.execute(f"CREATE TABLE kept_{table} AS FROM {table} ORDER BY rowid")
    yield made
    release()


@pytest.fixture(params=CHANGES)
def changed(request: pytest.FixtureRequest, built: Project) -> Iterator[Project]:
    """``keyed`` and ``plain`` changed by hand, and given back their rows afterwards."""
    with built.connect() as con:
        for table in ("keyed", "plain"):
            con.execute(CHANGES[request.param].format(t=table))
    yield built
    with built.connect() as con:
        for table in ("keyed", "plain"):
            con.execute(f"DELETE FROM {table}; INSERT INTO {table} FROM kept_{table} ORDER BY rowid")


def trace(project: Project, model: str, where: str = "id = 7") -> tuple[Any, Any]:
    with open_questions(str(project.root), str(project.root)) as questions:
        answer = questions.trace(model, where=where, to="parents")
    (record,) = answer["records"]
    return answer, record


def test_nothing_is_stale_as_long_as_nobody_writes(built: Project) -> None:
    for model in ("keyed", "plain", "on_keyed", "on_plain"):
        answer, record = trace(built, model)
        assert answer["stale"] is False
        assert [w["record"]["id"] for w in record["witnesses"][0]["records"]] == [7]


def test_a_changed_table_with_a_key_answers_for_the_row_that_was_asked(changed: Project) -> None:
    answer, record = trace(changed, "keyed")
    assert (answer["stale"], answer["stale_ends"]) == (True, ["model.shop.keyed"])
    assert (record["key"], record["record"]["id"]) == ({"id": 7}, 7)
    assert [w["key"] for w in record["witnesses"][0]["records"]] == [{"id": 7}]


def test_a_changed_table_without_a_key_names_no_witness(changed: Project) -> None:
    answer, record = trace(changed, "plain")
    assert (answer["stale"], answer["stale_ends"]) == (True, ["model.shop.plain"])
    assert record["record"]["id"] == 7
    (entry,) = record["witnesses"]
    assert (entry["exactness"], entry["count"], entry["records"]) == ("opaque", None, [])


def test_what_was_made_from_the_table_says_stale_and_names_it(changed: Project) -> None:
    answer, record = trace(changed, "on_keyed")
    assert (answer["stale"], answer["stale_ends"]) == (True, ["model.shop.keyed"])
    (witness,) = record["witnesses"][0]["records"]
    assert (witness["key"], witness["record"]["id"], witness["refetched"]) == ({"id": 7}, 7, True)
    answer, record = trace(changed, "on_plain")
    assert (answer["stale"], answer["stale_ends"]) == (True, ["model.shop.plain"])
    assert [w["record"] for w in record["witnesses"][0]["records"]] == [None]


def test_a_row_that_somebody_added_has_no_lineage(built: Project) -> None:
    with built.connect() as con:
        con.execute("INSERT INTO keyed VALUES (50, 1)")
    answer, record = trace(built, "keyed", "id = 50")
    assert answer["stale"] is True and record["witnesses"][0]["exactness"] == "opaque"
    with built.connect() as con:
        con.execute("DELETE FROM keyed WHERE id = 50")


def test_a_model_built_on_a_changed_table_reads_what_is_there(tmp_path: Path) -> None:
    """The same number of rows in another order: its edges speak of the table as it is now."""
    project = Project(tmp_path / "shop").write(FILES)
    project.dbt("build")
    for change in ("put back elsewhere", "another value"):
        with project.connect() as con:
            for table in ("keyed", "plain"):
                con.execute(CHANGES[change].format(t=table))
        project.dbt("run", "--select", "on_keyed", "on_plain")
        for model, parent in (("on_keyed", "keyed"), ("on_plain", "plain")):
            assert counts(project.ledger(model)[parent]) == (8, 8, 0, 0, 0, "BALANCED")
            for wanted in (2, 7, 9):
                answer, record = trace(project, model, f"id = {wanted}")
                assert answer["stale"] is False
                assert [w["record"] for w in record["witnesses"][0]["records"]] == [record["record"]]


def test_a_trace_through_a_table_that_was_built_anew_names_it(tmp_path: Path) -> None:
    project = Project(tmp_path / "shop").write(FILES)
    project.dbt("build")
    project.dbt("run", "--select", "keyed")
    with open_questions(str(project.root), str(project.root)) as questions:
        answer = questions.trace("on_keyed", where="id = 7", to="raw")
    assert (answer["stale"], answer["stale_ends"]) == (True, ["model.shop.keyed"])


def test_a_source_whose_last_column_changed_places(tmp_path: Path) -> None:
    """DuckDB combines hashes by XOR: without care such a swap has the same sum."""
    project = Project(tmp_path / "shop").write({
        "m.sql": PLAIN + "select id from {{ source('lake', 'orders') }}",
        "s.yml": "{version: 2, sources: [{name: lake, schema: main, tables: [{name: orders}]}]}",
    })  # fmt: skip
    with project.connect() as con:
        con.execute("CREATE TABLE orders AS SELECT range AS id, range % 2 AS v FROM range(9)")
    project.dbt("run")
    assert trace(project, "m")[0]["stale"] is False
    with project.connect() as con:
        con.execute("UPDATE orders SET v = 1 - v WHERE id IN (3, 4)")
    assert trace(project, "m")[0]["stale"] is True
