"""Projects for functional tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.project import Project, release


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project on a database file, with ``type: cdme``."""
    yield Project(tmp_path / "shop")
    release()
