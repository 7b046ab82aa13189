"""The stored losses as FROM items, whatever their form.

Where neighbours share their fate a chunk of 4,096 ordinals is one bit string; where they do not,
each ordinal is a row. Both forms may hold parts of the same edge. Plain SQL, so that views, tests
and other connections can use it; nothing here runs a query.
"""

from __future__ import annotations

SHIFT = 12
CHUNK = 1 << SHIFT
SPARSE = 64
"""Chunks with fewer losses than this are stored as rows."""

_PLACES = f"range({CHUNK}) AS cdme_k(k)"
POSITIONS = f"[cdme_x for cdme_x in range({CHUNK}) if get_bit(bits, cdme_x::INTEGER) = 1]"


def chunked(rows: str, kind: str) -> str:
    """A SELECT of (kind, chunk, bits) over a FROM item of (i, kind): the ordinals of one kind that lie in
    one chunk."""
    return (
        f"SELECT {kind}, {chunk_of('i')} AS chunk, "
        f"bitstring_agg({place_of('i')}, 0, {CHUNK - 1}) AS bits FROM {rows} GROUP BY ALL"
    )


def opened(chunks: str) -> str:
    """A FROM item of (i, clause, verdict) over one of (clause, verdict, chunk, n, bits)."""
    places = f"SELECT clause, verdict, chunk, unnest({POSITIONS}) AS place FROM {chunks}"
    return f"(SELECT chunk * {CHUNK}::BIGINT + place AS i, clause, verdict FROM ({places}))"


def chunk_of(row: str) -> str:
    """The number of the chunk that an ordinal lies in."""
    return f"(({row}) >> {SHIFT})::INTEGER"


def place_of(row: str) -> str:
    """Where in its chunk an ordinal lies."""
    return f"(({row}) & {CHUNK - 1})::INTEGER"


def losses(schema: str, edge: int | None = None, only: str | None = None) -> str:
    """Filtered records: (edge, i, reason, verdict), of one edge and of the ``ord`` in ``only``."""
    where = "" if edge is None else f" WHERE edge = {edge}"
    also = " WHERE" if edge is None else f" WHERE b.edge = {edge} AND"
    if only is None:
        expanded = (
            f"SELECT b.edge, b.chunk * {CHUNK}::BIGINT + cdme_k.k AS i, b.reason, b.verdict FROM "
            f"{schema}.store_filtered_bits b, {_PLACES}{also} get_bit(b.bits, cdme_k.k::INTEGER) = 1"
        )
        return f"(SELECT edge, i, reason, verdict FROM {schema}.store_filtered{where} UNION ALL {expanded})"
    kept = f"{schema}.store_filtered SEMI JOIN {only} s ON s.ord = i"
    rows = f"SELECT edge, i, reason, verdict FROM {kept}{where}"
    probed = (
        f"SELECT b.edge, s.ord AS i, b.reason, b.verdict FROM (SELECT DISTINCT ord FROM {only}) s JOIN "
        f"{schema}.store_filtered_bits b ON b.chunk = {chunk_of('s.ord')}{also} "
        f"get_bit(b.bits, {place_of('s.ord')}) = 1"
    )
    return f"({rows} UNION ALL {probed})"
