"""The benchmarks: their small forms, and that what they measure and print is what they say."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from bench import floors, tpch_cost
from bench.check import BASELINE, MODES, SHAPES, Figures, measured, worse
from bench.figures import Figures as Values
from bench.figures import geometric
from bench.tables import over, ratio, stands


def test_capture_runs_and_stores_no_more_than_it_did() -> None:
    held = json.loads(BASELINE.read_text())
    assert set(held["counts"]) == set(MODES)
    assert all(set(shapes) == set(SHAPES) for shapes in held["counts"].values())
    assert list(worse(held["counts"], measured(2000, 0))) == []


def test_what_has_grown_is_found() -> None:
    before = {"full": {"filter": {"statements": 40, "rows": 1000, "ratio": 1.5}}}
    fine = {"full": {"filter": Figures(44, 1000, 1.9)}}
    assert list(worse(before, fine)) == []
    for grown in (Figures(45, 1000, 1.5), Figures(40, 1101, 1.5), Figures(40, 1000, 2.0)):
        assert len(list(worse(before, {"full": {"filter": grown}}))) == 1


def test_a_model_costs_its_difference_in_floors() -> None:
    figures = Values()
    for mode, seconds in (("plain", 0.1), ("full", 0.7), ("floor", 0.2)):
        for noise in (0.0, 9.0, 0.0):  # a median, not a mean
            figures.add("cpu", "q01", mode, seconds + noise)
    assert over(figures, "cpu", "q01", "full") == pytest.approx(3.0)
    assert ratio(figures, "cpu", "q01", "full") == pytest.approx(7.0)
    assert geometric([1, 4]) == pytest.approx(2.0)


def test_there_are_classes_of_every_model_and_only_of_its_inputs() -> None:
    models = {file.stem for file in (tpch_cost.PROJECT / "models").glob("*.sql")}
    names = {file.stem for file in floors.CLASSES.glob("*.sql")}
    assert names == models | {tpch_cost.FIRST}
    for name in names:
        model = "w5_merge" if name == tpch_cost.FIRST else name
        text = (tpch_cost.PROJECT / "models" / f"{model}.sql").read_text()
        for relation in floors.classes((floors.CLASSES / f"{name}.sql").read_text()):
            assert f"source('tpch', '{relation}')" in text, (name, relation)


@pytest.mark.slow
def test_floors_of_all_models_agree_with_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tpch_cost, "DATA", tmp_path)
    benchmark = tpch_cost.Benchmark(tpch_cost.load(0.01), [], "", Values())
    benchmark.round(["plain", "full"], prepare=True)
    figures = benchmark.figures
    assert set(figures.of("wall")) == {*(f.stem for f in floors.CLASSES.glob("*.sql")), "whole command"}
    for name in figures.of("wall"):
        how = {"plain", "full"} if name == "whole command" else {"plain", "full", "floor"}
        assert set(figures.how("cpu", name)) == how
    # What the floor writes is what the store holds: the pairs, and a code for each row of each input.
    with benchmark.connect(tmp_path / "tpch_0.01" / "work_full.duckdb") as con:
        written = dict(con.execute(
            "SELECT table_name, estimated_size FROM duckdb_tables() WHERE database_name = 'floor_parts'"
            " AND starts_with(table_name, 'q12:')"
        ).fetchall())  # fmt: skip
        direct = [edge for edge in floors.edges(con, "q12") if edge.role == "direct"]
        maps = con.execute(
            "SELECT count(*) FROM cdme.store_pairs WHERE map IN (SELECT map FROM cdme.store_steps s"
            " JOIN cdme.store_edges e USING (edge) WHERE e.model LIKE '%.q12') GROUP BY map"
        ).fetchall()
        assert sorted(written.values()) == sorted(
            [edge.counts[0] for edge in direct] + [count for (count,) in maps]
        )
        contributed = [
            con.execute(f"SELECT count(*) FROM floor_parts.\"q12:{place}\" WHERE code = 0").fetchall()[0][0]
            for place in range(len(direct))
        ]  # fmt: skip
        assert contributed == [edge.counts[1] for edge in direct]
        # A ledger that says otherwise than the classes by hand ends the benchmark.
        con.execute(
            "UPDATE cdme.store_ledger SET contributed_count = contributed_count + 1, "
            "filtered_count = filtered_count - 1 WHERE model LIKE '%.q12' AND input LIKE '%.orders'"
        )
        with pytest.raises(SystemExit, match=r"q12, orders: the classes by hand have"):
            floors.measure(con, "q12", "q12")
    shown = stands(figures, "full")
    assert "| w5_first |" in shown and "floors, geometric mean, CPU" in shown


def test_a_difference_below_zero_stays_a_positive_factor() -> None:
    figures = Values()
    for mode, seconds in (("plain", 0.2), ("full", 0.1), ("floor", 0.1)):
        figures.add("wall", "q01", mode, seconds)
    assert over(figures, "wall", "q01", "full") == pytest.approx(0.001)


def test_a_width_is_the_narrowest() -> None:
    assert [floors._width(n) for n in (255, 256, 65_535, 65_536, 2**32 - 1, 2**32)] == [
        "UTINYINT", "USMALLINT", "USMALLINT", "UINTEGER", "UINTEGER", "UBIGINT",
    ]  # fmt: skip


def test_what_is_timed_is_committed_in_the_database(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "d.duckdb")) as con:
        took = floors._timed(con, ["BEGIN", "CREATE TABLE t AS FROM range(1000000)", "COMMIT"])
        assert took.wall > 0 and took.cpu > 0
        assert con.execute("SELECT count(*) FROM t").fetchall() == [(1_000_000,)]
