"""Tables that are changed in place in ways that are not the plain ones: columns that change, hooks,
strategies of one's own, rows that CDME has not seen being written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdme_adapter.lineage.opening import open_questions
from tests.functional.project import Project, counts, release

COLUMNS = ("ignore", "append_new_columns", "sync_all_columns", "fail")
FIRST = "rid, id, v, old"
LATER = {
    "ignore": FIRST,
    "append_new_columns": FIRST + ", rid * 10 as more",
    "sync_all_columns": "rid, id, v || '!' as v, rid * 10 as more",
    "fail": FIRST + ", 1 as more",
}
INCREMENT = "{% if is_incremental() %} where loaded = {{ var('run') }} {% endif %}"


def model(columns: str, **config: Any) -> str:
    settings = {
        "materialized": "incremental",
        "unique_key": "id",
        "incremental_strategy": "merge",
        **config,
    }
    text = ", ".join(f"{k}={v!r}" for k, v in settings.items())
    return (
        f"{{{{ config({text}) }}}} select {columns}, {{{{ var('run') }}}} as run"
        f" from {{{{ source('lake', 'raw') }}}} {INCREMENT}"
    )


FILES = {
    **{f"on_{name}.sql": model(FIRST, on_schema_change=name) for name in COLUMNS},
    "macros/mine.sql": "{% macro get_incremental_mine_sql(a) %} insert into {{ a['target_relation'] }}"
    " (rid, id, v, old, run) select rid, id, upper(v), old, run from {{ a['temp_relation'] }}"
    " {% endmacro %}",
    "deleted_updates.sql": model(FIRST, on_schema_change="append_new_columns"),
    "mine.sql": model(FIRST, incremental_strategy="mine"),
    "volatile.sql": model(FIRST, merge_update_condition="random() >= 0"),
    "hook_keeps_new.sql": model(
        FIRST, incremental_strategy="append",
        post_hook="delete from {{ this }} where run < {{ var('run') }} - 1",
    ),
    "hook_takes_new.sql": model(
        FIRST, incremental_strategy="append", post_hook="delete from {{ this }} where rid = 6",
        meta={"cdme": {"gate": "warn"}},
    ),
    "hook_writes.sql": model(
        FIRST, incremental_strategy="append", post_hook="update {{ this }} set v = 'hook' where rid = 6"
    ),
    "running.sql": "{{ config(materialized='incremental', unique_key='id', incremental_strategy='merge') }}"
    " select id, sum(n) as n, list_sort(flatten(list(rids))) as rids from ("
    " select id, 1 as n, [rid] as rids from {{ source('lake', 'raw') }} where loaded = {{ var('run') }}"
    " {% if is_incremental() %} union all select id, n, rids from {{ this }} {% endif %} ) group by id",
    "models/m.yml": "{version: 2, sources: [{name: lake, schema: main, tables: [{name: raw, config:"
    " {meta: {cdme: {key: rid}}}}]}]}",
}  # fmt: skip
LOADS = [
    [(1, 1, "a"), (2, 2, "b"), (3, 3, "c")],
    [(4, 2, "B"), (5, 4, "d"), (6, 5, "e")],
    [(7, 2, "b3"), (8, 6, "f")],
]


class Shop:
    def __init__(self, root: Path, kind: str = "cdme") -> None:
        self.project = Project(root, kind).write(FILES)
        self.number = 0
        self.ids: list[str] = []

    def run(self, *select: str, ok: bool | None = True) -> Any:
        with self.project.connect() as con:
            columns = "rid INTEGER, id INTEGER, v VARCHAR, old INTEGER, loaded INTEGER"
            con.execute(f"CREATE TABLE IF NOT EXISTS raw ({columns})")
            for rid, id_, v in LOADS[self.number]:
                con.execute("INSERT INTO raw VALUES (?, ?, ?, ?, ?)", [rid, id_, v, -rid, self.number + 1])
        self.number += 1
        done = self.project.dbt("run", "--vars", f"{{run: {self.number}}}", *select, ok=ok)
        if self.project.kind == "cdme":
            self.ids.append(self.project.one("SELECT arg_max(run_id, started_at) FROM cdme.runs"))
        return done

    def trace(self, name: str, to: str = "raw") -> Any:
        with open_questions(str(self.project.root), str(self.project.root)) as questions:
            return questions.trace(name, to=to, limit=0)

    def check_rows(self, name: str, column: str = "rid") -> int:
        """Every row names the source row that its own ``rid`` says; how many rows there are."""
        answer = self.trace(name)
        assert answer["exactness"] == "exact", name
        for record in answer["records"]:
            (entry,) = record["witnesses"]
            held = record["record"][column]
            wanted = sorted(held) if isinstance(held, list) else [held]
            assert sorted(w["key"]["rid"] for w in entry["records"]) == wanted, (name, record)
        return len(answer["records"])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """After two runs; the columns of four models changed in between."""
    made = Shop(tmp_path_factory.mktemp("in_place") / "shop")
    made.run()
    made.project.write({f"on_{n}.sql": model(LATER[n], on_schema_change=n) for n in COLUMNS})
    done = made.run(ok=False)
    assert {n for n, s in done.status.items() if s != "success"} == {"on_fail"}, done.text
    assert "schemas on this incremental model are out of sync" in done.message["on_fail"]
    yield made
    release()


@pytest.mark.parametrize("name", COLUMNS)
def test_rows_name_their_witnesses_whatever_became_of_the_columns(shop: Shop, name: str) -> None:
    assert shop.check_rows(f"on_{name}") == (3 if name == "fail" else 5)
    columns = shop.project.sql(f"SELECT column_name FROM (DESCRIBE on_{name})")
    more, old = ("more",) in columns, ("old",) in columns
    assert (more, old) == {
        "ignore": (False, True), "append_new_columns": (True, True),
        "sync_all_columns": (True, False), "fail": (False, True),
    }[name]  # fmt: skip
    if name != "fail":
        assert counts(shop.project.ledger(f"on_{name}")["raw"]) == (6, 5, 1, 0, 0, "BALANCED")


def test_a_name_that_sounds_like_a_statement(shop: Shop) -> None:
    """What dbt asks about ``deleted_updates__dbt_tmp…`` deletes and updates nothing."""
    assert shop.check_rows("deleted_updates") == 5


def test_a_strategy_of_ones_own_is_opaque_where_it_cannot_be_read(shop: Shop) -> None:
    account = shop.project.ledger("mine")["raw"]
    assert (account["exactness"], account["status"]) == ("opaque", "UNKNOWN")
    assert "unknown shape near `upper" in account["why"] or "unknown shape near `(" in account["why"]
    assert shop.project.one("SELECT count(*) FROM mine WHERE v = 'D'") == 1


def test_a_merge_that_cannot_be_foreseen_is_opaque(shop: Shop) -> None:
    account = shop.project.ledger("volatile")["raw"]
    assert account["exactness"] == "opaque" and "random, which is volatile" in account["why"]
    assert shop.project.one("SELECT count(*) FROM volatile") == 5


def test_a_hook_that_deletes_rows_of_earlier_runs(shop: Shop) -> None:
    """They go with their reverse join; what this run's query left out, it left out by its clause."""
    assert shop.check_rows("hook_keeps_new") == 6
    shop.run("--select", "hook_keeps_new running")
    assert shop.check_rows("hook_keeps_new") == 5
    assert counts(shop.project.ledger("hook_keeps_new")["raw"]) == (8, 5, 3, 0, 0, "BALANCED")


def test_a_hook_that_deletes_rows_of_this_run(shop: Shop) -> None:
    """No clause of the model removed them: their records are unaccounted."""
    assert shop.check_rows("hook_takes_new") == 5
    account = shop.project.ledger("hook_takes_new", 1)["raw"]
    assert counts(account) == (6, 5, 0, 0, 1, "UNBALANCED")
    assert "a hook deleted 1 rows" in account["why"] and "row ids: 5" in account["why"]


def test_a_hook_that_writes_rows_makes_the_table_opaque(shop: Shop) -> None:
    assert "a hook wrote 1 rows" in shop.project.ledger("hook_writes", 1)["raw"]["why"]


def test_the_table_as_its_own_input(shop: Shop) -> None:
    """``n`` and ``rids`` go on from the rows of before: these are witnesses, and lead further back."""
    assert shop.check_rows("running", "rids") == 6
    (record,) = [r for r in shop.trace("running", to="parents")["records"] if r["record"]["id"] == 2]
    own, source = sorted(record["witnesses"], key=lambda entry: entry["relation"])
    assert own["relation"] == "model.shop.running" and own["records"][0]["key"] == {"id": 2}
    assert [w["key"]["rid"] for w in source["records"]] == [7]
    account = shop.project.ledger("running")["running"]
    assert counts(account) == (5, 5, 0, 0, 0, "BALANCED")


def test_rows_that_were_there_before_cdme_are_opaque_alone(tmp_path: Path) -> None:
    """Built by dbt-duckdb, then changed by cdme; then a row is put in by hand, and one taken out."""
    shop = Shop(tmp_path / "shop", "duckdb")
    shop.project.remove("models/mine.sql")
    shop.run("--select", "on_ignore")
    shop.project.kind = "cdme"
    shop.project.configure()
    shop.run("--select", "on_ignore")
    known = {r["record"]["rid"]: r["witnesses"][0] for r in shop.trace("on_ignore")["records"]}
    assert {rid: e["exactness"] for rid, e in known.items()} == {
        1: "opaque", 3: "opaque", 4: "exact", 5: "exact", 6: "exact",
    }  # fmt: skip
    account = shop.project.ledger("on_ignore")["raw"]
    assert account["status"] == "UNKNOWN" and "nothing is known" in account["why"]
    with shop.project.connect() as con:
        con.execute("DELETE FROM on_ignore WHERE rid = 5")
        con.execute("INSERT INTO on_ignore (rid, id) VALUES (50, 50)")
    shop.run("--select", "on_ignore")
    known = {r["record"]["rid"]: r["witnesses"][0] for r in shop.trace("on_ignore")["records"]}
    assert {rid for rid, e in known.items() if e["exactness"] == "exact"} == {7, 8}
    assert len(known) == 6
