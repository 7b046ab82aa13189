"""The small form of ``make bench-check``: what capture runs and stores, counted. No machine changes it."""

from __future__ import annotations

import json

from bench.check import BASELINE, MODES, SHAPES, Figures, measured, worse


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
