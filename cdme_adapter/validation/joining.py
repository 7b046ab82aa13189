"""How many rows the joins of one SELECT give: from the distributions of the keys, or from their sizes.

Sources that are joined on the same key meet value by value: the sum over the values of the product of
their rows. What is joined on another key is taken to be independent of it. A key of which no
distribution is known is taken to be even; one that is a key of its source multiplies nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp

from cdme_adapter.validation.catalog import Catalog
from cdme_adapter.validation.predicates import attr, attrs, bare, conjuncts, constant, plain, walk
from cdme_adapter.validation.relations import Relation
from cdme_adapter.validation.select_facts import SelectFacts
from cdme_adapter.validation.source import Source
from cdme_adapter.validation.weights import Met, Weights, even

Term = tuple[str, str]
"""An alias and an expression over its columns, as SQL."""
_WIDE = (exp.Query, exp.AggFunc, exp.Window)
_UNASKED = (*_WIDE, exp.Anonymous, exp.Rand, exp.Uuid, exp.NextValueFor, exp.Star)
"""What is not asked of the warehouse: it may differ from call to call, or do something."""


class Joining:
    """The rows of the sources that were joined so far."""

    def __init__(self, facts: SelectFacts, catalog: Catalog) -> None:
        self.facts, self.catalog = facts, catalog
        self.rows = 1.0
        self.credited: set[Term] = set()
        """Terms of which a filter to one value is in ``rows``."""
        self._done: dict[str, Source] = {}
        self._same: list[dict[Term, exp.Expr]] = []
        self._pinned = {t: text_of(value) for t, _, value in pins(facts)}

    def add(self, source: Source, count: float) -> None:
        """Join one more source of so many rows."""
        equal = [] if source.join is None else list(self._equalities(source))
        if not equal:
            result = self.rows * count
        else:
            met = self._meet(source, count, equal)
            result = self._by_size(count, equal) if met is None else met
        if equal and self.facts.repeats(source.alias)[0] is False:
            result = min(result, max(self.rows, count))
        if source.side in ("left", "full"):
            result = max(result, self.rows)
        if source.side in ("right", "full"):
            result = max(result, count)
        self.rows = result
        self._done[source.alias] = source

    def _equalities(self, source: Source) -> Iterator[tuple[Term, Term]]:
        """The pairs that the join, or WHERE for a comma, sets equal: the source's second."""
        parts = list(conjuncts(source.join.args.get("on") if source.join else None))
        if source.comma or source.side == "cross":
            parts += list(conjuncts(self.facts.select.args.get("where")))
        for part in parts:
            if not isinstance(part, (exp.EQ, exp.NullSafeEQ)):
                continue
            one, other = (using(side) for side in (part.this, part.expression))
            for mine, theirs in ((one, other), (other, one)):
                if _alias(mine) == source.alias and _alias(theirs) in self._done:
                    yield self._link(theirs, mine)
                    break

    def _link(self, theirs: exp.Expr, mine: exp.Expr) -> tuple[Term, Term]:
        """Note that two terms are equal from here on."""
        pair = (term(theirs), term(mine))
        together = {pair[0]: theirs, pair[1]: mine}
        apart = []
        for known in self._same:
            if known.keys() & together.keys():
                together |= known
            else:
                apart.append(known)
        self._same = [*apart, together]
        return pair

    def _by_size(self, count: float, equal: Sequence[tuple[Term, Term]]) -> float:
        """The textbook's estimate: of all pairs of rows, one in max(values) on either side.

        A side has no more values of several columns than it has rows: columns that say the same are
        not taken for independent.
        """
        least, result = max(min(self.rows, count), 1.0), self.rows * count
        left, right = 1.0, 1.0
        for theirs, mine in equal:
            one, other = self._distinct(theirs), self._distinct(mine)
            left *= one or other or least
            right *= other or one or least
        return result / max(min(left, self.rows), min(right, count), 1.0) if equal else result

    def _distinct(self, one: Term) -> int | None:
        where = attr(self._expression(one))
        return distinct_of(self.facts, where) if where else None

    def _expression(self, one: Term) -> exp.Expr | None:
        return next((known[one] for known in self._same if one in known), None)

    def _meet(self, source: Source, count: float, equal: Sequence[tuple[Term, Term]]) -> float | None:
        """By the distributions of the keys; None where there is nothing in them to be learnt."""
        named = [left[0] for left, _ in equal]
        beside = max(named, key=named.count)
        chosen = {mine: left for left, mine in equal if left[0] == beside}
        key, rest = tuple(chosen), [pair for pair in equal if pair[1] not in chosen]
        if _unique(source, [self._expression(one) for one in key]):
            return None
        members = self._members(tuple(chosen.values()))
        told = [self._weights(s, terms) for s, terms in members]
        right = self._weights(source, key)
        if not members or (right is None and not any(told)):
            return None
        left = _product([
            w or even(float(s.relation.rows or 1), self._values(terms, s))
            for w, (s, terms) in zip(told, members, strict=True)
        ]).scaled(self.rows)  # fmt: skip
        mine = right if right is not None else even(count, self._values(key, source))
        for position, one in enumerate(key):
            for pinned in self._class(one).keys() & self._pinned.keys():
                left, mine = (w.only(position, self._pinned[pinned]) for w in (left, mine))
                self.credited.add(pinned)
        both = left.meet(mine)
        result = both.rows
        if source.side in ("left", "full"):
            result += max(left.rows - left.met(mine), 0)
        if source.side in ("right", "full"):
            result += max(mine.rows - mine.met(left), 0)
        self._note(source, members[0][0], key, (told[0] or left, mine, both))
        scale = self._by_size(count, rest) / (self.rows * count) if self.rows * count else 1.0
        return result * scale

    def _members(self, key: Sequence[Term]) -> list[tuple[Source, tuple[Term, ...]]]:
        """The sources so far that are tied together by this key and have several rows of a value."""
        found = []
        for source in self._done.values():
            terms = [next((t for t in self._class(one) if t[0] == source.alias), None) for one in key]
            if None in terms:
                continue
            listed = tuple(t for t in terms if t is not None)
            if not _unique(source, [self._expression(one) for one in listed]):
                found.append((source, listed))
        return found

    def _class(self, one: Term) -> dict[Term, exp.Expr]:
        return next((known for known in self._same if one in known), {})

    def share(self, one: Term, expression: exp.Expr, constant: str | None) -> float:
        """What a filter of a term to a constant keeps, once for all terms that are equal.

        Of sources that meet on it the product tells; a key that is looked up tells nothing of its readers.
        """
        together = {one: expression} | self._class(one)
        if self.credited & together.keys():
            return 1.0
        self.credited |= together.keys()
        told: list[Weights] = []
        even_shares, single = [], 1.0
        for term_, part in together.items():
            source = self.facts.sources.get(term_[0])
            if source is None:
                continue
            if _unique(source, [part]):
                single = min(single, 1 / max(source.relation.rows or 1, 1))
                continue
            known = distribution(self.catalog, source.relation, [part])
            where = attr(part)
            distinct = distinct_of(self.facts, where) if where else None
            if known is not None and known.rows:
                told.append(known)
            elif distinct:
                even_shares.append(1 / distinct)
        if told and (both := _product(told)).rows:
            return both.only(0, constant).rows / both.rows
        return max(even_shares, default=single)

    def _weights(self, source: Source, key: Sequence[Term]) -> Weights | None:
        parts = [part for one in key if (part := self._expression(one)) is not None]
        if len(parts) != len(key) or source.relation.rows is None:
            return None
        found = distribution(self.catalog, source.relation, parts)
        return found.scaled(float(source.relation.rows)) if found is not None else None

    def _values(self, key: Sequence[Term], source: Source) -> float:
        """About how many values a key has of which no distribution is known."""
        rows, values = float(source.relation.rows or 1), 1.0
        for one in key:
            values *= float(self._distinct(one) or rows)
        return min(values, rows)

    def _note(
        self, source: Source, first: Source, key: Sequence[Term], weights: tuple[Weights, Weights, Weights]
    ) -> None:
        parts = [part for one in key if (part := self._expression(one)) is not None]
        read = [(s, c) for s in (source, first) for one in key for c in _columns(self._class(one), s)]
        names = tuple(p.name.lower() if isinstance(p, exp.Column) else p.sql("duckdb") for p in parts)
        personal = any(c.personal for s, name in read if (c := s.relation.column(name)) is not None)
        self.facts.met.append(Met(source.alias, first.alias, names, *weights, personal))


def _columns(terms: dict[Term, exp.Expr], source: Source) -> set[str]:
    return {name for t, part in terms.items() if t[0] == source.alias for _, name in attrs(part)}


def _product(weights: Sequence[Weights]) -> Weights:
    found = weights[0]
    for other in weights[1:]:
        found = found.meet(other)
    return found


def _unique(source: Source, key: Sequence[exp.Expr | None]) -> bool:
    """Whether no two rows of a source agree on this."""
    names = {where[1] for part in key if (where := plain(part)) is not None}
    return any(one <= names for one in source.relation.keys)


def using(expression: exp.Expr) -> exp.Expr:
    """The first of the columns that USING makes one of."""
    inner = bare(expression) or expression
    if isinstance(inner, exp.Coalesce):
        columns: list[exp.Expr] = [inner.this, *inner.expressions]
        if all(isinstance(c, exp.Column) for c in columns) and len({c.name.lower() for c in columns}) == 1:
            return columns[0]
    return inner


def term(expression: exp.Expr) -> Term:
    """An expression over one alias, named."""
    return _alias(expression) or "", expression.sql("duckdb").lower()


def _alias(expression: exp.Expr) -> str | None:
    """The one alias whose columns an expression is made of."""
    if next(walk(expression, *_WIDE), None) is not None:
        return None
    found = {alias for alias, _ in attrs(expression)}
    return found.pop() if len(found) == 1 else None


def pins(facts: SelectFacts) -> Iterator[tuple[Term, exp.Expr, exp.Expr]]:
    """What WHERE sets equal to a constant: the term, its expression, the constant."""
    for part in conjuncts(facts.select.args.get("where")):
        if isinstance(part, exp.EQ):
            for one, other in ((part.this, part.expression), (part.expression, part.this)):
                inner = bare(one)
                if inner is not None and _alias(inner) is not None and constant(other):
                    yield term(inner), inner, other


def text_of(value: exp.Expr) -> str | None:
    """A constant as Python prints the value that a query returns; None where that is not plain."""
    inner = bare(value)
    if isinstance(inner, exp.Cast):
        inner = bare(inner.this)
    if isinstance(inner, exp.Boolean):
        return str(bool(inner.this))
    if isinstance(inner, exp.Neg) and isinstance(inner.this, exp.Literal):
        return f"-{inner.this.name}"
    return inner.name if isinstance(inner, exp.Literal) else None


def base_of(relation: Relation) -> str:
    """The stored table by whose rows a relation's are known."""
    return relation.base or relation.name


def distribution(catalog: Catalog, relation: Relation, key: Sequence[exp.Expr]) -> Weights | None:
    """How often each value of a key occurs: in the table whose rows a relation's are, else in its own."""
    for table in dict.fromkeys((base_of(relation), relation.name)):
        sql = [stored(relation, part, own=table == relation.name) for part in key]
        listed = [text for text in sql if text is not None]
        found = catalog.weights(table, listed) if len(listed) == len(sql) else None
        if found is not None:
            return found
    return None


def stored(relation: Relation, expression: exp.Expr, *, own: bool = False) -> str | None:
    """An expression over a relation's columns as SQL over those of its base, or of its own table."""
    if next(walk(expression, *_UNASKED), None) is not None:
        return None
    if isinstance(expression, exp.Column):
        return _stored_column(relation, expression.name, own)
    copy = exp.Paren(this=expression.copy())
    for column in list(walk(copy, exp.Column)):
        text = _stored_column(relation, column.name, own)
        if text is None:
            return None
        column.replace(exp.Var(this=text))
    return str(copy.this.sql("duckdb"))


def _stored_column(relation: Relation, name: str, own: bool) -> str | None:
    found = relation.column(name)
    if found is None:
        return None
    return found.stored if relation.base and not own else _quoted(found.name)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def distinct_of(facts: SelectFacts, where: tuple[str, str]) -> int | None:
    """About how many values a column has."""
    source = facts.sources.get(where[0])
    column = source.relation.column(where[1]) if source else None
    if source and frozenset({where[1]}) in source.relation.keys and source.relation.rows:
        return source.relation.rows
    return column.distinct if column else None
