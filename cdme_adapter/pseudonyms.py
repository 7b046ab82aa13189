"""What stands for a personal value in everything that CDME stores: a keyed hash, or nothing.

The key lies outside the database: in the environment variable ``CDME_PII_KEY``, else in the file
``cdme_pii.key`` beside profiles.yml. Equal values have equal hashes, so that records of one person can
be told to be so; without the key nobody can try values against them. Where there is no key the value is
left out.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cdme_adapter.engines.rows import literal, quote

VARIABLE = "CDME_PII_KEY"
FILE = "cdme_pii.key"
LEFT_OUT = "***"
_SESSION = "cdme_pii_key"
_ERROR = re.compile(
    r"\b(Binder|Catalog|Parser|IO|TransactionContext|Permission|Interrupt|Settings|Out of Memory|[A-Z]\w+"
    r"(?: (?:Input|Type|Range|of Range|by Zero|implemented))?) Error:(?! in )"
)
_NO_VALUES = {
    "Binder", "Catalog", "Parser", "IO", "TransactionContext", "Permission", "Interrupt", "Settings",
    "Compilation", "Database", "Runtime", "Out of Memory",
}  # fmt: skip
"""The engine's and dbt's classes of errors that no row causes: they speak of names, SQL and files."""
_CSV_LINE = re.compile(r"\s*CSV Error on Line: (\d+)\s*$", re.M)
_CAST = re.compile(r"when casting from source column (\w+)\s*(?=\n\nLINE|\Z)")
_SQL = re.compile(r"(?<=\n\n)LINE \d+: [^\n]*\n *\^+\s*\Z")


@dataclass(frozen=True)
class Pseudonyms:
    """The personal columns of a project and the key that hides them.

    ``columns`` gives the personal columns of a node, in lower case.
    """

    columns: Callable[[str], Iterable[str]] = lambda node: ()
    secret: str | None = None
    active: bool = False
    """Whether the project declares any personal column."""

    @property
    def keyed(self) -> bool:
        """Whether there is a key: else personal values are left out."""
        return self.secret is not None

    def hidden(self, node: str) -> Mapping[str, str]:
        """By personal column of a node: the SQL of what is stored for its value."""
        return {column: self.sql(column) for column in self.columns(node)}

    def sql(self, column: str) -> str:
        """What is stored for the value of a column; NULL stays NULL."""
        return self.of_value(quote(column))

    def of_value(self, value: str) -> str:
        """The same for the SQL of a value."""
        if not self.keyed:
            return f"CASE WHEN {value} IS NOT NULL THEN {literal(LEFT_OUT)} END"
        secret = f"getvariable({literal(_SESSION)})"
        return f"'pii:' || left(sha256({secret} || sha256({secret} || {value}::VARCHAR)), 32)"

    def redacted(self, message: str) -> str:
        """An engine's message without the values that it quotes: these may be anybody's.

        Of an error that rows caused nothing is kept but its class, the column and the SQL that it points
        to; a value may hold anything, so what is kept is what is known to be none.

        >>> hide = Pseudonyms(active=True).redacted
        >>> hide("Conversion Error: Could not convert string 'ann@x.org' to INT32")
        'Conversion Error: ***'
        >>> hide("Binder Error: Table t has no column 'nmae'")
        "Binder Error: Table t has no column '***'"
        """
        if not self.active:
            return message
        found = _ERROR.search(message)
        if found is None or found.group(1) in _NO_VALUES:
            return re.sub(r"'[^']*'", f"'{LEFT_OUT}'", message)
        rest = message[found.end() :]
        line, column, sql = _CSV_LINE.match(rest), _CAST.search(rest), _SQL.search(rest)
        kept = [
            f" CSV Error on Line: {line.group(1)}" if line else "",
            f" when casting from source column {column.group(1)}" if column else "",
            f"\n\n{sql.group(0)}" if sql else "",
        ]
        return f"{message[: found.end()]} {LEFT_OUT}{''.join(kept)}"

    def session(self) -> str:
        """The statement that gives a connection the key: never part of a query, nor of its log."""
        secret = hashlib.sha256((self.secret or "").encode()).hexdigest()
        return f"SET VARIABLE {_SESSION} = {literal(secret)}"


def read_secret(profiles_dir: Path | None) -> str | None:
    """The key, where one was given."""
    given = os.environ.get(VARIABLE)
    if given:
        return given
    file = profiles_dir / FILE if profiles_dir is not None else None
    if file is not None and file.is_file():
        return file.read_text(encoding="utf-8").strip() or None
    return None
