"""Refinement and capture together give a balanced account, and the class ``error`` is right.

The expected classes come from the definition alone: every derivation of every record, enumerated in
Python. Nothing of the capture is used for them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from cdme_adapter.capture.plan import ROOT
from cdme_adapter.capture.planner import plan_query
from cdme_adapter.engines.duckdb import DuckDbCatalog
from cdme_adapter.engines.rows import columns_of
from cdme_adapter.nodes import NodeInfo
from cdme_adapter.refine.checks import Check, bind
from cdme_adapter.refine.emission import Emission
from cdme_adapter.settle import ROOT_ROWS, Settlement

T = list[tuple[int, int | None, int | None]]
U = list[tuple[int | None, int | None]]
Derivation = tuple[tuple[Any, ...], set[int], set[int]]
"""An output row, and the records of t and of u that it was made of."""
NODE = NodeInfo("model.p.m", "m", "model", "table", "memory", "main", "m", None)


@dataclass(frozen=True)
class Shape:
    """A query, what it derives from the tables, and the place of the refined value in its rows."""

    sql: str
    derive: Callable[[T, U], Iterable[Derivation]]
    value: str
    place: int


def above(v: int | None) -> bool:
    return v is not None and v > 1


def filtered(t: T, u: U) -> Iterable[Derivation]:
    for n, row in enumerate(t):
        if above(row[2]):
            yield row, {n}, set()


def joined(t: T, u: U) -> Iterable[Derivation]:
    for n, (ident, k, v) in enumerate(t):
        for m, (other, w) in enumerate(u):
            if above(v) and k is not None and k == other:
                yield (ident, None if w is None or v is None else v + w), {n}, {m}


def grouped(t: T, u: U) -> Iterable[Derivation]:
    groups: dict[int | None, list[int]] = defaultdict(list)
    for n, (_, k, v) in enumerate(t):
        if above(v):
            groups[k].append(n)
    for k, members in groups.items():
        yield (k, sum(t[n][2] or 0 for n in members)), set(members), set()


def firsts(t: T, u: U) -> Iterable[Derivation]:
    groups: dict[int | None, list[int]] = defaultdict(list)
    for n, (_, k, _v) in enumerate(t):
        groups[k].append(n)
    for members in groups.values():
        first = min(members, key=lambda n: (t[n][2] is None, t[n][2] or 0, t[n][0]))
        yield t[first], {first}, set()


def united(t: T, u: U) -> Iterable[Derivation]:
    for n, (_, k, v) in enumerate(t):
        yield (k, v), {n}, set()
    for m, (k, w) in enumerate(u):
        if w is not None and w > 0:
            yield (k, w), set(), {m}


SHAPES = (
    Shape("SELECT id, k, v FROM t WHERE v > 1", filtered, "v", 2),
    Shape("SELECT t.id, t.v + u.w AS s FROM t JOIN u ON t.k = u.k WHERE t.v > 1", joined, "s", 1),
    Shape("SELECT k, sum(v)::INT AS s FROM t WHERE v > 1 GROUP BY k", grouped, "s", 1),
    Shape("SELECT id, k, v FROM t QUALIFY row_number() OVER (PARTITION BY k ORDER BY v, id) = 1",
          firsts, "v", 2),
    Shape("SELECT k, v FROM t UNION ALL SELECT k, w FROM u WHERE w > 0", united, "v", 1),
)  # fmt: skip

small = st.one_of(st.none(), st.integers(0, 6))
tables = st.tuples(
    st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 3)), small), max_size=8),
    st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 3)), small), max_size=5),
)


def classes(t: T, u: U, shape: Shape, modulus: int) -> tuple[list[Any], list[Any], dict[str, list[str]]]:
    """The good rows, the bad rows and the class of every record, by the definition."""
    good: list[Any] = []
    bad: list[Any] = []
    found = {"t": ["filtered"] * len(t), "u": ["filtered"] * len(u)}
    order = ("filtered", "error", "contributed")
    for row, of_t, of_u in shape.derive(t, u):
        value = row[shape.place]
        fine = value is not None and value % modulus != 0
        (good if fine else bad).append(row)
        for name, members in (("t", of_t), ("u", of_u)):
            for n in members:
                found[name][n] = max(found[name][n], "contributed" if fine else "error", key=order.index)
    return good, bad, found


@settings(max_examples=60, deadline=None)
@given(tables, st.sampled_from(SHAPES), st.integers(2, 3), st.booleans())
def test_the_account_is_balanced_and_the_errors_are_right(
    data: tuple[Any, Any], shape: Shape, modulus: int, repeat: bool
) -> None:
    t: T = [(n, k, v) for n, (k, v) in enumerate(data[0])]
    u: U = list(data[1])
    with duckdb.connect() as con:
        con.execute("CREATE TABLE t (id INT, k INT, v INT); CREATE TABLE u (k INT, w INT)")
        if t:
            con.executemany("INSERT INTO t VALUES (?, ?, ?)", t)
        if u:
            con.executemany("INSERT INTO u VALUES (?, ?)", u)
        check = Check("odd", "", expression=f"{shape.value} % {modulus} <> 0")
        _compare(con, shape, check, classes(t, u, shape, modulus), repeat)


def _compare(
    con: duckdb.DuckDBPyConnection, shape: Shape, check: Check, expected: Any, repeat: bool
) -> None:
    def execute(sql: str) -> list[tuple[Any, ...]]:
        return con.execute(sql).fetchall()

    good, bad, found = expected
    catalog = DuckDbCatalog(execute, lambda database, schema, name: name.lower())
    plan = plan_query(shape.sql, catalog)
    for node in plan.nodes:
        if node.name != ROOT:
            execute(f"CREATE TEMP TABLE {node.name} AS {node.sql.format()}")
    select, hidden = plan.root.sql.format(), plan.root.hidden
    columns = columns_of(execute, f"SELECT * EXCLUDE ({', '.join(hidden)}) FROM ({select})")
    emission = Emission(bind(execute, [check], columns, NODE), columns, hidden, may_repeat=repeat)
    emission.run(execute, select)
    execute(f"CREATE TEMP TABLE cdme_target AS {emission.good}")
    execute(
        f"CREATE TEMP TABLE {ROOT_ROWS} AS SELECT rowid AS o, {', '.join(hidden)} FROM temp.cdme_target"
    )
    names = ", ".join(f'"{name}"' for name, _ in columns)
    assert sorted(map(repr, execute(f"SELECT {names} FROM cdme_target"))) == sorted(map(repr, good))
    rejected = execute(f"SELECT {names} FROM cdme_rejects")
    assert sorted(map(repr, rejected)) == sorted(map(repr, bad))
    settlement = Settlement(execute, plan)
    settlement.rejects = emission.rejects if emission.rejected else None
    for account in settlement.accounts():
        mine = found[account.relation]
        counts = (account.contributed, account.filtered, account.errors, account.unaccounted)
        wanted = (mine.count("contributed"), mine.count("filtered"), mine.count("error"), 0)
        assert counts == wanted, account.relation
        errors = execute(f"SELECT i FROM {account.routed} ORDER BY i") if account.routed else []
        assert [i for (i,) in errors] == [n for n, name in enumerate(mine) if name == "error"]
    settlement.clean()
