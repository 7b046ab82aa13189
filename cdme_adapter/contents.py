"""What a run left in a table, in a few numbers: so that it can be compared with what is there later.

The order of rows does not matter: two runs of several threads may write them in different orders.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import columns_of, quote
from cdme_adapter.store.parts import rows_map
from cdme_adapter.store.writer import StoreWriter

CONTENT_CELLS = 10_000_000
"""Tables with more cells than this are not hashed when they are written: a hash of every column would
cost more than the capture."""
MARK = "content:"
"""Begins the fingerprint of a generation that CDME wrote itself."""


@dataclass(frozen=True)
class Content:
    """``whole`` is a hash of all rows, ``columns`` one of each column; ``inputs`` the generations that
    were read, by relation, None where nobody saw which."""

    rows: int
    whole: str
    columns: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, int | None] = field(default_factory=dict)

    def text(self) -> str:
        """As it is stored."""
        return MARK + json.dumps(
            {"rows": self.rows, "whole": self.whole, "columns": self.columns, "inputs": self.inputs}
        )

    @staticmethod
    def parse(text: str | None) -> Content | None:
        """From what is stored; None where nothing was.

        >>> Content.parse(Content(2, "7", {"a": "1"}).text())
        Content(rows=2, whole='7', columns={'a': '1'}, inputs={})
        """
        if not text or not text.startswith(MARK):
            return None
        held: dict[str, Any] = json.loads(text[len(MARK) :])
        return Content(held["rows"], held["whole"], held["columns"], held["inputs"])

    def changed(self, other: Content) -> list[str]:
        """The columns that hold other values, or that only one of the two has."""
        names = [*self.columns, *(name for name in other.columns if name not in self.columns)]
        return [name for name in names if self.columns.get(name) != other.columns.get(name)]


def content_of(execute: Execute, relation: str) -> Content | None:
    """The content of a relation now; None where hashing it would cost too much.

    ``relation`` is a quoted name. Sums of hashes: no order, and duplicates count.
    """
    names = [name for name, _ in columns_of(execute, relation)]
    count = int(execute(f"SELECT count(*) FROM {relation}")[0][0])
    if not names or count * len(names) > CONTENT_CELLS:
        return None
    every = [", ".join(map(quote, names)), *map(quote, names)]
    sums = ", ".join(f"coalesce(sum(hash({columns})::HUGEINT), 0)::VARCHAR" for columns in every)
    whole, *each = execute(f"SELECT {sums} FROM {relation}")[0]
    return Content(count, whole, dict(zip(names, each, strict=True)))


def is_content(execute: Execute, relation: str, fingerprint: str | None) -> bool:
    """Whether a relation holds what a run left in it, as far as the fingerprint tells: in the columns
    that it still has, where it was given others meanwhile."""
    then = Content.parse(fingerprint)
    now = content_of(execute, relation) if then is not None else None
    if then is None or now is None:
        return True
    if list(then.columns) == list(now.columns):
        return then.whole == now.whole
    return all(now.columns.get(name, value) == value for name, value in then.columns.items())


def remember_content(execute: Execute, store: StoreWriter, generation: int, relation: str) -> None:
    """Keep the content of a table, in the transaction that wrote it, after all of its hooks."""
    found = content_of(execute, relation)
    if found is None:
        return
    earlier = (  # edges of runs that wrote other rows of a table changed in place
        f"SELECT edge FROM {store.schema}.store_steps WHERE step = 0"
        f" AND map <> {rows_map(generation, generation)}"
    )
    inputs = execute(
        f"SELECT input, max(input_generation) FROM {store.schema}.store_edges"
        f" WHERE output_generation = {generation} AND edge NOT IN ({earlier})"
        " GROUP BY input ORDER BY input"
    )
    held = Content(found.rows, found.whole, found.columns, {row[0]: row[1] for row in inputs})
    store.mark(generation, held.text())
