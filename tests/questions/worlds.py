"""A small world whose store says exactly what is so, for planting faults into."""

from __future__ import annotations

from typing import Any

SRC, LOOKUP, A, B = "source.p.raw.src", "source.p.raw.lookup", "model.p.a", "model.p.b"


def true_world(world: Any) -> None:
    """a = src where v > 1 joined with lookup, b = a grouped; the store says exactly what is so."""
    world.relation(SRC, "SELECT i AS id, i AS v, 'k' || (i % 2) AS k FROM range(5) r(i)",
                   fingerprint="f")  # fmt: skip
    world.relation(LOOKUP, "SELECT 'k' || i AS k, i AS w FROM range(3) r(i)", fingerprint="g", keys=["k"])
    sql = "select s.id, l.w from main.src s join main.lookup l on s.k = l.k where s.v > 1"
    world.relation(A, sql + " order by s.id", parents=[SRC, LOOKUP], compiled_code=sql)
    one = world.edge(A, SRC, [(0, 2), (1, 3), (2, 4)], declared="1:1")
    world.reason(one, 0, "where", "s.v > 1", {0: 0, 1: 0})
    two = world.edge(A, LOOKUP, [(0, 0), (1, 1), (2, 0)])
    world.reason(two, 1, "join_no_match", "join main.lookup l on s.k = l.k", {2: 2})
    world.ledger(A, SRC, (5, 3, 2, 0, 0), 3)
    world.ledger(A, LOOKUP, (3, 2, 1, 0, 0), 3)
    sql = "select w, count(*) as n, avg(id) as mean from main.a group by w"
    world.relation(B, sql + " order by w", parents=[A], compiled_code=sql)
    world.edge(B, A, [(0, 0), (0, 2), (1, 1)])
    world.ledger(B, A, (3, 3, 0, 0, 0), 2)


def maps(source: str) -> str:
    """A condition on pairs: those of the edges from an input."""
    steps = "cdme.store_steps JOIN cdme.store_edges USING (edge)"
    return f"map IN (SELECT map FROM {steps} WHERE input = '{source}')"


def add_pair(source: str, o: int, i: int) -> str:
    """A statement that adds a pair to the map from an input."""
    return (
        f"INSERT INTO cdme.store_pairs SELECT DISTINCT map, {o}, {i} FROM cdme.store_pairs"
        f" WHERE {maps(source)}"
    )


ADD_ERROR = (
    "INSERT INTO cdme.store_rejects SELECT 'run1', model, output_generation, 0, 'x', ['x'], '{}', '{}',"
    f" 'h', 'run1', now(), now(), NULL, NULL FROM cdme.store_edges WHERE input = '{SRC}';"
    " INSERT INTO cdme.store_reject_edges SELECT output_generation, edge, model, input, input_generation,"
    f" '', '', '', 0, 1, 1, 99 FROM cdme.store_edges WHERE input = '{SRC}';"
    " INSERT INTO cdme.store_reject_pairs VALUES (99, 0, 0)"
)
ADD_REASON = "INSERT INTO cdme.store_filtered SELECT edge, i, 1, 0 FROM cdme.store_filtered"
