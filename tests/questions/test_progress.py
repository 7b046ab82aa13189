"""The line that is shown while a question takes its time."""

from __future__ import annotations

import io
import time

import duckdb
import pytest

from cdme_adapter.terminal import progress
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
