"""``explain``: classes, reasons and values, through one model and through several."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from cdme_adapter.errors import QuestionError
from cdme_adapter.terminal.stories import story
from tests.questions.test_cli import schema

SRC, LOOKUP = "source.p.raw.src", "source.p.raw.lookup"
A, B, C, D = "model.p.a", "model.p.b", "model.p.c", "model.p.d"
FALSE, NULL, NO_MATCH, RANK, EXCLUDED = range(5)


def by_id(answer: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {r["record"]["id"]: r for r in answer["records"]}


def counts(answer: dict[str, Any]) -> dict[tuple[Any, ...], int]:
    return {(s["class"], s["first_lost_at"], s["sql"], s["verdict"]): s["count"] for s in answer["summary"]}


def one_model(world: Any) -> None:
    """src has 6 records: 2 contribute, 2 fail a filter, 1 finds no partner, 1 is in error."""
    world.relation(
        SRC,
        "SELECT i AS id, CASE WHEN i = 2 THEN NULL ELSE i END AS v, 'k' || i AS k FROM range(6) r(i)",
    )
    world.relation(A, "SELECT i + 4 AS id FROM range(2) r(i)", parents=[SRC])
    edge = world.edge(A, SRC, [(0, 4), (1, 5)])
    world.reason(edge, 0, "where", "v > 3", {1: FALSE, 2: NULL})
    world.reason(edge, 1, "join_no_match", "JOIN lookup ON src.k = lookup.k", {3: NO_MATCH})
    world.error(A, SRC, 0)


def test_classes_reasons_and_values(world: Any) -> None:
    one_model(world)
    answer = world.questions().explain("a", "raw.src")
    records = by_id(answer)
    assert [records[i]["class"] for i in range(6)] == [
        "error",
        "filtered",
        "filtered",
        "filtered",
        "contributed",
        "contributed",
    ]
    assert records[1]["reason"] == {
        "id": records[1]["reason"]["id"],
        "kind": "where",
        "sql": "v > 3",
        "verdict": "false",
        "values": {"v": 1},
        "file": "models/m.sql",
        "line": 3,
    }
    assert records[2]["reason"]["verdict"] == "null" and records[2]["reason"]["values"] == {"v": None}
    assert records[3]["reason"]["kind"] == "join_no_match"
    assert records[3]["reason"]["values"] == {"k": "k3"}
    assert records[4]["reason"] is None and records[4]["first_lost_at"] is None
    assert records[1]["first_lost_at"] == A == records[0]["first_lost_at"]
    assert records[4]["outputs"]["count"] == 1
    assert records[4]["outputs"]["records"] == [{"key": {"rowid": 0}, "record": {"id": 4}}]


def test_the_summary_is_complete_whatever_the_limit(world: Any) -> None:
    one_model(world)
    questions = world.questions()
    answer = questions.explain("a", "src", limit=1)
    assert len(answer["records"]) == 1 and answer["truncated"] and answer["count"] == 6
    assert (
        counts(answer)
        == counts(questions.explain("a", "src", limit=0))
        == {
            ("contributed", None, None, None): 2,
            ("error", A, None, None): 1,
            ("filtered", A, "JOIN lookup ON src.k = lookup.k", "no_match"): 1,
            ("filtered", A, "v > 3", "false"): 1,
            ("filtered", A, "v > 3", "null"): 1,
        }
    )


def test_a_predicate_selects(world: Any) -> None:
    one_model(world)
    answer = world.questions().explain("a", "src", "id BETWEEN 1 AND 2", order_by="id DESC")
    assert [r["record"]["id"] for r in answer["records"]] == [2, 1]
    assert sum(s["count"] for s in answer["summary"]) == 2
    assert not answer["truncated"]


def test_what_has_no_evidence_is_unaccounted(world: Any) -> None:
    one_model(world)
    world.con.execute("DELETE FROM cdme.store_filtered WHERE i = 1")
    record = by_id(world.questions().explain("a", "src"))[1]
    assert (record["class"], record["first_lost_at"], record["reason"]) == ("unaccounted", A, None)


def three_models(world: Any) -> None:
    """src → a → b → c: 0 is lost at a, 1 at b, 2 at c, 3 arrives; 4 reaches nothing known."""
    world.relation(SRC, "SELECT i AS id FROM range(5) r(i)")
    world.relation(A, "SELECT i + 1 AS aid FROM range(3) r(i)", parents=[SRC])
    world.relation(B, "SELECT i + 2 AS bid FROM range(2) r(i)", parents=[A])
    world.relation(C, "SELECT 3 AS cid", parents=[B])
    first = world.edge(A, SRC, [(0, 1), (1, 2), (2, 3)])
    world.reason(first, 0, "where", "id > 0", {0: FALSE})
    second = world.edge(B, A, [(0, 1), (1, 2)])
    world.reason(second, 0, "where", "aid > 1", {0: FALSE})
    third = world.edge(C, B, [(0, 1)])
    world.reason(third, 0, "qualify", "bid > 2", {0: NULL})


def test_through_three_models_the_furthest_is_named(world: Any) -> None:
    three_models(world)
    for where in (None, "id < 10"):
        records = by_id(world.questions().explain("c", SRC, where))
        assert [(records[i]["class"], records[i]["first_lost_at"]) for i in range(5)] == [
            ("filtered", A),
            ("filtered", B),
            ("filtered", C),
            ("contributed", None),
            ("unaccounted", A),
        ]
        assert records[1]["reason"]["values"] == {"aid": 1}, "the values of the descendant"
        assert records[2]["reason"]["values"] == {"bid": 2}
        assert records[2]["reason"]["verdict"] == "null"


def test_an_intermediate_model_is_an_input_too(world: Any) -> None:
    three_models(world)
    answer = world.questions().explain("c", "a")
    assert counts(answer) == {
        ("contributed", None, None, None): 1,
        ("filtered", B, "aid > 1", "false"): 1,
        ("filtered", C, "bid > 2", "null"): 1,
    }


def test_of_two_ways_the_one_that_arrives_counts(world: Any) -> None:
    """A diamond: lost on one side, there by the other; and lost on both, further on one."""
    world.relation(SRC, "SELECT i AS id FROM range(2) r(i)")
    world.relation(A, "SELECT 0 AS aid UNION ALL SELECT 1", parents=[SRC])
    world.relation(B, "SELECT 1 AS bid", parents=[SRC])
    world.relation(C, "SELECT 1 AS cid", parents=[A, B])
    a = world.edge(A, SRC, [(0, 0), (1, 1)])
    assert a
    b = world.edge(B, SRC, [(0, 1)])
    world.reason(b, 0, "where", "id = 1", {0: FALSE})
    ca = world.edge(C, A)
    world.reason(ca, 0, "semi_join", "aid IN (…)", {0: FALSE, 1: FALSE})
    world.edge(C, B, [(0, 0)])
    records = by_id(world.questions().explain("c", SRC))
    assert records[1]["class"] == "contributed"
    assert (records[0]["class"], records[0]["first_lost_at"]) == ("filtered", C)


def test_false_wins_over_null_and_the_later_clause_over_the_earlier(world: Any) -> None:
    """One source record with three descendants that met different ends in one model."""
    world.relation(SRC, "SELECT 0 AS id")
    world.relation(A, "SELECT i AS aid FROM range(3) r(i)", parents=[SRC])
    world.relation(B, "SELECT 0 AS bid WHERE false", parents=[A])
    world.edge(A, SRC, [(0, 0), (1, 0), (2, 0)])
    edge = world.edge(B, A)
    world.reason(edge, 3, "where", "aid > 5", {0: NULL, 1: FALSE})
    world.reason(edge, 1, "where", "aid > 1", {2: FALSE})
    reason = world.questions().explain("b", SRC)["records"][0]["reason"]
    assert (reason["sql"], reason["verdict"]) == ("aid > 5", "false")


def test_factorised_chains_and_an_opaque_model(world: Any) -> None:
    world.relation(SRC, "SELECT i AS id FROM range(4) r(i)")
    world.relation(A, "SELECT 0 AS aid", parents=[SRC])
    world.relation(B, "SELECT 0 AS bid", parents=[A])
    edge = world.edge(A, SRC, [[(0, 7)], [(7, 0), (7, 1)]])
    world.reason(edge, 0, "where", "id < 2", {2: FALSE})
    world.edge(B, A, exactness="opaque")
    questions = world.questions()
    for where in (None, "true"):
        classes = [r["class"] for r in questions.explain("a", SRC, where)["records"]]
        assert classes == ["contributed", "contributed", "filtered", "unaccounted"]
        records = questions.explain("b", SRC, where)["records"]
        assert [r["class"] for r in records] == ["unknown", "unknown", "filtered", "unaccounted"]


def test_indirect_inputs_are_consulted(world: Any) -> None:
    world.relation(SRC, "SELECT i AS id FROM range(3) r(i)")
    world.relation(A, "SELECT 1 AS x", parents=[SRC])
    world.edge(A, SRC, [(0, 0)], role="guard")
    answer = world.questions().explain("a", SRC)
    assert [r["class"] for r in answer["records"]] == ["consulted"] * 3
    assert answer["summary"][0]["count"] == 3
    assert len(world.questions().explain("a", SRC, "id = 1")["records"]) == 1


def test_fan_out_names_what_multiplied(world: Any) -> None:
    world.relation(SRC, "SELECT 7 AS id, 'h1' AS hour")
    world.relation(LOOKUP, "SELECT 'h1' AS hour, i AS reading FROM range(2) r(i)")
    world.relation(A, "SELECT * FROM src JOIN lookup USING (hour)", parents=[SRC, LOOKUP])
    world.edge(A, SRC, [(0, 0), (1, 0)])
    world.edge(A, LOOKUP, [(0, 0), (1, 1)])
    outputs = world.questions().explain("a", SRC)["records"][0]["outputs"]
    assert outputs["count"] == 2
    (cause,) = outputs["fan_out"]
    assert (cause["model"], cause["relation"], cause["count"]) == (A, LOOKUP, 2)
    assert [r["record"]["reading"] for r in cause["records"]] == [0, 1]


def test_fan_out_of_a_self_join_names_the_others(world: Any) -> None:
    """The record itself is not what multiplied it; a record that meets one other is not in several."""
    sql = "select x.id as a, y.id as b from src x join src y on x.g = y.g and x.id < y.id"
    world.relation(SRC, "SELECT i AS id, i < 3 AS g FROM range(5) r(i)")
    world.relation(A, sql + " order by all", parents=[SRC], compiled_code=sql)
    world.edge(A, SRC, [[(0, 0), (1, 0), (2, 1), (3, 3)]], [[(0, 1), (1, 2), (2, 2), (3, 4)]])
    answer = world.questions().explain("a", SRC)
    causes = [r["outputs"].get("fan_out") for r in answer["records"]]
    named = [c and [(x["relation"], x["itself"], [r["key"]["rowid"] for r in x["records"]]) for x in c]
             for c in causes]  # fmt: skip
    assert named == [[(SRC, True, [1, 2])], [(SRC, True, [0, 2])], [(SRC, True, [0, 1])], None, None]
    assert story(answer["records"][0], answer) == (
        "in 2 records of a, because raw.src has 2 other records for it (rowid=1; rowid=2)"
    )


def test_records_of_a_group_did_not_multiply_each_other(world: Any) -> None:
    sql = "select g, count(*) as n from src group by rollup (g)"
    world.relation(SRC, "SELECT i AS id, i % 2 AS g FROM range(4) r(i)")
    world.relation(A, sql, parents=[SRC], compiled_code=sql)
    world.edge(A, SRC, [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 2), (2, 1), (2, 3)])
    outputs = world.questions().explain("a", SRC, "id = 0")["records"][0]["outputs"]
    assert (outputs["count"], outputs["fan_out"]) == (2, [])


def test_fan_out_further_down_is_named_where_it_happened(world: Any) -> None:
    """src goes through a one by one; in b a record of a met two of the lookup."""
    world.relation(SRC, "SELECT i AS id FROM range(2) r(i)")
    world.relation(LOOKUP, "SELECT i AS w FROM range(3) r(i)")
    world.relation(A, "SELECT id FROM src", parents=[SRC])
    world.edge(A, SRC, [(0, 0), (1, 1)])
    world.relation(B, "SELECT i AS x FROM range(3) r(i)", parents=[A, LOOKUP])
    world.edge(B, A, [(0, 0), (1, 1), (2, 1)])
    world.edge(B, LOOKUP, [(0, 0), (1, 1), (2, 2)])
    first, second = world.questions().explain("b", SRC)["records"]
    assert "fan_out" not in first["outputs"]
    (cause,) = second["outputs"]["fan_out"]
    assert (cause["model"], cause["relation"], cause["count"]) == (B, LOOKUP, 2)
    assert [r["key"]["rowid"] for r in cause["records"]] == [1, 2]


def test_what_stands_in_a_group_is_not_said_to_have_met_the_record(world: Any) -> None:
    """The customer bought in two months; of the three orders in them one is another customer's."""
    sql = "select o.month, count(*) as n from orders o join src c on o.c = c.id group by o.month"
    world.relation(SRC, "SELECT i AS id FROM range(2) r(i)")
    world.relation(LOOKUP, "SELECT * FROM (VALUES (0, 1), (0, 2), (1, 2)) t(c, month)")
    world.relation(A, "SELECT * FROM (VALUES (1, 1), (2, 2)) t(month, n)", parents=[SRC, LOOKUP],
                   compiled_code=sql)  # fmt: skip
    world.edge(A, SRC, [(0, 0), (1, 0), (1, 1)])
    world.edge(A, LOOKUP, [(0, 0), (1, 1), (1, 2)])
    answer = world.questions().explain("a", SRC, "id = 0")
    jsonschema.validate(answer, schema("explain"))
    (cause,) = answer["records"][0]["outputs"]["fan_out"]
    assert (cause["relation"], cause["count"], cause["grouped"]) == (LOOKUP, 3, True)
    assert story(answer["records"][0], answer) == (
        "in 2 records of a, because a groups it with 3 records of raw.lookup (rowid=0; rowid=1; rowid=2)"
    )


def test_a_group_elsewhere_in_the_model_does_not_hide_who_met(world: Any) -> None:
    """As with weather of an hour that the clocks repeated, beside a CTE that counts departures."""
    sql = ("with n as (select hour, count(*) as n from src group by hour)"
           " select * from src join n using (hour) join lookup using (hour)")  # fmt: skip
    world.relation(SRC, "SELECT 'h1' AS hour")
    world.relation(LOOKUP, "SELECT 'h1' AS hour, i AS reading FROM range(2) r(i)")
    world.relation(
        A, "SELECT * FROM src JOIN lookup USING (hour)", parents=[SRC, LOOKUP], compiled_code=sql
    )
    world.edge(A, SRC, [(0, 0), (1, 0)])
    world.edge(A, LOOKUP, [(0, 0), (1, 1)])
    answer = world.questions().explain("a", SRC)
    assert story(answer["records"][0], answer) == (
        "in 2 records of a, because raw.lookup has 2 records for it (rowid=0; rowid=1)"
    )


def test_a_model_that_reads_a_relation_twice_makes_two_of_one(world: Any) -> None:
    sql = "select id from a union all select id from a where id = 1"
    world.relation(SRC, "SELECT i AS id FROM range(2) r(i)")
    world.relation(A, "SELECT id FROM src", parents=[SRC])
    world.edge(A, SRC, [(0, 0), (1, 1)])
    world.relation(B, sql, parents=[A], compiled_code=sql)
    world.edge(B, A, [(0, 0), (1, 1), (2, 1)])
    answer = world.questions().explain("b", SRC, "id = 1")
    jsonschema.validate(answer, schema("explain"))
    assert story(answer["records"][0], answer) == (
        "in 2 records of b, because b makes 2 records of one (rowid=1; rowid=2)"
    )


def test_names_are_followed_through_views_and_ctes(world: Any) -> None:
    """The clause sees nullif(v, 'NA'), not the raw text, and a renamed column is found again."""
    world.relation(SRC, "SELECT * FROM (VALUES (0, 'NA', 'x'), (1, '5', 'y')) t(id, v, raw_name)")
    world.node(
        "model.p.stg",
        [SRC],
        materialized="view",
        compiled_code=(
            "with s as (select id, nullif(v, 'NA') as v, raw_name as name"
            ' from "memory"."main"."src")'
            " select * from s where v <> 'zz'"
        ),
    )
    world.relation(
        A,
        "SELECT 1 AS id",
        parents=["model.p.stg"],
        compiled_code=(
            "with base as (select f.*, f.id + 10 as shifted from main.stg as f)"
            " select * from base as b where b.v > '3' and name = 'y' and shifted < 5"
        ),
    )
    edge = world.edge(A, SRC)
    world.reason(edge, 0, "where", "b.v > '3'", {0: NULL})
    world.reason(edge, 1, "where", "shifted < 5", {1: FALSE})
    records = by_id(world.questions().explain("a", SRC))
    assert records[0]["reason"]["values"] == {"v": None}
    assert records[1]["reason"]["values"] == {"shifted": 11}
    world.con.execute("UPDATE cdme.store_reasons SET sql = 'name = ''y''' WHERE reason = 1")
    assert by_id(world.questions().explain("a", SRC))[1]["reason"]["values"] == {"name": "y"}
    world.con.execute("UPDATE cdme.store_reasons SET sql = 'v <> ''zz''' WHERE reason = 0")
    assert by_id(world.questions().explain("a", SRC))[0]["reason"]["values"] == {"v": None}


def test_values_are_of_this_side_of_a_join(world: Any) -> None:
    world.relation(SRC, "SELECT 0 AS id, 'N3' AS tail, 99 AS lookup_id")
    world.relation(LOOKUP, "SELECT 1 AS lookup_id, 'N1' AS tail")
    world.relation(
        A,
        "SELECT 1 AS id WHERE false",
        parents=[SRC, LOOKUP],
        compiled_code=(
            "select * from main.src f join main.lookup l on f.tail = l.tail and l.lookup_id > 0"
        ),
    )
    edge = world.edge(A, SRC)
    world.reason(
        edge,
        0,
        "join_no_match",
        "join lookup l on f.tail = l.tail and l.lookup_id > 0",
        {0: NO_MATCH},
    )
    assert world.questions().explain("a", SRC)["records"][0]["reason"]["values"] == {"tail": "N3"}


def test_pii_is_masked_in_values(world: Any) -> None:
    one_model(world)
    world.node(SRC, meta={"cdme": {"pii": "k"}})
    record = by_id(world.questions().explain("a", "src"))[3]
    assert record["reason"]["values"] == {"k": "***"} and record["record"]["k"] == "***"


def test_a_changed_input_is_not_answered_for_by_predicate(world: Any) -> None:
    one_model(world)
    world.con.execute("INSERT INTO src VALUES (6, 6, 'k6')")
    with pytest.raises(QuestionError, match="has changed since"):
        world.questions().explain("a", "src", "id = 6")
    answer = world.questions().explain("a", "src")
    assert answer["stale"] is True and answer["count"] == 6
    assert all(r["record"] is None for r in answer["records"])


def test_views_and_strangers_are_refused(world: Any) -> None:
    one_model(world)
    world.relation(D, "SELECT 1 AS x")
    world.node("model.p.v", [SRC], materialized="view")
    with pytest.raises(QuestionError, match="stores no records"):
        world.questions().explain("a", "v")
    with pytest.raises(QuestionError, match="not upstream"):
        world.questions().explain("a", "d")
    with pytest.raises(QuestionError, match="is a source"):
        world.questions().explain("src", "a")
