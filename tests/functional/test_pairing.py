"""Pairing by itself, without dbt: random tables, deltas and statements, against marks in the rows.

Every row of the table and of the delta has a mark of its own. A statement that copies whole rows copies
the mark, so afterwards each row says which row it is. What pairing finds, without a look at the marks of
others' rows, must be that; or it must refuse.
"""

from __future__ import annotations

import random
from typing import Any

import duckdb
import pytest

from cdme_adapter.capture.dml import read_changes
from cdme_adapter.engines.duckdb import DuckDbCatalog
from cdme_adapter.errors import UnsupportedConstruct
from cdme_adapter.pairing import KEPT, PUT, Pairing

CASES = 120
ON = (
    "S.id = T.id", "S.id = T.id AND T.v <> 2", "S.id = T.id AND S.v = T.v", "FALSE",
    "S.id IS NOT DISTINCT FROM T.id",
)  # fmt: skip
MATCHED = (
    "UPDATE BY NAME", "UPDATE SET *", "DELETE", "DO NOTHING", "UPDATE SET v = S.v",
    "UPDATE SET mark = S.mark, id = S.id, v = S.v", "UPDATE SET v = T.v + S.v",
)  # fmt: skip
UNMATCHED = ("INSERT BY NAME", "INSERT *", "DO NOTHING", "INSERT (mark, id, v) VALUES (S.mark, S.id, S.v)")
SOURCELESS = ("DELETE", "DO NOTHING", "UPDATE SET v = 9")
CONDITIONS = ("", "AND S.v > 1 ", "AND S.v IS NULL ", "AND CASE WHEN S.id > 2 THEN TRUE ELSE FALSE END ")


def merge(dice: random.Random) -> str:
    clauses = [f"WHEN MATCHED {dice.choice(CONDITIONS)}THEN {dice.choice(MATCHED)}"
               for _ in range(dice.randint(0, 2))]  # fmt: skip
    clauses += [f"WHEN NOT MATCHED {dice.choice(CONDITIONS)}THEN {dice.choice(UNMATCHED)}"
                for _ in range(dice.randint(0, 2))]  # fmt: skip
    if dice.random() < 0.3 or not clauses:
        more = dice.choice(("", "AND T.v = 1 "))
        clauses.append(f"WHEN NOT MATCHED BY SOURCE {more}THEN {dice.choice(SOURCELESS)}")
    return f"MERGE INTO db.main.t AS T USING d AS S ON {dice.choice(ON)} {' '.join(clauses)}"


def statement(dice: random.Random) -> str:
    kind = dice.randint(0, 5)
    insert = "INSERT INTO db.main.t (mark, id, v) (SELECT mark, id, v FROM d)"
    if kind == 0:
        return insert
    if kind == 1:
        return f"DELETE FROM db.main.t WHERE (id) IN (SELECT (id) FROM d); {insert}"
    if kind == 2:
        some = "INSERT INTO db.main.t (mark, id, v) SELECT mark, id, v FROM d WHERE v = 1;"
        return f"DELETE FROM db.main.t WHERE v = 1; {some}"
    return merge(dice)


def table(con: Any, name: str, dice: random.Random, marks: str, key: bool) -> None:
    """Rows with NULLs and, but for keys, duplicates; marks begin at 1000 for the delta."""
    ids = [dice.randint(1, 6) for _ in range(dice.randint(0, 7))]
    ids = list(dict.fromkeys(ids)) if key else ids
    con.execute(
        f"CREATE OR REPLACE TABLE {name} (mark VARCHAR, id INTEGER{' PRIMARY KEY' * key}, v BIGINT)"
    )
    for n, id_ in enumerate(ids):
        value = dice.choice([1, 2, 3, None])
        con.execute(f"INSERT INTO {name} VALUES (?, ?, ?)", [f"{marks}{n}", id_, value])


@pytest.mark.parametrize("seed", range(CASES))
def test_pairing_says_which_row_is_which(seed: int) -> None:
    dice = random.Random(seed)
    con = duckdb.connect()
    con.execute("ATTACH ':memory:' AS db")
    con.execute("USE db")
    table(con, "db.main.t", dice, "t", key=dice.random() < 0.3)
    con.execute("DELETE FROM db.main.t WHERE id = 4")  # a gap in the row ids
    con.execute("BEGIN")
    con.execute("CREATE TEMP TABLE d (mark VARCHAR, id INTEGER, v INTEGER)")
    ids = [dice.randint(1, 8) for _ in range(dice.randint(0, 6))]
    for n, id_ in enumerate(list(dict.fromkeys(ids)) if dice.random() < 0.7 else ids):
        con.execute("INSERT INTO d VALUES (?, ?, ?)", [f"d{n}", id_, dice.choice([1, 2, 3, None])])

    def execute(sql: str) -> Any:
        return con.execute(sql).fetchall()

    was = [row[0] for row in execute("SELECT mark FROM db.main.t ORDER BY rowid")]
    delta = [row[0] for row in execute("SELECT mark FROM d ORDER BY rowid")]
    sql = statement(dice)
    catalog = DuckDbCatalog(execute, lambda *name: ".".join(name))
    changes = read_changes(sql, ("db", "main", "t"), "d")
    pairing = Pairing(execute, "db.main.t", "temp.main.d", changes, False, catalog.is_volatile)
    try:
        pairing.before()
    except UnsupportedConstruct:
        return
    try:
        con.execute(sql)
    except duckdb.Error:
        return  # the statement itself fails: a key twice, a row matched twice
    now = [row[0] for row in execute("SELECT mark FROM db.main.t ORDER BY rowid")]
    try:
        counts = pairing.after()
    except UnsupportedConstruct as refused:
        assert "different columns" in refused.message, (sql, refused.message)
        return
    kept = {(o, was[w]) for o, w in execute(f"SELECT o, was FROM temp.{KEPT}")}
    put = {(o, delta[d]) for o, d in execute(f"SELECT o, d FROM temp.{PUT}")}
    for o, mark in enumerate(now):
        source = put if mark.startswith("d") else kept
        assert (o, mark) in source, (sql, was, delta, now, kept, put)
    in_part = {o for o, _ in kept} & {o for o, _ in put}
    assert all(now[o].startswith("t") for o in in_part), (sql, now)
    assert len(kept) + len(put) == len(now) + len(in_part), (sql, kept, put, now)
    assert counts.new + counts.updated + counts.carried == len(now), (sql, counts, now)
    assert counts.carried + counts.updated + counts.deleted == len(was), (sql, counts, was)
