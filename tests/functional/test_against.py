"""``reconcile --against RUN``: whether the same SQL over the same inputs gave the same again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cdme_adapter.errors import QuestionError
from cdme_adapter.lineage.opening import open_questions
from tests.functional.project import Project, release

FILES = {
    "sources.yml": (
        "sources: [{name: raw, schema: raw, tables: [{name: orders}]}]\n"
        "models:\n"
        "  - {name: kept, config: {meta: {cdme: {key: id}}}}\n"
        "  - {name: dice, config: {meta: {cdme: {key: id}}}}\n"
    ),
    "kept.sql": "{{ config(materialized='table') }} select id, amount from {{ source('raw', 'orders') }}",
    "dice.sql": (
        "{{ config(materialized='table') }} select id, random() as luck from {{ source('raw', 'orders') }}"
    ),
    "below.sql": (
        "{{ config(materialized='table') }} select count(*) as n, sum(amount) as s from {{ ref('kept') }}"
    ),
}


def runs(project: Project) -> list[str]:
    return [row[0] for row in project.sql("SELECT run_id FROM cdme.runs ORDER BY started_at")]


def ask(project: Project, run: str, **more: Any) -> dict[str, dict[str, Any]]:
    release()
    with open_questions(str(project.root), str(project.root)) as questions:
        answer = questions.reconcile(against=run, **more)
    return {entry["model"].split(".")[-1]: entry for entry in answer["edges"]}


def test_what_changed_between_two_runs(tmp_path: Path) -> None:
    project = Project(tmp_path / "shop").write(FILES)
    project.sql("CREATE SCHEMA raw")
    project.sql("CREATE TABLE raw.orders AS SELECT i AS id, i * 10 AS amount FROM range(5) r(i)")
    project.dbt("run")
    project.dbt("run")
    first, _ = runs(project)
    found = ask(project, first)
    assert {name: e["verdict"] for name, e in found.items()} == {
        "kept": "exact", "below": "exact", "dice": "violation",
    }  # fmt: skip
    assert found["dice"]["columns"] == ["luck"] and "other values in luck" in found["dice"]["why"]
    assert (found["dice"]["missing_count"], found["dice"]["added_count"]) == (0, 0)

    project.sql("UPDATE raw.orders SET id = 9, amount = 1 WHERE id = 3")
    project.sql("INSERT INTO raw.orders VALUES (10, 7)")
    project.dbt("run")
    second = runs(project)[1]
    found = ask(project, second[:13])
    kept = found["kept"]
    assert kept["verdict"] == "unknown" and "another generation of source.shop.raw.orders" in kept["why"]
    assert (kept["rows_then"], kept["rows_now"]) == (5, 6)
    assert kept["missing"] == [{"id": 3}] and kept["added"] == [{"id": 10}, {"id": 9}]
    assert found["below"]["verdict"] == "unknown" and "model.shop.kept" in found["below"]["why"]
    older = ask(project, first)["kept"]
    assert older["verdict"] == "unknown" and older["missing_count"] is None, "only hashes are kept"

    project.write({"kept.sql": FILES["kept.sql"].replace("amount from", "amount + 1 as amount from")})
    project.dbt("run")
    assert "its SQL has changed" in ask(project, runs(project)[2])["kept"]["why"]
    with pytest.raises(QuestionError, match="there is no run 'zzz'"):
        ask(project, "zzz")

    # A hand in the table: seen over every value, not only in a sample, and whoever asks.
    project.sql("UPDATE kept SET amount = amount + 1 WHERE id = 4")
    last = ask(project, runs(project)[3], models=["kept"])["kept"]
    assert last["verdict"] == "violation" and last["columns"] == ["amount"]
    with open_questions(str(project.root), str(project.root)) as questions:
        answer = questions.reconcile(["kept"], sample=1)
    (content,) = [e for e in answer["edges"] if e["law"] == "content"]
    assert content["verdict"] == "violation" and "other values in amount" in content["why"]
