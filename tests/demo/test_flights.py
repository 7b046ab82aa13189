"""The demo on the real data: its ledger has the known losses, its tables are plain dbt-duckdb's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bench.plain import GENERATED, without_cdme

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "demo" / "flights"
BINARIES = Path(sys.executable).parent

pytestmark = pytest.mark.slow

# (model, input): what plain SQL says that happens to the input's records.
KNOWN_LOSSES: dict[tuple[str, str], dict[Any, int]] = {
    ("int_flights_planes", "flights"): {("join_no_match", "null"): 2_512, "all": 52_606},
    ("int_flights_airports", "flights"): {("join_no_match", "no_match"): 7_602, "all": 7_602},
    ("int_flights_completed", "int_flights_enriched"): {("where", "false"): 9_430, "all": 9_430},
    ("int_flights_first_legs", "int_flights_completed"): {("qualify", "false"): 23, "all": 23},
    ("mart_carrier", "int_flights_first_legs"): {("having", "false"): 29, "all": 29},
    ("mart_daily", "int_flights_completed"): {"all": 0},
    ("int_flights_enriched", "flights"): {"all": 0},
}


ADDED = {"late_corrections"}
"""Models over files that were added with errors in them, which plain dbt-duckdb cannot build."""


@dataclass
class Flights:
    """A copy of the demo on a database of its own."""

    folder: Path
    target: str

    @property
    def database(self) -> Path:
        return self.folder / "flights.duckdb"

    def dbt(self, *command: str) -> None:
        """Run dbt there; its output is shown if it fails."""
        env = {**os.environ, "FLIGHTS_DB": str(self.database)}
        done = subprocess.run(
            [str(BINARIES / "dbt"), "--quiet", *command, "--target", self.target],
            cwd=self.folder / "flights",
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(sql).fetchall()


def build(folder: Path, target: str) -> Flights:
    """Load the data and build everything twice, as a user who types `make demo` twice does."""
    if target == "plain":
        without_cdme(PROJECT, folder / "flights")
        commands = ["build", "build"]
    else:
        shutil.copytree(PROJECT, folder / "flights", ignore=GENERATED)
        (folder / "flights" / "packages.yml").write_text(f"packages:\n  - local: {ROOT}\n")
        commands = ["deps", "build", "build"]
    demo = Flights(folder, target)
    loader = [sys.executable, str(ROOT / "demo" / "load_flights.py"), str(demo.database)]
    for command in commands:
        subprocess.run(loader, check=True, capture_output=True)
        demo.dbt(command)
    return demo


@pytest.fixture(scope="module")
def cdme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flights]:
    yield build(tmp_path_factory.mktemp("demo_cdme"), "cdme")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flights]:
    yield build(tmp_path_factory.mktemp("demo_plain"), "plain")


def tables(demo: Flights) -> list[str]:
    rows = demo.query("SELECT table_name FROM information_schema.tables WHERE table_schema = 'analytics'")
    return sorted(row[0] for row in rows)


def columns(demo: Flights, table: str) -> list[tuple[Any, ...]]:
    return demo.query(
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns "
        f"WHERE table_schema = 'analytics' AND table_name = '{table}' ORDER BY ordinal_position"
    )


def test_every_relation_is_what_plain_dbt_duckdb_builds(cdme: Flights, plain: Flights) -> None:
    names = tables(plain)
    assert [name for name in tables(cdme) if name not in ADDED] == names
    assert {n: columns(cdme, n) for n in names} == {n: columns(plain, n) for n in names}
    with duckdb.connect(str(cdme.database), read_only=True) as connection:
        connection.execute(f"ATTACH '{plain.database}' AS plain (READ_ONLY)")
        for table in names:
            ours, theirs = f"analytics.{table}", f"plain.analytics.{table}"
            for one, other in ((ours, theirs), (theirs, ours)):
                missing = f"SELECT * FROM {one} EXCEPT ALL SELECT * FROM {other}"
                assert connection.execute(f"FROM ({missing}) LIMIT 1").fetchall() == [], table


def test_the_sources_were_loaded_once(cdme: Flights) -> None:
    loaded = [
        cdme.query(f"SELECT count(*) FROM raw.{table}")[0][0]
        for table in ("flights", "planes", "airports", "airlines", "weather")
    ]
    assert loaded == [336_776, 3_322, 1_458, 16, 26_115]


@pytest.mark.parametrize(("model", "source"), KNOWN_LOSSES, ids=str)
def test_the_ledger_has_the_known_losses(cdme: Flights, model: str, source: str) -> None:
    edge = f"split_part(model, '.', -1) = '{model}' AND split_part(input, '.', -1) = '{source}'"
    filtered = cdme.query(
        "SELECT filtered_count, input_count - contributed_count, status FROM cdme.ledger "
        f"WHERE {edge} AND role = 'direct' "
        "AND run_id = (SELECT max_by(run_id, started_at) FROM cdme.runs)"
    )
    wanted = KNOWN_LOSSES[model, source]
    assert filtered == [(wanted["all"], wanted["all"], "BALANCED")]
    keys = cdme.query(
        "SELECT kind, verdict, count(*) FROM cdme.filtered_keys "
        f"JOIN cdme.reasons USING (model, input, reason_id) WHERE {edge} GROUP BY ALL"
    )
    found = {(kind, verdict): count for kind, verdict, count in keys}
    assert sum(found.values()) == wanted["all"]
    assert {key: found.get(key) for key in wanted if key != "all"} == {
        key: count for key, count in wanted.items() if key != "all"
    }


def test_each_conjunct_has_its_own_count(cdme: Flights) -> None:
    """Never departed, and departed but without an arrival delay: 8,255 and 1,175 of 9,430."""
    counts = cdme.query(
        "SELECT r.sql, count(*) FROM cdme.filtered_keys k JOIN cdme.reasons r "
        "USING (model, input, reason_id) "
        "WHERE split_part(k.model, '.', -1) = 'int_flights_completed' GROUP BY ALL ORDER BY 2"
    )
    assert [count for _, count in counts] == [1_175, 8_255]
    assert "arr_delay" in counts[0][0] and "dep_time" in counts[1][0]


def test_the_repeated_hours_fan_out_where_one_to_one_was_meant(cdme: Flights) -> None:
    edge = cdme.query(
        "SELECT cardinality_declared, cardinality_observed FROM cdme.edges "
        "WHERE split_part(model, '.', -1) = 'mart_airport_hours' "
        "AND split_part(input, '.', -1) = 'int_airport_hours' AND role = 'direct'"
    )
    assert edge == [("1:1", "1:N")]
    hours = cdme.query("SELECT count(*) FROM analytics.int_airport_hours")
    rows = cdme.query("SELECT count(*) FROM analytics.mart_airport_hours")
    assert (hours, rows) == ([(26_220,)], [(26_223,)])


def test_the_lost_miles(cdme: Flights) -> None:
    """What an unnoticed inner join costs: the distance of the flights without a known plane."""
    lost = cdme.query(
        "SELECT (SELECT sum(distance) FROM raw.flights) "
        "- (SELECT sum(distance) FROM analytics.int_flights_planes)"
    )
    assert lost == [(46_539_303,)]
    accounted = cdme.query(
        "SELECT sum(records), sum(total::BIGINT) FROM cdme.control_totals WHERE class = 'filtered'"
        " AND model LIKE '%.int_flights_planes' AND column_name = 'distance' AND run_id ="
        " (SELECT arg_max(run_id, started_at) FROM cdme.runs)"
    )
    assert accounted == [(52_606, 46_539_303)]


def test_what_cannot_be_true_is_in_the_errors(cdme: Flights) -> None:
    errors = cdme.query(
        "SELECT failure_type, offending_values->>'line', record->>'flight' FROM cdme.errors"
        " WHERE model LIKE '%.late_corrections' ORDER BY ALL"
    )
    assert errors == [
        ("known_carrier", None, "9999"),
        ("not_parsed", "8", None),
        ("not_parsed", "9", None),
        ("possible_time", None, "461"),
        ("time_in_the_air", None, "725"),
    ]
    assert cdme.query("SELECT count(*) FROM analytics.late_corrections") == [(7,)]
