"""``impact``: forward through models, views and exposures; with an export for handing over."""

from __future__ import annotations

import csv
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cdme_adapter.errors import QuestionError

SRC, A, B, C = "source.p.raw.src", "model.p.a", "model.p.b", "model.p.c"


def build(world: Any) -> None:
    """src (4) → a (3, and one that fans out) → b (groups), and src → b indirectly."""
    world.relation(SRC, "SELECT i AS id, 'n' || i AS name FROM range(4) r(i)", fingerprint="f",
                   meta={"cdme": {"pii": ["name"]}})  # fmt: skip
    world.relation(A, "SELECT i AS aid, 'n' || i AS who FROM range(4) r(i)", parents=[SRC],
                   compiled_code="SELECT id AS aid, name AS who FROM main.src")  # fmt: skip
    world.relation(B, "SELECT i AS bid FROM range(2) r(i)", parents=[A])
    world.edge(A, SRC, [(0, 0), (1, 1), (2, 1), (3, 2)])
    world.edge(B, A, [(0, 0), (0, 1), (1, 2), (1, 3)])
    world.edge(B, SRC, [[(0, 0), (1, 0)], [(0, 3)]], role="indirect")
    world.node("model.p.v", [B], materialized="view")
    world.manifest["exposures"]["exposure.p.board"] = {
        "name": "board", "type": "dashboard", "depends_on": {"nodes": ["model.p.v"]},
    }  # fmt: skip
    world.manifest["exposures"]["exposure.p.other"] = {
        "name": "other", "type": "dashboard", "depends_on": {"nodes": ["model.p.z"]},
    }  # fmt: skip


def reaches(answer: dict[str, Any], at: int = 0) -> dict[tuple[str, str], list[int]]:
    return {
        (e["relation"], e["role"]): [r["key"]["rowid"] for r in e["records"]]
        for e in answer["records"][at]["reaches"]
    }


def test_forward_without_duplicates(world: Any) -> None:
    build(world)
    answer = world.questions().impact("raw.src", "id = 1")
    assert reaches(answer) == {(A, "direct"): [1, 2], (B, "direct"): [0, 1]}
    entry = next(e for e in answer["records"][0]["reaches"] if e["relation"] == B)
    assert entry["path"] == [SRC, A, B] and entry["count"] == 2
    assert answer["stale"] is False and answer["count"] == 1


def test_roles(world: Any) -> None:
    build(world)
    answer = world.questions().impact("raw.src", "id = 3", role="all")
    assert reaches(answer) == {(B, "indirect"): [0, 1]}
    assert reaches(world.questions().impact("raw.src", "id = 3")) == {}


def test_views_and_exposures_that_show_what_was_reached(world: Any) -> None:
    build(world)
    answer = world.questions().impact("src", "id = 1")
    assert [v["relation"] for v in answer["views"]] == ["model.p.v"]
    (exposure,) = answer["exposures"]
    assert exposure["id"] == "exposure.p.board"
    assert exposure["path"] == [B, "model.p.v", "exposure.p.board"]
    assert world.questions().impact("src", "id = 3")["exposures"] == []


def test_totals_count_each_record_once(world: Any) -> None:
    build(world)
    answer = world.questions().impact("src", limit=1)
    assert {e["relation"]: e["count"] for e in answer["totals"]} == {A: 4, B: 2}
    assert len(answer["records"]) == 1 and answer["count"] == 4 and answer["truncated"]


def test_a_model_behind_an_older_content_is_named(world: Any) -> None:
    build(world)
    world.relation(A, "SELECT i AS aid, 'x' AS name FROM range(4) r(i)", parents=[SRC],
                   run_id="run2")  # fmt: skip
    world.edge(A, SRC, [(0, 0)], run_id="run2")
    answer = world.questions().impact("src", "id = 0")
    assert reaches(answer) == {(A, "direct"): [0]}
    assert answer["stale"] is True and answer["stale_ends"] == [B]


def test_a_changed_source_is_never_answered_from(world: Any) -> None:
    build(world)
    world.changed[SRC] = "else"
    answer = world.questions().impact("src", "id = 1")
    assert answer["stale"] is True and reaches(answer) == {}
    assert answer["records"][0]["record"]["id"] == 1
    assert answer["stale_ends"] == [A]


def test_opaque_models_downstream_are_not_left_out(world: Any) -> None:
    build(world)
    world.relation(C, "SELECT 1 AS cid", parents=[B])
    world.edge(C, B, exactness="opaque")
    answer = world.questions().impact("src", "id = 1")
    entry = next(e for e in answer["records"][0]["reaches"] if e["relation"] == C)
    assert (entry["count"], entry["exactness"]) == (None, "opaque")


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_export(world: Any, tmp_path: Path, kind: str) -> None:
    build(world)
    answer = world.questions().impact("src", "id = 1", export=tmp_path / "out", format=kind)
    files = {f["relation"]: f for f in answer["files"]}
    assert {name: f["count"] for name, f in files.items()} == {SRC: 1, A: 2, B: 2}
    path = Path(files[A]["path"])
    if kind == "csv":
        found = list(csv.DictReader(path.open()))
    elif kind == "json":
        found = json.loads(path.read_text())
    else:
        read = world.con.execute(f"SELECT * FROM '{path}'")
        names = [d[0] for d in read.description]
        found = [dict(zip(names, row, strict=True)) for row in read.fetchall()]
    assert [str(row["aid"]) for row in found] == ["1", "2"]
    assert {row["who"] for row in found} == {"***"}
    answer = world.questions(show_pii=True).impact("src", "id = 1", export=tmp_path, format=kind)
    assert "***" not in Path(answer["files"][0]["path"]).read_text(errors="replace")


def test_what_stores_nothing_is_refused(world: Any) -> None:
    build(world)
    with pytest.raises(QuestionError, match="stores no records"):
        world.questions().impact("v")
    world.node("source.p.raw.lonely")
    with pytest.raises(QuestionError, match="no captured model reads"):
        world.questions().impact("lonely")


def test_what_reaches_nothing_is_not_stale(world: Any) -> None:
    """The models below the one that lost it were not made from an older content of it."""
    world.relation(SRC, "SELECT i AS id FROM range(3) r(i)", fingerprint="f")
    world.relation(A, "SELECT id FROM src WHERE id > 0", parents=[SRC])
    world.edge(A, SRC, [(0, 1), (1, 2)])
    world.relation(B, "SELECT id FROM a", parents=[A])
    world.edge(B, A, [(0, 0), (1, 1)])
    answer = world.questions().impact(SRC, "id = 0")
    assert (answer["count"], answer["totals"], answer["stale"]) == (1, [], False)


def test_error_records_that_it_took_part_in_are_named_and_exported(world: Any, tmp_path: Path) -> None:
    """They are not in any table downstream, and yet made of the record, of its descendants too."""
    world.relation(SRC, "SELECT i AS id FROM range(3) r(i)", fingerprint="f")
    world.relation(A, "SELECT id FROM src", parents=[SRC])
    world.edge(A, SRC, [(0, 0), (1, 1), (2, 2)])
    world.relation(B, "SELECT id FROM a WHERE id > 1", parents=[A])
    world.edge(B, A, [(0, 2)])
    world.error(B, A, 1)
    answer = world.questions().impact(SRC, "id = 1", export=tmp_path, format="json")
    jsonschema.validate(answer, json.loads((files("cdme_adapter") / "schemas" / "impact.json").read_text()))
    (error,) = answer["errors"]
    assert (error["model"], error["count"]) == (B, 1)
    (file,) = [f for f in answer["files"] if f["relation"] == "cdme.errors"]
    assert file["count"] == 1 and json.loads(Path(file["path"]).read_text())[0]["model"] == B
    assert world.questions().impact(SRC, "id = 2")["errors"] == []
