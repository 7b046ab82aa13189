"""``reconcile``: finds planted faults, and tells what cannot be checked from what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cdme_adapter.store.chain import chained_schemas, seal
from cdme_adapter.store.ledger_file import write_ledger
from tests.questions.worlds import LOOKUP, SRC, A, B, add_pair, maps, true_world


def verdicts(answer: dict[str, Any]) -> dict[tuple[Any, ...], str]:
    return {(e["model"], e["input"], e["law"]): e["verdict"] for e in answer["edges"]}


def sealed(world: Any) -> dict[str, Any]:
    """The ledger of the world's run, kept as the end of a run keeps it."""
    rows = world.questions().context().store.rows
    return seal(rows, "run1", chained_schemas(rows))


def test_a_true_store_is_exact(world: Any, tmp_path: Path) -> None:
    true_world(world)
    write_ledger(tmp_path, sealed(world))
    answer = world.questions(target_path=tmp_path).reconcile(sample=0)
    assert set(verdicts(answer).values()) == {"exact"}, answer["why"]
    assert answer["verdict"] == "exact"
    found = verdicts(answer)
    for law in ("zero_loss", "exclusive", "lower_adjoint", "generation", "reason", "isomorphism"):
        assert found[A, SRC, law] == "exact"
    assert found[B, None, "replay"] == found[A, None, "replay"] == "exact"
    checked = {(e["model"], e["law"]): e["checked"] for e in answer["edges"]}
    assert checked[A, "replay"] == 3 and checked[B, "replay"] == 2
    assert checked[A, "reason"] == 2


LOST = "cdme.store_filtered"
FAULTS = {
    "a tampered output row": ("UPDATE b SET mean = mean + 0.1 WHERE w = 0", (B, None, "replay")),
    "a deleted input row": ("DELETE FROM a WHERE id = 4", (B, A, "generation")),
    "a pair removed": (
        f"DELETE FROM cdme.store_pairs WHERE i = 3 AND {maps(SRC)}", (A, SRC, "zero_loss")),
    "a wrong reason": (f"UPDATE {LOST} SET i = 3 WHERE i = 0", (A, SRC, "reason")),
    "a wrong verdict": (f"UPDATE {LOST} SET verdict = 1 WHERE i = 0", (A, SRC, "reason")),
    "a swapped key": (
        "UPDATE cdme.store_keys SET ordinal = 1 - ordinal WHERE ordinal < 2", (A, LOOKUP, "keys")),
    "a hand-edited source": ("UPDATE lookup SET k = 'k9' WHERE w = 1", (A, None, "replay")),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_finds_a_planted_fault(world: Any, fault: str) -> None:
    true_world(world)
    statement, where = FAULTS[fault]
    assert world.questions().reconcile(sample=0)["verdict"] == "exact"
    world.con.execute(statement)
    answer = world.questions().reconcile(sample=0)
    assert answer["verdict"] == "violation"
    assert verdicts(answer)[where] == "violation"


def test_a_pair_added_is_no_less_than_was_promised(world: Any) -> None:
    """An exact edge that names too much is a violation; of a superset nothing else was promised."""
    true_world(world)
    world.con.execute(add_pair(A, 1, 0))
    answer = world.questions().reconcile(("b",), sample=0)
    assert verdicts(answer)[B, None, "replay"] == "violation" == answer["verdict"]
    assert "say that they are exact" in answer["why"]
    world.con.execute(f"UPDATE cdme.store_edges SET exactness = 'superset' WHERE model = '{B}'")
    answer = world.questions().reconcile(("b",), sample=0)
    assert verdicts(answer)[B, None, "replay"] == "superset" == answer["verdict"]


def test_the_missing_records_are_named(world: Any) -> None:
    true_world(world)
    world.con.execute("UPDATE b SET n = 9 WHERE w = 1")
    answer = world.questions().reconcile(("b",), sample=0)
    (replay,) = [e for e in answer["edges"] if e["law"] == "replay"]
    assert replay["missing"] == [{"rowid": 1}] and "does not come out" in replay["why"]


def test_a_stale_generation_is_unknown_not_wrong(world: Any) -> None:
    true_world(world)
    world.changed[SRC] = "something else"
    answer = world.questions().reconcile(("a",), sample=0)
    found = verdicts(answer)
    assert found[A, SRC, "generation"] == "unknown" == found[A, None, "replay"]
    assert answer["verdict"] == "unknown" and "changed since" in answer["why"]


def test_a_truncated_ledger(world: Any, tmp_path: Path) -> None:
    true_world(world)
    path = write_ledger(tmp_path, sealed(world))
    questions = world.questions(target_path=tmp_path)
    assert questions.verify_ledger()["problems"] == []
    text = path.read_text()
    for file in (path, path.parent / "run1" / "ledger.json"):
        file.write_text(text[: len(text) // 2])
    assert "cannot be read as a ledger" in questions.verify_ledger()["problems"][0]
    for file in (path, path.parent / "run1" / "ledger.json"):
        file.write_text(text.replace('"contributed_count": 3', '"contributed_count": 4'))
    problems = questions.verify_ledger()["problems"]
    assert any("hash" in p for p in problems) and any("contributed_count" in p for p in problems)
    assert verdicts(questions.reconcile(sample=1))["", None, "ledger"] == "violation"


def model(world: Any, sql: str, pairs: list[tuple[int, int]], **extra: Any) -> None:
    world.relation(SRC, "SELECT i AS id, i % 2 AS g, i / 3 AS v FROM range(4) r(i)", fingerprint="f")
    world.relation(A, extra.pop("made", sql), parents=[SRC], compiled_code=sql)
    world.edge(A, SRC, pairs)


OWN = [(i, i) for i in range(4)]


def replayed(world: Any) -> dict[str, Any]:
    answer = world.questions().reconcile((A,), sample=0)
    return next(e for e in answer["edges"] if e["law"] == "replay")


def test_volatile_columns_are_skipped_and_named(world: Any) -> None:
    sql = "with x as (select id, uuid() as u from main.src) select id, u || '!' as token from x"
    model(world, sql, OWN)
    found = replayed(world)
    assert found["verdict"] == "exact" and found["why"] == "columns skipped: token"
    world.con.execute("UPDATE a SET id = 7 WHERE id = 0")
    assert replayed(world)["verdict"] == "violation"


@pytest.mark.parametrize(
    "sql",
    [
        "select id, count(*) as n from main.src group by rollup (id)",
        "select id, count(*) as n from main.src group by grouping sets ((id), ())",
        "select id, n from (select id, id as a, id as b from main.src) unpivot (n for what in (a, b))",
        "select id, regexp_split_to_table('x,y', ',') as n from main.src",
        "select id, twice(id) as n from main.src",
        "select id, unnest([id, id + 1]) as n from main.src group by 1, 2",
    ],
)
def test_one_record_may_make_several(world: Any, sql: str) -> None:
    """Of its witnesses others come out, too, and that is no fault of the reverse join."""
    world.relation(SRC, "SELECT i AS id FROM range(2) r(i)", fingerprint="f")
    world.con.execute("CREATE MACRO twice(x) AS unnest([x, x + 1])")
    world.relation(A, sql + " order by id nulls last, n", parents=[SRC], compiled_code=sql)
    made = [row[0] for row in world.con.execute("SELECT id FROM a ORDER BY rowid").fetchall()]
    pairs = [(o, i) for o, known in enumerate(made) for i in ((0, 1) if known is None else (known,))]
    world.edge(A, SRC, pairs)
    assert replayed(world)["verdict"] == "exact"


def test_what_counts_equal_rows_is_not_replayable(world: Any) -> None:
    """Two of three equal rows stay where one is taken away; one of them alone would not."""
    sql = "select g * 0 as z from main.src where id < 3 except all select 0"
    model(world, sql, [(0, 1), (1, 2)])
    found = replayed(world)
    assert found["verdict"] == "unknown" and "not_replayable: EXCEPT ALL" in found["why"]


def test_what_decides_by_chance_is_not_replayable(world: Any) -> None:
    model(world, "select id + 100 as x from main.src where random() < 0", OWN,
          made="SELECT id + 100 AS x FROM main.src")  # fmt: skip
    found = replayed(world)
    assert found["verdict"] == "unknown" and "not_replayable" in found["why"]
    model(world, "select id from main.src using sample 50%", OWN, made="SELECT id FROM src")
    found = replayed(world)
    assert found["verdict"] == "unknown" and "not_replayable" in found["why"]


def test_doubles_are_compared_within_a_tolerance(world: Any) -> None:
    sql = "select g, sum(v) as s from main.src group by g"
    model(world, sql, [(0, 0), (0, 2), (1, 1), (1, 3)], made=sql + " order by g")
    world.con.execute("UPDATE a SET s = s * (1 + 1e-12)")
    assert replayed(world)["verdict"] == "exact"
    world.con.execute("UPDATE a SET s = s * (1 + 1e-6)")
    assert replayed(world)["verdict"] == "violation"


def test_windows_take_their_indirect_witnesses(world: Any) -> None:
    sql = "select id, sum(id) over (partition by g) as s from main.src"
    model(world, sql, OWN, made=sql + " order by id")
    assert replayed(world)["verdict"] == "violation", "the direct witness alone is not enough"
    world.edge(A, SRC, [[(0, 0), (1, 1), (2, 0), (3, 1)], [(0, 0), (0, 2), (1, 1), (1, 3)]],
               role="indirect")  # fmt: skip
    assert replayed(world)["verdict"] == "exact"


def test_guards_are_whole(world: Any) -> None:
    sql = "select id from main.src where id not in (select w from main.lookup)"
    world.relation(LOOKUP, "SELECT i AS w FROM range(2) r(i)", fingerprint="g")
    model(world, sql, [(0, 2), (1, 3)], made=sql + " order by id")
    world.edge(A, LOOKUP, exactness="superset", role="guard")
    assert replayed(world)["verdict"] == "exact"


def test_direct_and_consulted_occurrences_get_their_own_witnesses(world: Any) -> None:
    """The relation is a guard of itself: whole where it is consulted, one record where it is read."""
    sql = "select id from main.src where id not in (select src.g from src)"
    model(world, sql, [(0, 2), (1, 3)], made=sql + " order by id")
    world.edge(A, SRC, exactness="superset", role="guard")
    assert replayed(world)["verdict"] == "exact"
    world.con.execute("UPDATE cdme.store_pairs SET i = 3 WHERE o = 0")
    found = replayed(world)
    assert (found["verdict"], found["missing"]) == ("violation", [{"rowid": 0}])


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select (select max(x) from t) from t",
         'select (select max(x) from "t__cdme_consulted" AS "t") from t'),
        ("select * from t except select * from t b",
         'select * from t except select * from "t__cdme_consulted" b'),
        ("with c as (select * from T) select * from t where exists (from c)",
         'with c as (select * from "T__cdme_consulted" AS "T") select * from t where exists (from c)'),
        ("with c as (select * from t) select * from c where id in (select id from c)", None),
        ("select * from t join (select * from t) u using (id)", None),
        ("select * from t union all select * from t", None),
        ("select 1 where exists (select 1 from t)", None),
        ("with t as (select 1) select * from t where 1 in (select * from t)", None),
    ],
)  # fmt: skip
def test_occurrences(sql: str, expected: str | None) -> None:
    from cdme_adapter.lineage.occurrences import split

    assert split(sql, "t") == expected


def test_views_and_macros_are_made_again(world: Any) -> None:
    world.relation(SRC, "SELECT i AS id FROM range(4) r(i)", fingerprint="f")
    world.con.execute("CREATE MACRO plus(x) AS x + 1")
    world.con.execute("CREATE VIEW inner_view AS SELECT id AS n FROM src")
    world.con.execute("CREATE VIEW outer_view(m) AS SELECT n FROM inner_view WHERE n > 0")
    world.node("model.p.inner_view", [SRC], materialized="view")
    world.node("model.p.outer_view", ["model.p.inner_view"], materialized="view")
    sql = 'select plus(m) as x from "memory"."main"."outer_view"'
    world.relation(A, sql + " order by x", parents=["model.p.outer_view"], compiled_code=sql)
    world.edge(A, SRC, [(0, 1), (1, 2), (2, 3)])
    assert replayed(world)["verdict"] == "exact"
    world.con.execute("UPDATE cdme.store_pairs SET i = 0 WHERE o = 0")
    assert replayed(world)["verdict"] == "violation"


def test_sql_that_is_no_longer_what_ran(world: Any) -> None:
    sql = "select id from main.src"
    model(world, sql, OWN)
    world.con.execute(
        "INSERT INTO cdme.store_nodes VALUES ('run1', ?, 'done', 'table', 'other', 0, 0, 0, '')",
        [A],
    )
    found = replayed(world)
    assert found["verdict"] == "unknown" and "no longer" in found["why"]


def test_opaque_and_superset(world: Any) -> None:
    model(world, "select id from main.src", OWN)
    world.con.execute("UPDATE cdme.store_edges SET exactness = 'superset'")
    assert replayed(world)["verdict"] == "superset"
    world.con.execute("UPDATE cdme.store_edges SET exactness = 'opaque'")
    answer = world.questions().reconcile((A,))
    assert answer["verdict"] == "unknown"


def test_the_sample_is_seeded(world: Any) -> None:
    from cdme_adapter.lineage.replay import sample_of

    world.relation(A, "SELECT i AS id FROM range(1000) r(i)")
    ctx = world.questions().context()
    generation = ctx.store.current_generation(A)
    first, again, other = (sample_of(ctx, generation, 10, seed) for seed in (1, 1, 2))
    assert first == again != other and len(first) == 10
    assert len(sample_of(ctx, generation, 0, 1)) == 1000


def test_nothing_is_written(world: Any) -> None:
    true_world(world)
    state = "SELECT table_name, estimated_size FROM duckdb_tables() ORDER BY ALL"
    before = world.con.execute(state).fetchall()
    world.questions().reconcile(sample=0)
    assert world.con.execute(state).fetchall() == before
    databases = "SELECT count(*) FROM duckdb_databases() WHERE database_name LIKE '%cdme%'"
    assert world.con.execute(databases).fetchall() == [(0,)]
