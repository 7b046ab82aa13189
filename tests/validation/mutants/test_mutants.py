"""Planted faults are found under the right code, and good models are left alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.validation.mutants.measure import Result, measure


@pytest.fixture(scope="module")
def result() -> Result:
    return measure()


def test_enough_is_planted(result: Result) -> None:
    assert len(result.good) >= 8
    assert len(result.faults) >= 200


def test_faults_are_found_under_the_right_code(result: Result) -> None:
    missed = [(f.project, f.model, f.operator, codes) for f, ok, codes in result.faults if not ok]
    assert result.share >= 0.95, missed


def test_good_models_are_left_alone(result: Result) -> None:
    assert result.false_errors <= result.models / 50


def test_the_planter_knows_nothing_of_the_validation() -> None:
    tree = ast.parse((Path(__file__).parent / "planter.py").read_text())
    names = [
        name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in [getattr(node, "module", None) or node.names[0].name]
    ]
    assert not [n for n in names if n.startswith("cdme_adapter")]
