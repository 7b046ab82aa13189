"""Personal columns are followed by what SQL makes of them; what is not understood is personal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cdme_adapter.pii import of_manifest
from cdme_adapter.project import Manifest

PEOPLE = {"cdme": {"pii": ["email"]}}


def followed(
    *models: tuple[str, str | None], meta: dict[str, Any] | None = None, **columns: Any
) -> dict[str, set[str]]:
    """The personal columns of models (name, SQL) over people(id, email) and orders(id, who, amount)."""
    con = duckdb.connect()
    con.execute("CREATE TABLE people (id INT, email VARCHAR, tags VARCHAR[])")
    con.execute("CREATE TABLE orders (id INT, who INT, amount INT)")

    def node(kind: str, name: str, parents: list[str], **more: Any) -> dict[str, Any]:
        return {"resource_type": kind, "name": name, "database": "memory", "schema": "main",
                "depends_on": {"nodes": parents}, **more}  # fmt: skip

    sources = {
        "source.p.s.people": node("source", "people", [], config={"meta": meta or PEOPLE}),
        "source.p.s.orders": node("source", "orders", []),
    }
    nodes: dict[str, Any] = {}
    for name, sql in models:
        parents = [*sources, *nodes]
        described = {column: {"meta": {"cdme": {"pii": False}}} for column in columns.get(name, ())}
        nodes[f"model.p.{name}"] = node("model", name, parents, compiled_code=sql, columns=described)
        con.execute(f"CREATE VIEW {name} AS {sql or 'SELECT id, email AS mail FROM people'}")

    def columns_of(node_id: str) -> list[str]:
        return [row[0] for row in con.execute(f"DESCRIBE {node_id.rpartition('.')[2]}").fetchall()]

    personal = of_manifest(Manifest.from_dict({"nodes": nodes, "sources": sources}), columns_of)
    return {name: set(personal.of(f"model.p.{name}")) for name, _ in models}


@pytest.mark.parametrize(
    ("sql", "personal"),
    [
        ("SELECT id, email AS contact FROM memory.main.people", {"contact"}),
        ("SELECT * FROM people", {"email"}),
        ('SELECT * RENAME (email AS mail) FROM "memory"."main"."PEOPLE"', {"mail"}),
        ("SELECT id, upper(email) FROM people", {"upper(email)"}),
        ("SELECT p.id, o.id, p.email FROM people p JOIN orders o ON o.who = p.id", {"email"}),
        ("SELECT id, {'a': email} AS s FROM people", {"s"}),
        ("SELECT s.a AS inside, id AS n FROM (SELECT {'a': email} AS s, id FROM people)", {"inside"}),
        ("SELECT p AS whole, id FROM people AS p", {"whole"}),
        ("SELECT id, e FROM people, unnest([email]) AS t(e)", {"e"}),
        ("SELECT amount AS x FROM orders UNION ALL SELECT email FROM people", {"x"}),
        ("SELECT id, (SELECT max(email) FROM people) AS m FROM orders", {"m"}),
        ("WITH a(x, y) AS (SELECT id, email FROM people) SELECT y AS z, x FROM a", {"z"}),
        ("SELECT count(DISTINCT email) AS n, email IS NULL AS gone FROM people GROUP BY 2", set()),
        ("SELECT id FROM people WHERE email LIKE '%@a'", set()),
        ("SELECT sum(amount) AS s FROM orders", set()),
    ],
)
def test_a_column_is_followed_by_what_is_made_of_it(sql: str, personal: set[str]) -> None:
    assert followed(("m", sql))["m"] == personal


@pytest.mark.parametrize(
    "sql",
    [
        None,
        "SELECT COLUMNS('i.*|e.*') FROM people",
        "WITH RECURSIVE r AS (SELECT id, email FROM people UNION ALL SELECT id + 1, email FROM r"
        " WHERE id < 3) SELECT * FROM r",
    ],
    ids=["no SQL at hand", "COLUMNS()", "recursion"],
)
def test_what_is_not_understood_is_personal_as_a_whole(sql: str | None) -> None:
    assert followed(("m", sql))["m"] >= {"id"}


def test_it_goes_through_models_and_views_and_a_column_may_be_cleared() -> None:
    found = followed(
        ("a", "SELECT id, email AS contact FROM people"),
        ("b", "SELECT id, lower(contact) AS c, left(contact, 1) AS initial FROM a"),
        ("d", "SELECT c AS z, initial FROM b"),
        b=["initial"],
    )
    assert found == {"a": {"contact"}, "b": {"c"}, "d": {"z"}}


def test_a_project_that_declares_nothing_masks_nothing() -> None:
    assert followed(("m", "SELECT * FROM people"), meta={"cdme": {"key": "id"}})["m"] == set()


def test_a_model_that_reads_itself_is_followed_too() -> None:
    """An incremental one: a value that goes round moves on by a column each time, until it is home."""
    columns = {"source.p.s.people": ["id", "email"], "model.p.m": ["id", "contact", "before", "n"]}
    sql = ("SELECT p.id, p.email AS contact, m.contact AS before, 1 AS n FROM people p"
           " LEFT JOIN main.m ON m.id = p.id WHERE p.id > (SELECT max(id) FROM memory.main.m)")  # fmt: skip
    place = {"database": "memory", "schema": "main"}
    manifest = {
        "sources": {"source.p.s.people": {"name": "people", **place, "config": {"meta": PEOPLE}}},
        "nodes": {"model.p.m": {"name": "m", **place, "compiled_code": sql,
                                "depends_on": {"nodes": ["source.p.s.people"]}}},
    }  # fmt: skip
    personal = of_manifest(Manifest.from_dict(manifest), columns.__getitem__)
    assert personal.of("model.p.m") == {"contact", "before"}


def test_a_snapshot_is_followed_by_the_sql_of_its_last_run(tmp_path: Path) -> None:
    """After `dbt parse` or a run-operation the manifest has its SQL no more."""
    place = {"database": "memory", "schema": "main"}
    columns = {"source.p.s.people": ["id", "email"], "snapshot.p.m": ["id", "contact"]}
    manifest = {
        "sources": {"source.p.s.people": {"name": "people", **place, "config": {"meta": PEOPLE}}},
        "nodes": {"snapshot.p.m": {"name": "m", **place, "original_file_path": "snapshots/m.sql",
                                   "depends_on": {"nodes": ["source.p.s.people"]}}},
    }  # fmt: skip

    def personal() -> frozenset[str]:
        return of_manifest(Manifest.from_dict(manifest, tmp_path), columns.__getitem__).of("snapshot.p.m")

    assert personal() >= {"id", "contact"}
    proven = json.dumps({"compiled": {"snapshot.p.m": "SELECT id, email AS contact FROM people"}})
    for number, text in enumerate((proven, '{"compiled": {}}', "not JSON")):
        proof = tmp_path / "cdme" / str(number) / "proof"
        proof.mkdir(parents=True)
        (proof / "sql.json").write_text(text)
    assert personal() == {"contact"}
