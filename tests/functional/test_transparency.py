"""Law 9: a table is what plain dbt-duckdb builds, to the last digit, and nothing is left behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.functional.compare import Snapshot, snapshot
from tests.functional.project import Project, Rows, release

FIXTURE = Path(__file__).parent / "projects" / "transparency"
MODELS = sorted(path.stem for path in FIXTURE.glob("models/*.sql") if path.stem != "an_ephemeral")
NAMES = {"aliased": ("main", "Another Name"), "other_schema": ("main_marts", "other_schema")}
STEPS = {
    "built": ["build"],
    "built again with another column": ["build", "--vars", "{extra_column: true}"],
    "built empty": ["build", "--empty"],
}
CAPTURED_AT_LEAST = 38
"""How many of the models take the captured route; the others are refused, with a finding."""


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project, for ``type: cdme``."""
    root = tmp_path_factory.mktemp("transparency") / "shop"
    shutil.copytree(FIXTURE, root)
    yield Project(root, settings=yaml.safe_load((FIXTURE / "dbt_project.yml").read_text()))
    release()


@pytest.fixture(scope="module")
def states(ours: Project) -> dict[str, tuple[Snapshot, Snapshot]]:
    """What cdme and plain dbt-duckdb left after each step."""
    plain = ours.twin()
    found = {}
    for step, command in STEPS.items():
        expected = plain.dbt(*command)
        assert ours.dbt(*command).status == expected.status
        found[step] = (snapshot(ours), snapshot(plain))
    return found


Pair = tuple[Snapshot, Snapshot]


@pytest.fixture(params=list(STEPS))
def pair(states: dict[str, Pair], request: pytest.FixtureRequest) -> Pair:
    """The two databases after one step."""
    return states[request.param]


@pytest.mark.parametrize("model", MODELS)
def test_rows_are_those_of_plain_duckdb(pair: Pair, model: str) -> None:
    table = NAMES.get(model, ("main", model))
    found, expected = pair[0].rows[table], pair[1].rows[table]
    if "order" not in model:
        found, expected = sorted(found), sorted(expected)
    assert found == expected


def test_catalogs_are_equal(pair: Pair) -> None:
    """Columns, types, constraints, indexes, comments, views, schemas: all of them."""
    for kind, expected in pair[1].catalog.items():
        assert pair[0].catalog[kind] == expected, kind


def test_hooks_ran_once_each(pair: Pair) -> None:
    audit = [snapshot.rows["main", "audit"] for snapshot in pair]
    assert audit[0] == audit[1] != []


def test_no_temporary_table_is_left(pair: Pair) -> None:
    """dbt-duckdb itself leaves an incremental model's, whose name ends in the time."""
    found, expected = ([row.rstrip("0123456789]'") for row in s.rows["main", "leftovers"]] for s in pair)
    assert found == expected


def _captures(ours: Project) -> Rows:
    return ours.sql(
        "SELECT DISTINCT split_part(model, '.', -1) FROM cdme.ledger WHERE exactness = 'exact'"
        " AND model LIKE 'model.%'"
    )


def test_the_captured_route_was_taken(ours: Project, states: dict[str, Pair]) -> None:
    """Equal rows cannot tell capture from its fall-back: the ledger can."""
    assert len(_captures(ours)) >= CAPTURED_AT_LEAST
    failed = ours.sql(
        "SELECT DISTINCT split_part(model, '.', -1), message FROM cdme.store_findings"
        " WHERE code = 'CAPTURE_FAILED'"
    )
    assert failed == []


def test_names_like_hidden_columns_are_refused_not_guessed(ours: Project, states: dict[str, Pair]) -> None:
    captured = {row[0] for row in _captures(ours)}
    assert not captured & {"hidden_names", "reads_hidden_names", "rowid_column"}
