"""Maps held in memory lead where the statements lead, and the questions answer the same either way."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cdme_adapter.engines.rows import fingerprint
from cdme_adapter.lineage import walk
from cdme_adapter.lineage.api import Questions
from cdme_adapter.store.lookups import Lookups

Pairs = list[tuple[int, int]]

MAPS: dict[str, Pairs] = {
    "aligned": [(o, (o * 7) % 50) for o in range(50)],
    "with gaps": [(o, o + 3) for o in range(0, 60, 3)],
    "groups": [(i % 5, i) for i in range(60)],
    "several each": sorted({(o, (o * k) % 17) for o in range(40) for k in (1, 2, 3)}),
    "far apart": [(o * 100_000, o) for o in range(20)] + [(100_000, 900_000)],
    "wide ordinals": [(o, o + (1 << 40)) for o in range(9)],
    "one": [(0, 0)],
    "none": [],
}


@pytest.fixture
def con() -> Any:
    found = duckdb.connect()
    found.execute("CREATE TABLE store_pairs (map BIGINT, o BIGINT, i BIGINT)")
    for number, pairs in enumerate(MAPS.values()):
        for o, i in sorted(pairs):
            found.execute("INSERT INTO store_pairs VALUES (?, ?, ?)", [number, o, i])
    found.execute("CREATE TABLE store_ranges (map BIGINT, o BIGINT, lo BIGINT, hi BIGINT)")
    found.execute("INSERT INTO store_ranges SELECT 0, o, greatest(o - 3, 0), o FROM range(20) r(o)")
    return found


def lookups(con: Any, **more: Any) -> Lookups:
    return Lookups(lambda sql, values=None: con.execute(sql, values or []).fetchall(), con, **more)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("forward", [False, True])
def test_held_maps_lead_where_statements_lead(con: Any, name: str, forward: bool) -> None:
    number, pairs = list(MAPS).index(name), MAPS[name]
    told, kept = lookups(con, hold=False), lookups(con, hold=True, look=0, worth=0, often=0)
    draw = random.Random(name)
    there = sorted({pair[forward] for pair in pairs})
    for size in (1, 2, 5, 40):
        some = draw.sample(there, min(size, len(there)))
        wanted = sorted({*some, draw.randrange(1000), *range(size - 1)})
        expected = sorted(pair[:: -1 if forward else 1] for pair in pairs if pair[forward] in wanted)
        for each in (told, kept, kept):  # the first question makes `kept` hold the map
            found = each.follow("main", number, False, wanted, forward, 1000)
            assert found is not None
            assert sorted(zip(*found, strict=True)) == expected
            assert each.reach("main", number, False, wanted, forward, 1000) == sorted(
                {found for _, found in expected}
            )
    assert bool(kept.held) is bool(pairs)
    assert not told.held


def test_too_many_are_refused_before_they_are_read(con: Any) -> None:
    number = list(MAPS).index("groups")
    for each in (lookups(con, hold=False), lookups(con, hold=True, look=0, worth=0, often=0)):
        for _ in range(2):
            assert each.follow("main", number, False, [0, 1], False, 23) is None
            found = each.follow("main", number, False, [0, 1], False, 24)
            assert found is not None
            assert len(found[0]) == 24


def test_ranges_are_looked_up_both_ways(con: Any) -> None:
    store = lookups(con, hold=True, look=0, worth=0, often=0)
    for wanted in ([5], [1, 2], [0, 7, 19]):
        for _ in range(2):
            back = store.reach("main", 0, True, wanted, False, 99)
            assert back == sorted({i for o in wanted for i in range(max(o - 3, 0), o + 1)})
            forth = store.reach("main", 0, True, wanted, True, 99)
            assert forth == sorted({o for i in wanted for o in range(i, min(i + 4, 20))})
    assert not store.held


def test_the_least_lately_used_map_makes_room(con: Any) -> None:
    # all three take 272 bytes together
    store = lookups(con, hold=True, look=0, worth=0, often=0, budget=250)
    first, second = list(MAPS).index("aligned"), list(MAPS).index("groups")
    store.follow("main", first, False, [3], False, 99)
    assert [key[1] for key in store.held] == [first]
    store.follow("main", second, False, [3], False, 99)
    assert {key[1] for key in store.held} == {first, second}
    store.follow("main", first, False, [3], False, 99)  # used again, so it is not the one to go
    store.follow("main", list(MAPS).index("several each"), False, [3], False, 999)
    assert second not in {key[1] for key in store.held}
    assert sum(held.bytes for held in store.held.values()) <= 250


def test_nothing_is_held_where_others_may_write_or_it_is_not_worth_it(con: Any) -> None:
    open_, cheap = lookups(con, hold=False, look=0, worth=0, often=0), lookups(con, hold=True)
    small = lookups(con, hold=True, look=0, worth=0, often=0, budget=10)
    for each in (open_, cheap, small):
        for _ in range(3):
            each.follow("main", 0, False, [3, 9], False, 99)
        assert not each.held


def _ask(path: Path, monkeypatch: Any, few: int, hold: bool) -> list[dict[str, Any]]:
    con = duckdb.connect(str(path), read_only=True)
    questions = Questions(con, frozen=True)
    store = questions.context().store
    store.lookups.look, store.lookups.worth, store.lookups.often = 0, 0, 0
    store.lookups.hold = hold
    monkeypatch.setattr(walk, "FEW", few)
    answers = []
    for _ in range(2):
        answers = [
            questions.trace("c", limit=0),
            questions.trace("c", "n > 1", to="a"),
            questions.impact("src", "id IN (1, 3, 4)"),
            questions.impact("src", limit=2),
            questions.explain("c", "src", "id < 5"),
            questions.explain("c", "src"),
        ]
    assert bool(store.lookups.held) is hold
    con.close()
    return answers


def test_questions_answer_the_same_looked_up_held_and_joined(tmp_path: Path, monkeypatch: Any) -> None:
    from tests.questions.conftest import World

    path = tmp_path / "w.duckdb"
    world = World(duckdb.connect(str(path)), "w")
    src, a, c = "source.p.raw.src", "model.p.a", "model.p.c"
    rows = "SELECT i AS id, i % 2 AS g FROM range(9) r(i)"
    world.con.execute(f"CREATE TABLE src AS {rows}")
    seen = fingerprint(lambda sql: world.con.execute(sql).fetchall(), "w", "main", "src")
    world.con.execute("DROP TABLE src")
    world.relation(src, rows, fingerprint=seen)
    world.relation(a, "SELECT i + 2 AS id, i % 3 AS g FROM range(7) r(i)", parents=[src])
    world.relation(c, "SELECT g, count(*) AS n FROM a GROUP BY g ORDER BY g", parents=[a])
    world.edge(a, src, [(i, i + 2) for i in range(7)] + [(0, 0)])
    world.edge(c, a, [(i % 3, i) for i in range(7)])
    world.con.close()
    told = _ask(path, monkeypatch, 1 << 16, False)
    assert told == _ask(path, monkeypatch, 1 << 16, True)
    assert told == _ask(path, monkeypatch, 0, False)
    assert told[0]["records"][0]["witnesses"][0]["count"] == 4
