"""Comma-joined tables under many conjuncts: trees of keys, cycles, inequalities, subqueries.

The other laws draw few of these, and a tree, a cycle and a product are explained in three ways.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.harness import capture
from tests.laws.check import check
from tests.laws.generate import Case

CASES = 160
COLUMNS = ("a", "b", "c")


def _value(chance: random.Random) -> str:
    return chance.choice(["0", "1", "2", "3", "NULL"])


def _conjunct(chance: random.Random, names: list[str]) -> str:
    one, other = chance.choice(names), chance.choice(names)
    mine, theirs = f"{one}.{chance.choice(COLUMNS)}", f"{other}.{chance.choice(COLUMNS)}"
    kind = chance.random()
    if kind < 0.55 and one != other:
        return f"{mine} = {theirs}"
    if kind < 0.65 and one != other:
        return f"{mine} {chance.choice(['<', '<>', '>='])} {theirs}"
    if kind < 0.72 and one != other:
        return f"({mine} = {theirs} OR {one}.a > 2)"
    if kind < 0.8:
        return f"{mine} IN (SELECT a FROM t0 AS s WHERE s.b IS NOT DISTINCT FROM {one}.b)"
    return f"{mine} {chance.choice(['=', '<', '>', '<>'])} {chance.choice(['0', '1', '2'])}"


def case_of(seed: int) -> Case:
    """A case of two to four tables of at most five rows."""
    chance = random.Random(seed)
    names = [f"t{n}" for n in range(chance.choice([2, 3, 3, 4]))]
    statements = []
    for name in names:
        statements.append(
            f"CREATE TABLE {name} (a INTEGER, b INTEGER, c {chance.choice(['INTEGER', 'DOUBLE'])})"
        )
        rows = [f"({', '.join(_value(chance) for _ in COLUMNS)})" for _ in range(chance.randint(1, 5))]
        statements.append(f"INSERT INTO {name} VALUES {', '.join(rows)}")
    where = [_conjunct(chance, names) for _ in range(chance.randint(2, 6))]
    shown = f"SELECT {names[0]}.a AS x, {names[-1]}.b AS y"
    sql = f"{shown} FROM {', '.join(names)} WHERE {' AND '.join(where)}"
    return Case(tuple(statements), sql, {})


@pytest.mark.parametrize("start", range(4))
def test_every_record_has_the_reason_that_the_oracle_finds(start: int) -> None:
    records: Counter[str] = Counter()
    for seed in range(start, CASES, 4):
        case = case_of(seed)
        outcome = check(case, capture)
        assert not outcome.invalid, str(case)
        assert not outcome.problems, f"{case}\n{outcome.problems}"
        records.update(outcome.records)
    assert records["contributed"] > 5
    assert records["filtered"] > 100
