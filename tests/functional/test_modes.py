"""Lineage modes: what key_derivable and summary store, answer, and refuse to answer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cdme_adapter.lineage.api import Questions
from cdme_adapter.lineage.opening import open_questions
from cdme_adapter.project import Manifest
from tests.functional.project import Project

SEEDS = {
    "orders.csv": "id,who,status,amount\n"
    + "".join(f"{n},{n % 5},{'paid' if n % 3 else 'open'},{n * 1.5}\n" for n in range(1, 40)),
    "people.csv": "id,name\n1,Ann\n2,Bob\n3,Cy\n9,Zed\n",
}
MODELS = {
    "paid": "select v.id, v.amount, p.name from {{ ref('v') }} v join {{ ref('people') }} p on p.id = v.who"
    " where v.status = 'paid'",
    "totals": "select name, sum(amount) as s, count(*) as n from {{ ref('paid_MODE') }} group by name"
    " having count(*) > 3",
    "lost": "select id from {{ ref('orders') }} where who in (select id from {{ ref('people') }})"
    " and id not in (select id from {{ ref('paid_MODE') }})",
    "windowed": "select id, sum(amount) over (partition by who) as s from {{ ref('orders') }}",
    "united": "select id from {{ ref('orders') }} union select id from {{ ref('people') }}",
}
FALLS_BACK = {
    "rand_kd": ("select id, random() as r from {{ ref('orders') }}", "another value"),
    "first_kd": ("select id from {{ ref('orders') }} order by amount limit 3", "order is total"),
    "when_kd": ("select id, now() as at from {{ ref('orders') }}", "another value"),
    "any_kd": ("select who, first(id) as i from {{ ref('orders') }} group by who", "order of the rows"),
    "sample_kd": ("select id from {{ ref('orders') }} using sample 50%", "not understood"),
}
MODES = {"kd": "key_derivable", "su": "summary", "fu": "full"}


def config(mode: str, more: str = "", kind: str = "table") -> str:
    """The head of a model in a lineage mode."""
    return f"{{{{ config(materialized='{kind}', meta={{'cdme': {{'lineage_mode': '{mode}'}}}}{more}) }}}}\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Every model in every mode, built once."""
    root: Path = tmp_path_factory.mktemp("modes") / "shop"
    files = {**SEEDS, "v.sql": "select * from {{ ref('orders') }} where amount > 10"}
    for short, mode in MODES.items():
        for name, sql in MODELS.items():
            files[f"{name}_{short}.sql"] = config(mode) + sql.replace("MODE", short)
    files |= {f"{name}.sql": config("key_derivable") + sql for name, (sql, _) in FALLS_BACK.items()}
    files["grown_kd.sql"] = (
        config("key_derivable", kind="incremental") + "select id from {{ ref('orders') }}"
    )
    files["hooked_su.sql"] = (
        config("summary", ", post_hook='select 1'") + "select id from {{ ref('orders') }}"
    )
    files["on_kd.sql"] = config("full") + "select id from {{ ref('paid_kd') }} where id > 3"
    files["none.sql"] = config("off") + "select id from {{ ref('orders') }}"
    # The models are compared by the places of their rows, which several threads may write anyhow.
    project = Project(root, profile={"settings": {"threads": 1}}).write(files)
    project.dbt("build")
    yield project


def twin(project: Project) -> Project:
    """A copy that a test may spoil."""
    shutil.rmtree(project.root.with_name(f"{project.root.name}_cdme"), ignore_errors=True)
    return project.twin("cdme")


def answers(project: Project) -> Any:
    """The questions over the project, in this process."""
    return open_questions(str(project.root), str(project.root))


def edges(project: Project, model: str) -> list[Any]:
    columns = "input, role, exactness, input_count, contributed_count, filtered_count, status"
    return project.sql(f"SELECT {columns} FROM cdme.ledger WHERE model LIKE '%.{model}' ORDER BY ALL")


@pytest.mark.parametrize("short", ["kd", "su"])
@pytest.mark.parametrize("name", MODELS)
def test_class_totals_are_those_of_full(built: Project, name: str, short: str) -> None:
    said = [
        tuple(str(v).replace(f"_{short}", "_fu") for v in row) for row in edges(built, f"{name}_{short}")
    ]
    assert said == [tuple(map(str, row)) for row in edges(built, f"{name}_fu")]


def test_no_reverse_join_is_stored_where_it_is_derivable(built: Project) -> None:
    stored = {row[0] for row in built.sql("SELECT DISTINCT model FROM cdme.reverse_join")}
    assert {f"model.shop.{name}_su" for name in MODELS} <= stored
    assert stored.isdisjoint({f"model.shop.{name}_kd" for name in MODELS})
    assert built.one("SELECT count(*) FROM cdme.store_recipes") == len(MODELS)


@pytest.mark.parametrize("name", [*FALLS_BACK, "grown_kd", "hooked_su"])
def test_what_is_not_proven_is_captured_in_full_and_says_why(built: Project, name: str) -> None:
    modes = built.sql(f"SELECT DISTINCT lineage_mode FROM cdme.ledger WHERE model LIKE '%.{name}'")
    assert modes == [("full",)]
    why = built.one(
        f"SELECT message FROM cdme.store_findings WHERE code = 'MODE_FULL' AND model LIKE '%.{name}'"
    )
    assert FALLS_BACK.get(name, ("", ""))[1] in why


def plain(answer: Any, short: str) -> Any:
    """An answer without the mode in its names and the run in its records."""
    return repr(answer).replace(f"_{short}", "_fu")


@pytest.mark.parametrize("name", MODELS)
def test_derived_answers_are_those_of_full(built: Project, name: str) -> None:
    with answers(built) as asked:
        for role in ("direct", "all"):
            kept = {"limit": 0, "role": role, "to": "parents"}
            full, light = (asked.trace(f"{name}_{s}", **kept) for s in ("fu", "kd"))
            assert plain(light["records"], "kd") == plain(full["records"], "fu")
            assert light["exactness"] == "exact" and light["stale"] is False
        full, light = (asked.explain(f"{name}_{s}", "orders", limit=0) for s in ("fu", "kd"))
        bare = [
            [{k: v for k, v in e.items() if k not in ("reason_id", "file")} for e in found["summary"]]
            for found in (full, light)
        ]
        assert plain(bare[1], "kd") == plain(bare[0], "fu")


def test_every_law_holds_of_what_is_derived_and_of_the_sample(built: Project) -> None:
    with answers(built) as asked:
        for short in ("kd", "su"):
            found = asked.reconcile([f"{name}_{short}" for name in MODELS], sample=0)
            assert {e["law"] for e in found["edges"]} >= {
                "zero_loss",
                "exclusive",
                "replay",
                "covered_output",
            }
            assert [e for e in found["edges"] if e["verdict"] != "exact"] == []


def test_laws_fail_where_the_ledger_is_wrong(built: Project, tmp_path: Path) -> None:
    """The recount of a derived model is a recount: it does not say what the ledger says."""
    copy = twin(built)
    with copy.connect() as con:
        con.execute(
            "UPDATE cdme.store_ledger SET filtered_count = filtered_count - 1,"
            " contributed_count = contributed_count + 1"
            " WHERE model LIKE '%.paid_kd' AND input LIKE '%.orders'"
        )
        con.execute("UPDATE cdme.store_ledger SET input_count = 40 WHERE model LIKE '%.paid_su'")
    with answers(copy) as asked:
        for model in ("paid_kd", "paid_su"):
            broken = [e for e in asked.reconcile([model])["edges"] if e["verdict"] == "violation"]
            assert "zero_loss" in {e["law"] for e in broken}


def test_a_law_as_sql_needs_nothing_that_is_attached(built: Project) -> None:
    """What a generic dbt test runs is run after the question is answered, on another connection."""
    copy = twin(built)
    with copy.connect() as con:
        con.execute("UPDATE cdme.store_ledger SET output_count = 1 WHERE model LIKE '%.totals_kd'")
        questions = Questions(con, Manifest.read(copy.root / "target" / "manifest.json"))
        for model, broken in (("paid_kd", 0), ("totals_kd", 1), ("paid_su", 0), ("totals_su", 0)):
            for law in ("zero_loss", "round_trip", "covered_output", "isomorphism"):
                rows = con.execute(questions.law_sql(law, model)).fetchall()
                assert (len(rows) > 0) == (law == "isomorphism" or (law == "zero_loss" and broken > 0)), (
                    rows
                )
        left = "SELECT count(*) FROM duckdb_databases() WHERE database_name LIKE '%cdme%'"
        assert con.execute(left).fetchall() == [(0,)]


def test_a_changed_input_is_stale_and_answers_nothing(built: Project) -> None:
    copy = twin(built)
    with copy.connect() as con:
        con.execute("UPDATE orders SET amount = amount + 1 WHERE id = 7")
    with answers(copy) as asked:
        found = asked.trace("totals_kd", limit=0)
        assert found["stale"] is True and "seed.shop.orders" in found["stale_ends"]
        assert {w["exactness"] for r in found["records"] for w in r["witnesses"]} == {"opaque"}
        assert [e["class"] for e in asked.explain("paid_kd", "orders")["summary"]] == ["unknown"]
    with answers(copy) as asked:  # a model that does not read the changed column
        assert asked.trace("united_kd", to="parents")["exactness"] == "exact"


def test_a_changed_output_is_not_answered_from_the_recipe(built: Project) -> None:
    copy = twin(built)
    with copy.connect() as con:
        con.execute("UPDATE paid_kd SET name = 'Eve' WHERE id = (SELECT min(id) FROM paid_kd)")
    with answers(copy) as asked:
        found = asked.trace("paid_kd", limit=0)
        assert {w["exactness"] for r in found["records"] for w in r["witnesses"]} == {"opaque"}


def test_rows_that_come_in_another_order_are_matched_by_value(built: Project) -> None:
    copy = twin(built)
    with copy.connect() as con:
        con.execute("CREATE TABLE turned AS FROM paid_kd ORDER BY id DESC; DELETE FROM paid_kd")
        con.execute("INSERT INTO paid_kd FROM turned ORDER BY id DESC; DROP TABLE turned")
    with answers(copy) as asked:
        for record in asked.trace("paid_kd", limit=0, to="parents")["records"]:
            (orders,) = [w for w in record["witnesses"] if w["relation"].endswith("orders")]
            assert orders["exactness"] == "exact"
            assert [r["key"]["rowid"] + 1 for r in orders["records"]] == [record["record"]["id"]]
        # what was built on it says places of then: the maps of now are not those
        found = asked.trace("on_kd", limit=0, to="orders")
        assert found["stale"] is True and "model.shop.paid_kd" in found["stale_ends"]
        assert {w["exactness"] for r in found["records"] for w in r["witnesses"]} == {"opaque"}


def test_what_was_not_sampled_is_opaque(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdme_adapter.settle_totals.SAMPLE", 3)
    project = Project(tmp_path / "shop").write(
        {
            "orders.csv": SEEDS["orders.csv"],
            "kept.sql": config("summary") + "select * from {{ ref('orders') }} where id > 5",
        }
    )
    project.dbt("build")
    ((_, _, _, *counts),) = edges(project, "kept")
    assert counts == [39, 34, 5, "BALANCED"]
    with answers(project) as asked:
        found = asked.trace("kept", limit=0, to="parents")["records"]
        exactness = [w["exactness"] for r in found for w in r["witnesses"]]
        assert (exactness.count("exact"), exactness.count("opaque")) == (3, 31)
        kept = [r for r in found if r["witnesses"][0]["exactness"] == "exact"]
        assert all(r["witnesses"][0]["records"][0]["record"]["id"] == r["record"]["id"] for r in kept)
        summary = {e["class"]: e["count"] for e in asked.explain("kept", "orders")["summary"]}
        assert summary == {"contributed": 3, "unknown": 36}
        assert asked.impact("orders", "id = 6")["totals"][0]["exactness"] == "opaque"
        verdicts = {e["law"]: e["verdict"] for e in asked.reconcile(["kept"], sample=0)["edges"]}
        assert set(verdicts.values()) == {"exact"} and "replay" in verdicts


def test_off_stores_nothing_and_claims_nothing(built: Project) -> None:
    assert edges(built, "none") == [("seed.shop.orders", "direct", "opaque", None, None, None, "UNKNOWN")]
    with duckdb.connect(built.path) as con:
        assert con.execute(
            "SELECT fingerprint FROM cdme.store_generations WHERE name = 'none'"
        ).fetchall() == [(None,)]
