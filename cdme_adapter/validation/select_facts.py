"""One SELECT: its sources, how they are joined, what determines what, and which rows repeat.

Two readings of the joins are kept. ``strict`` holds for every row, also those that an outer join
pads with NULLs: keys are proven with it. ``loose`` takes equated columns for equal in padded rows
too: whether a join repeats a source's rows is judged with it, because padding repeats nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from sqlglot import exp

from cdme_adapter.validation.dependencies import Attr, Dependencies
from cdme_adapter.validation.predicates import (
    aggregates,
    attr,
    attrs,
    bare,
    conjuncts,
    constant,
    rejects_null,
)
from cdme_adapter.validation.relations import Nulls, Relation, Repeat
from cdme_adapter.validation.source import Source, first_of_partition, join_line
from cdme_adapter.validation.weights import Met


@dataclass
class SelectFacts:
    """What is known of one SELECT before its output is looked at."""

    select: exp.Select
    sources: dict[str, Source]
    strict: Dependencies = field(default_factory=Dependencies)
    loose: Dependencies = field(default_factory=Dependencies)
    joined_rows: Dependencies = field(default_factory=Dependencies)
    """As ``strict``, before QUALIFY has picked among the rows."""
    not_null: set[Attr] = field(default_factory=set)
    output: Relation = field(default_factory=lambda: Relation("", opaque=True))
    name: str = ""
    _repeats: dict[tuple[str, frozenset[Attr]], tuple[bool | None, Source | None]] = field(
        default_factory=dict
    )
    _aggregates: dict[int, list[exp.Expr]] = field(default_factory=dict)
    met: list[Met] = field(default_factory=list)
    """Its joins of keys whose distributions are known."""
    certain: bool = True
    """Whether every source's columns are known."""

    @property
    def joined(self) -> list[Source]:
        """The sources whose rows make the rows of this SELECT."""
        return [s for s in self.sources.values() if s.side not in ("semi", "anti")]

    @property
    def rows(self) -> frozenset[Attr]:
        """What identifies a row of the join."""
        return frozenset(s.row for s in self.joined)

    @cached_property
    def group(self) -> list[exp.Expr]:
        """The GROUP BY expressions; those of GROUP BY ALL are what is selected and aggregates nothing."""
        group = self.select.args.get("group")
        if group is None or not group.args.get("all"):
            return list(group.expressions) if group else []
        listed = (bare(p) for p in self.select.expressions if not self.aggregates(p))
        return [p for p in listed if p is not None]

    @cached_property
    def grouped(self) -> bool:
        """Whether this SELECT makes groups, one for everything included."""
        if self.select.args.get("group"):
            return True
        parts = [*self.select.expressions, self.select.args.get("having")]
        return any(p is not None and self.aggregates(p) for p in parts)

    def aggregates(self, part: exp.Expr) -> list[exp.Expr]:
        """The aggregates of a part of this SELECT, looked for once: many rules ask."""
        found = self._aggregates.get(id(part))
        if found is None:
            found = self._aggregates[id(part)] = aggregates(part)
        return found

    def core(self) -> list[Source]:
        """The sources whose rows, together, are the grain of the join."""
        kept = self.strict.reduce([s.row for s in self.joined], self.rows)
        return [s for s in self.joined if s.row in kept]

    def grain(self) -> list[Source]:
        """As :meth:`core`, but a row that an outer join pads does not count as a grain."""
        kept = self.loose.reduce([s.row for s in self.joined], self.rows)
        return [s for s in self.joined if s.row in kept]

    def repeats(
        self, alias: str, within: frozenset[Attr] = frozenset()
    ) -> tuple[bool | None, Source | None]:
        """Whether the join repeats the rows of ``alias``, and which source does it.

        ``within``: among rows that agree on these attributes, such as those of one group.
        """
        source = self.sources.get(alias)
        if source is None:
            return None, None
        cached = self._repeats.get((alias, within))
        if cached is None:
            cached = self._repeats[alias, within] = self._judge_repeats(source, within)
        return cached

    def carried(self, where: Attr) -> Repeat | None:
        """The repetition that a column brings along from below, unless this SELECT picks one row.

        ``row_number() … = 1``, here or over a number made below, takes one of the copies.
        """
        source = self.sources.get(where[0])
        column = source.relation.column(where[1]) if source else None
        if source is None or column is None or column.repeat is None:
            return None
        fixed = {name for alias, name in self.strict.closure([]) if alias == source.alias}
        picked = any(key & fixed for key in source.relation.keys)
        return None if picked or self.picks else column.repeat

    @cached_property
    def picks(self) -> bool:
        """Whether QUALIFY or DISTINCT ON keeps one row of several."""
        parts = conjuncts(self.select.args.get("qualify"))
        distinct = self.select.args.get("distinct")
        return any(first_of_partition(p) is not None for p in parts) or (
            distinct is not None and distinct.args.get("on") is not None
        )

    def repeat_of(self, alias: str, within: frozenset[Attr] = frozenset()) -> Repeat | None:
        """How the join repeats the rows of ``alias``; None where it does not or nobody knows."""
        repeated, by = self.repeats(alias, within)
        if not repeated or by is None:
            return None
        order = list(self.sources)
        line = join_line(by) or join_line(self.sources[alias])
        mine = self.sources[alias]
        whole = any(key <= mine.equal.get(by.alias, set()) for key in mine.relation.keys)
        return Repeat(alias, by.alias, line, order.index(alias) > order.index(by.alias), whole)

    def _judge_repeats(self, source: Source, within: frozenset[Attr]) -> tuple[bool | None, Source | None]:
        known = self.loose.closure([source.row, *within])
        others = [s for s in self.joined if s.row not in known]
        sure = [s for s in others if s.sure(source.alias)]
        if not others:
            return False, None
        return (True, sure[0]) if sure else (None, others[0])

    def nulls(self, wanted: Attr) -> Nulls:
        """Whether this attribute may be NULL among the rows that pass WHERE."""
        if wanted in self.not_null:
            return Nulls.NEVER
        source = self.sources.get(wanted[0])
        if source is None:
            return Nulls.UNKNOWN
        if source.padded:
            return Nulls.SOME
        column = source.relation.column(wanted[1])
        return column.nulls if column else Nulls.UNKNOWN


def read_select(select: exp.Select, relations: dict[str, Relation]) -> SelectFacts:
    """The facts of a SELECT whose sources, by alias, are these."""
    facts = SelectFacts(select, _sources(select, relations))
    facts.certain = not any(s.relation.opaque for s in facts.sources.values())
    for source in facts.sources.values():
        for key in source.relation.keys:
            _both(facts, [(source.alias, c) for c in key], [source.row])
        _both(facts, [source.row], [(source.alias, c.name.lower()) for c in source.relation.columns])
    for source in facts.sources.values():
        if source.join is not None:
            _read_join(facts, source)
    _read_filters(facts)
    return facts


def _sources(select: exp.Select, relations: dict[str, Relation]) -> dict[str, Source]:
    found: dict[str, Source] = {}
    start = select.args.get("from_")
    if start is not None:
        alias = start.this.alias_or_name.lower()
        found[alias] = Source(alias, relations.get(alias, Relation(alias, opaque=True)))
        for lateral in start.this.args.get("joins") or []:
            _join_source(found, lateral, relations)
    for join in select.args.get("joins") or []:
        _join_source(found, join, relations)
    for lateral in select.args.get("laterals") or []:
        alias = lateral.alias_or_name.lower()
        found[alias] = Source(alias, relations.get(alias, Relation(alias, expands=True)))
    return found


def _join_source(found: dict[str, Source], join: exp.Join, relations: dict[str, Relation]) -> None:
    alias = join.this.alias_or_name.lower()
    source = Source(alias, relations.get(alias, Relation(alias, opaque=True)), join)
    if source.side in ("left", "full"):
        source.padded = True
    if source.side in ("right", "full"):
        for earlier in found.values():
            earlier.padded = True
    found[alias] = source


def _both(facts: SelectFacts, left: list[Attr], right: list[Attr]) -> None:
    facts.strict.add(left, right)
    facts.loose.add(left, right)


def _read_join(facts: SelectFacts, source: Source) -> None:
    join = source.join
    assert join is not None
    aliases = list(facts.sources)
    earlier = aliases[: aliases.index(source.alias)]
    method = str(join.args.get("method") or "").upper()
    parts = list(conjuncts(join.args.get("on")))
    if method in ("ASOF", "POSITIONAL"):
        _both(facts, [facts.sources[a].row for a in earlier], [source.row])
        return
    if method == "NATURAL":
        source.ranged = True
        return
    inner = source.side in ("inner", "cross")
    right_equal: dict[str, set[Attr]] = {}
    left_equal: dict[str, dict[str, set[Attr]]] = {}
    for part in parts:
        pair = _equality(part, source.alias)
        if pair is None:
            if any(a == source.alias for a, _ in attrs(part)):
                source.ranged = True
            continue
        column, others, other = pair
        for alias, name in others:
            if column is not None:
                source.equal.setdefault(alias, set()).add(column)
            if other is not None and alias in facts.sources:
                facts.sources[alias].equal.setdefault(source.alias, set()).add(name)
        if column is not None:
            right_equal.setdefault(column, set()).update(others)
            facts.loose.add(others, [(source.alias, column)])
            if inner:
                facts.strict.add(others, [(source.alias, column)])
        if other is not None:
            right = attrs(part) - others
            facts.loose.add(right, [other])
            if inner:
                facts.strict.add(right, [other])
            left_equal.setdefault(other[0], {}).setdefault(other[1], set()).update(right)
    if inner:
        for part in parts:
            facts.not_null |= rejects_null(part)
        return
    if source.side in ("left", "full") and _covered(source.relation, set(right_equal)):
        facts.strict.add(set().union(*right_equal.values()), [source.row])
    if source.side in ("right", "full"):
        for alias, equal in left_equal.items():
            if _covered(facts.sources[alias].relation, set(equal)):
                facts.strict.add(set().union(*equal.values()), [facts.sources[alias].row])


def _covered(relation: Relation, columns: set[str]) -> bool:
    return any(key <= columns for key in relation.keys)


def _equality(part: exp.Expr, alias: str) -> tuple[str | None, set[Attr], Attr | None] | None:
    """An equality's column of ``alias``, the other side's attributes, and its plain column.

    Either column is None where the side is an expression; the whole where it is no equality.
    """
    if not isinstance(part, (exp.EQ, exp.NullSafeEQ)):
        return None
    for one, other in ((part.this, part.expression), (part.expression, part.this)):
        mine, theirs = attrs(one), attrs(other)
        if any(a == alias for a, _ in theirs) or not mine or any(a != alias for a, _ in mine):
            continue
        column = attr(one)
        return (column[1] if column else None), theirs, attr(other)
    return None


def _read_filters(facts: SelectFacts) -> None:
    for part in conjuncts(facts.select.args.get("where")):
        facts.not_null |= rejects_null(part)
        if not isinstance(part, (exp.EQ, exp.NullSafeEQ)):
            continue
        left, right = attr(part.this), attr(part.expression)
        if left and right:
            facts.strict.equal(left, right)
            facts.loose.equal(left, right)
            for one, other in ((left, right), (right, left)):
                if one[0] != other[0] and one[0] in facts.sources:
                    facts.sources[one[0]].equal.setdefault(other[0], set()).add(one[1])
        elif left and constant(part.expression):
            _both(facts, [], [left])
        elif right and constant(part.this):
            _both(facts, [], [right])
    facts.joined_rows = facts.strict.copy()
    for part in conjuncts(facts.select.args.get("qualify")):
        over = first_of_partition(part)
        if over is not None:
            listed = [attr(p) for p in over.args.get("partition_by") or []]
            if all(listed):
                _both(facts, [a for a in listed if a], list(facts.rows))
