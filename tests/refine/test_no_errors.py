"""``dbt_cdme.no_errors`` takes what every test of dbt takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.functional.project import Project
from tests.refine.shop import POSITIVE, model

ROOT = Path(__file__).resolve().parents[2]
RAW = "id,v,day\n1,1,2024-01-01\n2,-2,2024-01-02\n3,-30,2024-01-03\n4,4,2024-01-04\n5,,2024-01-05\n"
SMALL = {"name": "small", "expression": "coalesce(v, 0) > -9"}
# The options of the test, and what dbt says of three error records.
CASES: dict[str, tuple[dict[str, Any], str, int | None]] = {
    "plain": ({}, "fail", 3),
    "warned": ({"severity": "warn"}, "warn", 3),
    "below_error": ({"error_if": ">3", "warn_if": ">2"}, "warn", 3),
    "below_both": ({"error_if": ">5", "warn_if": ">3"}, "pass", None),
    "limited": ({"limit": 2}, "fail", 2),
    "of_one_kind": ({"where": "failure_type = 'small'"}, "fail", 1),
    "of_some_days": ({"where": "day > '{{ var('since') }}'::date and id < 5"}, "fail", 1),
    "of_none": ({"where": "v > 100 or first_seen > now() + interval 1 day"}, "pass", None),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("no_errors") / "shop")
    made.configure(vars={"since": "2024-01-02"})
    sql = "select * from {{ ref('raw') }}"
    meta = {"refine": [SMALL, POSITIVE]}
    models = [{"name": name, "data_tests": [{"dbt_cdme.no_errors": {"config": options}}]}
              for name, (options, _, _) in CASES.items()]  # fmt: skip
    models.append({"name": "clean", "data_tests": ["dbt_cdme.no_errors"]})
    made.write(
        {
            **{f"{name}.sql": model(meta, sql) for name in CASES},
            "clean.sql": model(meta, f"{sql} where id = 1"),
            "raw.csv": RAW,
            "m.yml": yaml.safe_dump({"version": 2, "models": models}),
            "./packages.yml": f"packages: [{{local: {ROOT}}}]",
        }
    )
    made.dbt("deps")
    made.outcome = made.dbt("build", ok=False)  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize("name", CASES)
def test_dbts_options_hold(project: Project, name: str) -> None:
    _, status, count = CASES[name]
    outcome = project.outcome  # type: ignore[attr-defined]
    assert outcome.status[f"dbt_cdme_no_errors_{name}_"] == status
    if count is not None:
        assert f"Got {count} result" in outcome.message[f"dbt_cdme_no_errors_{name}_"]


def test_a_model_without_errors_passes(project: Project) -> None:
    outcome = project.outcome  # type: ignore[attr-defined]
    assert outcome.status["dbt_cdme_no_errors_clean_"] == "pass"


def test_the_other_laws_are_of_whole_models(project: Project) -> None:
    law = {"dbt_cdme.zero_loss": {"config": {"where": "id = 1"}}}
    project.write(
        {"m.yml": yaml.safe_dump({"version": 2, "models": [{"name": "clean", "data_tests": [law]}]})}
    )
    outcome = project.dbt("test", ok=False)
    assert "remove `where` from the test" in outcome.text
