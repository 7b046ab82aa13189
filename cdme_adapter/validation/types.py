"""Types of expressions, asked of DuckDB, and CDME's own rule of which types go together.

DuckDB joins an INT to a DATE by casting and unifies what it can; CDME wants both sides of a
comparison, and all branches of one value, to be of one *family* (REQ-F-AIA-001, REQ-F-TYP-004).
"""

from __future__ import annotations

import re
from dataclasses import replace

from sqlglot import exp

from cdme_adapter.validation.binding import Scratch, quote
from cdme_adapter.validation.dependencies import Attr
from cdme_adapter.validation.predicates import attrs, bare, plain, walk
from cdme_adapter.validation.relations import Relation
from cdme_adapter.validation.select_facts import SelectFacts

_FAMILIES: tuple[tuple[str, str], ...] = (
    (r".*\[\d*\]$", "list"),
    (r"(STRUCT|ROW)\b.*", "struct"),
    (r"MAP\b.*", "map"),
    (r"UNION\b.*", "union"),
    (r"(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BIGNUM|FLOAT|DOUBLE|DECIMAL.*|REAL)$", "numeric"),
    (r"(VARCHAR|JSON|ENUM.*|CHAR.*|TEXT)$", "text"),
    (r"(DATE|TIMESTAMP.*)$", "date"),
    (r"TIME\b.*", "time"),
    (r"INTERVAL$", "interval"),
    (r"BOOLEAN$", "boolean"),
    (r"UUID$", "uuid"),
    (r"BLOB$", "blob"),
)


def family(data_type: str | None) -> str | None:
    """The family of a DuckDB type, None where it has none that is judged.

    >>> family("DECIMAL(18,2)"), family("TIMESTAMP WITH TIME ZONE"), family("INTEGER[]")
    ('numeric', 'date', 'list')
    """
    if data_type is None:
        return None
    text = data_type.upper()
    return next((name for pattern, name in _FAMILIES if re.match(pattern, text)), None)


class Typer:
    """Types of expressions inside a SELECT."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch

    def of(self, facts: SelectFacts, expression: exp.Expr | None) -> str | None:
        """The DuckDB type, or None where it is not known; NULL has none."""
        inner = bare(expression)
        if inner is None or isinstance(inner, exp.Null):
            return None
        where = plain(inner)
        if where is not None:
            source = facts.sources.get(where[0])
            column = source.relation.column(where[1]) if source else None
            return column.type if column and column.literal != "NULL" else None
        if next(walk(inner, exp.Query), None) is not None:
            return None
        stubs = self._stubs(facts, attrs(inner))
        return None if stubs is None else self.scratch.type_of(inner.sql("duckdb"), stubs)

    def _stubs(self, facts: SelectFacts, used: set[Attr]) -> str | None:
        wanted: dict[str, list[str]] = {}
        for alias, name in sorted(used):
            source = facts.sources.get(alias)
            column = source.relation.column(name) if source else None
            if column is None or column.type is None:
                return None
            wanted.setdefault(alias, []).append(f"CAST(NULL AS {column.type}) AS {quote(column.name)}")
        return ", ".join(f"(SELECT {', '.join(c)}) AS {quote(a)}" for a, c in wanted.items())

    def fill(self, facts: SelectFacts, output: Relation) -> Relation:
        """The output with the types of what it computes."""
        if output.opaque:
            return output
        pairs = list(zip(output.columns, facts.select.expressions, strict=False))
        together = self._together(facts, [p for c, p in pairs if c.type is None])
        columns = [
            c if c.type is not None else replace(c, type=together.get(id(p)) or self.of(facts, p))
            for c, p in pairs
        ]
        return replace(output, columns=tuple(columns))

    def _together(self, facts: SelectFacts, projections: list[exp.Expr]) -> dict[int, str | None]:
        """The types of what a SELECT computes in one question; nothing where that fails."""
        asked = [p for p in projections if next(walk(p, exp.Query, exp.Null), None) is None]
        used = {a for p in asked for a in attrs(p)}
        stubs = self._stubs(facts, used) if len(asked) > 1 else None
        if not stubs:
            return {}
        listed = ", ".join(p.unalias().sql("duckdb") for p in asked)
        tail = " GROUP BY ALL" if facts.grouped else ""
        found = self.scratch.types_of(f"SELECT {listed} FROM {stubs}{tail}")
        if found is None or len(found) != len(asked):
            return {}
        return {id(p): kind for p, kind in zip(asked, found, strict=True)}

    def fits(self, literal: exp.Expr, data_type: str) -> bool:
        """Whether a string literal is a value of that type."""
        text = literal.sql("duckdb")
        return self.scratch.holds(f"TRY_CAST({text} AS {data_type}) IS NOT NULL")


def clash(typer: Typer, facts: SelectFacts, one: exp.Expr, other: exp.Expr) -> str | None:
    """Why two expressions do not go together as one type, or None."""
    one_in, other_in = bare(one), bare(other)
    if one_in is None or other_in is None:
        return None
    for literal, beside in ((one_in, other_in), (other_in, one_in)):
        if isinstance(literal, exp.Literal) and literal.is_string:
            data_type = typer.of(facts, beside)
            if data_type is None or family(data_type) in (None, "text"):
                return None
            if isinstance(beside, exp.Literal) or typer.fits(literal, data_type):
                return (
                    None
                    if not isinstance(beside, exp.Literal)
                    else (f"{literal.sql('duckdb')} is text and {beside.sql('duckdb')} is {data_type}")
                )
            return f"{literal.sql('duckdb')} is not a {data_type}"
    left, right = typer.of(facts, one_in), typer.of(facts, other_in)
    if apart(left, right):
        return f"{short(one_in)} is {left} and {short(other_in)} is {right}"
    return None


def apart(one: str | None, other: str | None) -> bool:
    """Whether two types are of different families; not known is not apart."""
    left, right = family(one), family(other)
    return left is not None and right is not None and left != right


def short(expression: exp.Expr) -> str:
    """An expression as a message names it."""
    text = expression.sql("duckdb")
    return text if len(text) <= 60 else text[:57] + "…"
