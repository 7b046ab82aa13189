"""Every kind of model that stores rows refuses bad ones, and what it says after a second run is right.

First build: 3, 7 and 11 are negative, the text of 5 and 7 does not cast. Then 3, 5 and 11 are mended, 2
went bad, and 12 (bad) and 13 are new. Expectations are written down from docs/errors.md, not computed.
"""

from __future__ import annotations

from typing import Any

import pytest

from cdme_adapter.lineage.opening import open_questions
from tests.functional.project import Outcome, Project

REFINE = "'refine': [{'name': 'positive', 'expression': 'v >= 0'}]"
META = f"meta={{'cdme': {{{REFINE}, 'cast': ['n'], 'key': 'id'}}}}"
SQL = "select id, k, v, cast(t as integer) as n, d from {{ ref('raw') }}"
LATER = "{% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}"
PYTHON = f"""
def model(dbt, session):
    dbt.config(META, meta={{'cdme': {{{REFINE}WITNESSES}}}})
    return dbt.ref('raw').project('id, v')
"""
DAYS = ("--event-time-start", "2024-01-01", "--event-time-end")


def raw(changed: dict[int, tuple[int, Any]]) -> str:
    """The seed: id, k, v, t, d; ``changed`` has v and t of some records."""
    lines = ["id,k,v,t,d"]
    for i in range(14 if changed else 12):
        v, t = -1 if i in (3, 7, 11) else i, "x" if i in (5, 7) else i
        v, t = changed.get(i, (v, t))
        lines.append(f"{i},{i % 4},{v},{t},2024-01-0{1 + i % 3}")
    return "\n".join(lines) + "\n"


def config(kind: str, more: str = "") -> str:
    return f"{{{{ config(materialized='{kind}', {more}{META}) }}}} "


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Outcome, dict[str, Any]]:
    project = Project(tmp_path_factory.mktemp("kinds") / "shop")
    micro = "incremental_strategy='microbatch', event_time='d', begin='2024-01-01', batch_size='day', "
    project.write(
        {
            "raw.csv": raw({}),
            "s.yml": "{version: 2, seeds: [{name: raw, config: {event_time: d, column_types: {d: date,"
            " t: varchar}, meta: {cdme: {key: id}}}}]}",
            "external.sql": config("external", f"location='{project.root}/out.parquet', ") + SQL,
            "appended.sql": config("incremental") + SQL + LATER,
            "micro.sql": config("incremental", micro) + SQL,
            "py.py": PYTHON.replace("META", "materialized='table'").replace(
                "WITNESSES", ", 'witnesses': {'raw': 'id'}"
            ),
            "py_delta.py": PYTHON.replace("META", "materialized='incremental', unique_key='id'").replace(
                "WITNESSES", ""
            ),
            "snapshots/versions.sql": "{% snapshot versions %}{{ config(unique_key='id', strategy='check',"
            f" check_cols='all', {META}) }}}} {SQL} {{% endsnapshot %}}",
        }
    )
    first = project.dbt("build", *DAYS, "2024-01-04")
    keys = {name: _counts(project, name) for name in ("external", "appended", "micro", "py", "versions")}
    project.write({"raw.csv": raw({3: (3, 3), 5: (5, 5), 11: (11, 11), 2: (-2, 2), 12: (-1, 12)})})
    project.dbt("build", *DAYS, "2024-01-03")  # the third day is not built again
    return project, first, keys


def _counts(project: Project, name: str) -> tuple[Any, ...]:
    entry = project.ledger(name)["raw"]
    names = ("input", "contributed", "filtered", "error", "unaccounted")
    return (*(entry[f"{name}_count"] for name in names), entry["status"])


def errors(project: Project, name: str) -> list[int]:
    rows = project.sql(
        "SELECT DISTINCT (record->>'id')::int FROM cdme.errors"
        f" WHERE split_part(model, '.', -1) = '{name}' ORDER BY 1"
    )
    return [row[0] for row in rows]


def test_the_first_build_refuses_the_same_records_everywhere(built: Any) -> None:
    _, outcome, counts = built
    for name in ("external", "appended", "micro", "versions"):
        assert counts[name] == (12, 8, 0, 4, 0, "BALANCED"), name
    assert counts["py"] == (12, 9, 0, 3, 0, "BALANCED")
    for name, said in (("external", 4), ("appended", 4), ("versions", 4), ("py", 3), ("py_delta", 3)):
        assert outcome.message[name].endswith(f", {said} error records"), outcome.message


ROWS = {
    "external": [0, 1, 3, 4, 5, 6, 8, 9, 10, 11, 13],
    "appended": [0, 1, 2, 4, 6, 8, 9, 10, 11, 13],
    "micro": [0, 1, 2, 3, 4, 6, 8, 9, 10, 13],
    "py": [0, 1, 3, 4, 5, 6, 8, 9, 10, 11, 13],
    "py_delta": [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 13],
    "versions": [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 13],
}
"""2 stays, in its good version, where rows are replaced one by one."""
ERRORS = {
    "external": [2, 7, 12],
    "appended": [3, 5, 7, 12],  # 3, 5 and 7 were not judged again; 11 was
    "micro": [5, 7, 11, 12],  # 5 and 11 are of the third day
    "py": [2, 7, 12],
    "py_delta": [2, 7, 12],
    "versions": [2, 7, 12],
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_and_errors_after_the_second_build(built: Any, name: str) -> None:
    project = built[0]
    assert [r[0] for r in project.sql(f"SELECT id FROM {name} ORDER BY id")] == ROWS[name]
    assert errors(project, name) == ERRORS[name]
    resolved = project.sql(
        "SELECT DISTINCT (record->>'id')::int FROM cdme.error_history WHERE resolved_at IS NOT NULL"
        f" AND split_part(model, '.', -1) = '{name}' ORDER BY 1"
    )
    first = {3, 7, 11} if name.startswith("py") else {3, 5, 7, 11}
    assert [r[0] for r in resolved] == sorted(first - set(ERRORS[name]))


@pytest.mark.parametrize("name", ["external", "appended", "micro", "py", "versions"])
def test_what_no_run_judged_again_is_in_error_not_filtered(built: Any, name: str) -> None:
    """The table's equation: a record whose error is still present is in error though this run's query
    left it out; 2 contributed where its good version stands."""
    contributed = len(ROWS[name])
    assert _counts(built[0], name) == (14, contributed, 0, 14 - contributed, 0, "BALANCED")


def test_explain_and_keys_speak_of_earlier_errors(built: Any) -> None:
    """Their keys are kept, though the generation that they were read from is gone."""
    project = built[0]
    keys = project.sql("SELECT input_key FROM cdme.errors WHERE model LIKE '%.appended' ORDER BY ALL")
    assert [key for (key,) in keys] == ['{"id":12}', '{"id":3}', '{"id":5}', '{"id":7}']
    with open_questions(str(project.root), str(project.root)) as asked:
        answer = asked.explain("appended", "raw", "id in (3, 5, 4)")
        whole = asked.explain("micro", "raw")
    by_id = {r["key"]["id"]: r for r in answer["records"]}
    assert {i: r["class"] for i, r in by_id.items()} == {3: "error", 4: "contributed", 5: "error"}
    assert by_id[3]["reason"]["failure_type"] == "positive" and by_id[3]["reason"]["values"] == {"v": -1}
    assert by_id[5]["reason"]["failure_type"] == "cast_n" and by_id[5]["reason"]["values"] == {"n": "x"}
    said = {(e["class"], e["failure_type"]): e["count"] for e in whole["summary"]}
    assert said == {("contributed", None): 10, ("error", "cast_n"): 2, ("error", "positive"): 2}


def test_this_runs_own_equation_says_what_its_query_saw(built: Any) -> None:
    edges = [e for e in built[0].file_ledger()["edges"] if e["model"].endswith(".appended")]
    (edge,) = [e for e in edges if e["input"].endswith(".raw")]
    (batch,) = edge["batches"]
    found = [batch[f"{c}_count"] for c in ("input", "contributed", "filtered", "error", "delta")]
    assert found == [14, 2, 11, 1, 2]


def test_a_rollback_resolves_only_what_it_judged(built: Any) -> None:
    """The table stays as it was, and so do the errors of records that the failed run did not judge."""
    project = built[0]
    limited = config("incremental").replace("'key'", "'error_threshold': 0, 'key'") + SQL + LATER
    project.write(
        {"appended.sql": limited, "raw.csv": raw({3: (3, 3), 5: (5, 5), 11: (11, 11), 13: (-3, 1)})}
    )
    project.dbt("seed")
    project.sql("DELETE FROM appended WHERE id = 13")
    project.dbt("run", "--select", "appended", ok=False)
    assert errors(project, "appended") == [3, 5, 7, 13]  # 12 is mended and was judged, 13 went bad
    assert project.one("SELECT max(id) FROM appended") == 11
