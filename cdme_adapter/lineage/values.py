"""How a stored value becomes JSON: dates ISO, decimals as DuckDB prints them, nothing lost."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from cdme_adapter.store.reader import quote

MASK = "***"

_NATIVE = frozenset(
    {
        "BOOLEAN",
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "HUGEINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
        "UHUGEINT",
        "FLOAT",
        "DOUBLE",
        "VARCHAR",
        "JSON",
    }
)


@dataclass(frozen=True)
class Column:
    """A column of a stored relation."""

    name: str
    type: str

    @property
    def nested(self) -> bool:
        """Whether values are lists, structs, maps or unions."""
        return self.type.endswith("]") or self.type.startswith(("STRUCT", "MAP", "UNION"))

    @property
    def floating(self) -> bool:
        """Whether values are binary floating point."""
        return self.type in ("FLOAT", "DOUBLE")

    def sql(self, alias: str) -> str:
        """An expression that gives a value which :func:`plain` turns into JSON.

        >>> Column("at", "TIMESTAMP").sql("r")
        'replace(CAST(r."at" AS VARCHAR), \\' \\', \\'T\\')'
        """
        name = f"{alias}.{quote(self.name)}"
        if self.type in _NATIVE:
            return name
        if self.nested:
            return f"CAST(to_json({name}) AS VARCHAR)"
        if self.type.startswith("TIMESTAMP"):
            return f"replace(CAST({name} AS VARCHAR), ' ', 'T')"
        return f"CAST({name} AS VARCHAR)"

    def plain(self, value: Any) -> Any:
        """The value of :meth:`sql` as JSON has it; NaN and infinities as words.

        >>> Column("x", "DOUBLE").plain(float("inf"))
        'Infinity'
        """
        if isinstance(value, float) and not math.isfinite(value):
            return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
        if self.nested and isinstance(value, str):
            try:
                return json.loads(value, parse_constant=str)
            except ValueError:
                return value
        return value


def parse_key(text: str | None, ordinal: int, masked: frozenset[str] = frozenset()) -> Any:
    """A record's key: the stored JSON object, else its ordinal.

    >>> parse_key('{"id": 7}', 3), parse_key(None, 3)
    ({'id': 7}, {'rowid': 3})
    """
    if text is None:
        return {"rowid": ordinal}
    try:
        key = json.loads(text)
    except ValueError:
        return {"key": text}
    if not isinstance(key, dict):
        return {"key": key}
    return {k: MASK if k.lower() in masked and v is not None else v for k, v in key.items()}
