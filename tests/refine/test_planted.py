"""A name is planted in personal columns, and then looked for wherever CDME writes or says anything.

Everything that could quote a value is made to happen: rejected records, casts, lines that do not parse,
input records kept out, keys, tables in place, constraint and conversion errors, a view that fails, a
failing test, events, a candidate over its budget, all questions and an export.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cdme_adapter.cli import cli
from tests.functional.project import Project
from tests.refine.shop import model

NAME = "zyxqueen"
PEOPLE = ["ann@x.org,Ann,30,NO", f"{NAME}@x.org,{NAME},-4,NO", f"{NAME}-2@x.org,{NAME} O'Brien,41,SE",
          f"{NAME}-2@y.org,{NAME},{NAME},SE", "dan@x.org,Dan,50,SE"]  # fmt: skip
LATER = [line.replace("-4", "44").replace(",41,", ",-41,") for line in PEOPLE]
HEAD = "email,name,age,country\n"
BORN = {"name": "born", "expression": "age >= 0"}
SHORT = {"name": "short", "expression": "length(who) < 4"}
IN_PLACE = {"refine": [BORN], "key": "email"}
SQL = "select email, name, age from {{ ref('people') }}"
FILES = {
    "people.csv": HEAD + "\n".join(PEOPLE) + "\n",
    "staged.sql": model({"refine": [SHORT], "cast": ["n"], "key": "contact"},
                        "select email as contact, upper(name) as who, cast(name as integer) as n"
                        " from {{ ref('people') }}"),
    "grouped.sql": model({"refine_inputs": {"people": [BORN]}},
                         "select country, max(name) as latest from {{ ref('people') }} group by country"),
    "ones.sql": model({"refine": ["tests"]}, "select 'k' as k, email from {{ ref('people') }}"),
    "merged.sql": model(IN_PLACE, SQL, "incremental").replace("meta", "unique_key='email', meta"),
    "known.sql": model({"key": "email"}, SQL + " where age > 0"),
    "converted.sql": model({}, "select cast(email as integer) as n from {{ ref('people') }}"),
    "parsed.sql": model({}, "select strptime(name, '%Y') as n from {{ ref('people') }}"),
    "looked_at.sql": "{{ config(materialized='view') }} select cast(name as integer) as n"
                     " from {{ ref('people') }}",
    "snapshots/versions.sql": "{% snapshot versions %}{{ config(unique_key='email', strategy='check',"
                              f" check_cols='all', meta={{'cdme': {IN_PLACE!r}}}) }}}} {SQL}"
                              " {% endsnapshot %}",
    "joined.sql": model({}, "select a.name from {{ ref('people') }} a join {{ ref('people') }} b"
                            " on a.name = b.name"),
    "m.yml": """
version: 2
seeds:
- name: people
  config: {column_types: {age: integer}, meta: {cdme: {pii: [name, email], key: email, cast: [age]}}}
models:
- name: ones
  columns:
  - {name: k, data_tests: [unique]}
- name: filed
  config: {meta: {cdme: {pii: [name], refine: [{name: aged, expression: "age > 0"}]}}}
- name: constrained
  config: {contract: {enforced: true}}
  columns:
  - {name: name, data_type: varchar, constraints: [{type: primary_key}]}
- name: known
  columns:
  - {name: name, data_tests: [unique, {accepted_values: {arguments: {values: [Ann]}}}]}
""",
    "constrained.sql": model({}, "select left(name, 8) as name from {{ ref('people') }}"),
}  # fmt: skip


class Said:
    """Everything that was written or printed, by where."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.texts: dict[str, str] = {}
        self.statuses: dict[str, str] = {}

    def dbt(self, *args: str, **more: Any) -> None:
        outcome = self.project.dbt(*args, **more)
        self.statuses |= outcome.status
        assert outcome.status, outcome.exception
        self.texts[" ".join(args)] = outcome.text

    def cdme(self, *args: str) -> str:
        root = str(self.project.root)
        done = CliRunner().invoke(cli, [*args, "--project-dir", root, "--profiles-dir", root])
        assert done.exit_code in (0, 1), done.output
        self.texts[" ".join(args)] = done.output
        return done.output

    def look(self) -> None:
        """Take in the store's tables and views, and all files but the project's own."""
        with self.project.connect() as con:
            names = con.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'cdme'"
            ).fetchall()
            for (name,) in names:
                self.texts[f"cdme.{name}"] = str(con.execute(f"SELECT * FROM cdme.{name}").fetchall())
        root = self.project.root
        for file in [*(root / "target").rglob("*"), *(root / "logs").rglob("*"), root / "events.json",
                     root / "errors.csv"]:  # fmt: skip
            if file.is_file():
                self.texts[str(file.relative_to(root))] = file.read_text(errors="replace")

    def found(self) -> list[str]:
        """Where the name stands, with what is around it."""
        places = []
        for place, text in self.texts.items():
            at = text.lower().find(NAME)
            if at >= 0:
                places.append(f"{place}: …{text[max(0, at - 200) : at + 80]}…")
        return places


@pytest.mark.parametrize("keyed", [True, False])
def test_a_planted_name_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keyed: bool) -> None:
    project = Project(tmp_path / "shop").write(FILES)
    lines = project.root / "lines.csv"
    lines.write_text(f"name,age\n{NAME},3\n{NAME}-b,{NAME}\n")
    scan = f"read_csv('{lines}', header = true, columns = {{'name': 'VARCHAR', 'age': 'INT'}})"
    project.write({"filed.sql": "{{ config(materialized='table') }} select name, age from " + scan})
    if keyed:
        (project.root / "cdme_pii.key").write_text("sesame\n")
    transport = {"type": "file", "log_file_path": str(project.root / "events.json"), "append": True}
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT", json.dumps(transport))
    monkeypatch.delenv("OPENLINEAGE_DISABLED", raising=False)
    said = Said(project)
    said.dbt("build", ok=False)
    failed = {name for name, status in said.statuses.items() if status in ("error", "fail")}
    assert {"converted", "parsed", "constrained"} <= failed and "staged" not in failed, said.statuses
    project.write({"people.csv": HEAD + "\n".join(LATER) + "\n"})
    said.dbt("build", ok=False)
    (project.root / "candidate.sql").write_text(
        "select a.name from people a join people b on a.name = b.name"
    )
    (project.root / "candidate.yml").write_text(
        "{version: 2, models: [{name: crowd, config: {meta: {cdme: {budget: {rows: 1}}}}}]}"
    )
    for args in (
        ["errors", "--limit", "0", "--history", "--export", str(project.root / "errors.csv")],
        ["errors", "--output", "json"], ["ledger", "--output", "json"], ["trace", "known"],
        ["explain", "staged", "--input", "people"], ["explain", "merged", "--input", "people"],
        ["impact", "people", "--where", "age > 40"], ["reconcile"], ["validate"],
        ["validate", "--output", "json", "--sql", str(project.root / "candidate.sql"), "--name", "crowd",
         "--yaml", str(project.root / "candidate.yml")],
    ):  # fmt: skip
        said.cdme(*args)
    said.look()
    assert "target/cdme/ledger.json" in said.texts and "logs/dbt.log" in said.texts
    assert "events.json" in said.texts, "events were written too"
    assert said.found() == []
    present = project.sql("SELECT DISTINCT split_part(model, '.', -1) FROM cdme.errors ORDER BY 1")
    rejecting = ["filed", "grouped", "merged", "ones", "people", "staged", "versions"]
    assert [name for (name,) in present] == rejecting
