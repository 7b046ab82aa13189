"""Hooks that write to a table which is changed in place, within the model's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdme_adapter.lineage.opening import open_questions
from tests.functional.project import Project, counts, release

ONLY_NEW = "{% if is_incremental() %} where a.loaded = {{ var('run') }} {% endif %}"


def model(query: str, **config: Any) -> str:
    settings = {"materialized": "incremental", "incremental_strategy": "append", **config}
    return "{{ config(" + ", ".join(f"{k}={v!r}" for k, v in settings.items()) + ") }} " + query


JOINED = (
    "select a.rid, b.name, (select max(w) from {{ source('lake', 'c') }}) as top,"
    " count(*) over () as n from {{ source('lake', 'a') }} a"
    " join {{ source('lake', 'b') }} b on a.id = b.id " + ONLY_NEW
)
PLAIN = "select a.rid, a.id from {{ source('lake', 'a') }} a " + ONLY_NEW
WARN = {"cdme": {"gate": "warn"}}
FILES = {
    "several.sql": model(
        JOINED, post_hook="delete from {{ this }} where rid in (2, 6)", meta=WARN
    ),
    "before_deletes.sql": model(PLAIN, pre_hook="{% if is_incremental() %} delete from {{ this }}"
                                " where rid = 1 {% endif %}"),
    "before_updates.sql": model(PLAIN, pre_hook="{% if is_incremental() %} update {{ this }}"
                                " set id = 99 where rid = 1 {% endif %}"),
    "before_inserts.sql": model(PLAIN, pre_hook="{% if is_incremental() %} insert into {{ this }}"
                                " values (77, 77) {% endif %}"),
    "before_other.sql": model(PLAIN, pre_hook="create table if not exists other as select 1 as x;"
                              " insert into other values (2)"),
    "models/m.yml": "{version: 2, sources: [{name: lake, schema: main, tables: ["
    "{name: a, config: {meta: {cdme: {key: rid}}}}, {name: b, config: {meta: {cdme: {key: id}}}},"
    " {name: c, config: {meta: {cdme: {key: w}}}}]}]}",
}  # fmt: skip


class Shop:
    """Three runs over a source that grows by three rows in each."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root).write(FILES)
        self.ids: list[str] = []
        with self.project.connect() as con:
            con.execute("CREATE TABLE a (rid INTEGER, id INTEGER, loaded INTEGER)")
            con.execute("CREATE TABLE b AS SELECT range AS id, 'n' || range AS name FROM range(2)")
            con.execute("CREATE TABLE c AS SELECT range AS w FROM range(3)")

    def run(self) -> None:
        number = len(self.ids) + 1
        with self.project.connect() as con:
            for rid in range(3 * number - 2, 3 * number + 1):
                con.execute("INSERT INTO a VALUES (?, ?, ?)", [rid, rid % 2, number])
        self.project.dbt("run", "--vars", f"{{run: {number}}}")
        self.ids.append(self.project.one("SELECT arg_max(run_id, started_at) FROM cdme.runs"))

    def trace(self, name: str) -> Any:
        with open_questions(str(self.project.root), str(self.project.root)) as questions:
            return questions.trace(name, to="parents", role="all", limit=0)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    made = Shop(tmp_path_factory.mktemp("hooked") / "shop")
    for _ in range(3):
        made.run()
    yield made
    release()


def test_a_hook_that_deletes_under_several_edges(shop: Shop) -> None:
    """Rows of two runs went; every row that is left keeps the witnesses of its own, in each input."""
    answer = shop.trace("several")
    assert "model.shop.several" not in answer["stale_ends"]
    assert sorted(r["record"]["rid"] for r in answer["records"]) == [1, 3, 4, 5, 7, 8, 9]
    for record in answer["records"]:
        rid = record["record"]["rid"]
        run = (rid - 1) // 3
        assert record["run_id"] == shop.ids[run]
        found = {(w["relation"].split(".")[-1], w["role"]): w for w in record["witnesses"]}
        keys = {end: sorted(v for r in w["records"] for v in r["key"].values()) for end, w in found.items()}
        assert keys["a", "direct"] == [rid] and keys["b", "direct"] == [rid % 2]
        assert keys["c", "indirect"] == [0, 1, 2]
        batch = range(3 * run + 1, 3 * run + 4)
        assert keys["a", "indirect"] == list(batch) and keys["b", "indirect"] == [0, 1]
    assert counts(shop.project.ledger("several")["a"])[:3] == (9, 7, 2)


def test_what_the_hook_deleted_is_unaccounted_in_the_run_that_wrote_it(shop: Shop) -> None:
    account = shop.project.ledger("several", run=0)["a"]
    assert counts(account) == (3, 2, 0, 0, 1, "UNBALANCED")
    assert "a hook deleted 1 rows" in account["why"]


def test_a_hook_before_the_model_that_deletes(shop: Shop) -> None:
    """Its row is gone with its reverse join; the others answer for themselves, or say that they cannot."""
    answer = shop.trace("before_deletes")
    assert sorted(r["record"]["rid"] for r in answer["records"]) == [2, 3, 4, 5, 6, 7, 8, 9]
    check_rows(shop, answer)


@pytest.mark.parametrize("name", ["before_updates", "before_inserts"])
def test_a_hook_before_the_model_that_writes_rows(shop: Shop, name: str) -> None:
    """Nobody knows what they are made of: they are opaque, and no row names a wrong witness."""
    answer = shop.trace(name)
    check_rows(shop, answer)
    wrong = [r for r in answer["records"] if r["record"]["id"] not in (0, 1)]
    assert wrong
    for record in wrong:
        assert [w["exactness"] for w in record["witnesses"]] == ["opaque"]


def test_a_hook_before_the_model_that_writes_elsewhere(shop: Shop) -> None:
    answer = shop.trace("before_other")
    assert answer["exactness"] == "exact"
    assert check_rows(shop, answer) == 9
    assert counts(shop.project.ledger("before_other")["a"]) == (9, 9, 0, 0, 0, "BALANCED")


def check_rows(shop: Shop, answer: Any) -> int:
    """Rows that name witnesses name the right ones; how many do."""
    exact = 0
    for record in answer["records"]:
        for entry in record["witnesses"]:
            if entry["role"] == "direct" and entry["exactness"] == "exact":
                assert [w["key"]["rid"] for w in entry["records"]] == [record["record"]["rid"]]
                exact += 1
    return exact
