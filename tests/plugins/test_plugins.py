"""Every extension point: the example plugin registers one of each, and each is seen to act."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from cdme_adapter import plugins
from cdme_adapter.capture.declared_functions import DeclaredFunctions
from cdme_adapter.cli import cli
from cdme_adapter.engines.duckdb import DuckDbCatalog
from cdme_adapter.errors import ConfigError
from tests.functional.project import Project, counts, release
from tests.harness import capture
from tests.plugins import example

TABLE = "{{ config(materialized='table') }} "
RAW = "id,v\n1,a\n2,b\n3,c\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    found = Project(tmp_path / "shop")
    found.write({
        "raw.csv": RAW,
        "sampled.sql": TABLE + "select * from {{ ref('raw') }} where v <> 'c' using sample 100%",
        "called.sql": TABLE + "select id from query_table('raw') where id > 1 -- {{ ref('raw') }}",
        "joined.sql": TABLE + "select a.id from {{ ref('raw') }} as a full join {{ ref('raw') }} as b "
                      "on a.id = b.id + 1 and random() >= 0",
        "py.py": "def model(dbt, session):\n    dbt.config(materialized='table')\n"
                 "    return dbt.ref('raw').df()\n",
        "loud.sql": TABLE + "select id as LOUD from {{ ref('raw') }}",
    })  # fmt: skip
    yield found
    release()


def exactness(project: Project) -> dict[str, tuple[str, object]]:
    names = ("sampled", "called", "joined", "py")
    rows = {name: project.ledger(name)["raw"] for name in names}
    return {name: (row["exactness"], counts(row)[:3]) for name, row in rows.items()}


def test_each_extension_point_acts(project: Project) -> None:
    project.dbt("build")
    before = exactness(project)
    assert {kind for kind, _ in before.values()} <= {"opaque", "superset"}, before

    plugins.manager().register(example, "example")
    example.RECEIVED.clear()
    try:
        outcome = project.dbt("build")
        assert exactness(project) == {
            "sampled": ("exact", (3, 2, 1)),
            "called": ("exact", (3, 2, 1)),
            "joined": ("exact", (3, 3, 0)),
            "py": ("exact", (3, 3, 0)),
        }
        assert project.sql("select id from called order by 1") == [(2,), (3,)]
        assert "[SHOUTING] models/loud.sql:1: LOUD shouts" in outcome.log
        ledger = project.file_ledger()
        assert [one["run_id"] for one in example.RECEIVED] == [ledger["run_id"]]
        section = project.root / "target/cdme" / ledger["run_id"] / "proof/sections.json"
        shown = json.loads(section.read_text())
        assert shown["sections"] == [
            {"title": "Edges at a glance", "text": f"{len(ledger['edges'])} edges"}
        ]
        assert "example" in shown["plugins"]
        release()
        where = ["--project-dir", str(project.root), "--profiles-dir", str(project.root)]
        said = CliRunner().invoke(cli, ["ledger", *where]).output
        assert "Edges at a glance" in said and f"{len(ledger['edges'])} edges" in said
        project.configure(vars={"cdme": {"validate": "error"}})
        assert "[SHOUTING]" in project.dbt("run", ok=False).text
    finally:
        plugins.manager().unregister(example)


def test_what_a_plugin_says_of_functions_goes_first() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT * FROM range(3) AS r(i)")
        volatile = "SELECT abs(i) AS a FROM t WHERE abs(i) > 0"

        def known() -> tuple[bool, bool, list[str]]:
            asked = DeclaredFunctions(DuckDbCatalog(lambda q: connection.execute(q).fetchall(), str.format))
            found = capture(connection, f"SELECT x.a FROM ({volatile}) AS x FULL JOIN t ON abs(x.a) = t.i")
            return asked.is_aggregate("product"), asked.is_aggregate("nosuch"), found.coarse

        assert known() == (True, False, [])
        plugins.manager().register(example, "example")
        try:
            assert known()[2] == ["a volatile function in FULL JOIN t ON abs(x.a) = t.i"]
        finally:
            plugins.manager().unregister(example)
        plugins.manager().register(Odd(), "odd")
        try:
            with pytest.raises(ConfigError, match="calls abs\\(\\) 'strange'"):
                known()
        finally:
            plugins.manager().unregister(name="odd")


class Odd:
    """A plugin with a word of its own."""

    @plugins.hookimpl
    def cdme_function(self, name: str) -> str:
        return "strange"


class Broken:
    """A plugin whose sink fails."""

    @plugins.hookimpl
    def cdme_ledger_sink(self, ledger: object) -> None:
        raise ValueError("the queue is full")


def test_a_fault_of_a_plugin_is_said(project: Project) -> None:
    broken = Broken()
    plugins.manager().register(broken)
    try:
        outcome = project.dbt("seed")
        assert "[PLUGIN_FAILED]" in outcome.log and "the queue is full" in outcome.log
        with pytest.raises(ConfigError, match="cdme_ledger_sink"):
            list(plugins.each("cdme_ledger_sink", ledger={}))
    finally:
        plugins.manager().unregister(broken)


def test_rules_as_sql(project: Project) -> None:
    project.write({
        "cdme_rules/wide.sql": "select model, 'warn' as severity, count(*) || ' columns' as message,"
                               " 'TOO_WIDE' as code from columns group by model having count(*) > 1;",
        "cdme_rules/readers.sql": "select i.model, 'reads ' || p.name as message, 'error' as severity"
                                  " from inputs i join models p on p.model = i.input and p.type = 'seed'"
                                  " where i.model like '%called'",
    })  # fmt: skip
    project.dbt("seed")
    outcome = project.dbt("run", "--select", "sampled", "called")
    assert "[TOO_WIDE] models/sampled.sql:1: 2 columns" in outcome.log
    assert "[READERS] models/called.sql:1: reads raw" in outcome.log
    assert "loud.sql" not in outcome.log
    project.configure(vars={"cdme": {"validate": "error"}})
    assert "refused before any model ran" in project.dbt("run", "-s", "called", ok=False).text
    meta = {"suppress": [{"code": "READERS", "because": "it may"}]}
    project.write(
        {"m.yml": json.dumps({"models": [{"name": "called", "config": {"meta": {"cdme": meta}}}]})}
    )
    project.dbt("run", "-s", "called")
    project.write({"cdme_rules/bad.sql": "select 1 as model from read_csv('/etc/passwd')"})
    assert "[RULE_INVALID]" in project.dbt("run", "-s", "called", ok=False).text
