"""What of an error may be told to a collector: never a row's value."""

from __future__ import annotations

import re

_OF_THE_SQL = re.compile(
    r"\b(Compilation|Parser|Binder|Catalog|Dependency|Permission|Not implemented|IO|Parsing) Error\b", re.I
)
# What dbt itself says of a template; what a macro raises may hold what it read from a table.
_OF_THE_TEMPLATE = re.compile(
    r"' is undefined|depends on a (node|source|macro|model)|enforced contract|was not found|is disabled"
    r"|unexpected |expected token|Unknown tag|cannot be found"
)
_KIND = re.compile(r"\b([A-Z][A-Za-z ]+ (?:Error|Exception))\b")
WITHHELD = "the message is withheld, for it may hold a row's value; run_results.json has it"


def public_message(message: str) -> str:
    """A message without what may be data.

    Errors about the SQL's text and CDME's own (``[CODE] …``, which name counts and row ids) are told
    whole. Of any other only the kind: DuckDB's conversion and constraint errors quote values, and what
    a macro, ``error()`` or a python model raises may hold any.

    >>> public_message("Conversion Error: Could not convert string 'secret' to INT32")
    "Conversion Error: the message is withheld, for it may hold a row's value; run_results.json has it"
    """
    text = message.strip()
    own = re.search(r"\[[A-Z_]{4,}\] [\s\S]*", text)
    if own and "Error:" not in own.group() and not _kinds(text[: own.start()]):
        return own.group()
    kinds = _kinds(text)
    of_a_macro = "Compilation Error" in kinds and not _OF_THE_TEMPLATE.search(text)
    if _OF_THE_SQL.search(text) and all(_OF_THE_SQL.fullmatch(kind) for kind in kinds) and not of_a_macro:
        return text
    kind = next((one for one in kinds if not _OF_THE_SQL.fullmatch(one)), kinds[0] if kinds else "Error")
    return f"{kind}: {WITHHELD}"


def _kinds(text: str) -> list[str]:
    """The kinds of errors that a message names, but for dbt's own words around them."""
    return [kind for kind in _KIND.findall(text) if kind not in ("Runtime Error", "Database Error")]
