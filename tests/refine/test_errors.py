"""Bad records go aside with their reason, and the account of what they were made of holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdme_adapter.lineage.api import Questions
from cdme_adapter.lineage.opening import open_questions
from tests.functional.project import Outcome, Project
from tests.refine.shop import FILES, POSITIVE, ROWS, model

BAD = {i for i, _, v, _ in ROWS if v < 0}


class Shop:
    """The project after one build, and what dbt said."""

    def __init__(self, project: Project, outcome: Outcome) -> None:
        self.project, self.outcome = project, outcome

    def ids(self, sql: str) -> set[Any]:
        """The first column of a query."""
        return {row[0] for row in self.project.sql(sql)}

    def errors(self, name: str, what: str = "record->>'id'") -> list[Any]:
        """Of a model's error records, each once, an expression."""
        rows = self.project.sql(
            f"SELECT DISTINCT record_hash, {what} FROM cdme.errors WHERE model = 'model.shop.{name}'"
        )
        return sorted(row[1] for row in rows)

    def counts(self, name: str) -> tuple[Any, ...]:
        """Contributed, filtered, error, unaccounted and status of a model's first edge."""
        entry = next(iter(self.project.ledger(name).values()))
        return tuple(
            entry[c] for c in ("contributed_count", "filtered_count", "error_count",
                               "unaccounted_count", "status")
        )  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    project = Project(tmp_path_factory.mktemp("errors") / "shop").write(FILES)
    return Shop(project, _built(project))


def _built(project: Project) -> Outcome:
    project.dbt("seed")
    return project.dbt("run")


@pytest.fixture
def questions(shop: Shop) -> Iterator[Questions]:
    asked = open_questions(str(shop.project.root), str(shop.project.root))
    yield asked
    asked.close()


def test_a_bad_record_is_in_the_errors_and_not_in_the_table(shop: Shop) -> None:
    good = {i for i, _, v, _ in ROWS if i > 3 and v >= 0}
    assert shop.ids("SELECT id FROM plain") == good
    assert shop.errors("plain", "(record->>'id')::int") == sorted(i for i in BAD if i > 3)
    assert shop.counts("plain") == (len(good), 4, len([i for i in BAD if i > 3]), 0, "BALANCED")


def test_a_clause_that_removes_nothing_stands_beside_a_refinement(shop: Shop) -> None:
    assert shop.counts("nothing_filtered") == (40 - len(BAD), 0, len(BAD), 0, "BALANCED")
    assert set(shop.errors("nothing_filtered", "(record->>'id')::int")) == BAD


def test_an_error_record_says_everything(shop: Shop) -> None:
    row = shop.project.sql(
        "SELECT input, input_key, failure_type, offending_values, source_entity, source_epoch,"
        " morphism_path, record, run_id FROM cdme.errors WHERE model = 'model.shop.plain'"
        " AND record->>'id' = '17'"
    )[0]
    run = shop.project.one("SELECT arg_min(run_id, started_at) FROM cdme.runs")
    assert row[:3] == ("seed.shop.raw", '{"rowid":17}', "positive")
    assert json.loads(row[3]) == {"v": -2}
    assert row[4:6] == ("shop.main.raw", run)
    assert json.loads(row[6]) == ["seed.shop.raw", "model.shop.plain"]
    assert json.loads(row[7]) == {"id": 17, "k": 2, "v": -2}


def test_dbts_log_line_shows_the_count(shop: Shop) -> None:
    assert shop.outcome.message["plain"] == "OK, 4 error records"
    assert shop.outcome.message["few"] == "OK"


def test_the_sources_of_a_failing_group_are_in_error(shop: Shop) -> None:
    assert len(shop.errors("grouped", "record::varchar")) == 2
    contributed, filtered, error, unaccounted, status = shop.counts("grouped")
    assert (filtered, error, unaccounted, status) == (0, 14, 0, "BALANCED")
    assert contributed + error == shop.project.one("SELECT count(*) FROM plain")


def test_a_source_of_a_good_and_a_bad_record_contributed(shop: Shop) -> None:
    assert shop.errors("fanned", "(record->>'id')::int") == [1, 3, 5, 7, 9]
    assert shop.counts("fanned") == (10, 30, 0, 0, "BALANCED")


def test_text_that_does_not_cast_is_kept(shop: Shop) -> None:
    wrong = {i for i, _, v, t in ROWS if t == "x" and v > -2 and i > 2}
    assert shop.errors("casted", "(record->>'id')::int") == sorted(wrong)
    assert set(shop.errors("casted", "offending_values::varchar")) == {'{"t":"x"}'}
    columns = shop.project.sql(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'casted'"
    )
    assert columns == [("id", "INTEGER"), ("t", "INTEGER"), ("v", "INTEGER")]
    assert shop.counts("casted")[2:] == (len(wrong), 0, "BALANCED")


def test_bad_input_records_stay_out_of_the_groups(shop: Shop) -> None:
    good = [(i, k, v) for i, k, v, _ in ROWS if v >= 0 and i > 3]
    expected = sorted((k, len([1 for _, g, _ in good if g == k]), sum(v for _, g, v in good if g == k))
                      for k in range(5))  # fmt: skip
    assert sorted(shop.project.sql("SELECT k, n, s FROM kept_out")) == expected
    assert shop.errors("kept_out", "(record->>'id')::int") == sorted(BAD)
    filtered = len([1 for i, _, v, _ in ROWS if i <= 3 and v >= 0])
    assert shop.counts("kept_out") == (len(good), filtered, len(BAD), 0, "BALANCED")


def test_a_record_fails_exactly_when_a_test_would_return_it(shop: Shop) -> None:
    """The same rows without refinements are in ``untested``; dbt's own tests say which are wrong."""
    failing = shop.project.sql(
        "SELECT id, k, v FROM untested WHERE id IN (SELECT id FROM untested GROUP BY id HAVING"
        " count(*) > 1) OR (v IS NULL AND id > 30) OR k NOT IN (0, 1, 2, 3)"
        " OR (id < 20 AND k NOT IN (0, 1)) ORDER BY ALL"
    )
    errors = shop.project.sql(
        "SELECT (record->>'id')::int, (record->>'k')::int, (record->>'v')::int FROM cdme.errors"
        " WHERE model = 'model.shop.tested' ORDER BY ALL"
    )
    assert errors == failing
    everything = shop.project.sql("SELECT id, k, v FROM untested ORDER BY ALL")
    assert sorted(map(repr, shop.project.sql("SELECT id, k, v FROM tested") + errors)) == sorted(
        map(repr, everything)
    )
    assert len(failing) < len(everything)
    tests = shop.project.dbt("test", "--select", "tested")
    assert {s for n, s in tests.status.items() if "warned" not in n} == {"pass"}


def test_the_first_by_an_order_stays_among_the_good(shop: Shop) -> None:
    kept = {min((v, i) for i, g, v, _ in ROWS if g == k and v >= 0)[1] for k in range(5)}  # ties by place
    assert shop.ids("SELECT id FROM latest") == kept
    assert len(shop.errors("latest")) == 40 - 5


def test_an_expression_that_raises_fails_the_record_alone(shop: Shop) -> None:
    assert shop.ids("SELECT id FROM looking") == {i for i, _, _, t in ROWS if t != "x" and i < 30}


def test_an_expression_may_ask_another_table(shop: Shop) -> None:
    assert shop.ids("SELECT id FROM known") == {i for i, k, _, _ in ROWS if k in (0, 1)}
    assert shop.counts("known") == (16, 0, 24, 0, "BALANCED")


def test_refinements_hold_where_nothing_is_captured(shop: Shop) -> None:
    for name in ("contracted", "uncaptured", "python"):
        assert shop.ids(f"SELECT id FROM {name}") == {i for i, _, v, _ in ROWS if v >= 0}, name
        assert set(shop.errors(name, "(record->>'id')::int")) == BAD, name
    assert shop.counts("contracted") == (40 - len(BAD), 0, len(BAD), 0, "BALANCED")
    assert shop.counts("uncaptured")[-1] == "UNKNOWN"


def test_explain_answers_error_with_the_reason(questions: Questions) -> None:
    answer = questions.explain("plain", "raw", "id in (6, 7)")
    one, other = answer["records"]
    assert (one["class"], other["class"]) == ("error", "contributed")
    assert one["first_lost_at"] == "model.shop.plain"
    reason = one["reason"]
    assert (reason["kind"], reason["failure_type"], reason["sql"]) == ("error", "positive", "v >= 0")
    assert reason["values"] == {"v": -1}
    assert reason["file"] == "models/plain.sql" and reason["line"] == 1
    whole = {
        (e["class"], e["first_lost_at"]): e["count"] for e in questions.explain("grouped", "raw")["summary"]
    }
    assert whole == {
        ("contributed", None): 18,
        ("error", "model.shop.grouped"): 14,
        ("error", "model.shop.plain"): 4,
        ("filtered", "model.shop.plain"): 4,
    }


def test_errors_are_listed_and_grouped(questions: Questions, tmp_path: Path) -> None:
    answer = questions.errors("grouped", export=tmp_path / "e.csv")
    assert answer["groups"] == [{"model": "model.shop.grouped", "failure_type": "few", "count": 2}]
    first = answer["errors"][0]
    assert [s["count"] for s in first["sources"]] == [7] and len(first["sources"][0]["keys"]) == 5
    assert first["sources"][0]["keys"][0].keys() == {"id"}
    assert len((tmp_path / "e.csv").read_text().splitlines()) == 1 + 14


def test_the_laws_hold_with_errors(questions: Questions) -> None:
    models = ["plain", "grouped", "fanned", "casted", "kept_out", "tested", "latest", "contracted"]
    found = questions.reconcile([f"model.shop.{m}" for m in models], sample=3)
    wrong = [e for e in found["edges"] if e["verdict"] not in ("exact", "not_replayable")]
    assert not wrong, wrong


def test_a_second_run_gives_the_same_errors_and_a_fixed_one_leaves(shop: Shop) -> None:
    """Idempotent by hash; history says when a record left (REQ-F-ERR-004)."""
    project = shop.project
    hashes = "SELECT model, record_hash FROM cdme.errors ORDER BY ALL"
    before = project.sql(hashes)
    project.dbt("run", "--select", "plain", "grouped", "kept_out")
    assert project.sql(hashes) == before
    generations = "SELECT count(DISTINCT generation) FROM cdme.{}"
    for table in ("store_reject_edges", "store_reject_reasons"):
        assert project.one(generations.format(table)) <= project.one(generations.format("store_rejects"))
    assert project.one("SELECT count(*) FROM cdme.store_reject_pairs WHERE map NOT IN"
                       " (SELECT map FROM cdme.store_reject_edges)") == 0  # fmt: skip
    fixed = FILES["raw.csv"].replace("\n17,2,-2,", "\n17,2,2,")
    project.write({"raw.csv": fixed})
    project.dbt("build", "--select", "raw", "plain")
    assert 17 not in shop.errors("plain", "(record->>'id')::int")
    left = project.sql(
        "SELECT record->>'id', first_run_id <> resolved_run_id, resolved_at > first_seen FROM"
        " cdme.error_history WHERE model = 'model.shop.plain' AND resolved_run_id IS NOT NULL"
    )
    assert left == [("17", True, True)]
    project.write({"plain.sql": model({}, "select id, k, v from {{ ref('raw') }} where id > 3")})
    project.dbt("run", "--select", "plain")
    assert shop.errors("plain") == []
    project.write({"raw.csv": FILES["raw.csv"], "plain.sql": FILES["plain.sql"]})


@pytest.mark.parametrize(
    ("meta", "code"),
    [
        ({"refine": [{"name": "x", "expression": "nothing > 1"}]}, "REFINE_EXPRESSION"),
        ({"refine": [{"name": "x", "expression": "v > 1) or (v < 1"}]}, "REFINE_EXPRESSION"),
        ({"cast": ["v"]}, "REFINE_REWRITE"),
        ({"refine_inputs": {"nobody": [POSITIVE]}}, "REFINE_REWRITE"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_refused(shop: Shop, meta: dict[str, Any], code: str) -> None:
    shop.project.write({"wrong.sql": model(meta, "select id, v from {{ ref('raw') }}")})
    outcome = shop.project.dbt("run", "--select", "wrong", ok=False)
    shop.project.remove("models/wrong.sql")
    assert code in outcome.text and "models/wrong.sql" in outcome.text
    assert shop.project.one("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'wrong'") == 0


def test_a_models_own_fault_is_told_as_such(shop: Shop) -> None:
    """``cast`` has to read the SQL before it runs; what DuckDB cannot parse is no fault of the option."""
    shop.project.write({"wrong.sql": model({"cast": ["v"]}, "select id as at, v at from {{ ref('raw') }}")})
    outcome = shop.project.dbt("run", "--select", "wrong", ok=False)
    shop.project.remove("models/wrong.sql")
    assert "Parser Error" in outcome.text and "REFINE_REWRITE" not in outcome.text


@pytest.mark.parametrize("option", ["cast", "refine_inputs"])
def test_what_is_done_to_sql_is_refused_of_python(shop: Shop, option: str) -> None:
    """Before the first model runs: else it would be believed to hold."""
    block = {option: {"cast": ["v"], "refine_inputs": [POSITIVE]}[option]}
    shop.project.write(
        {
            "wrong.py": "def model(dbt, session):\n"
            f"    dbt.config(materialized='table', meta={{'cdme': {block!r}}})\n"
            "    return dbt.ref('raw')\n"
        }
    )
    outcome = shop.project.dbt("run", "--select", "wrong", ok=False)
    shop.project.remove("models/wrong.py")
    assert (
        f"meta.cdme {option} is done to a model's SQL" in outcome.text and "REFINE_REWRITE" in outcome.text
    )


def test_what_an_ephemeral_declares_is_said_to_be_unheard(shop: Shop) -> None:
    shop.project.write({"never.sql": model({"refine": [POSITIVE]}, "select 1 as v", "ephemeral")})
    outcome = shop.project.dbt("run", "--select", "never", "few")
    shop.project.remove("models/never.sql")
    assert "refine is not judged on an ephemeral model" in outcome.log
    said = [f for f in shop.project.file_ledger()["findings"] if f["code"] == "VIEW_NOT_GATED"]
    assert [f["model"] for f in said] == ["model.shop.never"]
