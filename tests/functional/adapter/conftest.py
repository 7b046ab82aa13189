"""What dbt-tests-adapter needs: its fixtures, and a profile of ``type: cdme`` (or plain duckdb).

``CDME_SUITE_TYPE=duckdb`` runs the same classes on plain dbt-duckdb: what passes there must pass
here.
"""

from __future__ import annotations

import os

import pytest
from dbt.adapters.factory import reset_adapters
from dbt.tests.fixtures.project import *  # noqa: F403


@pytest.fixture(scope="class")
def dbt_profile_target(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """A database file of its own for each class.

    The suite takes the adapter that its process has registered: that of a project which another test
    ran before must be gone, or its database is taken for this one.
    """
    reset_adapters()
    kind = os.environ.get("CDME_SUITE_TYPE", "cdme")
    path = tmp_path_factory.mktemp("suite") / "suite.duckdb"
    return {"type": kind, "path": str(path), "threads": 4}
