"""Where row ids span more than bits can hold, tables take their place: the accounts are the same."""

from __future__ import annotations

import pytest

from cdme_adapter.engines import sets
from tests.harness import capture
from tests.laws.compare import compare
from tests.laws.fixtures import Fixture, fixtures
from tests.oracle.interpreter import explain


@pytest.mark.parametrize("case", fixtures()[::12], ids=str)
def test_tables_account_like_bits(case: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets.RowSets, "__init__", _narrow(sets.RowSets.__init__))
    connection = case.connection()
    assert not compare(explain(connection, case.query), capture(connection, case.query)).problems


def _narrow(made):  # type: ignore[no-untyped-def]
    def init(self, execute, widest=0, stem="cdme_set"):  # type: ignore[no-untyped-def]
        made(self, execute, widest, stem)

    return init
