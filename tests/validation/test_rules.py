"""Every rule against its fixtures: what it must find, and what it must leave alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cdme_adapter.validation.report import Report
from tests.validation.harness import judge

FIXTURES = Path(__file__).parent / "fixtures"
TABLES = yaml.safe_load((FIXTURES / "schema.yml").read_text())
FOLDERS = {"models": {"shop": {"marts": {"+meta": {"cdme": {"gate": "warn"}}}}}}


def cases(verdict: str) -> list[Any]:
    found = []
    for path in sorted(FIXTURES.glob("[A-Z]*.yml")):
        for number, case in enumerate(yaml.safe_load(path.read_text())[verdict]):
            told = {"sql": case} if isinstance(case, str) else case
            found.append(pytest.param(path.stem, told, id=f"{path.stem}-{number}"))
    return found


def report_on(case: dict[str, Any]) -> Report:
    models: dict[str, Any] = {"m": {k: v for k, v in case.items() if not k.startswith("up")}}
    if "up" in case:
        models["up"] = {"sql": case["up"]} | {k[3:]: v for k, v in case.items() if k.startswith("up_")}
    if "snap" in case:
        models["snap"] = {"sql": case["snap"], "resource_type": "snapshot"}
    return judge(TABLES, models, project_vars={"cdme": {"as_roles": ["analyst"]}}, project_yaml=FOLDERS)


@pytest.mark.parametrize(("code", "case"), cases("found"))
def test_found(code: str, case: dict[str, Any]) -> None:
    report = report_on(case)
    found = [f for f in report.findings if f.code == code and f.model == "model.shop.m"]
    assert found, (report.findings, report.verdicts)
    first = found[0]
    assert first.message and first.remedy and first.place.file == "models/m.sql"
    assert first.place.line, first
    if "line" in case:
        assert first.place.line == case["line"]
    if "severity" in case:
        assert first.severity == case["severity"]
    if "says" in case:
        assert case["says"] in first.message + first.remedy
    assert bool(report.refusals) == bool(case.get("refused", report.refusals))


@pytest.mark.parametrize(("code", "case"), cases("fine"))
def test_fine(code: str, case: dict[str, Any]) -> None:
    report = report_on(case)
    assert [f for f in report.findings if f.code == code and f.model == "model.shop.m"] == []
    broken = [f for f in report.findings if f.severity == "error"]
    assert broken == []
