"""The benchmarks: their small forms, and that what they measure and print is what they say."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from bench import floors, page, profiled_dbt, thousand, tpch_cost, where_time_goes
from bench.check import BASELINE, MODES, SHAPES, Figures, measured, worse
from bench.figures import Figures as Values
from bench.figures import geometric
from bench.runs import PROFILED
from bench.tables import WHOLE, over, ratio, stands
from bench.targets import Target, targets


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
        blocks = con.execute(
            "SELECT list(DISTINCT block_id) FROM pragma_storage_info('cdme.store_pairs')"
            " WHERE block_id >= 0"
        ).fetchall()[0][0]
        stored = [figures.median("stored", what, "full") for what in ("pairs", "bytes per pair")]
        assert stored[0] * stored[1] == pytest.approx(len(blocks) * 262_144)
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


def _measured() -> Values:
    """The figures of two models in all modes, as a benchmark keeps them."""
    figures = Values()
    seconds = {"plain": 1.0, "floor": 0.5, "full": 1.6, "key_derivable": 1.4, "summary": 1.4, "off": 1.0}
    for clock in ("wall", "cpu"):
        for model in ("q01", "w1_filter", WHOLE):
            for mode, took in seconds.items():
                if (model, mode) != (WHOLE, "floor"):
                    figures.add(clock, model, mode, took)
    for mode in seconds.keys() - {"floor"}:
        figures.add("memory", WHOLE, mode, 100)
        figures.add("database", WHOLE, mode, 100)
    for name, value in (
        ("pairs", 10),
        ("bytes per pair", 1.4),
        ("input rows", 9),
        ("bytes per input row", 0.3),
    ):
        figures.add("stored", name, "full", value)
    return figures


def test_targets_stand_as_the_figures_say() -> None:
    assert Target("a", 1.5, (1.5, 1.4)).stands == "met"
    assert Target("a", 1.5, (3.0, 2.0)).stands == "not met: 2.00 times the target"
    assert Target("a", 1.5, (1.4, 3.0)).stands == "met by one clock, 2.00 times the target by the other"
    figures = _measured()
    missed = {target.name for target in targets(figures) if target.stands != "met"}
    assert missed == {"full: ratio of w1_filter", "key_derivable: ratio of w1_filter"}
    for what, of, how, value, name in (
        ("cpu", "q01", "full", 9.0, "full: (time − plain) / floor, the most"),
        ("memory", WHOLE, "summary", 500, "summary: peak memory"),
        ("stored", "bytes per pair", "full", 9.0, "full: bytes per stored pair"),
        ("cpu", "q01", "off", 1.5, "off: ratio, geometric mean"),
        ("look-up", "q01", "first", 0.3, "key_derivable: first look-up in a process, slowest"),
    ):
        worse_now = _measured()
        for _ in range(2):
            worse_now.add(what, of, how, value)
            worse_now.add("look-up", "q01", "next", 0.001)
            worse_now.add("look-up", "q01", "first", 0.1 if what != "look-up" else value)
        assert name in {target.name for target in targets(worse_now) if target.stands != "met"}


def test_ten_times_the_data_must_not_cost_more() -> None:
    figures, large = _measured(), _measured()
    grown = [target for target in targets(figures, large=large) if "ten times" in target.name]
    assert [target.stands for target in grown] == ["met"] * 4
    for _ in range(2):
        large.add("wall", "q01", "full", 2.5)
        large.add("cpu", "q01", "full", 2.5)
    grown = [target for target in targets(figures, large=large) if "ten times" in target.name]
    assert [target.stands for target in grown] == ["not met: 1.30 times the target", "met", "met", "met"]


def test_the_page_has_every_mode_and_target(tmp_path: Path) -> None:
    figures = _measured()
    tiny = Values()
    for what in ("wall", "cpu", "database"):
        for of in (thousand.COLD, thousand.WARM):
            for how, value in (("plain", 10), ("cdme", 12)):
                tiny.add(what, of, how, value)
    figures.add("look-up", "q01", "first", 0.25)
    figures.add("look-up", "q01", "next", 0.004)
    text = page.page(figures, 3, 1, tiny, limited="It ended.", goes="| class |")
    assert "| q01 | 250 | 4 |" in text
    for mode in tpch_cost.MODES:
        assert f"## lineage_mode: {mode}" in text
    assert all(target.row in text for target in targets(figures, tiny))
    assert "| warm | 10.0 | 12.0 | ×1.20 | 10.0 | 12.0 | ×1.20 |" in text
    assert "It ended." in text and "| class |" in text


def test_the_plot_shows_every_model(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="only the benchmark's own environment has it")
    page.plot(_measured(), tmp_path / "plot.svg")
    assert "<!-- w1_filter -->" in (tmp_path / "plot.svg").read_text()


@pytest.mark.parametrize(
    ("kind", "own", "sql"),
    [
        (profiled_dbt.QUERY, False, "/* {} */ create table a.b.m as (select 1)"),
        (profiled_dbt.QUERY, True, "CREATE OR REPLACE TEMP TABLE cdme_stage_1 AS SELECT list(x) FROM t"),
        (profiled_dbt.SETS, True, "SET VARIABLE cdme_set_1 = (SELECT bitstring_agg(i, 0, 9) FROM t)"),
        (
            profiled_dbt.CODES,
            True,
            "CREATE OR REPLACE TEMP TABLE cdme_lost_1 AS SELECT bitstring_agg(i)",
        ),
        (profiled_dbt.CODES, True, "SELECT clause, sum(n) FROM temp.cdme_chunks_1 GROUP BY ALL"),
        (profiled_dbt.MAPS, True, "CREATE OR REPLACE TEMP TABLE cdme_root AS SELECT rowid AS o FROM m"),
        (profiled_dbt.STORE, True, "INSERT INTO d.cdme.store_pairs SELECT 1, o, i FROM temp.cdme_map_1"),
        (profiled_dbt.STORE, False, "COMMIT"),
        (profiled_dbt.MARKS, True, "INSERT INTO d.cdme.store_keys SELECT 1, ordinal, key FROM m"),
        (profiled_dbt.MARKS, True, "SELECT bit_xor(hash(hash(a))) FROM t"),
        (profiled_dbt.CHECKS, True, "SELECT json_serialize_sql('select 1')"),
        (profiled_dbt.CHECKS, False, "select table_name from duckdb_constraints()"),
    ],
)
def test_a_statement_has_a_kind(kind: str, own: bool, sql: str) -> None:
    assert profiled_dbt.kind(sql, own) == kind


@pytest.mark.slow
def test_the_kinds_of_a_model_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thousand, "DATA", tmp_path)
    folder = thousand.project(4)
    cdme, plain = (thousand.run(folder, target, PROFILED)[0] for target in ("cdme", "plain"))
    assert set(cdme.models) == set(plain.models) == {f"m{number}" for number in range(4)}
    for took in cdme.models.values():
        assert sum(took["kinds"].values()) == pytest.approx(took["cpu"])
        assert all(took["kinds"][kind] > 0 for kind in (profiled_dbt.STORE, profiled_dbt.QUERY))
    assert all(took["kinds"][profiled_dbt.MAPS] == 0 for took in plain.models.values())
    assert 50 < cdme.memory < 5000
    shown = where_time_goes.table(
        {f"tiny:{n}": t for n, t in cdme.models.items()}, {f"tiny:{n}": t for n, t in plain.models.items()}
    )
    assert len(shown.splitlines()) == 3 and "| tiny models |" in shown
