"""Personal values are nowhere in what CDME stores: hashed with a key, or left out."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from cdme_adapter.cli import cli
from cdme_adapter.lineage.api import Questions
from cdme_adapter.lineage.forget import forget
from cdme_adapter.lineage.opening import open_questions
from cdme_adapter.project import Manifest
from tests.functional.project import Project
from tests.refine.shop import model

PEOPLE = """email,name,age
ann@x.org,Ann Secretname,30
bob@x.org,Bob Secretname,-4
cyd@x.org,Cyd Secretname,-5
"""
PII = "{meta: {cdme: {pii: [name, email], key: email}}}"
REFINE = [{"name": "born", "expression": "age >= 0"}, {"name": "short", "expression": "length(who) < 3"}]
FILES = {
    "people.csv": PEOPLE,
    "m.yml": f"{{version: 2, seeds: [{{name: people, config: {PII}}}]}}",
    "staged.sql": model({"refine": REFINE, "key": "contact"},
                        "select email as contact, upper(name) as who, age from {{ ref('people') }}"),
    "counted.sql": model({"refine": [{"name": "few", "expression": "n < 1"}]},
                         "select age, count(*) as n from {{ ref('people') }} group by age"),
}  # fmt: skip


def stored(project: Project) -> str:
    """The rows of CDME's tables and views, as text."""
    with project.connect() as con:
        names = con.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'cdme'"
        ).fetchall()
        return "\n".join(str(con.execute(f"SELECT * FROM cdme.{name}").fetchall()) for (name,) in names)


def everything(project: Project) -> str:
    """The same with its files and dbt's log."""
    files = [*(project.root / "target" / "cdme").rglob("*"), *(project.root / "logs").rglob("*")]
    return "\n".join([stored(project), *(f.read_text() for f in files if f.is_file())])


def open_for_writing(project: Project) -> duckdb.DuckDBPyConnection:
    """The project's database, to be written."""
    return project.connect()


@pytest.mark.parametrize("keyed", [True, False])
def test_no_personal_value_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keyed: bool) -> None:
    project = Project(tmp_path / "shop").write(FILES)
    if keyed:
        (project.root / "cdme_pii.key").write_text("sesame and a long tail\n")
    project.dbt("build")
    kept = everything(project).lower()
    for word in ("secretname", "@x.org", "sesame"):
        assert word not in kept, kept[max(0, kept.index(word) - 300) : kept.index(word) + 100]
    record = project.sql(
        "SELECT record->>'who', record->>'age' FROM cdme.errors WHERE model LIKE '%staged'"
    )
    assert sorted(age for _, age in record) == ["-4", "-5", "30"]
    hashed = {who for who, _ in record}
    keys = {row[0] for row in project.sql("SELECT input_key FROM cdme.errors WHERE model LIKE '%counted'")}
    if not keyed:
        assert hashed == {"***"} and keys == {'{"rowid":0}', '{"rowid":1}', '{"rowid":2}'}
        return
    assert len(hashed) == 3 and all(who.startswith("pii:") for who in hashed)
    assert len(keys) == 3 and all(key.startswith('{"email":"pii:') for key in keys)
    project.dbt("build")
    again = project.sql("SELECT record->>'who' FROM cdme.errors WHERE model LIKE '%staged'")
    assert {row[0] for row in again} == hashed
    monkeypatch.setenv("CDME_PII_KEY", "another")
    project.dbt("build")
    other = project.sql("SELECT record->>'who' FROM cdme.errors WHERE model LIKE '%staged'")
    assert {row[0] for row in other}.isdisjoint(hashed)


def test_a_message_of_the_engine_is_kept_without_its_values(tmp_path: Path) -> None:
    files = {
        **FILES,
        "failing.sql": model({}, "select cast(email as integer) as n from {{ ref('people') }}"),
    }
    project = Project(tmp_path / "shop").write(files)
    outcome = project.dbt("build", ok=False)
    assert "@x.org" not in outcome.text, "dbt's own log and message neither"
    message = project.one("SELECT message FROM cdme.store_nodes WHERE node = 'model.shop.failing'")
    assert "Conversion Error: *** when casting from source column email" in message
    assert "@x.org" not in stored(project)


def test_a_subject_is_forgotten_and_the_counts_stay(tmp_path: Path) -> None:
    """Bob's keys and error records go, of the seed and of what was made of him; Ann's stay."""
    plain = FILES["m.yml"].replace("pii: [name, email], ", "")
    project = Project(tmp_path / "shop").write({**FILES, "m.yml": plain})
    project.dbt("build")
    counts = "SELECT * FROM cdme.ledger ORDER BY ALL"
    before, ledgers = project.sql(counts), project.sql("SELECT * FROM cdme.store_runs")
    assert "bob@x.org" in stored(project) and "Bob Secretname" not in stored(project)
    assert "BOB SECRETNAME" in stored(project)
    with open_for_writing(project) as con:
        manifest = Manifest.read(project.root / "target" / "manifest.json")
        answer = forget(Questions(con, manifest).context(), "people", "email like 'bob%'")
    kept = stored(project)
    assert "bob" not in kept.lower() and "cyd@x.org" in kept
    assert (answer["records"], answer["keys"], answer["errors"]) == (1, 1, 2)
    assert project.sql(counts) == before
    assert project.sql("SELECT * FROM cdme.store_runs") == ledgers
    assert project.sql("SELECT relation, records FROM cdme.forgotten") == [("seed.shop.people", 1)]
    errors = project.sql("SELECT model, count(*) FROM cdme.errors GROUP BY 1 ORDER BY 1")
    assert errors == [("model.shop.counted", 3), ("model.shop.staged", 3)]
    with open_questions(str(project.root), str(project.root)) as asked:
        assert asked.verify_ledger()["verdict"] == "exact"


def test_what_may_be_anybodys_is_forgotten_too(tmp_path: Path) -> None:
    """A resolved record keeps no way to its source: without a key nothing tells whose it was. With the key
    in it, it goes only with its own subject. A predicate that does not bind is told as one."""
    project = Project(tmp_path / "shop").write(
        {
            "people.csv": PEOPLE,
            "keyed.csv": PEOPLE,
            "m.yml": "{version: 2, seeds: [{name: keyed, config: {meta: {cdme: {key: email}}}}]}",
            "loose.sql": model({"refine": REFINE[:1]}, "select name as who, age from {{ ref('people') }}"),
            "tight.sql": model({"refine": REFINE[:1]}, "select email, age from {{ ref('keyed') }}"),
            "apart.sql": model({"refine": REFINE[:1]}, "select age from {{ ref('keyed') }}"),
        }
    )
    project.dbt("build")
    mended = PEOPLE.replace("-4", "4").replace("-5", "5")
    project.write({"people.csv": mended, "keyed.csv": mended})
    project.dbt("build")
    project.dbt("build")  # by now the sources of what is resolved are collected
    project.sql("DELETE FROM cdme.store_reject_edges WHERE generation NOT IN"
                " (SELECT generation FROM cdme.store_rejects WHERE resolved_run_id IS NULL)")  # fmt: skip
    root = str(project.root)

    def forgotten(relation: str, where: str) -> list[tuple[str, str]]:
        done = CliRunner().invoke(
            cli, ["forget", relation, "--where", where, "--project-dir", root, "--profiles-dir", root]
        )
        assert done.exit_code == 0, done.output
        return project.sql(
            "SELECT split_part(model, '.', -1), record::VARCHAR FROM cdme.error_history ORDER BY ALL"
        )

    gone = '{"forgotten":true}'
    after = forgotten("keyed", "email = 'bob@x.org'")
    assert after[:2] == [("apart", gone), ("apart", gone)]
    assert after[2:4] == [
        ("loose", '{"who":"Bob Secretname","age":-4}'),
        ("loose", '{"who":"Cyd Secretname","age":-5}'),
    ]
    assert after[4:] == [("tight", '{"email":"cyd@x.org","age":-5}'), ("tight", gone)]
    after = forgotten("people", "name like 'Bob%'")
    assert [row for row in after if row[0] == "loose"] == [("loose", gone)] * 2
    assert ("tight", '{"email":"cyd@x.org","age":-5}') in after
    after = forgotten("tight", "email = 'cyd@x.org' and age = -5")  # it never got into the table
    assert [row for row in after if row[0] == "tight"] == [("tight", gone)] * 2
    with open_questions(root, root) as asked:
        assert asked.verify_ledger()["verdict"] == "exact"
    wrong = CliRunner().invoke(
        cli, ["forget", "people", "--where", "nope = 1", "--project-dir", root, "--profiles-dir", root]
    )
    assert wrong.exit_code == 2 and "BAD_PREDICATE" in wrong.output


@pytest.mark.parametrize("keyed", [False, True])
def test_a_subject_that_only_an_earlier_run_saw_is_forgotten(tmp_path: Path, keyed: bool) -> None:
    """Of what an incremental model once rejected the source is gone, here and in the source itself: by its
    own values, or by the key, it is Bob's; what has neither may be his. Cyd's stays where that is told."""
    key = "'key': 'email', " if keyed else ""
    config = f"materialized='incremental', meta={{'cdme': {{{key}'refine': {REFINE[:1]!r}}}}}"
    project = Project(tmp_path / "shop").write(
        {
            "people.csv": PEOPLE,
            "m.yml": "{version: 2, seeds: [{name: people, config: {meta: {cdme: {key: email}}}}]}"
            if keyed
            else "version: 2",
            "whole.sql": f"{{{{ config({config}) }}}} select email, name, age from {{{{ ref('people') }}}}",
            "parts.sql": f"{{{{ config({config.replace(key, '')}) }}}} select name, age"
            " from {{ ref('people') }}",
        }
    )
    project.dbt("build")
    project.write({"people.csv": "email,name,age\neve@x.org,Eve Secretname,-1\ndan@x.org,Dan,3\n"})
    project.dbt("build")
    before = project.sql("SELECT * FROM cdme.ledger ORDER BY ALL")
    assert "bob@x.org" in stored(project) and "Bob Secretname" in stored(project)
    root = str(project.root)
    done = CliRunner().invoke(
        cli,
        ["forget", "people", "--where", "email = 'bob@x.org'", "--project-dir", root,
         "--profiles-dir", root],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    kept = stored(project)
    assert "bob" not in kept.lower()
    names = project.sql("SELECT model, record->>'name' FROM cdme.errors ORDER BY ALL")
    cyd, eve = "Cyd Secretname", "Eve Secretname"
    told = [cyd] if keyed else [None]  # without a key its source may be anybody's
    parts = sorted([eve, None, *told], key=lambda n: (n is None, n))
    assert names == [
        *(("model.shop.parts", name) for name in parts),
        *(("model.shop.whole", name) for name in (cyd, eve, None)),
    ]
    assert project.sql("SELECT * FROM cdme.ledger ORDER BY ALL") == before
    with open_questions(root, root) as asked:
        assert asked.verify_ledger()["verdict"] == "exact"
        verdicts = {e["verdict"] for e in asked.reconcile(["model.shop.whole"], sample=3)["edges"]}
    assert "violation" not in verdicts


@pytest.mark.parametrize("keyed", [True, False])
def test_a_personal_key_tells_what_was_judged_again(tmp_path: Path, keyed: bool) -> None:
    """Hashed it does; left out it is the same for all, so that nothing is said to have been judged."""
    config = (
        f"materialized='incremental', unique_key='email', meta={{'cdme': {{'refine': {REFINE[:1]!r}}}}}"
    )
    project = Project(tmp_path / "shop").write(
        {
            "people.csv": PEOPLE,
            "m.yml": "{version: 2, seeds: [{name: people, config: {meta: {cdme: {pii: email}}}}]}",
            "merged.sql": f"{{{{ config({config}) }}}} select email, age from {{{{ ref('people') }}}}",
        }
    )
    if keyed:
        (project.root / "cdme_pii.key").write_text("sesame and a long tail\n")
    project.dbt("build")
    project.write({"people.csv": "email,name,age\nbob@x.org,Bob Secretname,4\n"})
    project.dbt("build")
    ages = project.sql("SELECT record->>'age' FROM cdme.errors ORDER BY 1")
    assert ages == ([("-5",)] if keyed else [("-4",), ("-5",)])


def test_a_subject_is_found_by_hashes_and_by_any_predicate(tmp_path: Path) -> None:
    """By what stands for a personal value; a key that is not the person's says nothing of what the present
    records do not hold; lines that did not parse may be anybody's."""
    config = f"materialized='incremental', meta={{'cdme': {{'refine': {REFINE[:1]!r}}}}}"
    meta = "{pii: [email, name], key: n, cast: age}"
    numbered = "".join(f"{n or 'n'},{line}\n" for n, line in enumerate(PEOPLE.splitlines()))
    seed = "{version: 2, seeds: [{name: SEED, config: {column_types: {age: integer}, meta: {cdme: META}}}]}"
    project = Project(tmp_path / "shop").write(
        {
            "people.csv": numbered + "4,bob@x.org,Bob Secretname,old\n",
            "plain.csv": PEOPLE + "bob@x.org,Bob Secretname,old\n",
            "p.yml": seed.replace("SEED", "people").replace("META", meta),
            "q.yml": seed.replace("SEED", "plain").replace("META", "{cast: age}"),
            "hashed.sql": f"{{{{ config({config}) }}}} select n, email, age from {{{{ ref('people') }}}}",
        }
    )  # fmt: skip
    (project.root / "cdme_pii.key").write_text("sesame and a long tail\n")
    project.dbt("build")
    project.write({"people.csv": "n,email,name,age\n9,eve@x.org,Eve,-1\n"})
    project.dbt("build", "--select", "people", "hashed")
    root = str(project.root)

    def forgotten(relation: str, where: str) -> None:
        done = CliRunner().invoke(
            cli, ["forget", relation, "--where", where, "--project-dir", root, "--profiles-dir", root]
        )
        assert done.exit_code == 0, done.output

    def errors(name: str) -> list[str | None]:
        found = "SELECT record->>'{0}' FROM cdme.errors WHERE model LIKE '%.{1}' ORDER BY 1 NULLS LAST"
        return [row[0] for row in project.sql(found.format("age" if name == "hashed" else "text", name))]

    assert errors("hashed") == ["-1", "-4", "-5"]
    forgotten("people", "email = 'bob@x.org' and age < 0")
    assert errors("hashed") == ["-1", "-5", None]
    forgotten("people", "email in ('cyd@x.org', 'nobody') or email is null")
    assert errors("hashed") == ["-1", None, None]
    forgotten("people", "email in (select 'eve@x.org')")
    assert errors("hashed") == [None, None, None]
    assert errors("plain") == ["bob@x.org,Bob Secretname,old"]
    forgotten("plain", "email like 'bob%'")
    assert errors("plain") == [None] and "Bob Secretname" not in stored(project)
