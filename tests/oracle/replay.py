"""The upper adjoint by brute force: run the query on the witnesses of one output record alone.

This checks the oracle by something that knows nothing of its rules. Tables that are read once are
cut down to the witnesses; guards, and tables that are read several times, are left whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import duckdb

from tests.oracle.interpreter import Explained, rounded
from tests.oracle.model import GUARD, NESTED_GUARD, Row

SHIFTING = ("lag(", "lead(", " following", "exclude", "positional")
"""What counts rows, from the current one or from the first: on fewer rows it counts others. So does a
window by which a LIMIT orders."""


def replayable(sql: str) -> bool:
    """Whether removing rows that are no witnesses cannot move what the query looks at."""
    text = sql.lower()
    return not any(word in text for word in SHIFTING) and not ("limit" in text and " over " in text)


def unreplayed(
    statements: Sequence[str], sql: str, explained: Explained
) -> Iterator[tuple[Row, list[tuple[object, ...]]]]:
    """The output records that do not come out again, with what came out instead."""
    whole = {relation for relation, role in explained.edges if role in (GUARD, NESTED_GUARD)}
    cut = [r for r, count in explained.occurrences.items() if count == 1 and r not in whole]
    connection = duckdb.connect(config={"threads": 1})
    for statement in statements:
        connection.execute(statement)
    for relation in cut:
        connection.execute(f"CREATE TABLE whole_{relation} AS FROM {relation}")
    for row in explained.rows:
        witnesses = row.prov.direct | row.prov.indirect | row.prov.may
        for relation in cut:
            kept = [str(i) for r, i in witnesses if r == relation]
            connection.execute(f"DELETE FROM {relation}")
            connection.execute(
                f"INSERT INTO {relation} SELECT * FROM whole_{relation}"
                f" WHERE rowid IN ({', '.join(kept) or 'NULL'}) ORDER BY rowid"
            )
        found = connection.execute(sql).fetchall()
        if rounded(row.values) not in {rounded(values) for values in found}:
            yield row, found
