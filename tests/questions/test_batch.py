"""Replays of many records with one query say what the replay of each alone says, and copy once."""

from __future__ import annotations

from typing import Any

import pytest

from cdme_adapter.lineage.batch import Batches
from cdme_adapter.lineage.replay import Replay
from cdme_adapter.lineage.stage import Stage
from tests.questions.worlds import LOOKUP, SRC, A

KEPT = [(0, 2), (1, 3), (2, 4), (3, 5)]
GROUPS = [(0, 2), (0, 4), (1, 3), (1, 5)]
SHAPES: dict[str, tuple[str, list[tuple[int, int]]]] = {
    "a filter": ("select id, g from main.src where id > 1", KEPT),
    "a column of the table's own name": ("select src.id as x from memory.main.src where src.id > 1", KEPT),
    "a grouping": ("select g, sum(id) as s, count(*) as n from src where id > 1 group by g", GROUPS),
    "a limit of each group": ("select max(id) as m, g from src where id > 1 group by all limit 5", GROUPS),
    "a CTE over a view": ("with c as (from seen) select x from c where x > 1", KEPT),
    "text that ends in a comment": ("select id from src where id > 1 -- all", KEPT),
    "a union of itself": ("select id from src where id > 1 union select id from src where id > 1", KEPT),
    "a guard": ("select id from src where id not in (select w from main.lookup)", KEPT),
}


def replay_of(world: Any, sql: str, pairs: list[tuple[int, int]]) -> Replay:
    world.relation(SRC, "SELECT i AS id, i % 2 AS g FROM range(6) r(i)", fingerprint="f")
    world.relation(LOOKUP, "SELECT i AS w FROM range(2) r(i)", fingerprint="g")
    world.con.execute("CREATE VIEW seen AS SELECT id AS x FROM src")
    world.node("model.p.seen", [SRC], materialized="view", compiled_code="SELECT id AS x FROM src")
    order = "" if "limit" in sql or "--" in sql else " order by all"
    parents = ["model.p.seen"] if "seen" in sql else [SRC, LOOKUP]
    world.relation(A, sql + order, parents=parents, compiled_code=sql)
    world.edge(A, SRC, pairs)
    if "lookup" in sql:
        world.edge(A, LOOKUP, exactness="superset", role="guard")
    ctx = world.questions().context()
    return Replay.of(ctx, A, ctx.store.current_generation(A))


def alone_and_together(replay: Replay, count: int) -> tuple[list[str], list[str]]:
    chosen = list(range(count))
    many = Batches(replay, chosen)
    return [replay.check(o).verdict for o in chosen], [many.outcome(o).verdict for o in chosen]


@pytest.mark.parametrize("shape", SHAPES)
def test_together_as_alone(world: Any, shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sql, pairs = SHAPES[shape]
    replay = replay_of(world, sql, pairs)
    count = len({o for o, _ in pairs})
    alone, together = alone_and_together(replay, count)
    assert alone == together == ["exact"] * count
    opened: list[Any] = []
    real = Stage.open
    monkeypatch.setattr(Stage, "open", lambda *given: opened.append(given) or real(*given))
    many = Batches(replay, list(range(count)))
    assert [many.outcome(o).verdict for o in range(count)] == alone
    assert len(opened) == 1, "one copy for all of them"


@pytest.mark.parametrize("fault", ["UPDATE a SET {0} = 77 WHERE {0} = (SELECT max({0}) FROM a)",
                                   "UPDATE cdme.store_pairs SET i = 1 WHERE o = 0",
                                   "DELETE FROM cdme.store_pairs WHERE o = 1"])  # fmt: skip
@pytest.mark.parametrize("shape", SHAPES)
def test_faults_are_found_together_as_alone(world: Any, shape: str, fault: str) -> None:
    sql, pairs = SHAPES[shape]
    replay_of(world, sql, pairs)
    (column, *_), *_ = world.con.execute("DESCRIBE a").fetchall()
    world.con.execute(fault.format(column))
    ctx = world.questions().context()
    replay = Replay.of(ctx, A, ctx.store.current_generation(A))
    alone, together = alone_and_together(replay, len({o for o, _ in pairs}))
    assert alone == together
    assert "violation" in together


def test_a_pair_too_many_is_seen_together(world: Any) -> None:
    """A record that is shown from its witnesses and one more is no proof of its own witnesses."""
    sql, pairs = SHAPES["a filter"]
    replay = replay_of(world, sql, [*pairs, (2, 0)])
    alone, together = alone_and_together(replay, 4)
    assert alone == together == ["exact", "exact", "violation", "exact"]


def test_what_cannot_be_asked_together_is_asked_alone(world: Any) -> None:
    """A recursive query is not kept to a tag; each record of it is replayed by itself."""
    sql = (
        "with recursive r as (select id from src where id > 1 union select id from r where id < 0)"
        " select id from r"
    )
    replay = replay_of(world, sql, KEPT)
    alone, together = alone_and_together(replay, 4)
    assert alone == together and len(together) == 4
