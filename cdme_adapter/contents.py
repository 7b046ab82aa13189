"""What a run left in a table, in a few numbers: so that it can be compared with what is there later.

``whole`` does not care for the order of rows: two runs of several threads may write them in different
orders. ``ordered`` does: the store names rows by their ordinals, so rows that somebody deleted and put
back are another generation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import Ordinals, columns_of, literal, ordinals, quote
from cdme_adapter.store.parts import rows_map

if TYPE_CHECKING:
    from cdme_adapter.store.writer import StoreWriter

CONTENT_CELLS = 10_000_000
"""Of tables with more cells than this no hash of every column is kept: it would double the cost."""
LOOK_CELLS = 50_000_000
"""Tables with more cells than this are not hashed when a question is asked."""
MARK = "content:"
"""Begins the fingerprint of a generation that CDME wrote itself."""


@dataclass(frozen=True)
class Content:
    """``whole`` is a hash of all rows, ``columns`` one of each column; ``inputs`` the generations that
    were read, by relation, None where nobody saw which. ``ordered`` is a hash of all rows with their
    ordinals; empty where there are none (a view over files), or where an earlier version wrote it."""

    rows: int
    whole: str
    columns: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, int | None] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    ordered: str = ""

    def text(self) -> str:
        """As it is stored."""
        held = {
            "rows": self.rows, "whole": self.whole, "columns": self.columns, "inputs": self.inputs,
            "names": self.names, "ordered": self.ordered,
        }  # fmt: skip
        return MARK + json.dumps(held)

    @staticmethod
    def parse(text: str | None) -> Content | None:
        """From what is stored; None where nothing was.

        >>> Content.parse(Content(2, "7", {"a": "1"}, names=("a",)).text())
        Content(rows=2, whole='7', columns={'a': '1'}, inputs={}, names=('a',), ordered='')
        """
        if not text or not text.startswith(MARK):
            return None
        held: dict[str, Any] = json.loads(text[len(MARK) :])
        names = tuple(held.get("names") or held["columns"])
        ordered = held.get("ordered", "")
        return Content(held["rows"], held["whole"], held["columns"], held["inputs"], names, ordered)

    def changed(self, other: Content) -> list[str]:
        """The columns that hold other values, or that only one of the two has."""
        names = [*self.columns, *(name for name in other.columns if name not in self.columns)]
        return [name for name in names if self.columns.get(name) != other.columns.get(name)]


@dataclass(frozen=True)
class Written:
    """What is known of a table that was just written: its columns, and where its rows stand."""

    names: tuple[str, ...]
    places: Ordinals


def content_of(
    execute: Execute, relation: str, of: tuple[str, ...] | None = None, most: int | None = None,
    written: Written | None = None,
) -> Content | None:  # fmt: skip
    """The content of a relation now, of all of its columns or of some; None above ``most`` cells.

    ``relation`` is a quoted name, ``written`` what is known of it already. Sums of hashes: duplicates
    count. One scan; 50 million values take about a tenth of a second of one core, a twentieth of what
    writing them takes.
    """
    every = list(written.names) if written else [name for name, _ in columns_of(execute, relation)]
    names = every if of is None else list(of)
    places = written.places if written else None
    hidden = any(name.lower() == "rowid" for name in every)
    if places is None and not hidden and not _is_view(execute, relation):
        places = ordinals(execute, relation)
    count = places.count if places else int(execute(f"SELECT count(*) FROM {relation}")[0][0])
    if not names or (most is not None and count * len(names) > most):
        return None
    ordinal = places.column() if places else None
    each = names if count * len(names) <= CONTENT_CELLS else []
    sums = [f"coalesce(sum(hash({column})::HUGEINT), 0)::VARCHAR" for column in map(quote, each)]
    if ordinal is not None:
        sums.insert(0, "coalesce(bit_xor(hash(hash(__cdme_h, __cdme_o))), 0)::VARCHAR")
    whole = f"SELECT *, hash({', '.join(map(quote, names))}) AS __cdme_h, {ordinal or 0} AS __cdme_o"
    total, *others = execute(
        f"SELECT coalesce(sum(__cdme_h::HUGEINT), 0)::VARCHAR{''.join(f', {one}' for one in sums)}"
        f" FROM ({whole} FROM {relation})"
    )[0]
    ordered = others.pop(0) if ordinal is not None else ""
    return Content(count, total, dict(zip(each, others, strict=True)), {}, tuple(names), ordered)


def _is_view(execute: Execute, relation: str) -> bool:
    """Whether a relation is a view, which has no row ids."""
    parts = ("database_name", "schema_name", "view_name")
    name = " || '.' || ".join(f"""'"' || replace({part}, '"', '""') || '"'""" for part in parts)
    views = execute(f"SELECT count(*) FROM duckdb_views() WHERE lower({name}) = lower({literal(relation)})")
    return bool(views[0][0])


def is_content(
    execute: Execute, relation: str, fingerprint: str | None, most: int | None = None
) -> bool | None:
    """Whether a relation holds what a run left in it, row for row and in that order; None where nothing
    tells. Columns that it was given since are not looked at.

    Where it lost columns since, or the fingerprint is of an earlier version, the order is not compared.
    """
    then = Content.parse(fingerprint)
    if then is None:
        return None
    there = {name for name, _ in columns_of(execute, relation)}
    kept = tuple(name for name in then.names if name in there)
    now = content_of(execute, relation, kept, most) if kept else None
    if now is None:
        return None
    if len(kept) < len(then.names):
        return all(now.columns.get(name, "") == then.columns.get(name) for name in kept)
    if then.ordered and now.ordered and then.ordered != now.ordered:
        return False
    return (then.rows, then.whole) == (now.rows, now.whole)


def remember_content(
    execute: Execute, store: StoreWriter, generation: int, relation: str, written: Written | None = None,
    inputs: Mapping[str, int | None] | None = None,
) -> None:  # fmt: skip
    """Keep the content of a table, in the transaction that wrote it, after all of its hooks.

    ``written`` and ``inputs``, the generations of what it was made of, need not be asked where the run
    made the table anew and nothing has touched it since.
    """
    found = content_of(execute, relation, written=written)
    if found is None:
        return
    if inputs is None:
        inputs = _inputs_of(execute, store, generation)
    held = replace(found, inputs=dict(sorted(inputs.items())))
    store.mark(generation, held.text())


def _inputs_of(execute: Execute, store: StoreWriter, generation: int) -> dict[str, int | None]:
    """The inputs of a generation's edges that this run wrote, with their generations."""
    earlier = (  # edges of runs that wrote other rows of a table changed in place
        f" AND edge NOT IN (SELECT edge FROM {store.schema}.store_steps WHERE step = 0"
        f" AND map <> {rows_map(generation, generation)})"
    )
    inputs = execute(
        f"SELECT input, max(input_generation) FROM {store.schema}.store_edges"
        f" WHERE output_generation = {generation}{earlier} GROUP BY input"
    )
    return {str(row[0]): row[1] for row in inputs}
