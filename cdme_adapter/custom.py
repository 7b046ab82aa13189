"""Custom materializations: the table that they make by ``create_table_as`` is captured like any other,
as long as nothing that they do after it writes the table once more.

What they may do is read off their statements, which all pass the adapter. Whatever is not known to be
harmless makes the model's edges opaque (INTERFACE.md: captured where they go through create_table_as).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import literal

BUILT_IN = frozenset({
    "table", "view", "incremental", "external", "ephemeral", "seed", "snapshot", "materialized_view",
    "test", "unit", "function", "clone",
})  # fmt: skip
"""The materializations of dbt and dbt-duckdb, by name."""

_NAME = r"""(?P<name>(?:"(?:[^"]|"")*"|[\w$]+)(?:\s*\.\s*(?:"(?:[^"]|"")*"|[\w$]+))*)"""
_WRITES = tuple(
    re.compile(start + r"\s+" + _NAME, re.I)
    for start in (
        r"\binsert\s+(?:or\s+\w+\s+)?into", r"\bupdate", r"\bdelete\s+from", r"\bmerge\s+into",
        r"\btruncate(?:\s+table)?", r"\bcopy", r"\bdrop\s+table(?:\s+if\s+exists)?",
        r"\bcreate\s+(?:or\s+replace\s+)?table(?:\s+if\s+not\s+exists)?",
        r"\bcreate\s+(?:or\s+replace\s+)?view(?:\s+if\s+not\s+exists)?",
    )
)  # fmt: skip
_ALTER = re.compile(r"\balter\s+table(?:\s+if\s+exists)?\s+" + _NAME + r"\s+(?P<what>[^;]*)", re.I)
_RENAME = re.compile(r"rename\s+to\s+" + _NAME, re.I)


@dataclass
class Custom:
    """The one table that a custom materialization makes, followed to the name of the model.

    ``table`` is what it is called now, ``final`` the model's name. ``spoiled`` says what happened to it
    that the account does not speak of.
    """

    kind: str
    table: str
    final: str
    spoiled: str = ""

    def see(self, sql: str) -> None:
        """Look at one more text that was executed after the table was made.

        >>> one = Custom("dated", "m__tmp", "m")
        >>> one.see('drop table if exists "d"."s"."m"; alter table "d"."s"."m__tmp" rename to "m"')
        >>> one.table, one.spoiled
        ('m', '')
        >>> one.see("insert into s.m select 1")
        >>> one.spoiled
        'the materialization dated writes the table after create_table_as'
        """
        if any(_last(match) == self.table.lower() for write in _WRITES for match in write.finditer(sql)):
            self.spoil("writes the table after create_table_as")
        for match in _ALTER.finditer(sql):
            if _last(match) == self.table.lower():
                self._altered(match["what"])

    def _altered(self, what: str) -> None:
        renamed = _RENAME.match(what.strip())
        if renamed:
            self.table = _last(renamed)
        else:
            self.spoil("alters the table after create_table_as")

    def spoil(self, what: str) -> None:
        """Note the first thing that happened."""
        self.spoiled = self.spoiled or f"the materialization {self.kind} {what}"

    def judge(self, execute: Execute, database: str, schema: str, rows: int | None) -> str:
        """Why the model's table is not the one that was captured; "" where it is.

        ``rows`` is how many rows it had when it was made.
        """
        if not self.spoiled and self.table.lower() != self.final.lower():
            self.spoil(f"makes {self.table}, and not the model's table, by create_table_as")
        if not self.spoiled and not _is_table(execute, database, schema, self.final):
            self.spoil(f"leaves no table {self.final}")
        if not self.spoiled:
            name = ".".join('"' + part.replace('"', '""') + '"' for part in (database, schema, self.final))
            if execute(f"SELECT count(*) FROM {name}")[0][0] != rows:
                self.spoil("leaves other rows than create_table_as made")
        return self.spoiled


def _last(match: re.Match[str]) -> str:
    """The last part of a name, without its quotes, in lower case.

    >>> _last(re.search(_NAME, 'main."My x"'))
    'my x'
    """
    parts = re.findall(r'"(?:[^"]|"")*"|[\w$]+', match["name"])
    return str(parts[-1]).removeprefix('"').removesuffix('"').replace('""', '"').lower()


def _is_table(execute: Execute, database: str, schema: str, name: str) -> bool:
    tests = (("database_name", database), ("schema_name", schema), ("table_name", name))
    where = " AND ".join(f"lower({column}) = lower({literal(value)})" for column, value in tests)
    return bool(execute(f"SELECT count(*) FROM duckdb_tables() WHERE {where}")[0][0])
