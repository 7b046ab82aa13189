"""A record that is mended and then fails again was in error twice, and the history has both times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.functional.project import Project
from tests.refine.shop import POSITIVE, model

BAD, GOOD = "id,v\n1,-1\n2,-2\n3,3\n", "id,v\n1,1\n2,-2\n3,3\n"
SQL = "select id, v from {{ ref('raw') }}"
HISTORY = (
    "SELECT (record->>'id')::int, first_run_id = {0}, last_run_id = {0}, resolved_run_id IS NULL"
    " FROM cdme.error_history ORDER BY 1, first_seen"
)


def history(project: Project) -> list[Any]:
    """(id, whether it began in the last run, whether that saw it last, whether it is present)."""
    return project.sql(HISTORY.format("(SELECT arg_max(run_id, started_at) FROM cdme.runs)"))


@pytest.mark.parametrize("limit", [None, 0])
def test_an_error_that_comes_again_is_another(tmp_path: Path, limit: int | None) -> None:
    """Also where the run that sees it again is rolled back."""
    project = Project(tmp_path / "shop")
    meta: dict[str, Any] = {"refine": [POSITIVE]}
    project.write({"raw.csv": BAD, "m.sql": model(meta, SQL)}).dbt("build")
    assert history(project) == [(1, True, True, True), (2, True, True, True)]
    project.write({"raw.csv": GOOD}).dbt("build")
    assert history(project) == [(1, False, False, False), (2, False, True, True)]
    if limit is not None:
        meta["error_threshold"] = limit
    project.write({"raw.csv": BAD, "m.sql": model(meta, SQL)}).dbt("build", ok=limit is None)
    again = [(1, False, False, False), (1, True, True, True), (2, False, True, True)]
    assert history(project) == again
    present = "SELECT DISTINCT record_hash FROM cdme.errors"
    hashes = project.sql(f"{present} ORDER BY ALL")
    assert len(hashes) == 2
    project.dbt("build", ok=limit is None)
    assert history(project) == [(1, False, False, False), (1, False, True, True), (2, False, True, True)]
    assert project.sql(f"{present} ORDER BY ALL") == hashes
