"""The line that is shown while a question takes its time."""

from __future__ import annotations

import io
import time

import duckdb
import pytest

from cdme_adapter.terminal import progress, tables
from cdme_adapter.terminal.progress import Progress


class Terminal(io.StringIO):
    """A stream that says that somebody looks at it, or not."""

    def __init__(self, seen: bool) -> None:
        super().__init__()
        self.seen = seen

    def isatty(self) -> bool:
        return self.seen


@pytest.mark.parametrize("seen", [True, False])
def test_it_is_shown_after_a_while_on_a_terminal_only(seen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.05)
    stream = Terminal(seen)
    waiting = Progress("trace", None, stream).start()
    time.sleep(0.6)
    waiting.stop()
    text = stream.getvalue()
    assert ("trace … " in text) is seen
    assert text.endswith("\r\x1b[K") is seen, "nothing is left on the line"


def test_what_is_quick_says_nothing() -> None:
    stream = Terminal(True)
    Progress("trace", None, stream).start().stop()
    assert stream.getvalue() == ""


def test_the_share_is_that_of_the_statement() -> None:
    class Half:
        def query_progress(self) -> float:
            return 50.0

    assert "50 %" in Progress("x", Half()).line(2) and Progress("x", duckdb.connect()).line(2) == "x … 2 s"


def test_long_columns_give_way_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """All columns stay while the long ones can be shortened; without a terminal nothing is cut."""
    header, rows = ["records", "clause", "verdict"], [["1", "a" * 30 + " = 1", "false"]]
    monkeypatch.setattr(tables, "width", lambda: 36)
    lines = tables.table(header, rows, 2, right=[0], long=[1])
    assert lines[1] == f"        1  {'a' * 15}…  false"
    assert max(map(len, lines)) <= 36
    monkeypatch.setattr(tables, "width", lambda: 20)
    assert tables.table(header, rows, 2, long=[1])[-1].endswith("… and clause, verdict")
    monkeypatch.setattr(tables, "width", lambda: None)
    assert "a" * 30 in tables.table(header, rows, 2, long=[1])[1]
