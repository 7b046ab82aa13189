"""From the facts of one SELECT to the facts of its output: columns, keys, edges."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from sqlglot import exp

from cdme_adapter.validation.dependencies import Attr
from cdme_adapter.validation.predicates import (
    ADDITIVE,
    aggregates,
    attr,
    attrs,
    bare,
    conjuncts,
    constant,
    line_of,
    plain,
    walk,
)
from cdme_adapter.validation.relations import (
    Column,
    Measure,
    Nulls,
    Relation,
    Repeat,
    Shape,
    either,
    minimal,
)
from cdme_adapter.validation.select_facts import SelectFacts

OUT = "\x00out"
_HASHES = (exp.MD5, exp.SHA, exp.SHA2, exp.MD5Digest, exp.Concat, exp.ConcatWs, exp.DPipe)
_WRAPPERS = (exp.Coalesce, exp.Round, exp.Cast, exp.Paren, exp.TryCast, exp.Abs)
_LOSES_NULL = (exp.Count, exp.CountIf, exp.RowNumber, exp.Rank, exp.DenseRank, exp.ApproxDistinct)


def output_of(facts: SelectFacts, name: str) -> Relation:
    """The relation that a SELECT yields."""
    select = facts.select
    projections = list(select.expressions)
    if any(isinstance(bare(p), exp.Star) or _is_table_star(p) for p in projections):
        return Relation(name, opaque=True, edges=_edges(facts))
    columns = tuple(_column(facts, p) for p in projections)
    expands = any(_explodes(p) for p in projections)
    keys, known = ((), False) if expands else _keys(facts, projections)
    found = Relation(name, columns, edges=_edges(facts)).with_keys(keys)
    return replace(found, keys_known=found.keys_known or known)


def _explodes(projection: exp.Expr) -> bool:
    return next(walk(projection, exp.Explode, exp.Unnest), None) is not None


def _is_table_star(projection: exp.Expr) -> bool:
    inner = bare(projection)
    return isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star)


def _column(facts: SelectFacts, projection: exp.Expr) -> Column:
    column = _facts_of(facts, projection)
    return column if column.personal or not _personal(facts, projection) else replace(column, personal=True)


def _personal(facts: SelectFacts, projection: exp.Expr) -> bool:
    """Whether it may hold a personal value: what a subquery finds is not looked into."""
    if any(walk(projection, exp.Query)):
        return True
    named = [_origin(facts, where) for where in attrs(projection)]
    if None in named or any(walk(projection, exp.Columns)):
        return any(c.personal for s in facts.sources.values() for c in s.relation.columns)
    return any(c.personal for c in named if c is not None)


def _facts_of(facts: SelectFacts, projection: exp.Expr) -> Column:
    name = projection.alias_or_name
    inner = bare(projection)
    where = plain(inner)
    through = _through(projection)
    origin = _origin(facts, through)
    if isinstance(inner, exp.Subquery) and not facts.grouped:
        return replace(_looked_up(facts, inner), name=name)
    measure = _measure(facts, inner) or (origin.measure if origin else None)
    repeat = None
    if not facts.grouped and through is not None:
        repeat = _repeat(facts, through)
    if where is None or origin is None:
        nulls = _nulls(facts, inner)
        fixed = isinstance(inner, (exp.Literal, exp.Boolean, exp.Null))
        literal = inner.sql("duckdb") if inner is not None and fixed else None
        return Column(name, None, nulls, measure, repeat, literal=literal, surrogate=_given_out(inner))
    nulls = facts.nulls(where)
    return replace(origin, name=name, nulls=nulls, measure=measure, repeat=repeat)


def _looked_up(facts: SelectFacts, subquery: exp.Subquery) -> Column:
    """A scalar subquery: an aggregate in it is a measure per what ties it to the rows outside.

    It is repeated where these rows are not one per such value; what it is tied by otherwise than by
    equalities of columns is not judged.
    """
    unknown = Column("")
    inner = subquery.unnest()
    if not isinstance(inner, exp.Select) or inner.args.get("group") or len(inner.expressions) != 1:
        return unknown
    value = bare(inner.expressions[0])
    found = aggregates(value) if value is not None else []
    outside = {a for a in _all_attrs(inner) if a[0] in facts.sources}
    tied = {a for part in conjuncts(inner.args.get("where")) for a in _tie(part, facts)}
    if len(found) != 1 or not isinstance(found[0], ADDITIVE) or outside != tied or not facts.certain:
        return unknown
    measure = Measure(aggregate_kind(found[0]), tuple(sorted(name for _, name in tied)))
    if facts.rows <= facts.strict.closure(tied):
        return Column("", measure=measure)
    by = facts.core()
    if not by or not all(s.relation.keys_known for s in by):
        return unknown
    return Column("", measure=measure, repeat=Repeat("a subquery", by[0].alias, line_of(inner), True))


def _all_attrs(query: exp.Expr) -> set[Attr]:
    """Every attribute of a query, of what stands in it too."""
    found = (c for c in walk(query, exp.Column, into=True) if not isinstance(c.this, exp.Star))
    return {(c.text("table").lower(), c.name.lower()) for c in found}


def _tie(part: exp.Expr, facts: SelectFacts) -> set[Attr]:
    """What an equality ties to the rows outside a subquery."""
    if not isinstance(part, (exp.EQ, exp.NullSafeEQ)):
        return set()
    sides = [plain(part.this), plain(part.expression)]
    outside = {a for a in sides if a is not None and a[0] in facts.sources}
    return outside if len(outside) == 1 and None not in sides else set()


def _given_out(inner: exp.Expr | None) -> bool:
    """Whether a value is made to be unique: row_number(), uuid()."""
    return isinstance(inner, exp.Uuid) or (
        isinstance(inner, exp.Window) and isinstance(inner.this, exp.RowNumber)
    )


def _through(projection: exp.Expr) -> Attr | None:
    """The column that is passed through, seen through rounding, casts and COALESCE(x, 0)."""
    inner = bare(projection)
    while isinstance(inner, _WRAPPERS):
        if isinstance(inner, exp.Coalesce) and not all(map(constant, inner.expressions)):
            return None
        inner = bare(inner.this)
    return plain(inner)


def _origin(facts: SelectFacts, where: Attr | None) -> Column | None:
    source = facts.sources.get(where[0]) if where else None
    return source.relation.column(where[1]) if source and where else None


def _repeat(facts: SelectFacts, where: Attr) -> Repeat | None:
    here = None if facts.picks else facts.repeat_of(where[0])
    return here if here is not None else facts.carried(where)


def _measure(facts: SelectFacts, inner: exp.Expr | None) -> Measure | None:
    """The measure that an aggregating projection makes."""
    if inner is None or not facts.grouped:
        return None
    found = facts.aggregates(inner)
    if not found:
        return None
    grain = tuple(a[1] if (a := plain(g)) else g.sql("duckdb")[:40] for g in facts.group)
    if next(walk(inner, exp.Div, exp.IntDiv), None) is not None:
        return Measure("ratio", grain)
    if len(found) > 1 or not isinstance(found[0], ADDITIVE):
        return Measure("other", grain)
    return Measure(aggregate_kind(found[0]), grain)


def aggregate_kind(node: exp.Expr) -> str:
    """``sum``, ``count``, ``avg`` or ``count_distinct``."""
    if isinstance(node, exp.ApproxDistinct):
        return "count_distinct"
    if isinstance(node, exp.Count):
        return "count_distinct" if isinstance(node.this, exp.Distinct) else "count"
    return "avg" if isinstance(node, exp.Avg) else "sum"


def _nulls(facts: SelectFacts, inner: exp.Expr | None) -> Nulls:
    if isinstance(inner, exp.Window):
        inner = bare(inner.this)
    if isinstance(inner, (exp.Cast, exp.Round, exp.Lower, exp.Upper, exp.Trim)) and not isinstance(
        inner, exp.TryCast
    ):
        return _nulls(facts, bare(inner.this))
    if isinstance(inner, _LOSES_NULL):
        return Nulls.NEVER
    if isinstance(inner, (exp.Literal, exp.Boolean)):
        return Nulls.NEVER
    if isinstance(inner, exp.Null):
        return Nulls.SOME
    if isinstance(inner, exp.Column) and (found := plain(inner)):
        return facts.nulls(found)
    if isinstance(inner, exp.Coalesce):
        parts = [inner.this, *inner.expressions]
        some = any(_nulls(facts, bare(p)) is Nulls.NEVER for p in parts)
        return Nulls.NEVER if some else Nulls.UNKNOWN
    if isinstance(inner, (exp.MD5, exp.ConcatWs)):
        return Nulls.NEVER if isinstance(inner, exp.ConcatWs) else _nulls(facts, bare(inner.this))
    if isinstance(inner, (exp.Nullif, exp.TryCast)):
        return Nulls.SOME
    return Nulls.UNKNOWN


def _keys(facts: SelectFacts, projections: list[exp.Expr]) -> tuple[tuple[frozenset[str], ...], bool]:
    """The keys among the output's columns, and whether others may exist."""
    if facts.grouped and not facts.group:
        return (frozenset(),), True
    limit = facts.select.args.get("limit")
    if isinstance(limit, exp.Limit) and limit.expression.sql() == "1":
        return (frozenset(),), True
    names = [p.alias_or_name.lower() for p in projections]
    target, known = _target(facts, projections)
    keys: list[frozenset[str]] = []
    if facts.select.args.get("distinct"):
        keys.append(_distinct_key(facts, projections))
        known = True
    if target is not None:
        _link_outputs(facts, projections)
        whole = [(OUT, n) for n in names]
        if target <= facts.strict.closure(whole):
            keys += _minimal_keys(facts, names, target) + _numbered(projections)
    if known and not keys and _may_tell_apart(facts, projections, target):
        return (), False
    return minimal(keys), known


def _may_tell_apart(
    facts: SelectFacts, projections: list[exp.Expr], target: frozenset[Attr] | None
) -> bool:
    """Whether a value is computed from a whole key: it may tell the rows apart as well as the key did."""
    made = [
        p for p in map(bare, projections) if p is not None and plain(p) is None and not facts.aggregates(p)
    ]
    return target is not None and any(target <= facts.strict.closure(attrs(p)) for p in made)


def _numbered(projections: list[exp.Expr]) -> list[frozenset[str]]:
    """row_number() with its PARTITION BY columns, where the output has them all."""
    names = {plain(p): p.alias_or_name.lower() for p in projections if plain(p)}
    found = []
    for projection in projections:
        window = bare(projection)
        if isinstance(window, exp.Window) and isinstance(window.this, exp.RowNumber):
            partition = [names.get(plain(p)) for p in window.args.get("partition_by") or []]
            if all(partition):
                listed = {n for n in partition if n} | {projection.alias_or_name.lower()}
                found.append(frozenset(listed))
    return found


def _distinct_key(facts: SelectFacts, projections: list[exp.Expr]) -> frozenset[str]:
    on = facts.select.args["distinct"].args.get("on")
    if on is None:
        return frozenset(p.alias_or_name.lower() for p in projections)
    listed = on.expressions if isinstance(on, exp.Tuple) else [on]
    names = {plain(p): p.alias_or_name.lower() for p in projections if plain(p)}
    found = [names.get(plain(e)) for e in listed]
    if all(found):
        return frozenset(n for n in found if n)
    return frozenset(p.alias_or_name.lower() for p in projections)


def _target(facts: SelectFacts, projections: list[exp.Expr]) -> tuple[frozenset[Attr] | None, bool]:
    """What an output key has to determine, and whether all keys of it are known."""
    if not facts.grouped:
        core = facts.core()
        known = all(s.relation.keys_known and not s.relation.expands for s in core)
        return frozenset(s.row for s in core), known and facts.certain
    wanted: set[Attr] = set()
    outputs = {p.alias_or_name.lower(): bare(p) for p in projections}
    for number, group in enumerate(facts.group):
        column = attr(group)
        if column is not None:
            wanted.add(column)
            continue
        token = (OUT, f"group {number}")
        for name, inner in outputs.items():
            if inner == bare(group):
                facts.strict.add([(OUT, name)], [token])
        facts.strict.add(attrs(group), [token])
        wanted.add(token)
    clause = facts.select.args.get("group")
    sets = (exp.Cube, exp.Rollup, exp.GroupingSets)
    if any(isinstance(g, sets) for g in facts.group) or (
        clause is not None and any(clause.args.get(k) for k in ("cube", "rollup", "grouping_sets"))
    ):
        return None, True
    return frozenset(wanted), True


def _link_outputs(facts: SelectFacts, projections: list[exp.Expr]) -> None:
    """Say how the output's columns and the sources' attributes determine each other."""
    for projection in projections:
        out = (OUT, projection.alias_or_name.lower())
        inner = bare(projection)
        where = attr(inner)
        if where is not None:
            facts.strict.equal(out, where)
        elif inner is None or facts.aggregates(inner):
            continue
        elif isinstance(inner, exp.Window):
            _link_window(facts, inner, out)
        else:
            if not any(walk(inner, exp.Query)):
                facts.strict.add(attrs(inner), [out])
            if isinstance(inner, _HASHES) or _anonymous_hash(inner):
                facts.strict.add([out], attrs(inner))


def _anonymous_hash(inner: exp.Expr) -> bool:
    return isinstance(inner, exp.Anonymous) and inner.name.lower() in ("hash", "sha1", "md5_number")


def _link_window(facts: SelectFacts, window: exp.Window, out: Attr) -> None:
    if not isinstance(window.this, exp.RowNumber):
        return
    partition = [attr(p) for p in window.args.get("partition_by") or []]
    if all(partition):
        left = [*(a for a in partition if a), out]
        facts.strict.add(left, facts.rows)


def _minimal_keys(facts: SelectFacts, names: list[str], target: frozenset[Attr]) -> list[frozenset[str]]:
    """Single columns that do, and what is left of all columns when the needless ones go."""
    found = [frozenset({name}) for name in names if target <= facts.strict.closure([(OUT, name)])]
    if target <= facts.strict.closure([]):
        return [frozenset()]
    combos = list(product(*(s.relation.keys or (frozenset(),) for s in facts.core())))[:8]
    by_attr: dict[Attr, str] = {}
    for name in names:
        for equal in facts.strict.closure([(OUT, name)]):
            if (OUT, name) in facts.strict.closure([equal]):
                by_attr.setdefault(equal, name)
    for combo in combos if not facts.grouped else []:
        wanted = [(s.alias, c) for s, key in zip(facts.core(), combo, strict=True) for c in key]
        if all(w in by_attr for w in wanted):
            found.append(frozenset(by_attr[w] for w in wanted))
    reduced = facts.strict.reduce([(OUT, n) for n in names], target)
    found.append(frozenset(name for _, name in reduced))
    return [key for key in found if target <= facts.strict.closure([(OUT, n) for n in key])]


def _edges(facts: SelectFacts) -> dict[str, Shape]:
    edges: dict[str, Shape] = {}
    grouped = facts.grouped or facts.select.args.get("distinct") is not None
    group_attrs = {a for g in facts.group for a in attrs(g)}
    for source in facts.joined:
        inner = source.relation.edges or {}
        repeated = facts.repeats(source.alias)[0]
        many_in: bool | None = False
        many_out = repeated
        if grouped:
            if facts.grouped and not facts.group:
                one, many_out = source.relation.single_row, False
            elif facts.grouped:
                one = source.row in facts.strict.closure(group_attrs)
                determined = group_attrs <= facts.loose.closure([source.row])
                many_out = False if determined else repeated
            else:
                one = False
            many_in = False if one else (True if source.relation.keys_known else None)
        for base, shape in inner.items():
            new = Shape(either(shape.many_in, many_in), either(shape.many_out, many_out))
            if grouped and shape.many_out is not False:
                new = Shape(None, None)  # the grouping may undo what an earlier join repeated
            old = edges.get(base)
            edges[base] = new if old is None else Shape(either(old.many_in, new.many_in), True)
    return edges
