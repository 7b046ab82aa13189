"""Control totals and the drift of losses: in the store, the file, the command and the gate."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from cdme_adapter import watch
from cdme_adapter.cli import cli
from cdme_adapter.totals import Total, measure_file, wrong_totals
from tests.functional.project import Project, release

RAW = "id,v,miles,fare,ratio,name,secret\n" + "".join(
    f"{n},{n % 4},{'' if n == 7 else n * 100},{n}.25,{n / 3},x,{n}\n" for n in range(1, 13)
)
SEEDED = """
version: 2
seeds:
  - name: raw
    config: {column_types: {fare: "decimal(9,2)", ratio: double}, meta: {cdme: {pii: [secret]}}}
"""


def model(query: str, **meta: Any) -> str:
    return f"{{{{ config(materialized='table', meta={{'cdme': {meta!r}}}) }}}} {query}"


def cdme(project: Project, *args: str) -> tuple[int, str]:
    release()
    where = ["--project-dir", str(project.root), "--profiles-dir", str(project.root)]
    done = CliRunner().invoke(cli, [*args, *where])
    return done.exit_code, done.output


def findings(project: Project, code: str) -> list[str]:
    return [r[0] for r in project.sql(f"SELECT message FROM cdme.store_findings WHERE code = '{code}'")]


QUERY = "select r.id from {{ ref('raw') }} r join {{ ref('keys') }} k on k.v = r.v where r.id > 2"


def test_sums_are_accounted_like_counts(project: Project) -> None:
    """Each class's sum is what the relations themselves say, NULLs beside it."""
    wanted = ["miles", "fare", "ratio", "name", "secret", "nosuch"]
    project.write({"raw.csv": RAW, "keys.csv": "v\n0\n1\n2\n", "seeds/s.yml": SEEDED,
                   "m.sql": model(QUERY, control_totals=wanted)})  # fmt: skip
    project.dbt("build")
    contributed = "id > 2 AND v <> 3"
    for column, kind in (("miles", "INTEGER"), ("fare", "DECIMAL(9,2)"), ("ratio", "DOUBLE")):
        assert project.one(f"SELECT typeof({column}) FROM raw LIMIT 1") == kind
        found = {
            (name, verdict): (records, nulls, total)
            for name, verdict, records, nulls, total in project.sql(
                "SELECT class, verdict, records, nulls, total FROM cdme.control_totals"
                f" WHERE column_name = '{column}' AND input LIKE '%.raw'"
            )
        }
        expected = {
            ("input", None): "true", ("contributed", None): contributed,
            ("filtered", "false"): "id <= 2", ("filtered", "no_match"): "id > 2 AND v = 3",
        }  # fmt: skip
        assert found.keys() == expected.keys()
        for key, where in expected.items():
            records, nulls, total = project.sql(
                f"SELECT count(*), count(*) - count({column}), sum({column}) FROM raw WHERE {where}"
            )[0]
            assert found[key][:2] == (records, nulls), (column, key)
            assert float(found[key][2]) == pytest.approx(float(total), rel=1e-12)
            if kind != "DOUBLE":
                assert Decimal(found[key][2]) == Decimal(total)
    assert not project.sql("SELECT 1 FROM cdme.control_totals WHERE column_name IN ('name', 'secret')")
    assert "name (VARCHAR)" in findings(project, "CONTROL_TOTAL_TYPE")[0]
    assert "secret" in findings(project, "CONTROL_TOTAL_PII")[0]
    assert findings(project, "CONTROL_TOTAL_MISSING") == ["nosuch is a column of no captured input"]
    edge = next(e for e in project.file_ledger()["edges"] if e.get("control_totals"))
    miles = [t for t in edge["control_totals"] if t["column"] == "miles" and t["class"] == "filtered"]
    assert {t["reason_id"] for t in miles} == {r["id"] for r in edge["reasons"]}
    code, said = cdme(project, "ledger")
    assert code == 0 and "of 7,100 miles lost with them:" in said and "where false 300" in said
    assert cdme(project, "ledger", "verify")[0] == 0


def test_an_input_may_declare_them_for_all_who_read_it(project: Project) -> None:
    declared = SEEDED.replace("pii: [secret]", "control_totals: miles")
    project.write({
        "raw.csv": RAW, "seeds/s.yml": declared,
        "empty.sql": model("select 1 as x from {{ ref('raw') }} where miles < 0"),
        "m.sql": model("select id from {{ ref('raw') }} order by id limit 3"),
    })  # fmt: skip
    project.dbt("build")
    rows = project.sql(
        "SELECT split_part(model, '.', -1), class, verdict, total FROM cdme.control_totals ORDER BY ALL"
    )
    assert rows == [
        ("empty", "filtered", "false", "7100"), ("empty", "filtered", "null", None),
        ("empty", "input", None, "7100"),
        ("m", "contributed", None, "600"), ("m", "filtered", "rank", "6500"), ("m", "input", None, "7100"),
        ("raw", "contributed", None, "7100"), ("raw", "input", None, "7100"),
    ]  # fmt: skip


def test_an_incremental_model_s_totals_are_the_table_s(project: Project) -> None:
    batch = "{% if is_incremental() %} where id > 6 {% else %} where id <= 6 {% endif %}"
    meta = "meta={'cdme': {'control_totals': 'miles'}}"
    head = f"{{{{ config(materialized='incremental', unique_key='id', {meta}) }}}}"
    keyed = SEEDED.replace("pii: [secret]", "key: id")
    project.write({"raw.csv": RAW, "seeds/s.yml": keyed,
                   "m.sql": head + "select id from {{ ref('raw') }}" + batch})  # fmt: skip
    project.dbt("build")
    project.dbt("run")
    query = (
        "SELECT class, records, total FROM cdme.control_totals WHERE run_id ="
        " (SELECT run_id FROM cdme.runs ORDER BY started_at DESC LIMIT 1) ORDER BY ALL"
    )
    assert project.sql(query) == [("contributed", 12, "7100"), ("input", 12, "7100")]


def test_what_goes_to_the_error_domain_is_summed_too(project: Project) -> None:
    rule = [{"name": "known", "expression": "miles IS NOT NULL"}]
    query = "select id, miles from {{ ref('raw') }} where v <> 0"
    project.write({"raw.csv": RAW, "m.sql": model(query, control_totals=["id"], refine=rule)})
    project.dbt("build")
    found = project.sql("SELECT class, records, total FROM cdme.control_totals ORDER BY ALL")
    assert found == [
        ("contributed", 8, "47"), ("error", 1, "7"), ("filtered", 3, "24"), ("input", 12, "78"),
    ]  # fmt: skip


def test_sums_that_do_not_add_up_fail_the_gate(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts that balance can hide that the wrong records were counted."""
    real = watch.measure

    def swapped(execute: Any, relation: str, columns: Any, account: Any) -> Any:
        totals = real(execute, relation, columns, account)
        assert account.contributed + account.filtered == account.input_count
        return [
            Total(t.column, t.kind, t.clause, t.verdict, t.records, t.nulls, "1", t.exact)
            if t.kind == "contributed" else t
            for t in totals
        ]  # fmt: skip

    monkeypatch.setattr(watch, "measure", swapped)
    query = "select id from {{ ref('raw') }} where id > 2"
    project.write({"raw.csv": RAW, "m.sql": model(query, control_totals=["miles"])})
    outcome = project.dbt("build", ok=False)
    assert "TOTALS_UNBALANCED" in outcome.message["m"] or "UNBALANCED" in outcome.message["m"]
    assert findings(project, "TOTALS_UNBALANCED") == [
        "the control totals of seed.shop.raw do not add up: miles: 301 of 7100 accounted for"
    ]
    assert project.ledger("m")["raw"]["status"] == "UNBALANCED"
    assert not project.sql("SELECT 1 FROM duckdb_tables() WHERE table_name = 'm'")
    project.write({"m.sql": model(query, control_totals=["miles"], gate="warn")})
    project.dbt("build")
    assert project.one("SELECT count(*) FROM m") == 10


@pytest.mark.parametrize(("parts", "holds"), [
    (["1.5", "2.5"], True), (["4.000000001"], True), (["4.00001"], False), (["nan"], False),
    (["1.5", None], False),
])  # fmt: skip
def test_floats_add_up_within_a_tolerance(parts: list[Any], holds: bool) -> None:
    whole = Total("x", "input", None, None, 2, 0, "4.0", False, 10.0)
    given = [Total("x", "filtered", n, 0, 1, 0, part, False) for n, part in enumerate(parts)]
    assert (wrong_totals([whole, *given]) == []) is holds


def test_nulls_and_nothing_add_up() -> None:
    whole = Total("x", "input", None, None, 2, 2, None, True)
    part = Total("x", "contributed", None, None, 2, 2, None, True)
    assert wrong_totals([whole, part]) == []
    assert wrong_totals([whole, Total("x", "contributed", None, None, 2, 1, None, True)]) != []
    assert wrong_totals([whole, Total("x", "contributed", None, None, 2, 2, "0", True)]) != []


def test_shares_of_loss_that_change(project: Project) -> None:
    query = "select id from {{ ref('raw') }} where v <> 0"
    project.write({"raw.csv": RAW, "m.sql": model(query, max_change="10%")})
    project.dbt("build")
    first = project.one("SELECT run_id FROM cdme.runs")
    project.dbt("build")  # nothing changed
    code, said = cdme(project, "ledger", "--against", first)
    assert code == 0 and "no share of loss changed" in said
    project.write({"raw.csv": RAW + "20,0,1,1,1,x,1\n"})  # 4 of 13 instead of 3 of 12
    project.dbt("build")
    many = "".join(f"{n},0,1,1,1,x,1\n" for n in range(30, 40))
    project.write({"raw.csv": RAW + many})  # 13 of 22
    outcome = project.dbt("build", ok=False)
    assert "[LOSS_CHANGED]" in outcome.message["m"]
    assert "59.09% of seed.shop.raw lost to v <> 0 (false), 30.77% in the last run" in outcome.message["m"]
    assert project.one("SELECT count(*) FROM m") == 9
    code, said = cdme(project, "ledger", "--against", first[:13], "--output", "json")
    (change,) = json.loads(said)["against"]["changes"]
    assert code == 1 and (change["count_before"], change["count"]) == (3, 13)
    assert change["change"] == pytest.approx(13 / 22 - 3 / 12)
    # Held against the last run that was good, not against the one that was refused.
    project.dbt("build", ok=False)
    project.write({"m.sql": model(query, max_change="50%")})
    project.dbt("build")
    assert cdme(project, "ledger", "--against", "nosuch")[0] == 2


def test_the_records_behind_a_rejection_are_kept(project: Project) -> None:
    hook = "{{ config(materialized='table', post_hook='delete from {{ this }} where id in (5, 9)') }}\n"
    project.write({"raw.csv": RAW, "m.sql": hook + "select id from {{ ref('raw') }} where id > 2"})
    project.dbt("build", ok=False)
    assert not project.sql("SELECT 1 FROM duckdb_tables() WHERE table_name = 'm'")
    (wrong,) = project.file_ledger()["discrepancies"]
    assert (wrong["missing"], wrong["records"]) == (2, [4, 8])
    row = project.ledger("m")["raw"]
    assert (row["contributed_count"], row["unaccounted_count"], row["status"]) == (8, 2, "UNBALANCED")


def test_a_seed_s_sums_are_those_of_its_file(project: Project) -> None:
    """Rows that stay and rows that are rejected add up to the file, each summed where it lies."""
    meta = "{control_totals: [miles, ratio], refine: [{name: small, expression: v <> 2}]}"
    yml = f"seeds: [{{name: raw, config: {{column_types: {{ratio: double}}, meta: {{cdme: {meta}}}}}}}]"
    project.write({"raw.csv": RAW, "seeds/s.yml": yml}).dbt("seed")
    found = {
        (column, kind): (records, nulls, float(total))
        for column, kind, records, nulls, total in project.sql(
            "SELECT column_name, class, records, nulls, total FROM cdme.control_totals"
        )
    }
    miles = {n: 0 if n == 7 else n * 100 for n in range(1, 13)}
    bad = sum(miles[n] for n in range(1, 13) if n % 4 == 2)
    assert found["miles", "input"] == (12, 1, sum(miles.values()))
    assert found["miles", "error"] == (3, 0, bad)
    assert found["miles", "contributed"] == (9, 1, sum(miles.values()) - bad)
    assert abs(found["ratio", "input"][2] - sum(n / 3 for n in range(1, 13))) < 1e-9
    (edge,) = project.file_ledger()["edges"]
    assert edge["status"] == "BALANCED" and edge["settle_seconds"] > 0
    assert len(edge["control_totals"]) == 6


def test_a_file_whose_rows_changed_on_the_way_does_not_add_up() -> None:
    con = duckdb.connect()
    con.execute("CREATE TABLE file AS SELECT 5 AS x UNION ALL SELECT 7")
    con.execute("CREATE TABLE kept AS SELECT 5 AS x UNION ALL SELECT 6")
    totals = measure_file(lambda q: con.execute(q).fetchall(), "file", "kept", {"x": True})
    assert wrong_totals(totals) == ["x: 11 of 12"]
