"""Conditions over padded rows, held against DuckDB: what it finds TRUE must have been possible."""

from __future__ import annotations

import random

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from cdme_adapter.validation.null_logic import can_be_true

NUMBERS = ["r.x", "r.y", "a.y", "a.z", "0", "1", "2", "NULL"]


def number(chance: random.Random, depth: int) -> str:
    if depth == 0 or chance.random() < 0.3:
        return chance.choice(NUMBERS)
    one, other = (number(chance, depth - 1) for _ in range(2))
    asked = condition(chance, depth - 1)
    return chance.choice([
        f"({one} + {other})", f"coalesce({one}, {other})", f"nullif({one}, {other})", f"abs({one})",
        f"CASE WHEN {asked} THEN {one} ELSE {other} END", f"CASE {one} WHEN 1 THEN {other} END",
        f"greatest({one}, {other})", f"cast({one} AS BIGINT)", f"CASE WHEN {asked} THEN 1 ELSE 0 END",
        f"length(concat({one}, 'a'))",
    ])  # fmt: skip


def condition(chance: random.Random, depth: int) -> str:
    one, other = (number(chance, max(depth - 1, 0)) for _ in range(2))
    if depth == 0:
        return chance.choice([f"{one} > {other}", f"{one} = {other}", "a.ok", "r.ok", "true"])
    left, right = (condition(chance, depth - 1) for _ in range(2))
    return chance.choice([
        f"({left} AND {right})", f"({left} OR {right})", f"(NOT ({left}))", f"{one} IN ({other}, 1, a.y)",
        f"{one} IN (1, 2)", f"{one} NOT IN ({other}, 0)", f"{one} BETWEEN {other} AND 2",
        f"({one} IS NULL)", f"({left}) IS TRUE", f"({left}) IS NOT FALSE",
        f"{one} IS DISTINCT FROM {other}",
        f"{one} IS NOT DISTINCT FROM {other}", f"CASE WHEN {left} THEN {right} ELSE false END",
        f"CASE WHEN {left} THEN true END", f"if({left}, {right}, {one} = 1)", f"{one} <> {other}",
        f"coalesce({left}, {right})", f"CAST({one} AS VARCHAR) LIKE '%1%'",
    ])  # fmt: skip


def parsed(text: str) -> exp.Expr:
    return sqlglot.parse_one(text, dialect="duckdb")


def test_what_duckdb_finds_true_was_possible() -> None:
    chance = random.Random(8)
    rows = duckdb.connect()
    rows.execute(
        "CREATE TABLE a AS SELECT * FROM (VALUES (NULL), (0), (1), (2)) t(y), "
        "(VALUES (NULL), (0), (1)) u(z), (VALUES (NULL), (true), (false)) v(ok)"
    )
    rows.execute("CREATE TABLE r (x INTEGER, y INTEGER, ok BOOLEAN)")
    impossible = checked = 0
    for _ in range(1500):
        text = condition(chance, 3)
        found = rows.execute(f"SELECT count(*) FROM a LEFT JOIN r ON true WHERE {text}").fetchone()
        assert found is not None
        possible = can_be_true(parsed(text), "r")
        assert possible or not found[0], text
        checked += not found[0]
        impossible += not possible
    # It must also say so: of the conditions that no row meets, most are seen to be such.
    assert impossible > checked * 0.6 > 100, (impossible, checked)


@pytest.mark.parametrize(
    "text",
    [
        "CASE WHEN r.x > 0 THEN true ELSE false END",
        "if(r.x > 0, 1, 0) = 1",
        "CASE r.x WHEN 1 THEN 'a' ELSE 'b' END = 'a'",
        "CASE WHEN r.x > 0 THEN 1 ELSE 0 END",
        "CASE WHEN r.x > 0 THEN 'big' ELSE 'small' END IN ('big', 'huge')",
        "NOT (r.x = 1 OR r.y = 2)",
        "r.x || 'a' = 'a'",
        "a.y > r.x + 1",
        "(r.x > 0) IS TRUE",
        "nullif(r.x, 0) > 1",
    ],
)
def test_a_padded_row_cannot_meet(text: str) -> None:
    assert not can_be_true(parsed(text), "r")


@pytest.mark.parametrize(
    "text",
    [
        "coalesce(r.x, 0) = 0",
        "coalesce(r.x, 'a') = 'b'",  # whoever writes COALESCE has thought of NULL
        "ifnull(r.x > 0, false)",
        "CASE WHEN r.x > 0 THEN false ELSE true END",
        "CASE WHEN a.y THEN true WHEN r.x > 0 THEN true ELSE false END",
        "(r.x > 0) IS NOT FALSE",
        "r.x IS DISTINCT FROM 1",
        "concat(r.x, 'a') = 'a'",
        "a_macro(r.x) = 1",
        "EXISTS (SELECT 1 FROM z WHERE z.a = r.x)",
        "[r.x] = [1]",
    ],
)
def test_a_padded_row_may_meet(text: str) -> None:
    assert can_be_true(parsed(text), "r")
