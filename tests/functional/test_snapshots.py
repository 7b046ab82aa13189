"""Snapshots over several runs: every version of a record names what it was made of.

``rid`` is new with every version of a source record, so the source record behind a row of the snapshot
stands in the row. The other witness is the version that was open before, by the same ``id``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdme_adapter.lineage.opening import open_questions
from tests.functional.project import Project, counts, release

STRATEGIES = {"timestamp": "updated_at='ts'", "check": "check_cols=['v']", "check_all": "check_cols='all'"}
DELETES = ("ignore", "invalidate", "new_record")
NAMES = [f"{strategy}_{deletes}" for strategy in ("timestamp", "check") for deletes in DELETES]
NAMES += ["check_all_new_record"]
KEYED = ["two_keys", "open_until"]

LOADS = [
    {1: (1, "a", 1), 2: (2, "b", 1), 3: (3, "c", 1)},
    {1: (1, "a", 1), 2: (4, "B", 2), 5: (5, "e", 2)},  # 2 changed, 3 deleted, 5 new
    {1: (6, "A", 3), 2: (4, "B", 2), 3: (7, "c2", 3)},  # 1 changed, 3 back, 5 deleted
    {1: (6, "A", 3), 2: (4, "B", 2), 3: (7, "c2", 3)},  # nothing
]


def snapshot(name: str, settings: str) -> tuple[str, str]:
    sql = "select rid, id, v, ts from {{ source('lake', 'raw') }}"
    text = f"{{% snapshot {name} %}}{{{{ config({settings}) }}}} {sql} {{% endsnapshot %}}"
    return f"snapshots/{name}.sql", text


def files() -> dict[str, str]:
    found = {
        "models/m.yml": "{version: 2, sources: [{name: lake, schema: main, tables: [{name: raw,"
        " config: {meta: {cdme: {key: rid}}}}]}]}"
    }
    for name in NAMES:
        strategy = next(s for s in sorted(STRATEGIES, reverse=True) if name.startswith(s))
        kind, more = strategy.split("_")[0], STRATEGIES[strategy]
        deletes = name.removeprefix(f"{strategy}_")
        settings = f"unique_key='id', strategy='{kind}', {more}, hard_deletes='{deletes}'"
        found.update([snapshot(name, settings)])
    base = "strategy='timestamp', updated_at='ts', hard_deletes='invalidate'"
    found.update([snapshot("two_keys", f"unique_key=['id', 'id % 2'], {base}")])
    renamed = "snapshot_meta_column_names={'dbt_scd_id': 'version', 'dbt_valid_to': 'until'}"
    forever = "dbt_valid_to_current=\"to_date('9999-12-31')\"".replace("to_date(", "date(")
    found.update([snapshot("open_until", f"unique_key='id', {base}, {renamed}, {forever}")])
    return found


class Shop:
    """The project after each load; ``before`` has the open versions as they were before it."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root).write(files())
        self.run = 0
        self.ids: list[str] = []
        self.before: list[dict[str, dict[int, str]]] = []
        self.load()

    def open_versions(self, name: str) -> dict[int, str]:
        version, until = ("version", "until") if name == "open_until" else ("dbt_scd_id", "dbt_valid_to")
        if not self.run:
            return {}
        still = f"{until} IS NULL OR {until} = DATE '9999-12-31'"
        return dict(self.project.sql(f"SELECT id, {version} FROM {name} WHERE {still}"))

    def load(self) -> None:
        self.before.append({name: self.open_versions(name) for name in [*NAMES, *KEYED]})
        with self.project.connect() as con:
            con.execute("CREATE OR REPLACE TABLE raw (rid INTEGER, id INTEGER, v VARCHAR, ts TIMESTAMP)")
            for id_, (rid, v, day) in LOADS[self.run].items():
                con.execute("INSERT INTO raw VALUES (?, ?, ?, ?)", [rid, id_, v, f"2024-01-0{day}"])
        self.run += 1
        self.project.dbt("snapshot")
        self.ids.append(self.project.one("SELECT arg_max(run_id, started_at) FROM cdme.runs"))

    def ask(self, question: str, *args: Any, **kwargs: Any) -> Any:
        with open_questions(str(self.project.root), str(self.project.root)) as questions:
            return getattr(questions, question)(*args, **kwargs)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    yield Shop(tmp_path_factory.mktemp("snapshots") / "shop")
    release()


def witnesses(record: dict[str, Any]) -> dict[str, list[Any]]:
    """The keys of a record's direct witnesses by the kind of relation."""
    found: dict[str, list[Any]] = {"source": [], "snapshot": []}
    for entry in record["witnesses"]:
        assert entry["role"] == "direct" and entry["exactness"] == "exact"
        found[entry["relation"].split(".")[0]] += [v for w in entry["records"] for v in w["key"].values()]
    return found


@pytest.mark.parametrize("run", range(1, len(LOADS) + 1))
def test_every_version_names_what_it_was_made_of(shop: Shop, run: int) -> None:
    while shop.run < run:
        shop.load()
    for name in [*NAMES, *KEYED]:
        answer = shop.ask("trace", name, to="parents", limit=0)
        assert answer["records"]
        for record in answer["records"]:
            values, found = record["record"], witnesses(record)
            wrote = shop.ids.index(record["run_id"])
            deleted = values.get("dbt_is_deleted") == "True"
            assert found["source"] == ([] if deleted else [values["rid"]]), (name, record)
            before = shop.before[wrote][name].get(values["id"])
            assert found["snapshot"] == ([before] if before else []), (name, record)


def test_versions_that_were_closed_keep_their_witnesses(shop: Shop) -> None:
    """Setting dbt_valid_to replaces nothing: the first run's rows are still the first run's."""
    records = shop.ask("trace", "timestamp_invalidate", to="lake.raw", limit=0)["records"]
    closed = [r for r in records if r["record"]["dbt_valid_to"] is not None]
    assert sorted((r["record"]["rid"], shop.ids.index(r["run_id"])) for r in closed) == [
        (1, 0), (2, 0), (3, 0), (5, 1),
    ]  # fmt: skip


def test_the_equation_holds(shop: Shop) -> None:
    for name in [*NAMES, *KEYED]:
        for run, load in enumerate(LOADS):
            account = shop.project.ledger(name, run)
            assert counts(account["raw"]) == (len(load), len(load), 0, 0, 0, "BALANCED"), (name, run)
            if run:
                this = account[name]
                rows = this["input_count"]
                assert counts(this) == (rows, rows, 0, 0, 0, "BALANCED"), (name, run)
                assert this["output_count"] >= rows


def test_the_laws_hold(shop: Shop) -> None:
    answer = shop.ask("reconcile")
    assert [e for e in answer["edges"] if e["verdict"] == "violation"] == []
    proven = {(e["model"].split(".")[-1], e["law"]) for e in answer["edges"] if e["verdict"] == "exact"}
    laws = ("zero_loss", "exclusive", "covered_output", "replay")
    assert {(n, law) for n in [*NAMES, *KEYED] for law in laws} <= proven


def test_what_is_kept_of_earlier_generations_is_what_is_referred_to(shop: Shop) -> None:
    """Runs that change nothing add nothing: the store does not grow with their number."""
    keys = "store_keys WHERE ordinal >= 0"  # below: what changed between runs (store/changes.py)
    tables = ("store_pairs", keys, "store_edges", "store_steps", "store_parts", "store_carried")
    sizes = "SELECT " + ", ".join(f"(SELECT count(*) FROM cdme.{table})" for table in tables)
    (before,) = shop.project.sql(sizes)
    LOADS.append(LOADS[-1])
    shop.load()
    LOADS.pop()
    (after,) = shop.project.sql(sizes)
    assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)


@pytest.mark.parametrize(
    "strategy", ["strategy='check', check_cols='all'", "strategy='timestamp', updated_at='ts'"]
)
def test_a_key_that_is_not_unique_multiplies_rows_and_no_record_is_counted_twice(
    tmp_path: Path, strategy: str
) -> None:
    """dbt-duckdb builds such a snapshot, and so does CDME."""
    name, text = snapshot("doubled", f"unique_key='id', {strategy}")
    source = "{version: 2, sources: [{name: lake, schema: main, tables: [{name: raw}]}]}"
    project = Project(tmp_path).write({name: text, "models/m.yml": source})
    for day in (1, 2, 3):
        with project.connect() as con:
            con.execute("CREATE OR REPLACE TABLE raw (rid INTEGER, id INTEGER, v VARCHAR, ts TIMESTAMP)")
            con.execute(
                "INSERT INTO raw SELECT i, i % 4, 'v' || i, make_date(2024, 1, ?) FROM range(12) AS r(i)",
                [day],
            )
        assert project.dbt("snapshot").status == {"doubled": "success"}
        for entry in project.ledger("doubled").values():
            assert entry["input_count"] == entry["contributed_count"] + entry["filtered_count"]
            assert entry["contributed_count"] <= entry["input_count"]
    assert project.one("SELECT count(*) FROM doubled") > 24
    release()
