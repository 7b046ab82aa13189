"""``temporal``: the ledger says of which epoch each input was, and a join across epochs is as declared."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema

from tests.functional.project import Project

TABLE = "{{ config(materialized='table') }}"
RAW = "id,grp,v\n1,a,10\n2,a,20\n3,b,30\n"


def joined(temporal: dict[str, Any], sql: str) -> str:
    meta = {"cdme": {"temporal": temporal}}
    return f"{{{{ config(materialized='table', meta={meta!r}) }}}} {sql}"


BOTH = "select a.id, b.n from {{ ref('a') }} a join {{ ref('b') }} b on b.grp = a.grp"
FILES = {
    "raw.csv": RAW,
    "a.sql": f"{TABLE} select id, grp from {{{{ ref('raw') }}}}",
    "b.sql": f"{TABLE} select grp, count(*) as n from {{{{ ref('raw') }}}} group by grp",
    "va.sql": "{{ config(materialized='view') }} select * from {{ ref('a') }}",
    "c.sql": joined({"a": {"mode": "exact"}, "b": {"mode": "exact"}}, BOTH),
    "t.yml": "models: [{name: a, columns: [{name: id, data_tests: [unique]}]}]",
}


def epochs(project: Project, model: str = "c") -> dict[str, Any]:
    edges = project.file_ledger()["edges"]
    return {e["input"].split(".")[-1]: e.get("epoch") for e in edges if e["model"] == f"model.shop.{model}"}


def test_inputs_that_are_declared_exact_are_of_one_run(project: Project) -> None:
    project.write(FILES)
    project.dbt("build")
    first = project.file_ledger()
    assert "NOT_IMPLEMENTED" not in str(first["findings"])
    told = {"mode": "exact", "column": None, "value": first["run_id"], "kind": "run"}
    assert epochs(project) == {"a": told, "b": told}
    assert all("epoch" not in e for e in first["edges"] if e["model"] != "model.shop.c")
    jsonschema.validate(first, json.loads((files("cdme_adapter") / "schemas/ledger.json").read_text()))

    project.dbt("run", "--select", "a")
    second = project.file_ledger()["run_id"]
    before = project.sql("SELECT * FROM c ORDER BY ALL")
    outcome = project.dbt("run", "--select", "c", ok=False)
    assert "[EPOCH_MISMATCH]" in outcome.message["c"]
    read = f"model.shop.a is of run {second}; model.shop.b is of run {first['run_id']}"
    assert read in outcome.message["c"]
    assert project.sql("SELECT * FROM c ORDER BY ALL") == before
    # The evidence of the rejection is kept after the rollback.
    assert {name: e["value"] for name, e in epochs(project).items()} == {"a": second, "b": first["run_id"]}
    assert project.sql("SELECT input, mode, epoch FROM cdme.epochs JOIN cdme.runs USING (run_id) "
                       "WHERE status = 'FAILED' ORDER BY 1") == [
        ("model.shop.a", "exact", second), ("model.shop.b", "exact", first["run_id"]),
    ]  # fmt: skip

    # What may be of another epoch is declared so; a view stands for what is beneath it.
    over_view = BOTH.replace("ref('a')", "ref('va')")
    project.write({"c.sql": joined({"va": {"mode": "latest"}, "b": {"mode": "exact"}}, over_view)})
    project.dbt("run", "--select", "c")
    found = epochs(project)
    assert (found["a"]["mode"], found["a"]["value"], found["b"]["mode"]) == ("latest", second, "exact")
    assert project.file_ledger()["status"] == "COMPLETE"
    # The gate is the model's own: warn lets it pass, and the run says so.
    meta = "{'cdme': {'gate': 'warn', 'temporal': {'a': {'mode': 'exact'}}}}"
    project.write({"c.sql": f"{{{{ config(materialized='table', meta={meta}) }}}} {BOTH}"})
    assert "[EPOCH_MISMATCH]" in project.dbt("run", "--select", "c").log

    # Somebody else changed what is declared latest: of which epoch it is nobody knows.
    with project.connect() as con:
        con.execute("DELETE FROM a WHERE id = 1")
    project.write({"c.sql": joined({"a": {"mode": "latest"}}, BOTH)})
    assert "[EPOCH_UNKNOWN]" in project.dbt("run", "--select", "c").log
    assert (epochs(project)["a"]["kind"], epochs(project)["b"]["mode"]) == ("seen", None)


def test_sources_are_of_the_epoch_that_was_loaded_last(project: Project) -> None:
    with project.connect() as con:
        con.execute("CREATE SCHEMA ext; CREATE TABLE ext.x AS SELECT 1 AS id, DATE '2024-01-01' AS day;"
                    "CREATE TABLE ext.y AS SELECT 1 AS id, DATE '2024-01-02' AS day")  # fmt: skip
    sql = "select x.id from {{ source('ext', 'x') }} x join {{ source('ext', 'y') }} y on y.id = x.id"
    project.write({
        "s.yml": "sources: [{name: ext, config: {loaded_at_field: day}, tables: [{name: x}, {name: y}]}]",
        "c.sql": joined({"ext.x": {"mode": "exact"}, "ext.y": {"mode": "exact"}}, sql),
    })  # fmt: skip
    outcome = project.dbt("run", ok=False)
    assert "ext.x is loaded at 2024-01-01; source.shop.ext.y is loaded at 2024-01-02" in outcome.text
    with project.connect() as con:
        con.execute("INSERT INTO ext.x VALUES (2, DATE '2024-01-02')")
    project.dbt("run")
    told = {"mode": "exact", "column": None, "value": "2024-01-02", "kind": "loaded_at"}
    assert epochs(project) == {"x": told, "y": told}

    # Declared by a column, the records are chosen by the SQL: this one does not, and nothing runs.
    project.write({"c.sql": joined({"ext.y": {"mode": "as_of", "column": "day"}}, sql)})
    outcome = project.dbt("run", ok=False)
    assert outcome.status == {} and "[EPOCH_MISMATCH]" in outcome.text and "what to do:" in outcome.text
    ledger = project.file_ledger()
    assert ledger["status"] == "FAILED" and "EPOCH_MISMATCH" in [f["code"] for f in ledger["findings"]]
    asof = sql.replace("join", "asof join") + " and x.day >= y.day"
    project.write({"c.sql": joined({"ext.y": {"mode": "as_of", "column": "day"}}, asof)})
    project.dbt("run")
    assert epochs(project)["y"] == told | {"mode": "as_of", "column": "day"}
