"""Views are evaluated when they are asked: rows, witnesses and reasons are those of this moment."""

from __future__ import annotations

from typing import Any

import pytest

from cdme_adapter.errors import QuestionError, UnsupportedConstruct

SRC, A, VIEW, TOP = "source.p.raw.src", "model.p.a", "model.p.v", "model.p.top"


@pytest.fixture
def viewed(world: Any) -> Any:
    """src → a (table, v > 0) → v (view, groups of a) → top (view, a HAVING on it)."""
    world.relation(SRC, "SELECT i AS id, i % 3 AS g, i AS v FROM range(6) r(i)", fingerprint="f")
    world.relation(A, "SELECT * FROM src WHERE v > 0 ORDER BY id", parents=[SRC])
    edge = world.edge(A, SRC, [(i, i + 1) for i in range(5)])
    world.reason(edge, 0, "where", "v > 0", {0: 0})
    world.con.execute("CREATE VIEW v AS SELECT g, sum(v) AS s, count(*) AS n FROM a GROUP BY g")
    world.con.execute("CREATE VIEW top AS SELECT g, s FROM v WHERE n > 1")
    world.node(VIEW, [A], materialized="view")
    world.node(TOP, [VIEW], materialized="view")
    return world


@pytest.mark.parametrize("frozen", [False, True])
def test_trace_of_a_view_goes_on_through_what_was_captured(viewed: Any, frozen: bool) -> None:
    answer = viewed.questions(frozen=frozen).trace("v", "g = 2")
    assert answer["recomputed"] is True and answer["exactness"] == "exact"
    (record,) = answer["records"]
    assert record["record"] == {"g": 2, "s": 7, "n": 2}
    (entry,) = record["witnesses"]
    assert entry["path"] == [VIEW, A, SRC]
    assert [r["record"]["id"] for r in entry["records"]] == [2, 5]


def test_nothing_is_left_and_nothing_is_remembered(viewed: Any) -> None:
    questions = viewed.questions()
    assert questions.trace("v")["count"] == 3
    viewed.con.execute("CREATE OR REPLACE VIEW v AS SELECT g, v AS s, 2 AS n FROM a")
    assert questions.trace("v")["count"] == 5
    assert questions.trace("a")["recomputed"] is False
    left = "SELECT count(*) FROM duckdb_databases() WHERE database_name LIKE '\\_\\_cdme%' ESCAPE '\\'"
    assert viewed.con.execute(left).fetchall() == [(0,)]
    assert viewed.con.execute("SELECT count(*) FROM duckdb_tables() WHERE temporary").fetchall() == [(0,)]


def test_explain_of_a_view_names_the_models_and_the_views_clauses(viewed: Any) -> None:
    answer = viewed.questions().explain("top", SRC)
    assert answer["recomputed"] is True
    found = {
        (e["class"], e["first_lost_at"], e["sql"], e["verdict"]): e["count"] for e in answer["summary"]
    }
    assert found == {
        ("contributed", None, None, None): 4,
        ("filtered", A, "v > 0", "false"): 1,
        ("filtered", TOP, "(n > 1)", "false"): 1,
    }


def test_an_ephemeral_model_is_its_own_text(viewed: Any) -> None:
    viewed.node("model.p.eph", [A], materialized="ephemeral", compiled_code="SELECT id FROM a WHERE id > 3")
    answer = viewed.questions().trace("eph")
    assert [r["record"]["id"] for r in answer["records"]] == [4, 5] and answer["recomputed"]
    viewed.node("model.p.eph2", [A], materialized="ephemeral")
    with pytest.raises(QuestionError, match="compiled SQL is not at hand"):
        viewed.questions().trace("eph2")


def test_what_cannot_be_followed_is_a_superset_and_what_fails_is_said(
    viewed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UnsupportedConstruct("nobody knows this")

    with monkeypatch.context() as patched:
        patched.setattr("cdme_adapter.pipeline.plan_query", refuse)
        answer = viewed.questions().trace("v", to="parents")
    assert answer["count"] == 3 and answer["exactness"] == "superset"
    (witnesses,) = answer["records"][0]["witnesses"]
    assert witnesses["exactness"] == "superset" and witnesses["count"] == 5  # every row of the input
    viewed.con.execute("CREATE OR REPLACE VIEW v AS SELECT error('no luck') AS x FROM a")
    with pytest.raises(QuestionError, match="cannot be evaluated now"):
        viewed.questions().trace("v")
    assert viewed.questions().trace("a")["count"] == 5


def test_personal_columns_stay_masked(viewed: Any) -> None:
    viewed.manifest["nodes"][A]["config"]["meta"] = {"cdme": {"pii": ["v"]}}
    viewed.con.execute("CREATE OR REPLACE VIEW v AS SELECT id, v AS seen FROM a")
    viewed.manifest["nodes"][VIEW]["compiled_code"] = "SELECT id, v AS seen FROM memory.main.a"
    (record,) = viewed.questions().trace("v", "id = 3")["records"]
    assert record["record"] == {"id": 3, "seen": "***"}
    (record,) = viewed.questions(show_pii=True).trace("v", "id = 3")["records"]
    assert record["record"] == {"id": 3, "seen": 3}
