"""Incremental models over several runs: every row answers for itself, whichever run wrote it.

The check is by values: each source row has a number ``rid``, each model keeps in ``rids`` the numbers
that its query used and in ``run`` the run that evaluated it. So what ``cdme trace`` must answer stands
in the table itself, computed by SQL that knows nothing of lineage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdme_adapter.lineage.opening import open_questions
from tests.functional.project import Project, counts, release

RAW = "source.shop.lake.raw"
SINCE = "{% if is_incremental() %} where loaded = {{ var('run') }} {% endif %}"
ROW = "select rid, id, v, loaded, [rid] as rids, {{ var('run') }} as run from {{ source('lake', 'raw') }} "


def model(sql: str = ROW + SINCE, **config: Any) -> str:
    settings = {"materialized": "incremental", **config}
    return "{{ config(" + ", ".join(f"{k}={v!r}" for k, v in settings.items()) + ") }}\n" + sql


FILES = {
    "added.sql": model(incremental_strategy="append"),
    "replaced.sql": model(incremental_strategy="delete+insert", unique_key="id"),
    "replaced_by_two.sql": model(
        incremental_strategy="delete+insert", unique_key=["id", "v"],
        incremental_predicates=["DBT_INCREMENTAL_TARGET.id < 5"],
    ),
    "merged.sql": model(incremental_strategy="merge", unique_key="id"),
    "merged_within.sql": model(
        incremental_strategy="merge", unique_key="id",
        incremental_predicates=["DBT_INTERNAL_DEST.id <> 2"],
    ),
    "merged_if.sql": model(
        incremental_strategy="merge", unique_key="id",
        merge_update_condition="DBT_INTERNAL_SOURCE.v >= DBT_INTERNAL_DEST.v",
        merge_insert_condition="DBT_INTERNAL_SOURCE.id <> 6",
    ),
    "merged_in_part.sql": model(
        incremental_strategy="merge", unique_key="id", merge_update_columns=["v", "loaded"]
    ),
    "merged_by_clauses.sql": model(
        incremental_strategy="merge", unique_key="id",
        merge_clauses={
            "when_matched": [
                {"action": "delete", "condition": "DBT_INTERNAL_SOURCE.v = 'x'"},
                {"action": "do_nothing", "condition": "DBT_INTERNAL_SOURCE.id = 1"},
                {"action": "update", "mode": "by_name"},
            ],
            "when_not_matched": [
                {"action": "insert", "mode": "by_name"},
                {"action": "delete", "by": "source", "condition": "DBT_INTERNAL_DEST.id = 4"},
            ],
        },
    ),
    "grouped.sql": model(
        "select id, count(*) as n, list(rid order by rid) as rids, {{ var('run') }} as run"
        " from {{ source('lake', 'raw') }} " + SINCE + " group by id",
        incremental_strategy="merge", unique_key="id",
    ),
    "with_key.sql": model(incremental_strategy="merge", unique_key="id", contract={"enforced": True},
                          on_schema_change="append_new_columns"),
    "unkeyed.sql": model(ROW.replace("'raw'", "'bare'") + SINCE, incremental_strategy="append"),
    "after_last.sql": model(
        ROW + "{% if is_incremental() %} where loaded > (select max(loaded) from {{ this }}) {% endif %}",
        incremental_strategy="append",
    ),
    "reader.sql": "{{ config(materialized='table') }} select id, rids, run from {{ ref('merged') }}",
    "models/m.yml": """
version: 2
sources:
  - name: lake
    schema: main
    tables: [{name: raw, config: {meta: {cdme: {key: rid}}}}, {name: bare}]
models:
  - name: with_key
    columns:
      - {name: rid, data_type: integer}
      - {name: id, data_type: integer, constraints: [{type: primary_key}]}
      - {name: v, data_type: varchar}
      - {name: loaded, data_type: integer}
      - {name: rids, data_type: "integer[]"}
      - {name: run, data_type: integer}
""",
}  # fmt: skip

LOADS = [
    [(1, 1, "a"), (2, 2, "b"), (3, 3, "c"), (4, 4, "d")],
    [(5, 2, "B"), (6, 5, "e"), (7, 3, "x"), (8, 6, "f")],
    [(9, 1, "a2"), (10, 5, "zz"), (11, 2, "a"), (12, 4, "d4")],
    [],
]
KEYED = [name.split(".")[0] for name in FILES if name not in ("reader.sql", "models/m.yml", "unkeyed.sql")]


class Shop:
    """The project after each load; ``run`` is the number of the last one."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root).write(FILES)
        self.run = 0
        self.ids: list[str] = []
        self.load()

    def load(self, *extra: str) -> None:
        with self.project.connect() as con:
            for table in ("raw", "bare"):
                columns = "rid INTEGER, id INTEGER, v VARCHAR, loaded INTEGER"
                con.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
                for row in LOADS[self.run]:
                    con.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", [*row, self.run + 1])
            con.execute("CHECKPOINT")
        self.run += 1
        self.project.dbt("run", "--vars", f"{{run: {self.run}}}", *extra)
        self.ids.append(self.project.one("SELECT arg_max(run_id, started_at) FROM cdme.runs"))

    def ask(self, question: str, *args: Any, **kwargs: Any) -> Any:
        with open_questions(str(self.project.root), str(self.project.root)) as questions:
            return getattr(questions, question)(*args, **kwargs)

    def trace(self, name: str) -> list[dict[str, Any]]:
        answer = self.ask("trace", name, to="lake.raw" if name != "unkeyed" else "bare", limit=0)
        assert answer["exactness"] == "exact"
        records: list[dict[str, Any]] = answer["records"]
        assert len(records) == answer["count"]
        return records


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One project; the tests below follow it from run to run, in their order."""
    yield Shop(tmp_path_factory.mktemp("incremental") / "shop")
    release()


def keys(record: dict[str, Any], column: str = "rid") -> list[int]:
    """The keys of a record's witnesses; there is one entry for the source at most."""
    assert len(record["witnesses"]) <= 1
    return sorted(w["key"][column] for entry in record["witnesses"] for w in entry["records"])


@pytest.mark.parametrize("run", [1, 2, 3, 4])
def test_every_row_names_its_witnesses(shops: Shop, run: int) -> None:
    while shops.run < run:
        shops.load()
    for name in [*KEYED, "reader"]:
        if name == "merged_in_part":
            continue
        records = shops.trace(name)
        assert records, name
        for record in records:
            values = record["record"]
            assert keys(record) == sorted(values["rids"]), (name, record)
            if name != "reader":
                assert record["run_id"] == shops.ids[values["run"] - 1], (name, record)
    twin = Counter(shops.project.sql("SELECT id, v FROM with_key"))
    assert twin == Counter(shops.project.sql("SELECT id, v FROM merged"))


def test_a_row_updated_in_part_has_both_witnesses(shops: Shop) -> None:
    """``rids`` stays that of the first run, ``loaded`` tells the last one that changed the row."""
    first = {row[1]: row[0] for load in LOADS for row in load[::-1]}
    expected: dict[int, set[int]] = {}
    for load in LOADS:
        for rid, id_, _ in load:
            expected.setdefault(id_, set()).add(rid)
    for record in shops.trace("merged_in_part"):
        assert set(keys(record)) == expected[record["record"]["id"]]
    assert len(expected) == len(first) == 6


def test_the_reverse_join_is_that_of_the_rows_there_are(shops: Shop) -> None:
    """The public view: one row per pair, none of rows that were replaced or deleted."""
    for name in ("replaced", "merged", "merged_by_clauses", "grouped"):
        pairs = shops.project.sql(
            "SELECT CAST(output_key->>'id' AS INTEGER), CAST(input_key->>'rid' AS INTEGER)"
            f" FROM cdme.reverse_join WHERE model = 'model.shop.{name}'"
        )
        there = shops.project.sql(f"SELECT id, unnest(rids) FROM {name}")
        assert Counter(pairs) == Counter(there), name


def test_the_equation_is_the_tables(shops: Shop) -> None:
    """Contributed: every source row that stands behind a row of now, whichever run read it."""
    for name in KEYED:
        if name == "merged_in_part":
            continue
        account = shops.project.ledger(name)["raw"]
        behind = shops.project.one(
            f"SELECT count(*) FROM raw WHERE rid IN (SELECT unnest(rids) FROM {name})"
        )
        total = shops.project.one("SELECT count(*) FROM raw")
        assert counts(account) == (total, behind, total - behind, 0, 0, "BALANCED"), name
        filtered = shops.project.sql(
            "SELECT CAST(input_key->>'rid' AS INTEGER) FROM cdme.filtered_keys"
            f" WHERE model = 'model.shop.{name}'"
        )
        others = shops.project.sql(
            f"SELECT rid FROM raw WHERE rid NOT IN (SELECT unnest(rids) FROM {name})"
        )
        assert Counter(filtered) == Counter(others), name


def test_what_a_merge_discards_is_merge_skipped(shops: Shop) -> None:
    """In the second run 5 is not greater than what is there, and 8 may not be inserted; 3 was replaced."""
    rows = shops.project.sql(
        "SELECT json_extract_string(r, '$.kind'), json_extract_string(r, '$.verdict'),"
        " CAST(json_extract(r, '$.count') AS INTEGER) FROM (SELECT unnest(CAST(reasons AS JSON[])) AS r"
        f" FROM cdme.store_ledger WHERE run_id = '{shops.ids[1]}' AND model = 'model.shop.merged_if')"
    )
    told = {(row[0], row[1]): row[2] for row in rows}
    assert told == {("where", "false"): 1, ("merge_skipped", "excluded"): 2}


def test_without_a_stable_key_the_account_is_unknown(shops: Shop) -> None:
    account = shops.project.ledger("unkeyed")["bare"]
    assert account["status"] == "UNKNOWN" and "stable key" in account["why"]
    answer = shops.ask("explain", "unkeyed", "bare")
    assert {entry["class"]: entry["count"] for entry in answer["summary"]} == {
        "contributed": 4, "unknown": 8,
    }, "the last four were read from the content that is still there"  # fmt: skip


def test_batches_tell_the_runs_own_equation(shops: Shop) -> None:
    edges = {
        e["model"].split(".")[-1]: e for e in shops.project.file_ledger()["edges"] if e["input"] == RAW
    }
    batch = edges["merged"]["batches"][-1]
    assert (batch["input_count"], batch["contributed_count"], batch["filtered_count"]) == (12, 0, 12)
    assert (batch["new_rows"], batch["updated_rows"], batch["carried_rows"]) == (0, 0, 6)


def test_the_laws_hold(shops: Shop) -> None:
    answer = shops.ask("reconcile", sample=0)
    broken = [e for e in answer["edges"] if e["verdict"] == "violation"]
    assert broken == []
    proven = {(e["model"].split(".")[-1], e["law"]) for e in answer["edges"] if e["verdict"] == "exact"}
    for name in KEYED:
        assert {
            (name, law) for law in ("zero_loss", "exclusive", "covered_output", "lower_adjoint")
        } <= proven


def test_explain_says_contributed_for_what_earlier_runs_carried(shops: Shop) -> None:
    for name in ("merged", "merged_if", "replaced", "grouped"):
        behind = {r[0] for r in shops.project.sql(f"SELECT DISTINCT unnest(rids) FROM {name}")}
        answer = shops.ask("explain", name, "lake.raw", limit=0)
        classes = {r["key"]["rid"]: r["class"] for r in answer["records"]}
        assert {rid for rid, c in classes.items() if c == "contributed"} == behind, name
        assert set(classes.values()) <= {"contributed", "filtered"}


def test_what_was_consulted_of_the_table_itself(shops: Shop) -> None:
    """``max(loaded) from {{ this }}``: known of the last run's rows, opaque of those before, never less."""
    answer = shops.ask("trace", "after_last", to="parents", role="all", limit=0)
    for record in answer["records"]:
        own = [e for e in record["witnesses"] if e["relation"] == "model.shop.after_last"]
        run = shops.ids.index(record["run_id"]) + 1
        assert [(e["role"], e["exactness"]) for e in own] == (
            [] if run == 1 else [("indirect", "opaque")]
        ), record


def test_impact_follows_what_was_read_then_by_its_key(shops: Shop) -> None:
    """The first rows were read from a content of the source that is gone; the key finds them."""
    expected = {
        name: shops.project.one(f"SELECT count(*) FROM {name} WHERE list_contains(rids, 1)")
        for name in ("added", "grouped", "merged_in_part", "merged_by_clauses", "replaced")
    }
    answer = shops.ask("impact", "lake.raw", "rid = 1")
    reached = {entry["relation"].split(".")[-1]: entry["count"] for entry in answer["totals"]}
    assert {name: reached.get(name, 0) for name in expected} == expected
    assert expected["added"] == 1 and expected["replaced"] == 0
    assert "source.shop.lake.raw" not in {entry["relation"] for entry in answer["totals"]}
    assert answer["stale"] is True


def test_no_map_is_left_that_no_edge_names(shops: Shop) -> None:
    owned = "SELECT map FROM cdme.store_steps WHERE edge IN (SELECT edge FROM cdme.store_edges)"
    assert shops.project.one(f"SELECT count(*) FROM cdme.store_pairs WHERE map NOT IN ({owned})") == 0


def test_a_full_refresh_begins_anew(shops: Shop) -> None:
    shops.project.dbt("run", "--full-refresh", "--vars", "{run: 9}", "--select", "merged", "added")
    for record in shops.trace("added"):
        assert keys(record) == record["record"]["rids"] and record["record"]["run"] == 9
    assert shops.project.one(
        "SELECT count(*) FROM cdme.store_parts p JOIN cdme.store_current c USING (generation)"
        " WHERE c.relation = 'model.shop.added'"
    ) == 0  # fmt: skip


def test_stale_ends_are_named(shops: Shop) -> None:
    """The reader was made from a generation of ``merged`` that is gone."""
    answer = shops.ask("trace", "reader", to="merged")
    assert answer["stale"] is True and answer["stale_ends"] == ["model.shop.merged"]
