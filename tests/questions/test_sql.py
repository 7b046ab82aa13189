"""``cdme sql``: what is personal is masked in what comes out, and seen by what decides about rows."""

from __future__ import annotations

from typing import Any

import duckdb
import jsonschema
import pytest

from cdme_adapter.errors import QuestionError
from tests.questions.test_cli import schema
from tests.questions.worlds import SRC, A

SECRET = ("ann@x.org", "bob@x.org")


@pytest.fixture
def people(world: Any) -> Any:
    """Two people with a personal email, a table made of them, and a view that dbt does not know."""
    world.relation(SRC, f"SELECT i AS id, ['{SECRET[0]}', '{SECRET[1]}'][i] AS email, i % 2 AS g"
                        " FROM range(1, 3) r(i)",
                   fingerprint="f", meta={"cdme": {"pii": "email"}})  # fmt: skip
    sql = "select id, upper(email) as loud, g from memory.main.src"
    world.relation(A, sql + " order by id", parents=[SRC], compiled_code=sql)
    world.edge(A, SRC, [(0, 0), (1, 1)])
    world.con.execute("CREATE VIEW unknown_to_dbt AS SELECT email AS e, id FROM src")
    return world


MASKED: list[tuple[str, list[str]]] = [
    ("SELECT * FROM src ORDER BY id", ["email"]),
    ("FROM main.src", ["email"]),
    ("SELECT id, lower(s.email) AS x, g FROM memory.main.src s", ["x"]),
    ("SELECT loud, id FROM a", ["loud"]),
    ("WITH c AS (SELECT email || '!' AS y FROM src) SELECT y, 1 AS one FROM c", ["y"]),
    ("SELECT id, (SELECT min(email) FROM src) AS m FROM a", ["m"]),
    ("SELECT src FROM src", ["src"]),
    ("SELECT to_json(s) AS j, s.id FROM src s", ["j"]),
    ("SELECT list(email) AS l, g FROM src GROUP BY g", ["l"]),
    ("SELECT id FROM a UNION ALL SELECT email FROM src", ["id"]),
    ("SELECT e, id FROM unknown_to_dbt", ["e", "id"]),
    ("SELECT COLUMNS('e.*') FROM src", ["email"]),
    ("SELECT id, ann FROM (FROM src PIVOT (max(email) FOR g IN (1 AS ann, 0 AS bob)))", ["id", "ann"]),
    ("SELECT * FROM query_table('src')", ["id", "email", "g"]),
    ("SELECT * FROM query('FROM src')", ["id", "email", "g"]),
    ("SELECT s.id, r.* FROM src s JOIN cdme.reverse_join r ON TRUE WHERE s.email LIKE 'ann%'", []),
    ("SELECT count(email) AS n, g FROM src WHERE email = 'ann@x.org' GROUP BY g", []),
    ("SELECT a.id FROM a JOIN src ON a.loud = upper(src.email)", []),
    ("SELECT * FROM cdme.edges", []),
]


@pytest.mark.parametrize(("query", "masked"), MASKED)
def test_personal_columns_of_the_result_are_masked(people: Any, query: str, masked: list[str]) -> None:
    answer = people.questions().sql(query)
    jsonschema.validate(answer, schema("sql"))
    text = str(answer["rows"]).lower()
    assert not any(secret in text for secret in SECRET)
    assert answer["count"] > 0
    assert answer["masked"] == masked
    plain = people.con.execute(query).fetchall()
    assert answer["count"] == len(plain), "predicates and joins see what is there"
    shown = people.questions(show_pii=True).sql(query)
    assert shown["masked"] == []
    if masked and "src" not in masked:
        assert any(secret in str(shown["rows"]).lower() for secret in SECRET)


def test_a_relation_for_notebooks_is_masked_too(people: Any) -> None:
    found = people.questions().relation("SELECT id, email FROM src ORDER BY id")
    assert found.columns == ["id", "email"]
    assert found.fetchall() == [(1, "***"), (2, "***")]
    shown = people.questions(show_pii=True).relation("SELECT id, email FROM src ORDER BY id")
    assert shown.fetchall() == [(1, SECRET[0]), (2, SECRET[1])]


def test_an_error_does_not_quote_a_value(people: Any) -> None:
    query = "SELECT id FROM src WHERE email::INTEGER > 0"
    with pytest.raises(duckdb.Error, match=r"ann@x\.org"):
        people.con.execute(query).fetchall()
    with pytest.raises(QuestionError) as raised:
        people.questions().sql(query)
    assert not any(secret in str(raised.value) for secret in SECRET)


def test_nothing_is_masked_where_nothing_is_declared(world: Any) -> None:
    world.relation(SRC, "SELECT 1 AS id, 'ann@x.org' AS email", fingerprint="f")
    answer = world.questions().sql("FROM src")
    assert answer["rows"] == [[1, "ann@x.org"]] and answer["masked"] == []


@pytest.mark.parametrize(
    ("query", "remedy"),
    [("FROM srk", "did you mean src?"), ("SELECT s.emial FROM src s", "did you mean email"),
     ("SELECT lound FROM a", "did you mean loud"), ("SELECT 1 +", "")],
)  # fmt: skip
def test_a_misspelt_name_is_answered_with_the_nearest(people: Any, query: str, remedy: str) -> None:
    with pytest.raises(QuestionError) as raised:
        people.questions().sql(query)
    assert raised.value.remedy.startswith(remedy)
    assert bool(raised.value.remedy) == bool(remedy)
