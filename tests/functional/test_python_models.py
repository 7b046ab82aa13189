"""Python models: one transaction with their account; witnesses that they declare, or opaque."""

from __future__ import annotations

import pytest

from tests.functional.compare import snapshot
from tests.functional.project import Project, counts

RAW = "id,v\n" + "".join(f"{n},{n % 3}\n" for n in range(1, 10))
HEAD = "def model(dbt, session):\n    dbt.config(materialized='table')\n    "
RESULTS = {
    "relation": "return dbt.ref('raw').filter('id > 0')",
    "frame": "return dbt.ref('raw').df()",
    "arrow": "return dbt.ref('raw').arrow().read_all()",
    "reader": "return dbt.ref('raw').arrow()",
    "other_cursor": "dbt.ref('raw')\n    return session.cursor().execute('from main.raw').df()",
    "temporary": "dbt.ref('raw')\n    session.execute('create or replace temp table x as from main.raw')\n"
    "    return session.query('from x')",
}
KEYS = "{version: 2, models: [%s], seeds: [{name: raw, config: {meta: {cdme: {key: id}}}}]}"


def declared(name: str, witnesses: str, more: str = "") -> str:
    meta = f"{{witnesses: {witnesses}{more}}}"
    return KEYS % f"{{name: {name}, config: {{meta: {{cdme: {meta}}}}}}}"


def test_every_kind_of_result_is_what_plain_duckdb_builds(project: Project) -> None:
    project.write({"raw.csv": RAW, **{f"{name}.py": HEAD + code for name, code in RESULTS.items()}})
    plain = project.twin()
    for one in (project, plain):
        one.dbt("build", "--threads", "4")
    assert snapshot(project).rows == snapshot(plain).rows
    for name in RESULTS:
        row = project.ledger(name)["raw"]
        assert (row["exactness"], row["status"], row["output_count"]) == ("opaque", "UNKNOWN", 9)
    codes = {row[0] for row in project.sql("SELECT code FROM cdme.store_findings")}
    assert "CAPTURE_NO_TRANSACTION" not in codes


def test_a_failing_hook_takes_the_rows_back(project: Project) -> None:
    """With dbt-duckdb the table would be left: it is written outside any transaction."""
    project.write({"raw.csv": RAW, "m.py": HEAD + RESULTS["frame"]})
    project.dbt("build")
    hooked = "{version: 2, models: [{name: m, config: {post_hook: \"select error('no')\"}}]}"
    project.write({"raw.csv": "id,v\n1,1\n", "m.yml": hooked})
    project.dbt("build", ok=False)
    assert project.one("SELECT count(*) FROM m") == 9
    assert (
        project.sql("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'm\\_\\_%' ESCAPE '\\'")
        == []
    )


def test_code_with_a_transaction_of_its_own_runs_as_before_and_it_is_said(project: Project) -> None:
    code = "session.execute('BEGIN')\n    session.execute('COMMIT')\n    " + RESULTS["frame"]
    project.write({"raw.csv": RAW, "m.py": HEAD + code})
    project.dbt("build")
    assert project.one("SELECT count(*) FROM m") == 9
    assert project.ledger("m")["raw"]["status"] == "UNKNOWN"
    found = project.sql("SELECT code FROM cdme.store_findings WHERE model LIKE '%.m'")
    assert ("CAPTURE_NO_TRANSACTION",) in found


def test_declared_witnesses_are_the_reverse_join(project: Project) -> None:
    code = "r = dbt.ref('raw').df()\n    r['who'] = r['id']\n    return r[['who', 'v']]"
    project.write({"raw.csv": RAW, "m.py": HEAD + code, "m.yml": declared("m", "{raw: {who: id}}")})
    project.dbt("build")
    row = project.ledger("m")["raw"]
    assert counts(row) == (9, 9, 0, 0, 0, "BALANCED")
    assert (row["exactness"], row["cardinality"]) == ("exact", "1:1")
    pairs = project.sql(
        "SELECT m.who, input_key FROM cdme.reverse_join AS j JOIN (SELECT *, row_number() OVER () - 1 AS n"
        " FROM m) AS m ON output_key = '{\"rowid\":' || n || '}' WHERE model LIKE '%.m'"
    )
    assert sorted(pairs) == [(n, f'{{"id":{n}}}') for n in range(1, 10)]


def test_a_group_has_all_records_that_share_its_column(project: Project) -> None:
    code = "return dbt.ref('raw').df().groupby('v', as_index=False).agg(n=('id', 'count'))"
    project.write({"raw.csv": RAW, "m.py": HEAD + code, "m.yml": declared("m", "{raw: v}", ", key: v")})
    project.dbt("build")
    row = project.ledger("m")["raw"]
    assert (row["cardinality"], *counts(row)) == ("N:1", 9, 9, 0, 0, 0, "BALANCED")
    found = project.sql("SELECT output_key, count(*) FROM cdme.reverse_join WHERE model LIKE '%.m'"
                        " GROUP BY ALL ORDER BY ALL")  # fmt: skip
    assert found == [(f'{{"v":{v}}}', 3) for v in range(3)]


def test_what_a_python_model_drops_is_unaccounted_and_said(project: Project) -> None:
    """No clause is shown to have removed it: it is not called filtered."""
    project.write({"raw.csv": RAW, "m.py": HEAD + "return dbt.ref('raw').filter('id > 2')",
                   "m.yml": declared("m", "{raw: id}")})  # fmt: skip
    project.dbt("build")
    assert counts(project.ledger("m")["raw"]) == (9, 7, 0, 0, 2, "UNKNOWN")
    assert project.sql("SELECT status FROM cdme.runs") == [("COMPLETE_WITH_WARNINGS",)]
    assert project.one("SELECT message FROM cdme.store_findings WHERE code = 'WITNESS_LOSS'").startswith(
        "of seed.shop.raw, 2 records are in no row"
    )


def test_a_refuted_declaration_is_opaque(project: Project) -> None:
    code = "r = dbt.ref('raw').df()\n    r['id'] += 5\n    return r"
    project.write({"raw.csv": RAW, "m.py": HEAD + code, "m.yml": declared("m", "{raw: id}")})
    project.dbt("build")
    row = project.ledger("m")["raw"]
    assert (row["exactness"], row["status"]) == ("opaque", "UNKNOWN")
    assert "5 rows name no record of seed.shop.raw by id" in row["why"]
    project.write({"m.yml": declared("m", "{raw: id}", ", require: exact")})
    assert "EXACT_REQUIRED" in project.dbt("run", ok=False).text


@pytest.mark.parametrize(
    ("witnesses", "words"),
    [("{raw: nothing}", "WITNESS_COLUMN_MISSING"), ("{raw: 3}", "CONFIG_TYPE")],
)
def test_a_declaration_that_cannot_be_read_is_refused(project: Project, witnesses: str, words: str) -> None:
    project.write({"raw.csv": RAW, "m.py": HEAD + RESULTS["frame"], "m.yml": declared("m", witnesses)})
    outcome = project.dbt("build", ok=False)
    assert words in outcome.text and "what to do" in outcome.text
    assert not project.sql("SELECT 1 FROM duckdb_tables() WHERE table_name = 'm'")


def test_a_sql_model_needs_no_declaration(project: Project) -> None:
    sql = "{{ config(materialized='table') }} select id from {{ ref('raw') }} where v = 1"
    project.write({"raw.csv": RAW, "m.yml": declared("m", "{raw: id, other: id}"), "m.sql": sql})
    project.dbt("build")
    assert counts(project.ledger("m")["raw"]) == (9, 3, 6, 0, 0, "BALANCED")
    found = {row[0] for row in project.sql("SELECT code FROM cdme.store_findings")}
    assert {"WITNESS_IGNORED", "WITNESS_INPUT"} <= found
