"""A collector that dbt is told of, and the fixture of the functional tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.emit.collector import Collector
from tests.functional.conftest import project

__all__ = ["collector", "project"]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A healthy collector under OPENLINEAGE_URL; the client leaves variables of its own behind."""
    before = {name: value for name, value in os.environ.items() if name.startswith("OPENLINEAGE")}
    made = Collector()
    monkeypatch.setenv("OPENLINEAGE_URL", made.url)
    yield made
    made.close()
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE") and name not in before]:
        del os.environ[name]
