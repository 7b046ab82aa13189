"""The generic tests: each law holds on a true store and fails after one row is altered by hand."""

from __future__ import annotations

from typing import Any

import pytest

from cdme_adapter.errors import QuestionError
from cdme_adapter.lineage.laws import LAWS
from tests.questions.worlds import ADD_ERROR, ADD_REASON, LOOKUP, SRC, A, add_pair, maps, true_world

EVERY = [*LAWS, "round_trip"]


def broken(world: Any, law: str, model: str) -> list[Any]:
    questions = world.questions()
    return list(world.con.execute(questions.law_sql(law, model)).fetchall())


@pytest.mark.parametrize("law", EVERY)
def test_holds(world: Any, law: str) -> None:
    true_world(world)
    assert broken(world, law, "a") == []
    if law != "isomorphism":
        assert broken(world, law, "b") == []


PAIRS, LOST = "cdme.store_pairs", "cdme.store_filtered"
FAULTS = {
    "a pair is gone": ("zero_loss", "a", f"DELETE FROM {PAIRS} WHERE i = 3 AND {maps(SRC)}"),
    "a pair of another record": (
        "zero_loss", "a", f"UPDATE {PAIRS} SET i = 9 WHERE i = 3 AND {maps(SRC)}"),
    "a pair of a row that is not there": (
        "zero_loss", "a", f"UPDATE {PAIRS} SET o = 9 WHERE i = 3 AND {maps(SRC)}"),
    "a filtered record is gone": ("zero_loss", "a", f"DELETE FROM {LOST} WHERE i = 0"),
    "a filtered record has no reason": (
        "zero_loss", "a", f"UPDATE {LOST} SET reason = 7 WHERE i = 0"),
    "the ledger says something else": (
        "zero_loss", "a",
        f"UPDATE cdme.store_ledger SET contributed_count = 4 WHERE input = '{SRC}'"),
    "the ledger row is gone": (
        "zero_loss", "a", f"DELETE FROM cdme.store_ledger WHERE input = '{LOOKUP}'"),
    "an input row is gone": ("zero_loss", "b", "DELETE FROM a WHERE id = 4"),
    "an output row is gone": ("zero_loss", "a", "DELETE FROM a WHERE id = 4"),
    "two classes": ("exclusive", "a", f"UPDATE {LOST} SET i = 3 WHERE i = 0"),
    "two reasons": ("exclusive", "a", f"{ADD_REASON} WHERE i = 0"),
    "an error that was filtered": ("exclusive", "a", ADD_ERROR),
    "an output without a witness": (
        "covered_output", "b", f"DELETE FROM {PAIRS} WHERE o = 1 AND {maps(A)}"),
    "an input in two outputs": ("isomorphism", "a", add_pair(SRC, 0, 3)),
    "an unaccounted input": ("isomorphism", "a", f"DELETE FROM {LOST} WHERE i = 0"),
    "an output too many": (
        "isomorphism", "a", f"DELETE FROM {PAIRS} WHERE i = 3 AND {maps(SRC)}"),
    "a claim without an output": (
        "lower_adjoint", "a", f"UPDATE {PAIRS} SET o = 9 WHERE i = 3 AND {maps(SRC)}"),
    "an error": ("no_errors", "a", ADD_ERROR),
    "a missing witness of a group": (
        "round_trip", "b", f"DELETE FROM {PAIRS} WHERE o = 0 AND i = 2 AND {maps(A)}"),
    "a foreign witness of a group": ("round_trip", "b", add_pair(A, 1, 0)),
    "a second witness of a row": ("round_trip", "a", add_pair(SRC, 0, 3)),
    "a tampered output": ("round_trip", "b", "UPDATE b SET n = 7 WHERE w = 0"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_fails_after_one_row_is_altered(world: Any, fault: str) -> None:
    true_world(world)
    law, model, statement = FAULTS[fault]
    assert broken(world, law, model) == []
    world.con.execute(statement)
    found = broken(world, law, model)
    assert found and {row[0] for row in found} == {law}


def test_the_status_is_never_read(world: Any) -> None:
    true_world(world)
    world.con.execute("UPDATE cdme.store_ledger SET status = 'UNBALANCED'")
    assert all(broken(world, law, "a") == [] for law in EVERY)
    world.con.execute("UPDATE cdme.store_ledger SET status = 'BALANCED'")
    world.con.execute("DELETE FROM cdme.store_filtered")
    assert broken(world, "zero_loss", "a")


def test_errors_count_as_accounted(world: Any) -> None:
    true_world(world)
    world.con.execute("DELETE FROM cdme.store_filtered WHERE i = 0")
    world.error(A, SRC, 0)
    world.con.execute(
        f"UPDATE cdme.store_ledger SET filtered_count = 1, error_count = 1 WHERE input = '{SRC}'"
    )
    assert broken(world, "zero_loss", "a") == [] == broken(world, "exclusive", "a")


def test_an_input_that_changed_since_is_counted_as_it_was(world: Any) -> None:
    true_world(world)
    world.con.execute("INSERT INTO src VALUES (9, 9, 'k9')")
    assert broken(world, "zero_loss", "a") == []
    world.con.execute("DELETE FROM cdme.store_filtered WHERE i = 0")
    assert broken(world, "zero_loss", "a")


def test_generated_rows_are_allowed_only_where_the_sql_makes_some(world: Any) -> None:
    world.relation(SRC, "SELECT i AS id FROM range(2) r(i)")
    for name, sql in {
        "total": "select id from main.src union all select 99",
        "counted": "with recursive n(i) as (select 7 union all select i + 1 from n where i < 9)"
        " select id from main.src union all select i from n",
        "rolled": "select id from main.src where id > 5 group by rollup (id) union all"
        " select id from main.src",
        "sets": "select id from main.src where id > 5 group by grouping sets ((id), ()) union all"
        " select id from main.src",
        "plain": "select id from main.src union all select id from main.src where id = 1",
        "none": "select count(*) as id from main.src where (select count(*) from main.src) < 0",
    }.items():
        model = f"model.p.{name}"
        world.relation(model, sql, parents=[SRC], compiled_code=sql)
        ahead = 1 if name in ("rolled", "sets") else 0
        world.edge(model, SRC, [(ahead, 0), (ahead + 1, 1)] if name != "none" else [])
    assert broken(world, "covered_output", "total") == []
    assert broken(world, "covered_output", "none") == []
    for name in ("counted", "rolled", "sets"):
        assert broken(world, "covered_output", name) == [], name
    assert len(broken(world, "covered_output", "plain")) == 1


def test_what_was_not_captured_does_not_pass(world: Any) -> None:
    world.node(A)
    for law in EVERY:
        assert "nothing has been captured" in broken(world, law, A)[0][3]


def test_a_view_is_accounted_as_it_was_evaluated_once(world: Any) -> None:
    """A view that nobody reads: its rows were not kept, its account was."""
    world.relation(SRC, "SELECT i AS id FROM range(3) r(i)", fingerprint="f")
    world.relation(A, "SELECT 2 AS id", parents=[SRC], materialized="view")
    world.con.execute("DROP TABLE a")
    world.con.execute("CREATE VIEW a AS SELECT * FROM src WHERE id > 1")
    edge = world.edge(A, SRC, [(0, 2)])
    world.reason(edge, 0, "where", "id > 1", {0: 0, 1: 0})
    world.ledger(A, SRC, (3, 1, 2, 0, 0), 1)
    assert broken(world, "zero_loss", "a") == [] == broken(world, "exclusive", "a")
    assert "it stores no records" in broken(world, "round_trip", "a")[0][3]
    classes = [r["class"] for r in world.questions().explain("a", SRC)["records"]]
    assert classes == ["filtered", "filtered", "contributed"]
    assert world.questions().explain("a", SRC)["stale"] is False
    assert world.questions().reconcile()["edges"] == []
    world.con.execute("DELETE FROM cdme.store_filtered WHERE i = 0")
    assert broken(world, "zero_loss", "a")


def test_an_unknown_law(world: Any) -> None:
    true_world(world)
    with pytest.raises(QuestionError, match="no law"):
        world.questions().law_sql("gravity", "a")
