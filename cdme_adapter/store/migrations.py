"""How a ``cdme`` schema of an older version becomes one of this version.

A step is the SQL that turns version n - 1 into version n; ``{s}`` stands for the schema, qualified
with its database. All steps that are needed, the tables and views that are new, and the number of the
version are one transaction: a database is of one version or of the other, never between
(docs/decisions/0013-migrations.md).

To raise ``VERSION``: add the step here, change ``schema.py``, and set ``READS`` there to the new
version if ``reader.py`` cannot read the older tables any more. ``tests/store/test_migrations.py``
holds a database of every earlier version and fails where a migrated schema differs from a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cdme_adapter.store.rejects import DROPPED
from cdme_adapter.store.schema import VERSION, create_statements

STEPS: Mapping[int, Sequence[str]] = {
    2: DROPPED,
    3: (),  # one table more
    4: (),  # another
    5: ("ALTER TABLE {s}.store_ledger ADD COLUMN settle_seconds DOUBLE",),
    6: (),  # store_epochs
}
"""SQL by the version that it leads to."""


def migrate(
    schema: str, found: int | None, version: int = VERSION, steps: Mapping[int, Sequence[str]] | None = None
) -> list[str]:
    """The statements, without BEGIN and COMMIT, that make a schema of ``version`` of what is there.

    ``found`` is the version in the database, None where there is no schema. Raises KeyError where a
    version has no step: a fault of this module.
    """
    statements = []
    if found is not None:
        known = STEPS if steps is None else steps
        for number in range(found + 1, version + 1):
            statements += [sql.format(s=schema) for sql in known[number]]
    statements += create_statements(schema)
    statements.append(f"DELETE FROM {schema}.store_meta WHERE name = 'version'")
    statements.append(f"INSERT INTO {schema}.store_meta VALUES ('version', '{version}')")
    return statements
