"""Ten faults planted into what a real run left, each found by `cdme reconcile` as the user calls it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cdme_adapter.cli import cli
from tests.functional.project import Project, release

FILES = {
    "sources.yml": (
        "sources: [{name: raw, schema: raw, tables: [\n"
        "  {name: orders, config: {meta: {cdme: {key: id}}}}, {name: customers}]}]\n"
        "models:\n"
        "  - {name: dice, config: {meta: {cdme: {key: id}}}}\n"
    ),
    "kept.sql": (
        "{{ config(materialized='table') }}\n"
        "select o.id, c.name, o.amount from {{ source('raw', 'orders') }} o\n"
        "join {{ source('raw', 'customers') }} c on o.customer = c.id\n"
        "where o.amount > 20 and o.id <> 40"
    ),
    "daily.sql": (
        "{{ config(materialized='table') }}\n"
        "select name, sum(amount) as s from {{ ref('kept') }} group by name"
    ),
    "dice.sql": (
        "{{ config(materialized='table') }} select id, random() as luck from {{ source('raw', 'orders') }}"
    ),
}
ORDERS = (
    "CREATE OR REPLACE TABLE raw.orders AS"
    " SELECT i AS id, (i % 4)::INTEGER AS customer, i AS amount FROM range(60) r(i)"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was run twice over the same sources."""
    project = Project(tmp_path_factory.mktemp("ten") / "shop").write(FILES)
    project.sql("CREATE SCHEMA raw")
    project.sql(ORDERS)
    project.sql("CREATE TABLE raw.customers AS SELECT i AS id, 'c' || i AS name FROM range(3) r(i)")
    project.dbt("run")
    project.dbt("run")
    release()
    return project.root


@pytest.fixture
def project(built: Path, tmp_path: Path) -> Iterator[Project]:
    root = tmp_path / "shop"
    shutil.copytree(built, root)
    yield Project(root)
    release()


def asked(project: Project, *words: str) -> tuple[int, dict[str, Any]]:
    release()
    where = ["--project-dir", str(project.root), "--profiles-dir", str(project.root), "--output", "json"]
    result = CliRunner().invoke(cli, ["reconcile", *words, *where])
    return result.exit_code, json.loads(result.stdout)


def edge(model: str, source: str) -> str:
    return (
        f"(SELECT edge FROM cdme.store_edges JOIN cdme.store_current ON generation = output_generation"
        f" WHERE model LIKE '%.{model}' AND input LIKE '%.{source}')"
    )


def maps(model: str, source: str) -> str:
    return f"(SELECT map FROM cdme.store_steps WHERE edge = {edge(model, source)})"


KEPT, DAILY = "model.shop.kept", "model.shop.daily"
ORDERS_ID, CUSTOMERS_ID = "source.shop.raw.orders", "source.shop.raw.customers"
READ = f"(SELECT max(generation) FROM cdme.store_generations WHERE relation = '{ORDERS_ID}')"

FAULTS: dict[str, tuple[list[str], str, tuple[str, str | None, str], str]] = {
    "a tampered output row": (
        ["UPDATE kept SET amount = amount + 1 WHERE id = 25"],
        "kept", (KEPT, None, "content"), "violation"),
    "a tampered output row, its hash forged": (
        ["UPDATE kept SET amount = amount + 1 WHERE id = 25",
         "UPDATE cdme.store_generations SET fingerprint = NULL WHERE relation LIKE '%.kept'"],
        "kept", (KEPT, None, "replay"), "violation"),
    "a deleted input row": (
        ["DELETE FROM kept WHERE id = 25"], "daily", (DAILY, KEPT, "generation"), "violation"),
    "a deleted row of a source": (
        ["DELETE FROM raw.orders WHERE id = 25"], "kept", (KEPT, ORDERS_ID, "generation"), "unknown"),
    "a reverse-join row removed": (
        [f"DELETE FROM cdme.store_pairs WHERE o = 3 AND map IN {maps('daily', 'kept')}",
         f"DELETE FROM cdme.store_pairs WHERE o = 3 AND map IN {maps('kept', 'orders')}"],
        "kept", (KEPT, ORDERS_ID, "zero_loss"), "violation"),
    "a reverse-join row removed whose partner has others": (
        [f"DELETE FROM cdme.store_pairs WHERE o = 3 AND map IN {maps('kept', 'customers')}"],
        "kept", (KEPT, None, "replay"), "violation"),
    "a reverse-join row added": (
        [f"INSERT INTO cdme.store_pairs SELECT DISTINCT map, 3, 50 FROM cdme.store_pairs"
         f" WHERE map IN {maps('kept', 'orders')}"],
        "kept", (KEPT, None, "replay"), "violation"),
    "a reverse-join row added to a group": (
        [f"INSERT INTO cdme.store_pairs SELECT map, 0, min(i) FROM cdme.store_pairs"
         f" WHERE o = 1 AND map IN {maps('daily', 'kept')} GROUP BY map"],
        "daily", (DAILY, None, "replay"), "violation"),
    "a wrong reason": (
        [f"UPDATE cdme.store_filtered SET reason = (SELECT max(reason) FROM cdme.store_reasons"
         f" WHERE edge = {edge('kept', 'orders')}) WHERE i = 4 AND edge = {edge('kept', 'orders')}"],
        "kept", (KEPT, ORDERS_ID, "reason"), "violation"),
    "a stale generation": (
        [f"UPDATE cdme.store_edges SET input_generation = generation FROM cdme.store_generations"
         f" WHERE model = '{DAILY}' AND relation = '{KEPT}' AND input = '{KEPT}'"
         f" AND generation NOT IN (SELECT generation FROM cdme.store_current)"],
        "daily", (DAILY, KEPT, "generation"), "unknown"),
    "a hand-edited table": (
        ["INSERT INTO daily VALUES ('c9', 1)"], "daily", (DAILY, None, "content"), "violation"),
    "a swapped key": (
        [f"UPDATE cdme.store_keys SET ordinal = 1 - ordinal WHERE ordinal < 2 AND generation = {READ}"],
        "kept", (KEPT, ORDERS_ID, "keys"), "violation"),
}  # fmt: skip


def test_nothing_is_found_where_nothing_was_planted(project: Project) -> None:
    code, answer = asked(project)
    assert (code, answer["verdict"]) == (0, "exact"), answer
    assert answer["sample"] == 100


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(project: Project, fault: str) -> None:
    statements, model, where, verdict = FAULTS[fault]
    with project.connect() as con:
        for statement in statements:
            con.execute(statement)
    code, answer = asked(project, model)
    found = {(e["model"], e["input"], e["law"]): e for e in answer["edges"]}
    assert found[where]["verdict"] == verdict, answer
    assert found[where]["why"]
    assert code == (1 if verdict == "violation" else 0)
    assert answer["verdict"] == verdict


def test_a_model_that_is_not_deterministic(project: Project) -> None:
    """Alone, the column is named; against the run before, it is a violation."""
    code, answer = asked(project, "dice")
    (replay,) = [e for e in answer["edges"] if e["law"] == "replay"]
    assert code == 0 and replay["why"] == "columns skipped: luck"
    first = project.one("SELECT run_id FROM cdme.runs ORDER BY started_at LIMIT 1")
    code, answer = asked(project, "--against", first)
    verdicts = {e["model"]: e["verdict"] for e in answer["edges"]}
    assert code == 1
    assert verdicts == {KEPT: "exact", DAILY: "exact", "model.shop.dice": "violation"}


def test_a_truncated_ledger(project: Project) -> None:
    for file in (project.root / "target" / "cdme").rglob("ledger.json"):
        file.write_text(file.read_text()[:200])
    code, answer = asked(project)
    found = [e for e in answer["edges"] if e["law"] == "ledger"]
    assert code == 1 and [e["verdict"] for e in found] == ["violation"]
