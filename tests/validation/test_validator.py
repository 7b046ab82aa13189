"""The pass over a project: verdicts, cache, candidates, suppressions, summary, nothing written."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from cdme_adapter.validation import (
    Catalog,
    load_catalog,
    validate_candidate,
    validate_project,
)
from cdme_adapter.validation.cache import Cache, relation_from, relation_json
from cdme_adapter.validation.lines import raw_line
from tests.validation.harness import judge, view, warehouse

TABLES = yaml.safe_load((Path(__file__).parent / "fixtures" / "schema.yml").read_text())
GOOD = "select order_id, customer_id, amount from {orders}"


def codes(report: Any) -> list[str]:
    return [f.code for f in report.findings if f.severity != "info"]


def test_a_good_model_is_proven_safe() -> None:
    report = judge(TABLES, {"m": GOOD})
    assert (report.status, report.summary()) == ("pass", "1 proven safe, 0 findings, 0 unknown")
    document = report.as_json()
    assert set(document) >= {"status", "findings", "estimates"}
    assert document["estimates"] == [{"model": "model.shop.m", "rows": 100, "budget": None}]


def test_what_cannot_be_told_is_never_fine() -> None:
    report = judge(TABLES, {"m": "select user_id, kind from {events} order by seen_at limit 5"})
    assert report.status == "unknown"
    assert report.summary() == "0 proven safe, 0 findings, 1 unknown"
    assert [u["rule"] for u in report.as_json()["unknown"]] == ["total_order"]


def test_a_fault_upstream_is_reported_once() -> None:
    models = {"a": "select nope from {orders}", "b": "select * from {a}", "c": "select * from {b}"}
    report = judge(TABLES, models)
    assert codes(report) == ["UNKNOWN_COLUMN"]
    assert report.models()["model.shop.c"] == "unknown"


def test_columns_are_inferred_through_models_that_are_not_built() -> None:
    models = {
        "a": "select order_id as id, amount * 2 as twice from {orders}",
        "b": "select *, twice > 10 as large from {a}",
        "c": "select id, lrge from {b}",
    }
    report = judge(TABLES, models)
    assert codes(report) == ["UNKNOWN_COLUMN"]
    assert "large" in report.findings[-1].remedy or any("large" in f.remedy for f in report.findings)


def test_a_python_model_cannot_be_judged() -> None:
    report = judge(TABLES, {"m": {"sql": "def model(dbt, session): ...", "language": "python"}})
    assert report.models() == {"model.shop.m": "unknown"}


def test_each_model_is_lossless_or_lossy() -> None:
    models: dict[str, Any] = {
        "kept": GOOD,
        "some": "select order_id from {orders} where amount > 1",
        "python": {"sql": "def model(dbt, session): ...", "language": "python"},
    }
    assert judge(TABLES, models).as_json()["losses"] == {
        "model.shop.kept": "lossless",
        "model.shop.some": "lossy",
        "model.shop.python": "unknown",
    }


def test_suppression_needs_a_reason_and_is_shown() -> None:
    meta = {"suppress": [{"code": "CROSS_JOIN", "because": "every pair is wanted"}]}
    sql = "select o.order_id, c.name from {orders} o cross join {customers} c"
    report = judge(TABLES, {"m": {"sql": sql, "meta": meta}})
    assert "CROSS_JOIN" not in codes(report)
    shown = report.as_json()["suppressed"]
    assert [(s["code"], s["because"]) for s in shown] == [("CROSS_JOIN", "every pair is wanted")]


def test_access_cannot_be_suppressed_or_switched_off() -> None:
    meta = {
        "suppress": [{"code": "ACCESS_DENIED", "because": "please"}],
        "validate": False,
    }
    models = {
        "secret": {"sql": GOOD, "access": "private", "group": "finance"},
        "m": {"sql": "select * from {secret}", "meta": meta},
    }
    report = judge(TABLES, models)
    assert codes(report) == ["ACCESS_DENIED"]
    assert [f.code for f in report.refusals] == ["ACCESS_DENIED"]


CLOSED: dict[str, Any] = {
    "a": GOOD,
    "mart": {"sql": GOOD, "access": "private", "group": "finance"},
    "duty": {"sql": GOOD, "meta": {"roles": ["auditor"]}},
    "rate": {"sql": GOOD, "meta": {"roles": ["auditor"]}, "materialized": "ephemeral"},
    "report": {"sql": "select order_id from {mart}", "group": "finance"},
}


def as_missing(document: Any, name: str) -> str:
    """A report's JSON without the name that was asked for, and under a missing one's code."""
    return json.dumps(document).replace(name, "NAME").replace("ACCESS_DENIED", "UNKNOWN_RELATION")


@pytest.mark.parametrize("forbidden", ["mart", "duty", "rate"])
@pytest.mark.parametrize(
    "sql", ["select order_id from {{ ref('NAME') }}", "select\n1 as a, amuont\nfrom {{ ref('NAME') }} as x"]
)
def test_a_forbidden_ref_reads_like_a_missing_one(forbidden: str, sql: str) -> None:
    def said(name: str) -> Any:
        text = sql.replace("NAME", name)
        return validate_candidate(text, "mine", None, view(TABLES, CLOSED), warehouse(TABLES)).as_json()

    denied, missing = said(forbidden), said("nowhere")
    assert [f["code"] for f in denied["findings"]] == ["ACCESS_DENIED"]
    assert denied["findings"][0]["message"] == f"there is no relation {forbidden} to build on"
    assert as_missing(denied, forbidden) == as_missing(missing, "nowhere")


@pytest.mark.parametrize("forbidden", ["mart", "duty"])
@pytest.mark.parametrize(
    "sql",
    [
        "select order_id, amount from wh.main.NAME where status <> 'paid' limit 3",
        "select nope from main.NAME",
        "select count(*) as n from (pivot NAME on currency using count(*))",
    ],
)
def test_a_forbidden_relation_that_is_written_out_reads_like_a_missing_one(
    forbidden: str, sql: str
) -> None:
    """Also where others may read it: nothing of its columns, rows or grain is told."""
    catalog = warehouse(TABLES)
    built = replace(catalog.relations["wh.raw.orders"], name=f"wh.main.{forbidden}")
    catalog = replace(catalog, relations={**catalog.relations, built.name: built}, statistics=False)

    def said(name: str) -> Any:
        models = {**CLOSED, "m": sql.replace("NAME", name)}
        report = validate_project(view(TABLES, models), catalog, ["m"])
        return report.as_json()

    denied, missing = said(forbidden), said("nowhere")
    assert [f["code"] for f in denied["findings"]] == ["ACCESS_DENIED"]
    if "pivot" not in sql:  # which is not read at all where nothing is there
        assert as_missing(denied, forbidden) == as_missing(missing, "nowhere")
    assert denied["estimates"][0]["rows"] is None


def test_only_edges_are_forbidden() -> None:
    """Neither a column that is called so, nor what an ephemeral parent may read and pastes in."""
    models = {
        **CLOSED,
        "word": "select order_id as mart from {a}",
        "through": {"sql": "select * from {mart}", "materialized": "ephemeral", "group": "finance"},
    }
    project, catalog = view(TABLES, models), warehouse(TABLES)
    report = validate_candidate("select 1 as mart, a.* from {{ ref('a') }} a", "x", None, project, catalog)
    assert codes(report) == []
    text = "select * from {{ ref('through') }} as t"
    assert codes(validate_candidate(text, "y", None, project, catalog)) == []
    text = "select * from {{ ref('through') }} as t cross join main.duty"
    assert "ACCESS_DENIED" in codes(validate_candidate(text, "z", None, project, catalog))


def test_a_right_that_is_taken_away_is_seen_by_the_cache(tmp_path: Path) -> None:
    catalog, path = warehouse(TABLES), tmp_path / "validation.json"
    models: dict[str, Any] = {"up": {"sql": GOOD}, "m": 'select order_id from "wh"."main"."up"'}

    def run() -> list[str]:
        return codes(validate_project(view(TABLES, models), catalog, cache=Cache.load(path)))

    assert run() == ["HARDCODED_RELATION"]
    models["up"]["meta"] = {"roles": ["auditor"]}
    assert run() == ["ACCESS_DENIED"]


@pytest.mark.parametrize(("validate", "refused"), [("warn", 0), ("error", 1), (False, 0)])
def test_validate_decides_what_an_error_does(validate: Any, refused: int) -> None:
    model = {"sql": "select nope from {orders}", "meta": {"validate": validate}}
    assert len(judge(TABLES, {"m": model}).refusals) == refused


def test_only_what_changed_is_judged_again(tmp_path: Path) -> None:
    path = tmp_path / "cdme" / "validation.json"
    models = {"a": GOOD, "b": "select * from {a}", "c": "select * from {customers}"}
    catalog = warehouse(TABLES)

    def run() -> tuple[int, list[str]]:
        cache = Cache.load(path)
        report = validate_project(view(TABLES, models), catalog, cache=cache)
        return report.rechecked, [f.code for f in report.findings]

    assert run()[0] == 3
    assert run()[0] == 0
    models["a"] = GOOD + " -- a remark"
    assert run()[0] == 1  # its output is the same, so b stands
    models["a"] = "select order_id from {orders} where status <> 'paid'"
    assert run() == (2, ["NULL_DROPPED", "LOSSY"])
    path.write_text("not json")
    assert run() == (3, ["NULL_DROPPED", "LOSSY"])


def candidate(sql: str, told: str | None = None) -> Any:
    project = view(TABLES, {"a": GOOD, "secret": {"sql": GOOD, "access": "private", "group": "f"}})
    return validate_candidate(sql, "mine", told, project, warehouse(TABLES), file="mine.sql")


def test_a_good_candidate_passes() -> None:
    report = candidate("select * from {{ ref('a') }} where amount > 1")
    assert report.status == "pass"
    assert {f.model for f in report.findings} == {"model.shop.mine"}


@pytest.mark.parametrize(
    ("sql", "code", "says"),
    [
        ("select * from {{ ref('aa') }}", "UNKNOWN_RELATION", "a"),
        ("select * from {{ source('raw', 'order') }}", "UNKNOWN_RELATION", "raw.orders"),
        ("select\n  amoun\nfrom {{ ref('a') }}", "UNKNOWN_COLUMN", "amount"),
        ("select amount from wh.main.a where customer_id = 'x'", "TYPE_MISMATCH", ""),
        ("select {{ nothing_like_it() }}", "COMPILE_ERROR", ""),
        ("select {% if %}", "COMPILE_ERROR", ""),
        ("selec 1", "COMPILE_ERROR", ""),
        ("select 1 as a; select 2 as b", "COMPILE_ERROR", ""),
        ("select * from {{ ref('secret') }}", "ACCESS_DENIED", ""),
        ("select * from wh.main.secret", "ACCESS_DENIED", ""),
    ],
)
def test_a_bad_candidate_is_a_finding(sql: str, code: str, says: str) -> None:
    report = candidate(sql)
    found = [f for f in report.findings if f.code == code]
    assert found, report.findings
    assert found[0].model == "model.shop.mine"
    assert found[0].place.file == "mine.sql"
    assert says in found[0].remedy
    assert report.fails()


def test_a_candidate_brings_its_properties() -> None:
    told = """
models:
  - name: mine
    config: {meta: {cdme: {grain: order_id}}}
    columns:
      - {name: order_id, data_tests: [unique, not_null]}
"""
    sql = "select o.order_id, i.sku from {{ ref('a') }} o join wh.raw.items i using (order_id)"
    report = candidate(sql, told)
    assert [f.code for f in report.refusals] == ["GRAIN_FANOUT"]


def test_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    connection = duckdb.connect(str(path))
    connection.execute("CREATE SCHEMA raw; CREATE TABLE raw.t AS SELECT 1 AS a")
    connection.close()
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    connection = duckdb.connect(str(path), read_only=True)
    catalog = load_catalog(lambda sql: connection.execute(sql).fetchall())
    tables = {"t": {"columns": {"a": "INTEGER"}}}
    from cdme_adapter.validation import project_view
    from tests.validation.harness import manifest

    project = project_view(manifest(tables, {"m": "select a from {t}"}, "shop"), database="shop")
    report = validate_project(project, catalog)
    connection.close()
    assert report.status == "pass"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shop.duckdb"]


def test_macros_of_the_user_bind() -> None:
    connection = duckdb.connect()
    connection.execute("ATTACH ':memory:' AS wh; USE wh.main")
    connection.execute("CREATE MACRO twice(x) AS x * 2; CREATE TABLE t AS SELECT 1 AS a")
    catalog = load_catalog(lambda sql: connection.execute(sql).fetchall())
    project = view({}, {"m": 'select twice(a) as b from "wh"."main"."t"'})
    assert validate_project(project, catalog).status == "pass"


def test_a_seed_not_loaded_yet_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "codes.csv").write_text("id,label\n1,a\n2,b\n")
    from cdme_adapter.validation import project_view
    from tests.validation.harness import manifest

    raw = manifest({}, {"m": 'select id, lable from "wh"."main"."codes"'})
    raw["nodes"]["seed.shop.codes"] = {
        "resource_type": "seed",
        "name": "codes",
        "package_name": "shop",
        "database": "wh",
        "schema": "main",
        "alias": "codes",
        "original_file_path": "seeds/codes.csv",
        "config": {"materialized": "seed"},
    }
    project = project_view(raw, directory=str(tmp_path))
    found = [f for f in validate_project(project, Catalog()).findings if f.severity == "error"]
    assert [(f.code, f.remedy) for f in found] == [("UNKNOWN_COLUMN", "did you mean label?")]


def test_lines_lead_to_the_file_that_was_written() -> None:
    raw = "{{ config(materialized='table') }}\n\nselect a\nfrom {{ ref('x') }}\nwhere b <> 1\n"
    compiled = '\n\nselect a\nfrom "db"."s"."x"\nwhere b <> 1\n'
    assert [raw_line(compiled, raw, n) for n in (3, 4, 5)] == [3, 4, 5]
    assert raw_line(compiled, raw, None) is None


def test_columns_that_are_only_described_are_not_all_there_are() -> None:
    models: dict[str, Any] = {
        "a": {"sql": "select nope, amount from {orders}", "contract": {"nope": "integer"}},
        "b": "select amount from {a}",
    }
    models["a"]["config"] = {"contract": {"enforced": False}}
    report = judge(TABLES, models)
    assert codes(report) == ["UNKNOWN_COLUMN"]
    assert report.models()["model.shop.b"] == "unknown"


def test_a_date_by_which_rows_are_replaced_is_no_key() -> None:
    """delete+insert replaces a day of rows: a join on the day repeats them, for all that is known."""
    day = {"materialized": "incremental", "incremental_strategy": "delete+insert", "unique_key": "day"}
    up = {"sql": "select cast(seen_at as date) as day, kind from {events}", "config": day}
    sql = (
        "select o.order_id, sum(o.amount) t from {orders} o join {up} d on d.day = o.ordered_on group by 1"
    )
    assert judge(TABLES, {"up": up, "m": sql}).models()["model.shop.m"] == "unknown"
    tested = {**up, "unique": ["day"]}
    assert judge(TABLES, {"up": tested, "m": sql}).models()["model.shop.m"] == "safe"


def test_what_may_not_be_seen_is_not_proposed() -> None:
    report = candidate("select * from {{ ref('secrt') }}")
    assert codes(report) == ["UNKNOWN_RELATION"] and "secret" not in report.findings[0].remedy
    report = candidate("select * from main.secrt")
    assert codes(report) == ["UNKNOWN_RELATION"] and "secret" not in report.findings[0].remedy


def test_a_candidate_that_writes_out_a_model_hides_an_edge() -> None:
    assert codes(candidate("select * from main.a")) == ["HARDCODED_RELATION"]
    assert codes(candidate("select a.* from {{ ref('a') }} a join main.a b using (order_id)")) == []
    sql = "select b.order_id from {{ source('raw', 'orders') }} a join main.a b using (order_id)"
    assert codes(candidate(sql)) == ["HARDCODED_RELATION"]


def test_another_text_for_a_model_meets_what_is_declared_of_it() -> None:
    models = {"a": {"sql": GOOD, "meta": {"grain": ["order_id"]}}}
    both = "{{ source('raw', 'orders') }} o join {{ source('raw', 'items') }} i"
    sql = f"select o.order_id, i.sku from {both} using (order_id)"
    report = validate_candidate(sql, "a", None, view(TABLES, models), warehouse(TABLES))
    assert codes(report) == ["GRAIN_FANOUT"] and report.refusals
    told = "models: [{name: a}]"
    assert codes(validate_candidate(sql, "a", told, view(TABLES, models), warehouse(TABLES))) == []


def test_a_built_relation_stands_in_where_only_the_compiled_sql_is_missing() -> None:
    tables = {**TABLES, "a": {"columns": {"order_id": "INTEGER"}, "fill": "SELECT 1"}}
    models = {"m": "select order_id, nope from {a}"}
    project = view(tables, models)
    node = replace(project.nodes["source.shop.raw.a"], id="snapshot.shop.a", resource_type="snapshot")
    nodes = {**project.nodes, node.id: node}
    nodes["model.shop.m"] = replace(nodes["model.shop.m"], depends_on=(node.id,))
    found = validate_project(replace(project, nodes=nodes), warehouse(tables), ["model.shop.m"])
    assert codes(found) == ["UNKNOWN_COLUMN"]
    nodes[node.id] = replace(node, edited=True)
    found = validate_project(replace(project, nodes=nodes), warehouse(tables), ["model.shop.m"])
    assert codes(found) == [] and found.models() == {"model.shop.m": "unknown"}


def test_a_long_union_of_stars_is_judged_in_no_time() -> None:
    """Where nothing in a branch has a place, whole trees were searched for one, again and again."""
    sql = " union ".join(["select * from {orders}"] * 400)
    began = time.process_time()
    report = judge(TABLES, {"m": sql})
    assert time.process_time() - began < 20
    assert codes(report).count("UNION_DEDUPLICATES") >= 1


def test_what_is_kept_of_a_relation_is_all_that_is_known_of_it() -> None:
    """What the cache lost would make every model above it be judged again."""
    models = {"m": "select row_number() over (order by order_id) as k, 'x' as lit, amount from {orders}"}
    relation = judge(TABLES, models).relations["model.shop.m"]
    assert relation.column("k") != replace(relation.column("k"), surrogate=False)  # type: ignore[type-var]
    assert relation_from(relation_json(relation)) == relation


def test_group_by_all_groups_by_what_is_selected() -> None:
    """It was taken for one row of everything: joins on a part of its key then fanned out unseen."""
    said = {}
    for clause in ("all", "customer_id, status"):
        up = f"select customer_id, status, sum(amount) as total from {{orders}} group by {clause}"
        sql = "select c.name, u.total from {customers} c join {up} u using (customer_id)"
        models = {
            "up": up,
            "m": {"sql": sql, "meta": {"grain": ["name"]}},
            "n": "select sum(total) t from {up}",
        }
        report = judge(TABLES, models)
        said[clause] = (report.relations["model.shop.up"], codes(report), report.refusals)
    assert said["all"] == said["customer_id, status"]
    assert said["all"][0].keys == (frozenset({"customer_id", "status"}),)
    assert (
        judge(TABLES, {"m": "select count(*) as n from {orders} group by all"})
        .relations["model.shop.m"]
        .single_row
    )


def test_what_was_judged_is_known_again_in_another_process(tmp_path: Path) -> None:
    """A set of columns is printed in an order that changes with the process."""
    script = (
        "import sys, pathlib; from tests.validation.test_validator import *\n"
        "models = {'m': {'sql': 'select order_id, customer_id, status from {orders}', "
        "'unique': [['order_id', 'customer_id', 'status']]}}\n"
        "cache = Cache.load(pathlib.Path(sys.argv[1]))\n"
        "print(validate_project(view(TABLES, models), warehouse(TABLES), cache=cache).rechecked)"
    )
    root = Path(__file__).parents[2]
    found = []
    for seed in ("1", "2", "3"):
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "validation.json")],
            env={**os.environ, "PYTHONHASHSEED": seed}, cwd=root, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        found.append(done.stdout.strip())
    assert found == ["1", "0", "0"]
