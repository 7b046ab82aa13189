"""``trace``: composed reverse joins over a store written by hand (REQ-F-ADJ-004, -005, -007)."""

from __future__ import annotations

from typing import Any

import pytest

from cdme_adapter.errors import QuestionError
from cdme_adapter.lineage import scratch, walk
from cdme_adapter.terminal.tables import records_table

SRC, A, B, C, D = ("source.p.raw.src", "model.p.a", "model.p.b", "model.p.c", "model.p.d")


def entries(answer: dict[str, Any], at: int = 0) -> dict[tuple[str, str], dict[str, Any]]:
    return {(w["relation"], w["role"]): w for w in answer["records"][at]["witnesses"]}


def rows(entry: dict[str, Any]) -> list[int]:
    return [record["key"]["rowid"] for record in entry["records"]]


def chain(world: Any) -> None:
    """src (6) → a (filter: 4) → c (groups: 2)."""
    world.relation(SRC, "SELECT i AS id, i % 2 AS g FROM range(6) r(i)", fingerprint="f")
    world.relation(A, "SELECT i + 2 AS id, i % 2 AS g FROM range(4) r(i)", parents=[SRC])
    world.relation(C, "SELECT g, count(*) AS n FROM a GROUP BY g ORDER BY g", parents=[A])
    world.edge(A, SRC, [(0, 2), (1, 3), (2, 4), (3, 5)])
    world.edge(C, A, [(0, 0), (0, 2), (1, 1), (1, 3)])


def test_a_path_composes(world: Any) -> None:
    chain(world)
    answer = world.questions().trace("c", "g = 0")
    (entry,) = answer["records"][0]["witnesses"]
    assert (entry["relation"], rows(entry), entry["count"]) == (SRC, [2, 4], 2)
    assert entry["path"] == [C, A, SRC]
    assert [r["record"]["id"] for r in entry["records"]] == [2, 4]
    assert answer["records"][0]["record"] == {"g": 0, "n": 2}
    assert answer["records"][0]["generated"] is False
    assert answer["exactness"] == "exact" and answer["run_id"] == "run1"


def test_parents_and_a_named_relation(world: Any) -> None:
    chain(world)
    for to in ("parents", "a", A, "main.a"):
        (entry,) = world.questions().trace("c", "g = 1", to=to)["records"][0]["witnesses"]
        assert (entry["relation"], rows(entry), entry["path"]) == (A, [1, 3], [C, A])


def test_a_relation_that_is_not_upstream(world: Any) -> None:
    chain(world)
    with pytest.raises(QuestionError, match="not upstream"):
        world.questions().trace("a", to="c")


def test_a_diamond_has_one_entry_and_all_paths(world: Any) -> None:
    world.relation(SRC, "SELECT i AS id FROM range(3) r(i)")
    world.relation(A, "SELECT * FROM src", parents=[SRC])
    world.relation(B, "SELECT * FROM src", parents=[SRC])
    world.relation(C, "SELECT 1 AS x", parents=[A, B])
    world.edge(A, SRC, [(0, 0), (1, 1), (2, 2)])
    world.edge(B, SRC, [(0, 2), (1, 1), (2, 0)])
    world.edge(C, A, [(0, 0), (0, 1)])
    world.edge(C, B, [(0, 1), (0, 2)])
    world.edge(C, SRC, [(0, 1)])
    (entry,) = world.questions().trace("c")["records"][0]["witnesses"]
    assert rows(entry) == [0, 1] and entry["count"] == 2
    assert entry["path"] == [C, SRC]
    assert entry["paths"] == [[C, SRC], [C, A, SRC], [C, B, SRC]]


def test_paths_are_those_that_the_records_took(world: Any) -> None:
    """A diamond where one output came by one side only."""
    world.relation(SRC, "SELECT i AS id FROM range(2) r(i)")
    world.relation(A, "SELECT 0 AS id", parents=[SRC])
    world.relation(B, "SELECT 1 AS id", parents=[SRC])
    world.relation(C, "SELECT i AS id FROM range(2) r(i)", parents=[A, B])
    world.edge(A, SRC, [(0, 0)])
    world.edge(B, SRC, [(0, 1)])
    world.edge(C, A, [(0, 0)])
    world.edge(C, B, [(1, 0)])
    answer = world.questions().trace("c")
    assert [entries(answer, at)[SRC, "direct"]["paths"] for at in (0, 1)] == [
        [[C, A, SRC]],
        [[C, B, SRC]],
    ]
    assert [rows(entries(answer, at)[SRC, "direct"]) for at in (0, 1)] == [[0], [1]]


def test_a_model_used_twice_on_a_path(world: Any) -> None:
    """c reads a through b and itself; the branches of a UNION ALL are two chains of one edge."""
    chain(world)
    world.relation(D, "SELECT 1 AS x", parents=[A, C])
    world.edge(D, A, [(0, 0)], [(0, 1)])
    world.edge(D, C, [(0, 0)])
    (entry,) = world.questions().trace("d")["records"][0]["witnesses"]
    assert rows(entry) == [2, 3, 4] and entry["count"] == 3


def test_roles_are_kept_apart_and_compose(world: Any) -> None:
    """A window: its own record direct, its partition's other rows indirect, through two maps."""
    world.relation(SRC, "SELECT i AS id FROM range(4) r(i)")
    world.relation(A, "SELECT * FROM src", parents=[SRC])
    world.relation(B, "SELECT * FROM src", parents=[A])
    own = [(i, i) for i in range(4)]
    world.edge(A, SRC, own)
    world.edge(
        A,
        SRC,
        [[(0, 0), (1, 0), (2, 1), (3, 1)], [(0, 0), (0, 1), (1, 2), (1, 3)]],
        role="indirect",
    )
    world.edge(B, A, own)
    questions = world.questions()
    direct = entries(questions.trace("b", "id = 0"))
    assert set(direct) == {(SRC, "direct")} and rows(direct[SRC, "direct"]) == [0]
    every = entries(questions.trace("b", "id = 0", role="all"))
    assert rows(every[SRC, "direct"]) == [0] and rows(every[SRC, "indirect"]) == [0, 1]


def test_guard_is_guard_on_one_edge_and_indirect_beyond(world: Any) -> None:
    world.relation(SRC, "SELECT i AS id FROM range(2) r(i)")
    world.relation(A, "SELECT * FROM src", parents=[SRC])
    world.relation(B, "SELECT * FROM src", parents=[A])
    world.edge(A, SRC, [(0, 0)], role="direct")
    world.edge(A, SRC, [(0, 1)], role="guard")
    world.edge(B, A, [(0, 0)])
    questions = world.questions()
    assert set(entries(questions.trace("a", "id = 0", role="all"))) == {
        (SRC, "direct"),
        (SRC, "guard"),
    }
    assert set(entries(questions.trace("b", "id = 0", role="all"))) == {
        (SRC, "direct"),
        (SRC, "indirect"),
    }


def test_many_origins_share_a_partition_without_multiplying(world: Any, monkeypatch: Any) -> None:
    """1,000 rows of one window partition of 1,000 rows: the partition is passed once."""
    n = 1000
    world.relation(SRC, f"SELECT i AS id FROM range({n}) r(i)")
    world.relation(A, "SELECT * FROM src", parents=[SRC])
    edge = world.edge(A, SRC, [[], []], role="indirect")
    ((first, second),) = [
        world.con.execute(
            "SELECT map FROM cdme.store_steps WHERE edge = ? ORDER BY step", [edge]
        ).fetchall()
    ]
    world.con.execute(f"INSERT INTO cdme.store_pairs SELECT {first[0]}, i, 0 FROM range({n}) r(i)")
    world.con.execute(f"INSERT INTO cdme.store_pairs SELECT {second[0]}, 0, i FROM range({n}) r(i)")
    questions = world.questions()
    for few in (walk.FEW, 0):  # looked up, and joined
        made: list[int] = []
        create, of = scratch.Scratch.create, walk.Layer.of
        monkeypatch.setattr(walk, "FEW", few)
        monkeypatch.setattr(
            scratch.Scratch, "create",
            lambda self, sql, made=made, create=create: made.append((got := create(self, sql))[1]) or got,
        )  # fmt: skip
        monkeypatch.setattr(
            walk.Layer, "of",
            lambda held, owner, made=made, of=of: made.append((got := of(held, owner)).count) or got,
        )  # fmt: skip
        answer = questions.trace("a", role="all", limit=n, fetch=False)
        monkeypatch.undo()
        assert {entries(answer, at)[SRC, "indirect"]["count"] for at in range(n)} == {n}
        assert made and max(made) <= n


def test_origins_with_different_records_keep_them(world: Any) -> None:
    chain(world)
    answer = world.questions().trace("c", order_by="g DESC")
    assert [r["record"]["g"] for r in answer["records"]] == [1, 0]
    assert [rows(entries(answer, at)[SRC, "direct"]) for at in (0, 1)] == [[3, 5], [2, 4]]


def test_generated(world: Any) -> None:
    world.relation(SRC, "SELECT 0 AS id WHERE false")
    world.relation(A, "SELECT count(*) AS n FROM src", parents=[SRC])
    world.edge(A, SRC, [])
    record = world.questions().trace("a")["records"][0]
    assert record["generated"] is True and record["witnesses"] == []


def test_superset_and_opaque(world: Any) -> None:
    chain(world)
    world.con.execute("UPDATE cdme.store_edges SET exactness = 'superset' WHERE model = ?", [A])
    questions = world.questions()
    answer = questions.trace("c")
    assert answer["exactness"] == "superset"
    assert entries(answer)[SRC, "direct"]["exactness"] == "superset"
    assert entries(questions.trace("c", to="a"))[A, "direct"]["exactness"] == "exact"
    world.con.execute("UPDATE cdme.store_edges SET exactness = 'opaque' WHERE model = ?", [A])
    answer = world.questions().trace("c")
    entry = entries(answer)[SRC, "direct"]
    assert (answer["exactness"], entry["exactness"], entry["count"], entry["records"]) == (
        "opaque",
        "opaque",
        None,
        [],
    )
    assert answer["records"][0]["generated"] is False


def test_an_edge_without_maps_is_never_read_as_nothing(world: Any) -> None:
    """superset without maps: every record may be a witness."""
    world.relation(SRC, "SELECT i AS id FROM range(3) r(i)")
    world.relation(A, "SELECT 1 AS x", parents=[SRC])
    world.edge(A, SRC, exactness="superset", role="guard")
    world.edge(A, SRC, [(0, 1)])
    every = entries(world.questions().trace("a", role="all"))
    assert every[SRC, "guard"]["count"] == 3 and every[SRC, "guard"]["exactness"] == "superset"


def test_limit_counts_and_truncated(world: Any) -> None:
    world.relation(SRC, "SELECT i AS id FROM range(50) r(i)")
    world.relation(A, "SELECT i AS id FROM range(30) r(i)", parents=[SRC])
    world.edge(A, SRC, [(0, i) for i in range(50)])
    questions = world.questions()
    answer = questions.trace("a")
    assert len(answer["records"]) == 20 and answer["count"] == 30 and answer["truncated"]
    entry = entries(answer)[SRC, "direct"]
    assert entry["count"] == 50 and len(entry["records"]) == 20
    every = questions.trace("a", limit=0)
    assert len(every["records"]) == 30 and not every["truncated"]
    assert len(entries(every)[SRC, "direct"]["records"]) == 50
    assert questions.trace("a", "id = 3", limit=1)["truncated"] is False


def test_keys_where_declared(world: Any) -> None:
    world.relation(SRC, "SELECT i + 10 AS id FROM range(2) r(i)", keys=["id"])
    world.relation(A, "SELECT id FROM src", parents=[SRC])
    world.edge(A, SRC, [(0, 0), (1, 1)])
    record = world.questions().trace("a", "id = 11")["records"][0]
    assert record["key"] == {"rowid": 1}
    assert record["witnesses"][0]["records"] == [{"key": {"id": 11}, "record": {"id": 11}}]


def test_a_stale_end_is_named_and_never_read(world: Any) -> None:
    chain(world)
    world.relation(A, "SELECT 9 AS id, 9 AS g FROM range(4)", parents=[SRC], run_id="run2")
    answer = world.questions().trace("c", "g = 0", to="a")
    entry = entries(answer)[A, "direct"]
    assert answer["stale"] is True and answer["stale_ends"] == [A]
    assert [r["record"] for r in entry["records"]] == [None, None] and rows(entry) == [0, 2]
    onward = entries(world.questions().trace("c", "g = 0"))[SRC, "direct"]
    assert rows(onward) == [2, 4], "the old generation's own edges lead on"


def test_a_source_without_a_sound_fingerprint_is_unknown(world: Any) -> None:
    chain(world)
    world.con.execute("UPDATE cdme.store_generations SET fingerprint = NULL WHERE kind = 'source'")
    answer = world.questions().trace("a")
    assert answer["stale"] == "unknown" and answer["stale_ends"] == [SRC]
    world.con.execute(
        "UPDATE cdme.store_generations SET fingerprint = 'xor-hash:6:1' WHERE kind = 'source'"
    )
    assert world.questions().trace("a")["stale"] == "unknown", "an earlier version's does not tell enough"


def test_a_table_of_which_no_hash_was_kept_is_unknown(world: Any) -> None:
    chain(world)
    world.con.execute("UPDATE cdme.store_generations SET fingerprint = NULL WHERE relation = 'model.p.a'")
    answer = world.questions().trace("a")
    assert answer["stale"] == "unknown" and answer["stale_ends"] == ["model.p.a"]


def test_a_source_that_was_renamed_away_answers_with_its_keys(world: Any) -> None:
    chain(world)
    before = entries(world.questions().trace("c", "g = 0"))[SRC, "direct"]
    world.con.execute("ALTER TABLE src RENAME TO gone")
    answer = world.questions().trace("c", "g = 0")
    entry = entries(answer)[SRC, "direct"]
    assert rows(entry) == rows(before) and answer["stale"] is True
    assert [r["record"] for r in entry["records"]] == [None, None]


def test_a_stale_record_with_a_key_is_fetched_again(world: Any) -> None:
    world.relation(SRC, "SELECT i AS id, 'old' AS v FROM range(3) r(i)", keys=["id"])
    world.relation(A, "SELECT id FROM src", parents=[SRC])
    world.edge(A, SRC, [(0, 0), (1, 1), (2, 2)])
    world.con.execute("CREATE OR REPLACE TABLE src AS SELECT 2 AS id, 'new' AS v")
    answer = world.questions().trace("a", "id > 0")
    assert [entries(answer, at)[SRC, "direct"]["records"][0] for at in (0, 1)] == [
        {"key": {"id": 1}, "record": None},
        {"key": {"id": 2}, "record": {"id": 2, "v": "new"}, "refetched": True},
    ]
    shown = records_table(entries(answer, 1)[SRC, "direct"]["records"])
    assert [" ".join(line.split()) for line in shown] == ["key id v", "id=2 (as now) 2 new"]
    assert answer["stale"] is True


def test_one_source_seen_by_two_runs_is_one_content(world: Any) -> None:
    world.relation(SRC, "SELECT i AS id FROM range(2) r(i)", fingerprint="same")
    world.relation(A, "SELECT * FROM src", parents=[SRC])
    world.edge(A, SRC, [(0, 0), (1, 1)])
    world.relation(SRC, run_id="run2", fingerprint="same")
    world.relation(B, "SELECT * FROM src", parents=[SRC], run_id="run2")
    world.edge(B, SRC, [(0, 0), (1, 1)], run_id="run2")
    world.relation(C, "SELECT 1 AS x", parents=[A, B], run_id="run2")
    world.edge(C, A, [(0, 0)])
    world.edge(C, B, [(0, 0)])
    (entry,) = world.questions().trace("c")["records"][0]["witnesses"]
    assert entry["count"] == 1 and rows(entry) == [0]


def test_views_are_named_in_paths(world: Any) -> None:
    chain(world)
    world.node("model.p.view1", [A], materialized="view")
    world.node("model.p.eph", ["model.p.view1"], materialized="ephemeral")
    world.node(C, ["model.p.eph"])
    (entry,) = world.questions().trace("c", "g = 0")["records"][0]["witnesses"]
    assert entry["path"] == [C, "model.p.eph", "model.p.view1", A, SRC]
    with pytest.raises(QuestionError, match="not in the database"):
        world.questions().trace("view1")


def test_names(world: Any) -> None:
    chain(world)
    world.node("model.q.a", [], schema="other")
    questions = world.questions()
    with pytest.raises(QuestionError, match=r"model\.p\.a and model\.q\.a") as ambiguous:
        questions.trace("a")
    assert ambiguous.value.code == "AMBIGUOUS_NAME"
    assert questions.trace("main.a")["model"] == A
    assert questions.trace("c", to="raw.src")["records"][0]["witnesses"][0]["relation"] == SRC
    with pytest.raises(QuestionError, match="did you mean"):
        questions.trace("model.p.cc")
    with pytest.raises(QuestionError, match=r"did you mean raw\.src"):
        questions.trace("c", to="raw.srx")


def test_predicates_that_cannot_be_evaluated(world: Any) -> None:
    chain(world)
    questions = world.questions()
    with pytest.raises(QuestionError, match="did you mean id"):
        questions.trace("a", "idd = 1")
    with pytest.raises(QuestionError, match="`nix`"):
        questions.trace("a", "id = 1", order_by="nix")
    with pytest.raises(QuestionError):
        questions.trace("a", "id = = 1")
    with pytest.raises(QuestionError):
        questions.trace("a", "true); DROP TABLE a; SELECT (1")
    assert world.con.execute("SELECT count(*) FROM a").fetchall() == [(4,)]
    left = "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE '__cdme%'"
    assert world.con.execute(left).fetchall() == [(0,)]


def test_a_column_named_rowid_does_not_mislead(world: Any) -> None:
    world.relation(SRC, "SELECT 10 - i AS rowid FROM range(3) r(i)")
    world.relation(A, "SELECT 10 - i AS rowid FROM range(3) r(i)", parents=[SRC])
    world.edge(A, SRC, [(0, 2), (1, 1), (2, 0)])
    record = world.questions().trace("a", "rowid = 10")["records"][0]
    assert record["key"] == {"rowid": 0}
    assert record["witnesses"][0]["records"] == [{"key": {"rowid": 2}, "record": {"rowid": 8}}]


def test_values_as_json(world: Any) -> None:
    world.relation(SRC, "SELECT 1 AS x")
    world.relation(
        A,
        "SELECT DATE '2013-01-01' AS d, TIMESTAMP '2013-01-01 05:00:00' AS t, 1.50::DECIMAL(9,2)"
        " AS m, 'nan'::DOUBLE AS n, 'infinity'::DOUBLE AS i, [1, 2] AS l, {'a': 1} AS s, 'x' AS v,"
        " 170141183460469231731687303715884105727::HUGEINT AS h, INTERVAL 1 DAY AS p,"
        " NULL::DATE AS z, 'infinity'::DATE AS f",
        parents=[SRC],
    )
    world.edge(A, SRC, [(0, 0)])
    assert world.questions().trace("a")["records"][0]["record"] == {
        "d": "2013-01-01",
        "t": "2013-01-01T05:00:00",
        "m": "1.50",
        "n": "NaN",
        "i": "Infinity",
        "l": [1, 2],
        "s": {"a": 1},
        "v": "x",
        "h": 170141183460469231731687303715884105727,
        "p": "1 day",
        "z": None,
        "f": "infinity",
    }


def test_pii_is_masked_downstream_too(world: Any) -> None:
    world.relation(SRC, "SELECT 'Ann' AS name, 1 AS id", keys=["name"], meta={"cdme": {"pii": ["name"]}})
    world.relation(
        A, "SELECT 'Ann' AS who, 1 AS id, 3 AS length, 1 AS n", parents=[SRC],
        compiled_code="SELECT name AS who, id, length(name) AS length, count(name) AS n"
        ' FROM "memory"."main"."src" GROUP BY ALL',
    )  # fmt: skip
    world.edge(A, SRC, [(0, 0)])
    record = world.questions().trace("a")["records"][0]
    assert record["record"] == {"who": "***", "id": 1, "length": "***", "n": 1}
    assert record["witnesses"][0]["records"] == [
        {"key": {"name": "***"}, "record": {"name": "***", "id": 1}}
    ]
    shown = world.questions(show_pii=True).trace("a")["records"][0]
    assert shown["record"]["who"] == "Ann"


def test_relations_for_notebooks(world: Any) -> None:
    chain(world)
    questions = world.questions()
    found = questions.relation(
        "SELECT output_key, input_key FROM cdme.reverse_join WHERE model = 'model.p.c'"
    )
    assert sorted(found.fetchall())[0] == ('{"rowid":0}', '{"rowid":0}')
    with pytest.raises(QuestionError):
        questions.relation("SELECT 1; DROP TABLE a")
