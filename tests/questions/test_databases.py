"""Several databases: each keeps its own store, and questions go across."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from cdme_adapter.errors import QuestionError
from cdme_adapter.lineage.opening import connect, open_questions
from cdme_adapter.project import Attachment, Project
from cdme_adapter.store.reader import Store
from tests.questions.conftest import World
from tests.questions.test_trace import entries, rows

SRC, A, B = "source.p.raw.src", "model.p.a", "model.p.b"


def two_databases(folder: Path) -> Project:
    """a is made of src in one database; b, in another, of a."""
    first = World(duckdb.connect(str(folder / "one.duckdb")), "one")
    first.relation(SRC, "SELECT i AS id FROM range(4) r(i)")
    generation = first.relation(A, "SELECT * FROM src WHERE id > 1", parents=[SRC])
    edge = first.edge(A, SRC, [(0, 2), (1, 3)])
    first.reason(edge, 0, "where", "id > 1", {0: 0, 1: 0})
    first.con.close()
    second = World(duckdb.connect(str(folder / "two.duckdb")), "two", numbers=500)
    second.relation(B, "SELECT 3 AS id", parents=[A])
    second.edge(B, A, [(0, 1)], into=generation)
    second.con.close()
    attach = (Attachment(str(folder / "two.duckdb"), "two"),)
    return Project(folder, "p", folder / "target", str(folder / "one.duckdb"), "one", attach=attach)


def test_a_trace_and_an_explanation_go_across(tmp_path: Path) -> None:
    from cdme_adapter.lineage.api import Questions

    with Questions(connect(two_databases(tmp_path)), frozen=True) as questions:
        answer = questions.trace("b")
        assert rows(entries(answer)[SRC, "direct"]) == [3]
        assert entries(answer)[SRC, "direct"]["path"] == [B, A, SRC]
        classes = [r["class"] for r in questions.explain("b", "src")["records"]]
        assert classes == ["filtered", "filtered", "unaccounted", "contributed"]
        assert questions.impact("src", "id = 3")["totals"][1]["relation"] == B
        assert len(questions.context().store.schemas) == 2


@pytest.mark.parametrize("name", ["aaa", "zzz"])
def test_of_two_environments_the_opened_one_answers(tmp_path: Path, name: str) -> None:
    """Production attached beside development, as ``--defer`` has it: one model, two tables."""
    for place, least in ((name, 2), ("dev", 3)):
        world = World(duckdb.connect(str(tmp_path / f"{place}.duckdb")), place, numbers=100 * least)
        world.relation(SRC, "SELECT i AS id FROM range(4) r(i)")
        world.relation(A, f"SELECT * FROM src WHERE id >= {least}", parents=[SRC])
        world.edge(A, SRC, [(o, i) for o, i in enumerate(range(least, 4))])
        world.con.close()
    attach = (Attachment(str(tmp_path / f"{name}.duckdb"), name),)
    project = Project(
        tmp_path, "p", tmp_path / "target", str(tmp_path / "dev.duckdb"), "dev", attach=attach
    )

    from cdme_adapter.lineage.api import Questions

    with Questions(connect(project), frozen=True) as questions:
        answer = questions.trace("a")
        assert rows(entries(answer)[SRC, "direct"]) == [3]
        assert answer["count"] == 1


def test_a_file_alone_finds_the_others_beside_it(tmp_path: Path) -> None:
    """By their names in the manifest; elsewhere they are attached by hand."""
    two_databases(tmp_path)
    manifest = tmp_path / "manifest.json"
    places = {SRC: "one", A: "one", B: "two"}
    manifest.write_text(json.dumps({
        "nodes": {key: {"name": key[-1], "schema": "main", "database": place, "resource_type": "model"}
                  for key, place in places.items() if key != SRC},
        "sources": {SRC: {"name": "src", "source_name": "raw", "schema": "main", "database": "one",
                          "identifier": "src"}},
    }))  # fmt: skip
    file = str(tmp_path / "two.duckdb")
    with open_questions(database=file, manifest=str(manifest)) as questions:
        assert rows(entries(questions.trace("b"))[SRC, "direct"]) == [3]
        assert questions.impact("src", "id = 3")["totals"][1]["relation"] == B

    moved = tmp_path / "away" / "moved.duckdb"
    moved.parent.mkdir()
    (tmp_path / "one.duckdb").rename(moved)
    with open_questions(database=file, manifest=str(manifest), attach=[f"one={moved}"]) as questions:
        assert questions.impact("src", "id = 3")["totals"][1]["relation"] == B


def test_a_database_that_is_not_at_hand_is_named(world: World) -> None:
    world.relation(SRC, "SELECT i AS id FROM range(4) r(i)")
    world.relation(A, "SELECT * FROM src", parents=[SRC])
    world.edge(A, SRC, [(0, 0), (1, 1), (2, 2), (3, 3)])
    world.con.execute("UPDATE cdme.store_generations SET database = 'elsewhere' WHERE relation = ?", [SRC])
    with pytest.raises(QuestionError, match="--attach elsewhere=FILE"):
        world.questions().impact("src", "id = 3")


def test_a_store_that_is_frozen_is_read_once(tmp_path: Path) -> None:
    con = connect(two_databases(tmp_path))
    store = Store(con, frozen=True).load()
    edges = store.edges
    assert store.load().edges is edges
    assert Store(con).load().load().edges is not edges
    con.close()
