"""Microbatch models: every batch is a transaction and a generation of its own, the ledger the table's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdme_adapter.lineage.opening import open_questions
from tests.functional.project import Project, counts, release

EVENTS = (
    "CREATE OR REPLACE TABLE events AS SELECT n AS rid, TIMESTAMP '2024-01-01' + INTERVAL (n // 4) DAY"
    " + INTERVAL (n % 4) HOUR AS ts, CASE WHEN n % 4 = 3 THEN 'drop' WHEN n = {bad} THEN 'x' ELSE '1' END"
    " AS v FROM range({n}) r(n)"
)
MODEL = """{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='ts',
  batch_size='day', begin='2024-01-01') }}
select rid, ts, v, cast(v as integer) as i, {{ var('run') }} as run
from {{ source('lake', 'events') }} where v <> 'drop'"""
FILES = {
    "daily.sql": MODEL,
    "models/m.yml": "{version: 2, sources: [{name: lake, schema: main, tables: [{name: events, config:"
    " {event_time: ts, meta: {cdme: {key: rid}}}}]}]}",
}


class Shop:
    def __init__(self, root: Path) -> None:
        self.project = Project(root, profile={"threads": 4}).write(FILES)
        self.ids: list[str] = []

    def run(self, events: int, first: int, last: int, bad: int = -1, ok: bool | None = True) -> Any:
        """Load as many events and run the batches of days ``first`` to ``last`` of January."""
        with self.project.connect() as con:
            con.execute(EVENTS.format(n=events, bad=bad))
        window = [f"2024-01-{day:02d}" for day in (first, last + 1)]
        arguments = ["--event-time-start", window[0], "--event-time-end", window[1]]
        done = self.project.dbt(
            "run", "--vars", f"{{run: {len(self.ids) + 1}}}", *arguments, ok=ok
        )  # fmt: skip
        self.ids.append(self.project.one("SELECT arg_max(run_id, started_at) FROM cdme.runs"))
        return done

    def ask(self, question: str, *args: Any, **kwargs: Any) -> Any:
        with open_questions(str(self.project.root), str(self.project.root)) as questions:
            return getattr(questions, question)(*args, **kwargs)

    def check_rows(self) -> int:
        """Every row names its event and the run that wrote it; how many rows there are."""
        answer = self.ask("trace", "daily", limit=0)
        assert answer["exactness"] == "exact"
        for record in answer["records"]:
            (entry,) = record["witnesses"]
            assert [w["key"]["rid"] for w in entry["records"]] == [record["record"]["rid"]]
            assert record["run_id"] == self.ids[record["record"]["run"] - 1]
        return len(answer["records"])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    yield Shop(tmp_path_factory.mktemp("microbatch") / "shop")
    release()


def test_the_first_run(shop: Shop) -> None:
    shop.run(16, 1, 4)
    assert shop.check_rows() == 12
    assert counts(shop.project.ledger("daily")["events"]) == (16, 12, 4, 0, 0, "BALANCED")


def test_batches_are_listed_and_the_ledger_has_one_row(shop: Shop) -> None:
    (edge,) = shop.project.file_ledger()["edges"]
    assert [batch["id"] for batch in edge["batches"]] == [f"2024010{day}" for day in (1, 2, 3, 4)]
    assert [batch["contributed_count"] for batch in edge["batches"]] == [3, 3, 3, 3]
    assert [batch["new_rows"] for batch in edge["batches"]] == [3, 3, 3, 3]
    assert shop.project.one("SELECT count(*) FROM cdme.ledger") == 1


def test_a_lost_record_is_judged_in_its_own_batch(shop: Shop) -> None:
    """Each batch leaves out the other days; what the model dropped was dropped by its own clause."""
    (entry,) = [e for e in shop.ask("explain", "daily", "events")["summary"] if e["class"] == "filtered"]
    assert (entry["count"], entry["sql"]) == (4, "v <> 'drop'")


def test_batches_that_dbt_runs_at_once(shop: Shop) -> None:
    shop.run(24, 2, 6)
    assert shop.check_rows() == 18
    assert counts(shop.project.ledger("daily")["events"]) == (24, 18, 6, 0, 0, "BALANCED")
    runs = shop.project.sql("SELECT run, count(*) FROM daily GROUP BY run ORDER BY run")
    assert runs == [(1, 3), (2, 15)]
    answer = shop.ask("reconcile", sample=0)
    assert [e for e in answer["edges"] if e["verdict"] == "violation"] == []


def test_a_batch_that_fails_leaves_the_others(shop: Shop) -> None:
    """Day 3 cannot be cast: its old rows stay, with their lineage; the run is FAILED."""
    done = shop.run(28, 2, 7, bad=9, ok=None)
    assert done.status["daily"] == "partial success", done.text
    assert shop.project.one("SELECT arg_max(status, started_at) FROM cdme.runs") == "FAILED"
    assert shop.check_rows() == 21
    runs = shop.project.sql("SELECT run, count(*) FROM daily GROUP BY run ORDER BY run")
    assert runs == [(1, 3), (2, 3), (3, 15)]
    assert shop.project.one(
        f"SELECT count(*) FROM cdme.ledger WHERE run_id = '{shop.ids[-1]}'"
    ) == 1  # fmt: skip


def test_a_full_refresh(shop: Shop) -> None:
    with shop.project.connect() as con:
        con.execute(EVENTS.format(n=12, bad=-1))
    shop.project.dbt(
        "run", "--full-refresh", "--vars", "{run: 4}", "--event-time-start", "2024-01-01",
        "--event-time-end", "2024-01-04",
    )  # fmt: skip
    shop.ids.append(shop.project.one("SELECT arg_max(run_id, started_at) FROM cdme.runs"))
    assert shop.check_rows() == 9
