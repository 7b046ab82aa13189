"""The proof of a run: what it holds, and that a change of any of it shows."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

import cdme_adapter
from cdme_adapter.cli import cli
from tests.functional.project import Project, release

META = {
    "expected_loss": [
        {"input": "raw", "kind": "where", "max": 9, "because": "tests", "approved_by": "ada"}
    ],
    "suppress": [{"code": "NO_TOTAL_ORDER", "because": "any one will do"}],
}


@pytest.fixture
def proven(project: Project) -> Project:
    """A project after a run, in a git repository."""
    project.write({
        "raw.csv": "id,v\n1,a\n2,b\n",
        "m.sql": "{{ config(materialized='table') }} select id, id * 2 as twice from {{ ref('raw') }}"
                 " where v <> 'b' limit 1",
        "m.yml": json.dumps({"models": [{"name": "m", "description": "twice the id",
                             "config": {"meta": {"owner": "team x", "cdme": META}}}]}),
    })  # fmt: skip
    git = ["git", "-C", str(project.root), "-c", "user.name=t", "-c", "user.email=t@t"]
    for arguments in (["init", "-q"], ["add", "models"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True)
    project.dbt("build")
    return project


def verify(project: Project, *more: str) -> tuple[int, dict[str, Any]]:
    release()
    where = ["--project-dir", str(project.root), "--profiles-dir", str(project.root)]
    done = CliRunner().invoke(cli, ["proof", "verify", *where, "--output", "json", *more])
    return done.exit_code, json.loads(done.stdout)


def folder(project: Project) -> Path:
    return project.root / "target/cdme" / project.file_ledger()["run_id"] / "proof"


def test_a_proof_holds_what_an_auditor_asks_for(proven: Project) -> None:
    found = {p.name: json.loads(p.read_text()) for p in folder(proven).iterdir()}
    edges = [(e["model"], e["input"], e["exactness"]) for e in found["lineage.json"]["edges"]]
    assert ("model.shop.m", "seed.shop.raw", "exact") in edges
    assert [n["state"] for n in found["trace.json"]["nodes"]] == ["committed", "committed"]
    types = found["types.json"]["models"]["model.shop.m"]
    assert [c["name"] for c in types["columns"]] == ["id", "twice"]
    kinds = dict(proven.sql("select column_name, data_type from duckdb_columns() where table_name = 'm'"))
    assert {c["name"]: c["in_database"] for c in types["columns"]} == kinds
    assert all(c["inferred"] for c in types["columns"])  # of a seed not loaded yet: DuckDB's reading of it
    rules = found["rules.json"]
    assert rules["verdicts"]["model.shop.m"]["types"] == "fine"
    assert [(s["code"], s["because"]) for s in rules["suppressed"]] == [
        ("NO_TOTAL_ORDER", "any one will do")
    ]
    intent = found["intent.json"]
    assert len(intent["commit"]) == 40 and intent["changed"] is False
    mine = intent["models"]["model.shop.m"]
    assert (mine["description"], mine["owner"]) == ("twice the id", "team x")
    assert mine["approvals"][0]["approved_by"] == "ada"
    assert found["versions.json"]["versions"]["duckdb"]
    assert "where v <> 'b'" in found["sql.json"]["compiled"]["model.shop.m"]
    schemas = Path(cdme_adapter.__file__).parent / "schemas"
    jsonschema.validate(found["manifest.json"], json.loads((schemas / "proof.json").read_text()))
    code, answer = verify(proven)
    assert (code, answer["verdict"], answer["problems"]) == (0, "exact", [])
    jsonschema.validate(answer, json.loads((schemas / "proof_verify.json").read_text()))


def test_whatever_is_changed_shows(proven: Project) -> None:
    where = folder(proven)
    for name in ("intent.json", "ledger.json", "sql.json"):
        path = where / name
        text = path.read_text()
        path.write_text(text.replace("{", "{ ", 1))
        code, answer = verify(proven)
        assert code == 1 and any(name in p and "was changed" in p for p in answer["problems"])
        path.unlink()
        code, answer = verify(proven)
        assert code == 1 and f"{name} is missing" in answer["problems"]
        path.write_text(text)
    (where / "more.json").write_text("{}")
    assert verify(proven)[1]["problems"] == ["more.json is not named in manifest.json"]
    (where / "more.json").unlink()
    assert verify(proven)[0] == 0
    # A manifest that was made anew agrees with its files, and not with the database.
    manifest = json.loads((where / "manifest.json").read_text())
    (where / "sql.json").write_text("{}")
    from cdme_adapter.proof.content import sha256

    manifest["files"]["sql.json"] = sha256(b"{}")
    (where / "manifest.json").write_text(json.dumps(manifest))
    code, answer = verify(proven)
    assert code == 1 and "the database keeps another hash" in "".join(answer["problems"])


def test_a_ledger_that_differs_from_the_database_shows(proven: Project) -> None:
    with proven.connect() as con:
        con.execute("UPDATE cdme.store_ledger SET filtered_count = 0")
    code, answer = verify(proven)
    assert code == 1 and "filtered_count" in "".join(answer["problems"])
    assert verify(proven, "--run", "nosuch")[0] == 2


def test_an_auditor_needs_the_folder_and_the_database_alone(proven: Project, tmp_path: Path) -> None:
    release()
    proof, database = tmp_path / "handed over", tmp_path / "audited.duckdb"
    shutil.copytree(folder(proven), proof)
    shutil.copy(proven.path, database)
    shutil.rmtree(proven.root)

    def asked(*more: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli, ["proof", "verify", *more, "--database", str(database)])
        return done.exit_code, done.output

    code, said = asked(str(proof))
    assert code == 0 and "exact" in said
    (proof / "intent.json").write_text("{}")
    code, said = asked(str(proof))
    assert code == 1 and "intent.json was changed" in said
    assert asked()[0] == 2 and asked(str(tmp_path / "nowhere"))[0] == 2
