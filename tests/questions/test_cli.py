"""The command line: documents that keep to their schemas, exit codes, and no dbt."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pytest
from click.testing import CliRunner, Result

from cdme_adapter.cli import cli
from cdme_adapter.engines.rows import fingerprint
from cdme_adapter.store.chain import chained_schemas, seal
from cdme_adapter.store.ledger_file import write_ledger
from tests.questions.conftest import World
from tests.questions.worlds import LOOKUP, SRC, A, true_world

PROFILES = """
shop:
  target: dev
  outputs:
    dev:
      type: cdme
      path: "{{ env_var('SHOP_DB', 'shop.duckdb') }}"
      threads: "{{ env_var('THREADS', '2') | as_number }}"
      settings: {TimeZone: UTC, no_such_setting: 1}
    other: {type: cdme, path: "{{ env_var('NOT_SET') }}"}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder as a run would have left it."""
    world = World(duckdb.connect(str(tmp_path / "shop.duckdb")), "shop")
    true_world(world)
    world.error(A, SRC, 0)
    for source in (SRC, LOOKUP):
        now = fingerprint(
            lambda sql: world.con.execute(sql).fetchall(), "shop", "main", source.split(".")[-1]
        )
        world.con.execute(
            "UPDATE cdme.store_generations SET fingerprint = ? WHERE relation = ?", [now, source]
        )
    world.manifest["exposures"]["exposure.p.x"] = {
        "name": "x", "type": "ml", "depends_on": {"nodes": ["model.p.b"]}, "owner": {"name": "o"},
    }  # fmt: skip
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "manifest.json").write_text(json.dumps(world.manifest))
    (tmp_path / "dbt_project.yml").write_text("name: shop\nprofile: shop\n")
    (tmp_path / "profiles.yml").write_text(PROFILES)
    rows = lambda sql: world.con.execute(sql).fetchall()  # noqa: E731
    write_ledger(tmp_path / "target", seal(rows, "run1", chained_schemas(rows)))
    world.con.close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cdme(*args: str) -> Result:
    return CliRunner().invoke(cli, list(args))


def schema(name: str) -> Any:
    return json.loads((files("cdme_adapter") / "schemas" / f"{name}.json").read_text())


ASKED = {
    "trace": ["trace", "b"],
    "trace --role all": ["trace", "a", "--role", "all", "--to", "parents", "--where", "id = 3"],
    "trace nothing": ["trace", "a", "--where", "false"],
    "impact": ["impact", "raw.src"],
    "impact --where": ["impact", "a", "--where", "id = 3", "--role", "all"],
    "explain": ["explain", "b", "--input", "raw.src"],
    "explain --where": ["explain", "a", "--input", "lookup", "--where", "w > 0", "--order-by", "w"],
    "ledger": ["ledger"],
    "ledger_verify": ["ledger", "verify"],
    "errors": ["errors"],
    "reconcile": ["reconcile", "b", "--all"],
    "sql": ["sql", "SELECT model, DATE '2020-01-01' AS d, 1.5 AS x FROM cdme.ledger"],
}


@pytest.mark.parametrize("name", ASKED)
def test_json_keeps_to_its_schema(project: Path, name: str) -> None:
    result = cdme(*ASKED[name], "--output", "json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    jsonschema.validate(document, schema(name.split()[0]))
    assert document


@pytest.mark.parametrize("name", ASKED)
def test_tables_and_csv(project: Path, name: str) -> None:
    table = cdme(*ASKED[name])
    assert table.exit_code == 0 and table.stdout.strip(), table.output
    assert "\x1b[" not in table.stdout
    rows = list(csv.reader(io.StringIO(cdme(*ASKED[name], "-o", "csv").stdout)))
    assert len({len(row) for row in rows}) == 1
    nothing = name in ("trace nothing", "ledger_verify", "impact --where")
    assert len(rows) > 1 or nothing


def test_the_schemas_are_schemas_and_refuse_what_is_wrong() -> None:
    for path in (files("cdme_adapter") / "schemas").iterdir():
        if path.name.endswith(".json"):
            jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"verdict": "fine"}, schema("reconcile"))


def test_the_stories(project: Path) -> None:
    said = cdme("explain", "a", "--input", "raw.src").stdout
    assert "not in a: lost there (models/m.sql:3), filtered by `s.v > 1`: v = 1" in said
    assert "in 1 record of a" in said
    said = cdme("explain", "a", "--input", "lookup").stdout
    assert "`join main.lookup l on s.k = l.k`: no partner for k = k2" in said
    said = cdme("trace", "b", "--limit", "1").stdout
    assert "showing 1 of 2" in said and "b ← a ← raw.src" in said
    assert "run1" in cdme("ledger").stdout


REFUSED = {
    "a misspelt model": ["trace", "nosuch"],
    "a misspelt column": ["trace", "b", "--where", "idd = 1"],
    "two statements": ["trace", "b", "--where", "true; drop table b"],
    "parentheses that do not match": ["trace", "b", "--where", "true) or (true"],
    "more than a predicate": ["trace", "b", "--where", "true group by 1"],
    "an order that is no expression": ["trace", "b", "--order-by", "id) from b, (select 1"],
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_keeps_to_its_schema(project: Path, name: str) -> None:
    result = cdme(*REFUSED[name], "--output", "json")
    assert result.exit_code == 2, result.output
    jsonschema.validate(json.loads(result.stdout), schema("error"))


def test_exit_codes(project: Path) -> None:
    assert cdme("trace", "nosuch").exit_code == 2
    assert cdme("trace", "a", "--where", "nosuch = 1").exit_code == 2
    assert cdme("trace").exit_code == 2
    assert cdme("nosuch").exit_code == 2
    assert cdme("ledger", "--run", "nosuch").exit_code == 2
    with duckdb.connect(str(project / "shop.duckdb")) as con:
        con.execute("UPDATE cdme.store_runs SET status = 'FAILED'; DELETE FROM cdme.store_documents")
        con.execute("UPDATE b SET n = 9")
    (project / "target" / "cdme" / "ledger.json").unlink()
    (project / "target" / "cdme" / "run1" / "ledger.json").unlink()
    assert cdme("ledger").exit_code == 1
    assert cdme("ledger", "verify").exit_code == 1
    assert cdme("reconcile", "--output", "json").exit_code == 1
    assert cdme("explain", "b", "--input", "a", "--where", "false").exit_code == 0


def test_errors_are_one_json_document_too(project: Path) -> None:
    result = cdme("trace", "mart", "--output", "json")
    assert json.loads(result.stdout)["error"]["code"] == "UNKNOWN_NAME"
    assert "there is no model 'mart'" in result.stderr


def test_a_file_and_a_manifest_are_enough(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "copy.duckdb"
    copy.parent.mkdir()
    copy.write_bytes((project / "shop.duckdb").read_bytes())
    (project / "dbt_project.yml").unlink()
    args = ["--database", str(copy), "--manifest", str(project / "target" / "manifest.json")]
    for asked in ASKED.values():
        assert cdme(*asked, *args).exit_code == 0
    assert "b ← a ← raw.src" in cdme("trace", "b", "--database", str(copy)).stdout


def test_a_profile_s_target_and_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = cdme("ledger", "--target", "other")
    assert result.exit_code == 2 and "NOT_SET" in result.stderr
    assert "it has dev, other" in cdme("ledger", "--target", "prod").stderr
    (project / "shop.duckdb").rename(project / "moved.duckdb")
    assert "no database at" in cdme("trace", "a").stderr
    monkeypatch.setenv("SHOP_DB", "moved.duckdb")
    assert cdme("sql", "SELECT 1", "--profiles-dir", str(project)).exit_code == 0
    elsewhere = project / "target"
    monkeypatch.chdir(elsewhere)
    assert cdme("sql", "SELECT 1", "--project-dir", "..", "--profiles-dir", "..").exit_code == 0


def test_a_locked_database_says_who_holds_it(project: Path) -> None:
    script = "import duckdb, sys; c = duckdb.connect('shop.duckdb'); print('open'); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "open\n"
        result = cdme("trace", "a")
        ledger = cdme("ledger", "--output", "json")
        holder.communicate("")
    assert result.exit_code == 2
    assert f"(process {holder.pid})" in result.stderr and "ask a copy" in result.stderr
    assert ledger.exit_code == 0 and json.loads(ledger.stdout)["run_id"] == "run1"


def test_a_database_without_a_store(project: Path) -> None:
    duckdb.connect("empty.duckdb").close()
    result = cdme("trace", "a", "--database", "empty.duckdb")
    assert result.exit_code == 2 and "holds no cdme schema" in result.stderr
    with duckdb.connect("shop.duckdb") as con:
        con.execute("UPDATE cdme.store_meta SET value = '99'")
    assert "[STORE_NEWER]" in cdme("trace", "a").stderr


def test_select_and_exclude(project: Path) -> None:
    def models(*args: str) -> set[str]:
        found = json.loads(cdme("ledger", "-o", "json", *args).stdout)["edges"]
        return {edge["model"] for edge in found}

    assert models() == {"model.p.a", "model.p.b"}
    assert models("--select", "a") == models("--exclude", "b") == {"model.p.a"}
    assert models("--select", "a+") == {"model.p.a", "model.p.b"}
    assert models("--select", "+b", "--exclude", "resource_type:model") == set()
    answer = json.loads(cdme("impact", "raw.src", "-o", "json", "-s", "b").stdout)
    assert {e["relation"] for r in answer["records"] for e in r["reaches"]} <= {"model.p.b"}


def test_only_what_is_built_is_registered(project: Path) -> None:
    listed = cdme("--help").stdout
    for name in ("trace", "explain", "impact", "ledger", "errors", "reconcile", "sql"):
        assert name in listed
    assert "did you mean" in cdme("tarce").stderr.lower()
    from cdme_adapter.cli import COMMANDS, LazyGroup

    group = cli
    assert isinstance(group, LazyGroup)
    for name in group.list_commands(None):  # type: ignore[arg-type]
        assert cdme(name, "--help").exit_code == 0
    assert set(group.list_commands(None)) <= set(COMMANDS)  # type: ignore[arg-type]


def test_neither_dbt_nor_what_is_not_needed_is_imported(project: Path) -> None:
    script = (
        "import sys\nfrom cdme_adapter.cli import cli\n"
        "try:\n    cli.main(['trace', 'a', '--where', 'id = 3'])\n"
        "except SystemExit as e:\n    assert not e.code\n"
        "print(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]
    for name in ("dbt", "networkx", "numpy", "openlineage", "pandas", "pyarrow", "jsonschema", "sqlglot"):
        assert f"'{name}'" not in loaded


def test_the_database_is_not_touched(project: Path) -> None:
    before = (project / "shop.duckdb").read_bytes()
    for asked in ASKED.values():
        assert cdme(*asked).exit_code == 0
    assert (project / "shop.duckdb").read_bytes() == before
    assert not list(project.glob("*.wal"))


def test_a_run_operation_whose_reader_has_gone_is_fine() -> None:
    """`dbt run-operation … | head`: neither our answer nor what dbt says after it is an error."""
    told = "from cdme_adapter.operations import say; say('x' * 1_000_000); say('y'); print('z')"
    process = subprocess.Popen([sys.executable, "-c", told], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b"" and process.wait() == 0
