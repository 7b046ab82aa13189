"""One alias of a FROM clause, and what single clauses say about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from cdme_adapter.validation.dependencies import ROW, Attr
from cdme_adapter.validation.predicates import line_of
from cdme_adapter.validation.relations import Relation


@dataclass
class Source:
    """One alias of a FROM clause."""

    alias: str
    relation: Relation
    join: exp.Join | None = None
    padded: bool = False
    """An outer join may fill it with NULLs."""
    ranged: bool = False
    """It is joined by something beside equalities, so its keys do not say all."""
    equal: dict[str, set[str]] = field(default_factory=dict)
    """Its columns that are set equal to something of another source, by that source."""

    @property
    def row(self) -> Attr:
        """The identity of its row."""
        return (self.alias, ROW)

    @property
    def side(self) -> str:
        """``from``, ``inner``, ``left``, ``right``, ``full``, ``cross``, ``semi`` or ``anti``."""
        if self.join is None:
            return "from"
        kind, side = self.join.kind.lower(), self.join.side.lower()
        if kind in ("semi", "anti", "cross"):
            return kind
        return side or "inner"

    def sure(self, beside: str) -> bool:
        """Whether rows of ``beside`` surely meet several of its rows.

        Its keys must be known. Two columns that are set equal while only single columns are known
        as keys look like a natural key that nobody declared; so does a column whose values are all
        different.
        """
        if not self.relation.keys_known or self.ranged:
            return False
        used = self.equal.get(beside) or set().union(*self.equal.values())
        if len(used) > 1 and all(len(key) < 2 and not key <= used for key in self.relation.keys):
            return not self.relation.keys
        rows = self.relation.rows or 0
        columns = [c for name in used if (c := self.relation.column(name)) is not None]
        return not any(rows >= 20 and (c.distinct or 0) >= 0.95 * rows for c in columns)

    @property
    def comma(self) -> bool:
        """Whether it stands after a comma."""
        j = self.join
        return bool(j and not any(j.args.get(k) for k in ("on", "using", "kind", "side", "method")))


def first_of_partition(part: exp.Expr) -> exp.Window | None:
    """The window of ``row_number() OVER (…) = 1`` and of its other spellings."""
    if not isinstance(part, (exp.EQ, exp.LTE, exp.LT)):
        return None
    window, number = part.this, part.expression
    if not (isinstance(window, exp.Window) and isinstance(window.this, exp.RowNumber)):
        return None
    limit = "2" if isinstance(part, exp.LT) else "1"
    return window if isinstance(number, exp.Literal) and number.name == limit else None


def join_line(source: Source) -> int | None:
    """The line of a source's join: the condition's, or the table's."""
    if source.join is None:
        return None
    return line_of(source.join.args.get("on")) or line_of(source.join.this)
