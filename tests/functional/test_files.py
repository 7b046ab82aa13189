"""Files as inputs: counted by the scan that the model read, traced to file and row, stale when changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cdme_adapter.lineage.opening import open_questions
from tests.functional.project import Project, counts

TABLE = "{{ config(materialized='table') }}\n"


def _asked(project: Project, name: str, *args: Any, **options: Any) -> dict[str, Any]:
    questions = open_questions(str(project.root), str(project.root))
    try:
        answer: dict[str, Any] = getattr(questions, name)(*args, **options)
        return answer
    finally:
        questions.close()


def test_a_file_is_an_input_like_any_other(tmp_path: Path) -> None:
    project = Project(tmp_path / "shop")
    data = project.root / "data"
    data.mkdir()
    (data / "a.csv").write_text("id,v\n1,10\n2,20\n")
    (data / "b.csv").write_text("id,v\n3,30\n4,\n")
    glob = f"file.{data}/*.csv"
    project.write({
        "kept.sql": TABLE + f"select id, v from read_csv('{data}/*.csv', header = true)\nwhere v > 10",
        "named.sql": TABLE + f"select id from '{data}/a.csv'",
        "sampled.sql": TABLE + f"select id from read_csv('{data}/b.csv') using sample 1 rows",
    })  # fmt: skip
    twin = project.twin()
    project.dbt("run")
    twin.dbt("run")
    for name in ("kept", "named"):
        assert project.sql(f"FROM {name}") == twin.sql(f"FROM {name}")
        assert project.sql(f"DESCRIBE {name}") == twin.sql(f"DESCRIBE {name}")
    row = project.ledger("kept")[glob]
    assert (row["exactness"], *counts(row)) == ("exact", 4, 2, 2, 0, 0, "BALANCED")
    assert counts(project.ledger("named")[f"file.{data}/a.csv"]) == (2, 2, 0, 0, 0, "BALANCED")
    assert counts(project.ledger("sampled")[f"file.{data}/b.csv"])[0] == 2

    answer = _asked(project, "trace", "kept", "id = 3")
    assert answer["stale"] is False
    (way,) = answer["records"][0]["witnesses"]
    assert (way["relation"], way["exactness"], way["count"]) == (glob, "exact", 1)
    record = way["records"][0]
    assert record["key"] == {"rowid": 2}
    assert record["record"] == {"file": f"{data}/b.csv", "file_row": 1, "id": 3, "v": 30}

    fate = _asked(project, "explain", "kept", glob, "id = 4")["records"][0]
    assert (fate["class"], fate["reason"]["verdict"], fate["reason"]["line"]) == ("filtered", "null", 3)
    reached = _asked(project, "impact", glob, "id = 2")["records"][0]
    assert [one["relation"] for one in reached["reaches"]] == ["model.shop.kept"]
    assert _asked(project, "reconcile", ["kept"])["verdict"] == "exact"

    os.utime(data / "b.csv", (1, 1))
    answer = _asked(project, "trace", "kept", "id = 3")
    assert answer["stale"] is True
    assert answer["records"][0]["witnesses"][0]["records"] == [{"key": {"rowid": 2}, "record": None}]


def test_a_file_that_is_not_there_is_the_users_own_error(tmp_path: Path) -> None:
    project = Project(tmp_path / "shop").write({"m.sql": TABLE + "select * from read_csv('nowhere.csv')"})
    plain = project.twin().dbt("run", ok=False)
    found = project.dbt("run", ok=False)
    assert found.message["m"] == plain.message["m"].replace("shop_duckdb", "shop")
