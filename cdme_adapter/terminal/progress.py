"""A line on the terminal while a question takes longer than a second: what, how long, how far.

Only where stderr is a terminal; stdout is never touched. The share is what DuckDB says of the
statement that it is at, so it begins anew with each of them.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

PATIENCE = 1.0
"""Seconds of silence."""
_WIDTH = 24
_CLEAR = "\r\x1b[K"


class Progress:
    """Begins to speak after :data:`PATIENCE`; :meth:`stop` wipes the line."""

    def __init__(self, what: str, con: Any = None, stream: Any = None) -> None:
        self.what, self.con = what, con
        self.stream = sys.stderr if stream is None else stream
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> Progress:
        """Begin to wait, where somebody can see it."""
        if self.stream.isatty():
            self._thread = threading.Thread(target=self._tell, daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Be silent from now on; what was shown is gone."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _tell(self) -> None:
        began = time.monotonic()
        if self._done.wait(PATIENCE):
            return
        while not self._done.wait(0.2):
            self.stream.write(_CLEAR + self.line(time.monotonic() - began))
            self.stream.flush()
        self.stream.write(_CLEAR)
        self.stream.flush()

    def line(self, seconds: float) -> str:
        """The line after so many seconds."""
        return f"{self.what} {_bar(self._share())} {seconds:.0f} s"

    def _share(self) -> float | None:
        """How far the running statement is, from 0 to 1; None where DuckDB does not say."""
        try:
            share = float(self.con.query_progress()) / 100
        except Exception:
            return None
        return min(share, 1.0) if share >= 0 else None


def _bar(share: float | None) -> str:
    """A bar, or dots where the share is not known.

    >>> _bar(0.5), _bar(None)
    ('[############            ]  50 %', '…')
    """
    if share is None:
        return "…"
    full = round(share * _WIDTH)
    return f"[{'#' * full}{' ' * (_WIDTH - full)}] {share * 100:3.0f} %"


_SHOWN: list[Progress] = []


def show(what: str, con: Any = None) -> None:
    """Show the progress of a command until :func:`hide`."""
    hide()
    _SHOWN.append(Progress(what, con).start())


def hide() -> None:
    """Wipe it, before anything else is printed."""
    while _SHOWN:
        _SHOWN.pop().stop()
