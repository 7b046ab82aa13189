"""Seeds: the witness of a row is its record in the file, also when the table is filled again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cdme_adapter.lineage.opening import open_questions
from tests.functional.project import Project, counts

FILE = "file.seeds/raw.csv"
MODEL = "{{ config(materialized='table') }} select id, v from {{ ref('raw') }} where id <> 20"


def pairs(project: Project, model: str) -> list[tuple[int, int]]:
    """(output ordinal, input ordinal) of a model's reverse join."""
    return project.sql(  # type: ignore[return-value]
        "SELECT (output_key::JSON->>'rowid')::INT, (input_key::JSON->>'rowid')::INT"
        f" FROM cdme.reverse_join WHERE split_part(model, '.', -1) = '{model}' ORDER BY ALL"
    )


def by_ordinal(project: Project, table: str) -> list[object]:
    """The ids of a table by ordinal: the rank of the row id."""
    return [row[0] for row in project.sql(f"SELECT id FROM {table} ORDER BY rowid")]


def test_each_row_leads_to_its_line(project: Project) -> None:
    project.write({"raw.csv": "id,v\n10,a\n20,b\n30,c\n"})
    project.dbt("seed")
    assert counts(project.ledger("raw")[FILE]) == (3, 3, 0, 0, 0, "BALANCED")
    assert project.ledger("raw")[FILE]["cardinality"] == "1:1"
    assert pairs(project, "raw") == [(0, 0), (1, 1), (2, 2)]


@pytest.mark.parametrize("flags", [[], ["--full-refresh"]], ids=["truncated", "full refresh"])
def test_a_seed_filled_again(project: Project, flags: list[str]) -> None:
    project.write({"raw.csv": "id,v\n10,a\n20,b\n30,c\n", "m.sql": MODEL})
    project.dbt("build")
    project.write({"raw.csv": "id,v\n5,z\n20,b\n30,c\n40,d\n"})
    project.dbt("build", *flags)
    assert counts(project.ledger("raw")[FILE]) == (4, 4, 0, 0, 0, "BALANCED")
    assert pairs(project, "raw") == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert counts(project.ledger("m")["raw"]) == (4, 3, 1, 0, 0, "BALANCED")
    outputs, inputs = by_ordinal(project, "m"), by_ordinal(project, "raw")
    found = pairs(project, "m")
    assert [(outputs[o], inputs[i]) for o, i in found] == [(5, 5), (30, 30), (40, 40)]
    lost = project.sql("SELECT input_key, verdict FROM cdme.filtered_keys WHERE model LIKE '%.m'")
    assert lost == [('{"rowid":1}', "false")]


def test_a_model_that_was_not_run_again_knows_the_older_generation(project: Project) -> None:
    project.write({"raw.csv": "id,v\n10,a\n20,b\n", "m.sql": MODEL})
    project.dbt("build")
    project.write({"raw.csv": "id,v\n10,a\n20,b\n30,c\n"})
    project.dbt("seed")
    read, now = project.sql(
        "SELECT e.input_generation, c.generation FROM cdme.store_edges e, cdme.store_current c"
        " WHERE e.model LIKE '%.m' AND c.relation LIKE '%.raw'"
    )[0]
    assert read != now
    kept = project.one(f"SELECT count(*) FROM cdme.store_generations WHERE generation = {read}")
    assert kept == 1


def test_a_record_may_hold_line_breaks_and_quotes(project: Project) -> None:
    project.write({"raw.csv": 'id,v\n1,"two\nlines"\n2,"a ""quoted"" one"\n3,"x,y"\n4,\n'})
    project.dbt("seed")
    assert counts(project.ledger("raw")[FILE]) == (4, 4, 0, 0, 0, "BALANCED")
    assert project.sql("SELECT v FROM raw ORDER BY rowid") == [
        ("two\nlines",), ('a "quoted" one',), ("x,y",), (None,),
    ]  # fmt: skip


def test_a_record_is_shown_with_its_file_and_line(tmp_path: Path) -> None:
    project = Project(tmp_path / "shop")
    project.write(
        {
            "raw.csv": 'id,v\n1,"a\nb"\n2,c\n\n3,"d ""e"""\n',
            "m.sql": "{{ config(materialized='table') }} select id from {{ ref('raw') }}",
        }
    )
    project.dbt("build")

    def asked() -> dict[str, Any]:
        with open_questions(str(project.root), str(project.root)) as questions:
            return questions.trace("m", limit=0)

    found = asked()
    shown = [
        (w["relation"], *(r["record"][name] for name in ("file", "line", "id", "v")))
        for record in found["records"] for w in record["witnesses"] for r in w["records"]
    ]  # fmt: skip
    name = "seeds/raw.csv"
    assert shown == [
        (FILE, name, 2, 1, "a\nb"), (FILE, name, 4, 2, "c"), (FILE, name, 6, 3, 'd "e"'),
    ]  # fmt: skip
    (project.root / "seeds/raw.csv").write_text("id,v\n1,other\n2,c\n3,d\n")
    assert asked()["stale"] is True  # and the changed file's records are not shown for those that were read
    assert [r["record"] for record in asked()["records"] for w in record["witnesses"]
            for r in w["records"]] == [None, None, None]  # fmt: skip


def test_an_empty_seed(project: Project) -> None:
    project.write({"raw.csv": "id,v\n", "m.sql": MODEL})
    project.configure(seeds={"+column_types": {"id": "integer", "v": "varchar"}})
    project.dbt("build")
    assert counts(project.ledger("raw")[FILE]) == (0, 0, 0, 0, 0, "BALANCED")
    assert counts(project.ledger("m")["raw"]) == (0, 0, 0, 0, 0, "BALANCED")


@pytest.mark.parametrize(
    "config",
    [
        {"+delimiter": ";"},
        {"+column_types": {"id": "varchar", "v": "varchar"}},
        {"+quote_columns": True},
        {"+schema": "lists"},
        {"+alias": "other_name"},
        {"+fast": False},
        {"+indexes": [{"columns": ["id"], "unique": True}]},
    ],
    ids=str,
)
def test_seeds_as_configured(project: Project, config: dict[str, object]) -> None:
    text = "id,v\n1,a\n2,\n3,c\n"
    if "+delimiter" in config:
        text = text.replace(",", ";")
    project.write({"raw.csv": text})
    project.configure(seeds=config)
    project.dbt("seed")
    project.dbt("seed")
    assert counts(project.ledger("raw")[FILE]) == (3, 3, 0, 0, 0, "BALANCED")


def test_a_seed_with_a_column_called_rowid_is_said_to_be_unknown(project: Project) -> None:
    project.write({"raw.csv": "rowid,v\n7,a\n3,b\n5,c\n"})
    project.dbt("seed")
    assert project.sql("SELECT rowid, v FROM raw ORDER BY v") == [(7, "a"), (3, "b"), (5, "c")]
    assert project.ledger("raw")[FILE]["status"] == "UNKNOWN"


def test_a_seed_that_cannot_be_loaded_fails_as_with_duckdb(project: Project) -> None:
    project.write({"raw.csv": "id,v\n1,a\nx,b\n"})
    project.configure(seeds={"+column_types": {"id": "integer"}})
    assert project.dbt("seed", ok=False).status == {"raw": "error"}
    assert project.one("SELECT status FROM cdme.runs") == "FAILED"


def test_a_seed_built_empty(project: Project) -> None:
    project.write({"raw.csv": "id,v\n1,a\n", "m.sql": MODEL})
    project.dbt("build", "--empty")
    assert counts(project.ledger("raw")[FILE])[-1] == "BALANCED"


HOOKED = "{version: 2, seeds: [{name: raw, config: {post_hook: %r, meta: {cdme: {gate: %s}}}}]}"


def test_a_hook_that_deletes_rows_of_a_seed(project: Project) -> None:
    """Their records are unaccounted, as with a model; the rows that are left lead to their own records."""
    hook = "delete from {{ this }} where id in (10, 30)"
    project.write({"raw.csv": "id,v\n10,a\n20,b\n30,c\n40,d\n", "k.yml": HOOKED % (hook, "error")})
    outcome = project.dbt("seed", ok=False)
    assert "a hook deleted 2 rows of the table; unaccounted row ids: 0, 2" in outcome.message["raw"]
    assert counts(project.ledger("raw")[FILE]) == (4, 2, 0, 0, 2, "UNBALANCED")
    project.write({"k.yml": HOOKED % (hook, "warn")})
    for _ in range(2):  # into a new table, and into one that is filled again
        project.dbt("seed")
        assert counts(project.ledger("raw")[FILE]) == (4, 2, 0, 0, 2, "UNBALANCED")
        assert pairs(project, "raw") == [(0, 1), (1, 3)]
        assert by_ordinal(project, "raw") == [20, 40]


def test_a_hook_that_writes_rows_of_a_seed_makes_it_unknown(project: Project) -> None:
    hook = "delete from {{ this }} where id = 10; update {{ this }} set v = 'x' where id = 20"
    project.write({"raw.csv": "id,v\n10,a\n20,b\n30,c\n", "k.yml": HOOKED % (hook, "error")})
    project.dbt("seed")
    assert project.ledger("raw")[FILE]["status"] == "UNKNOWN"
