"""The counts of docs/conformance.md are those of the suite."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("dbt.tests.adapter", reason="dbt-tests-adapter is only there for development")

from tests.functional.adapter.counts import left_out, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"


def test_the_page_counts_what_the_suite_has() -> None:
    text = PAGE.read_text()
    assert table() in text, "print it anew: python -m tests.functional.adapter.counts"
    assert left_out() in text, "print it anew: python -m tests.functional.adapter.counts"
