"""dbt's own conformance suite (dbt-tests-adapter), run on ``type: cdme``.

It is the successor of pytest-dbt-adapter, which no longer imports.
"""

from __future__ import annotations

import pytest

# As a conftest's own fixtures, not through pytest_plugins: other tests need not load dbt for them.
from dbt.tests.fixtures.project import *  # noqa: F403


@pytest.fixture(scope="class")
def dbt_profile_target(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """A database of its own for each class."""
    path = tmp_path_factory.mktemp("conformance") / "conformance.duckdb"
    return {"type": "cdme", "path": str(path), "threads": 2}
