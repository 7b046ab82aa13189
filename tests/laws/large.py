"""Small tables treated as the large ones for which the capture takes other ways."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
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
    ):
        yield


@contextmanager
def as_drawn(sql: str) -> Iterator[None]:
    """For half of all queries, always the same ones."""
    if zlib.crc32(sql.encode()) % 2:
        with as_large():
            yield
    else:
        yield
