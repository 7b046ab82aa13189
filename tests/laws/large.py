"""Small tables treated as the large ones for which the capture takes other ways."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from unittest import mock

from cdme_adapter import settle_indirect, settle_levels
from cdme_adapter.capture.rules import narrow


@contextmanager
def as_large() -> Iterator[None]:
    """While this lasts, every table is large, and half of a table's rows are many."""
    with (
        mock.patch.object(narrow, "LARGE", 0),
        mock.patch.object(narrow, "WIDE", 1),
        mock.patch.object(settle_indirect, "MANY", 0),
        mock.patch.object(settle_levels, "MUCH", 0),
        mock.patch.object(settle_levels, "KEPT", 0),
    ):
        yield


@contextmanager
def as_drawn(sql: str) -> Iterator[None]:
    """For half of all queries, always the same ones; and for half of them few rows are in question."""
    drawn = zlib.crc32(sql.encode())
    with (
        as_large() if drawn & 1 else nullcontext(),
        mock.patch.object(settle_levels, "FEW", 0) if drawn & 2 else nullcontext(),
    ):
        yield
