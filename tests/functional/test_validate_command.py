"""``cdme validate`` and ``dbt run-operation cdme_validate`` as a user types them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

import cdme_adapter
from cdme_adapter.cli import cli
from tests.functional.project import Project, release

PACKAGE = Path(__file__).resolve().parents[2]
TABLE = "{{ config(materialized='table') }} "


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(tmp_path / "shop")
    found.write({
        "raw.csv": "id,grp,v\n1,a,10\n2,a,20\n3,b,30\n",
        "good.sql": TABLE + "select id, grp from {{ ref('raw') }}",
        "secret.sql": "{{ config(materialized='table', meta={'cdme': {'roles': ['boss']}}) }} "
                      "select * from {{ ref('raw') }}",
        "big.sql": "{{ config(materialized='table', meta={'cdme': {'budget': {'rows': 5}}}) }} "
                   "select a.id from {{ ref('raw') }} a join {{ ref('raw') }} b on a.grp <> b.grp or true",
        "macros/operations.sql": (PACKAGE / "dbt_cdme/macros/operations.sql").read_text(),
    })  # fmt: skip
    found.dbt("build", "--exclude", "big")
    return found


def cdme(project: Project, *args: str, stdin: str | None = None) -> tuple[int, dict[str, Any]]:
    release()
    where = ["--project-dir", str(project.root), "--profiles-dir", str(project.root)]
    done = CliRunner().invoke(cli, ["validate", *where, "--output", "json", *args], input=stdin)
    answer = json.loads(done.stdout)
    schema = Path(cdme_adapter.__file__).parent / "schemas/validate.json"
    jsonschema.validate(answer, json.loads(schema.read_text()))
    return done.exit_code, answer


def written(project: Project) -> dict[str, str]:
    """The hash of the database and of everything below the target path but dbt's own files."""
    paths = [Path(project.path), *(project.root / "target/cdme").rglob("*")]
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths if p.is_file()}


def test_what_was_edited_since_it_was_compiled_cannot_be_judged(project: Project) -> None:
    project.dbt("compile")
    assert cdme(project, "--select", "good")[1]["models"] == {"model.shop.good": "safe"}
    file = project.root / "models" / "good.sql"
    file.write_text(file.read_text() + " where nonsense")
    release()
    where = ["--project-dir", str(project.root), "--profiles-dir", str(project.root)]
    said = CliRunner().invoke(cli, ["validate", *where, "--select", "good"])
    assert "cannot tell  model.shop.good: no compiled SQL" in said.stdout
    assert "run `dbt compile`, then judge again" in said.stdout
    assert said.stdout.strip().endswith("0 findings, 1 unknown")
    project.dbt("compile")
    assert "UNKNOWN_COLUMN" in {f["code"] for f in cdme(project, "--select", "good")[1]["findings"]}
    file.write_bytes(file.read_bytes().replace(b" where nonsense", b"\r\n"))
    project.dbt("compile")
    assert cdme(project, "--select", "good")[1]["models"] == {"model.shop.good": "safe"}


def test_a_dry_run_writes_nothing(project: Project) -> None:
    project.dbt("compile")
    before = written(project)
    code, answer = cdme(project, "--dry-run")
    assert code == 1 and written(project) == before
    found = [(f["code"], f["model"]) for f in answer["findings"] if f["severity"] == "error"]
    assert found == [("BUDGET_EXCEEDED", "model.shop.big")]
    assert {"model": "model.shop.big", "rows": 9, "budget": 5} in answer["estimates"]
    code, answer = cdme(project, "--dry-run", "--select", "good")
    assert (code, answer["status"], [e["model"] for e in answer["estimates"]]) == (
        0, "pass", ["model.shop.good"],
    )  # fmt: skip
    code, _ = cdme(project)
    changed = {Path(path).name for path, found in written(project).items() if found != before.get(path)}
    assert code == 1 and changed == {"validation.json"}


@pytest.fixture
def candidates(project: Project) -> Project:
    project.dbt("compile")
    return project


def test_a_candidate_meets_every_rule(candidates: Project) -> None:
    """No bypass: names, types, access, grain, budget, SQL rules and whatever its own YAML says."""
    project = candidates
    project.write(
        {"cdme_rules/short.sql": "select model, 'long name' as message from models where len(name) > 9"}
    )
    before = written(project)
    cases = [
        ("select idd from {{ ref('good') }}", "", "UNKNOWN_COLUMN", 1),
        ("select * from {{ ref('god') }}", "", "UNKNOWN_RELATION", 1),
        ("select * from {{ ref('good') }} where id = 'x'", "", "TYPE_MISMATCH", 1),
        ("select * from {{ ref('secret') }}", "meta: {cdme: {validate: off}}", "ACCESS_DENIED", 1),
        ("select * from main.secret", "", "ACCESS_DENIED", 1),
        ("select id from {{ ref('good') }}", "meta: {cdme: {key: nosuch}}", "KEY_COLUMN_MISSING", 1),
        ("select id from {{ ref('good') }}", "meta: {cdme: {gates: warn}}", "CONFIG_UNKNOWN_KEY", 1),
        ("select a.id from {{ ref('good') }} a, {{ ref('good') }} b",
         "meta: {cdme: {budget: {join_depth: 0}, validate: off}}", "BUDGET_EXCEEDED", 1),
        ("select id from {{ ref('good') }} limit 1", "", "NO_TOTAL_ORDER", 0),
        ("selec 1", "", "COMPILE_ERROR", 1),
        ("select {{ nothing() }}", "", "COMPILE_ERROR", 1),
    ]  # fmt: skip
    for sql, told, code, exit_code in cases:
        (project.root / "mine.yml").write_text(f"models: [{{name: mine, config: {{{told}}}}}]")
        done, answer = cdme(
            project, "--sql", "-", "--name", "mine", "--yaml", str(project.root / "mine.yml"), stdin=sql
        )
        assert (done, code in [f["code"] for f in answer["findings"]]) == (exit_code, True), (sql, answer)
        assert {f["model"] for f in answer["findings"]} == {"model.shop.mine"}
    done, answer = cdme(project, "--sql", "-", "--name", "a_long_name", stdin="select 1 as one")
    assert [f["code"] for f in answer["findings"] if f["severity"] != "info"] == ["SHORT"]
    assert cdme(project, "--sql", "-", "--name", "mine", stdin="select id from {{ ref('good') }}")[0] == 0
    assert written(project) == before


def test_the_run_operation_judges_what_dbt_has_not_compiled(project: Project, capsys: Any) -> None:
    project.write({"macros/twice.sql": "{% macro twice(c) %}2 * {{ c }}{% endmacro %}"})
    project.write({"fresh.sql": TABLE + "select nope from {{ ref('good') }}"})
    before = written(project)

    def operation(arguments: dict[str, Any], ok: bool) -> dict[str, Any]:
        capsys.readouterr()
        args = json.dumps({"output": "json", **arguments})
        project.dbt("run-operation", "cdme_validate", "--args", args, ok=ok)
        text = capsys.readouterr().out
        return dict(json.loads(text[text.index("{") : text.rindex("}\n") + 1]))

    answer = operation({"dry_run": True}, ok=False)
    assert {f["code"] for f in answer["findings"] if f["severity"] == "error"} == {
        "UNKNOWN_COLUMN", "BUDGET_EXCEEDED",
    }  # fmt: skip
    assert operation({"select": "good", "dry_run": True}, ok=True)["status"] == "pass"
    (project.root / "mine.sql").write_text("select idd from {{ ref('good') }}")
    mine = {"sql": str(project.root / "mine.sql"), "name": "mine", "dry_run": True}
    assert [f["code"] for f in operation(mine, ok=False)["findings"] if f["severity"] == "error"] == [
        "UNKNOWN_COLUMN"
    ]
    # What may not be built on is told as what is not there, whoever compiles it.
    said = []
    for name in ("secret", "sekret"):
        (project.root / "mine.sql").write_text(f"select id\nfrom {{{{ ref('{name}') }}}}")
        answers = [operation(mine, ok=False), cdme(project, "--sql", mine["sql"], "--name", "mine")[1]]
        assert answers[0] == answers[1]
        said.append(json.dumps(answers[0]).replace(name, "NAME"))
    assert "there is no relation NAME to build on" in said[0] and "ACCESS_DENIED" in said[0]
    assert said[0].replace("ACCESS_DENIED", "UNKNOWN_RELATION") == said[1]
    # dbt compiles it, macros and all: without dbt that is said, and refused.
    called = "select {{ twice('id') }} as id, {{ dbt.length('grp') }} as n from {{ ref('good') }}"
    (project.root / "mine.sql").write_text(called)
    assert operation(mine, ok=True)["models"] == {"model.shop.mine": "safe"}
    done, answer = cdme(project, "--sql", mine["sql"], "--name", "mine")
    assert (done, answer["findings"][0]["code"]) == (1, "COMPILE_ERROR")
    assert "it calls dbt, twice" in answer["findings"][0]["message"]
    assert "run-operation" in answer["findings"][0]["remedy"]
    assert written(project) == before
    assert (
        "BAD_ARGUMENTS" in project.dbt("run-operation", "cdme_validate", "--args", "{x: 1}", ok=False).text
    )
