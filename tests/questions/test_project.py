"""Projects, manifests and selections read without dbt; ledger files written in one step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cdme_adapter.errors import ConfigError
from cdme_adapter.lineage.selection import Selection
from cdme_adapter.project import Manifest, read_project
from cdme_adapter.store.ledger_file import ledger_hash, replace_file, write_ledger


def write(folder: Path, project: str, profiles: str) -> None:
    (folder / "dbt_project.yml").write_text(project)
    (folder / "profiles.yml").write_text(profiles)


def test_everything_that_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBT_TARGET_PATH", raising=False)
    write(tmp_path, "name: p\nprofile: q\ntarget-path: \"{{ env_var('T', 'out') }}\"\n",
          "q: {target: \"{{ env_var('WHICH', 'dev') }}\", outputs: {dev: {type: cdme, path: data/x.duckdb,"
          " schema: s, attach: [{path: y.duckdb, alias: why}, z.duckdb, {path: 'dbname=d', type: postgres,"
          " alias: pg}]}, prod: {type: cdme, path: /srv/prod.duckdb}}}")  # fmt: skip
    project = read_project(str(tmp_path))
    assert project.database_path == str(tmp_path / "data/x.duckdb")
    assert (project.database_name, project.schema) == ("x", "s")
    assert project.target_path == tmp_path / "out"
    assert [(a.alias, a.type) for a in project.attach] == [("why", ""), ("z", ""), ("pg", "postgres")]
    assert project.attach[0].path == str(tmp_path / "y.duckdb")
    monkeypatch.setenv("WHICH", "prod")
    monkeypatch.setenv("DBT_TARGET_PATH", "elsewhere")
    project = read_project(str(tmp_path))
    assert project.database_path == "/srv/prod.duckdb" and project.target_path.name == "elsewhere"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ env_var('E_SET') }}", "value"),
        ('{{env_var("E_SET", "d")}}/x', "value/x"),
        ("{{ env_var('E_NOT', 'd e') }}", "d e"),
        ("{{ env_var('E_NOT', '') }}", ""),
        ("{{ env_var('E_NOT', '2') | as_number }}", 2),
        ("{{ env_var('E_SET') ~ '!' }}", "value!"),
        ("{{ 'a' if true else 'b' }}", "a"),
        ("a{b}", "a{b}"),
    ],
)
def test_jinja_of_a_profile(text: str, expected: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from cdme_adapter.project import _render

    monkeypatch.setenv("E_SET", "value")
    monkeypatch.delenv("E_NOT", raising=False)
    assert _render({"x": [text]}) == {"x": [expected]}


def test_profiles_are_looked_for_where_dbt_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, given = tmp_path / "project", tmp_path / "given"
    for folder, name in ((inside, "a"), (given, "b")):
        folder.mkdir()
        write(folder, "name: p\n", f"p: {{target: t, outputs: {{t: {{path: {name}.duckdb}}}}}}")
    monkeypatch.delenv("DBT_PROFILES_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    assert read_project(str(inside)).database_name == "a"
    monkeypatch.setenv("DBT_PROFILES_DIR", str(given))
    assert read_project(str(inside)).database_name == "b"
    assert read_project(str(inside), str(inside)).database_name == "a"


@pytest.mark.parametrize(
    ("project", "profiles", "code"),
    [
        ("name: p\n", "x: {}", "NO_PROFILE"),
        ("name: p\n", "p: {target: a, outputs: {b: {}}}", "NO_TARGET"),
        ("name: [", "", "BAD_YAML"),
        ("name: p\n", "p: {outputs: {default: {path: \"{{ env_var('NOWHERE') }}\"}}}", "NO_ENV_VAR"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, project: str, profiles: str, code: str) -> None:
    write(tmp_path, project, profiles)
    with pytest.raises(ConfigError) as caught:
        read_project(str(tmp_path), str(tmp_path))
    assert caught.value.code == code and caught.value.code in str(caught.value)


def test_no_project_and_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no"):
        read_project(str(tmp_path))
    with pytest.raises(ConfigError, match="no manifest"):
        Manifest.read(tmp_path / "manifest.json")
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ConfigError, match="not JSON"):
        Manifest.read(tmp_path / "manifest.json")


def manifest() -> Manifest:
    def node(name: str, parents: list[str], **extra: object) -> dict[str, object]:
        return {"resource_type": "model", "name": name, "depends_on": {"nodes": parents}, **extra}

    return Manifest.from_dict({
        "nodes": {
            "model.p.a": node("a", ["source.p.raw.s"], tags=["t"], original_file_path="models/x/a.sql"),
            "model.p.b": node("b", ["model.p.a"], config={"tags": ["t"]}),
            "model.p.c": node("c", ["model.p.b"]),
            "test.p.t": {"resource_type": "test", "name": "t"},
        },
        "sources": {"source.p.raw.s": {"resource_type": "source", "name": "s", "source_name": "raw"}},
    })  # fmt: skip


@pytest.mark.parametrize(
    ("select", "exclude", "expected"),
    [
        ((), (), "a b c s"),
        (("a",), (), "a"),
        (("a b",), (), "a b"),
        (("+b",), (), "a b s"),
        (("b+",), (), "b c"),
        (("tag:t",), (), "a b"),
        (("tag:t,path:models/x",), (), "a"),
        (("source:raw",), (), "s"),
        (("raw.s+",), ("c",), "a b s"),
        (("model.p.c",), (), "c"),
        ((), ("resource_type:model",), "s"),
        (("?",), ("b",), "a c s"),
    ],
)
def test_selection(select: tuple[str, ...], exclude: tuple[str, ...], expected: str) -> None:
    nodes = manifest()
    selection = Selection(nodes, select, exclude)
    kept = sorted(n.name for n in nodes.nodes.values() if selection.keeps(n.id))
    assert kept == expected.split()


def test_compiled_sql_is_found_in_the_target_folder(tmp_path: Path) -> None:
    path = tmp_path / "compiled" / "p" / "models" / "a.sql"
    path.parent.mkdir(parents=True)
    path.write_text("select 1")
    raw = {"resource_type": "model", "name": "a", "package_name": "p", "original_file_path": "models/a.sql"}
    (tmp_path / "manifest.json").write_text(json.dumps({"nodes": {"model.p.a": raw}}))
    assert Manifest.read(tmp_path / "manifest.json").nodes["model.p.a"].compiled == ["select 1"]


def test_a_ledger_is_replaced_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = {"run_id": "r1", "status": "COMPLETE"}
    path = write_ledger(tmp_path, {**ledger, "ledger_hash": ledger_hash(ledger)})
    before = path.read_text()
    assert (tmp_path / "cdme" / "r1" / "ledger.json").read_text() == before

    def crash(*_: object) -> None:
        raise OSError("power is gone")

    monkeypatch.setattr("os.fsync", crash)
    with pytest.raises(OSError, match="power"):
        write_ledger(tmp_path, {"run_id": "r2"})
    assert path.read_text() == before
    assert sorted(p.name for p in path.parent.iterdir()) == ["ledger.json", "r1", "r2"]
    monkeypatch.undo()
    replace_file(path, "{}")
    assert path.read_text() == "{}" and path.stat().st_mode & 0o444 == 0o444
