"""How many rows a SELECT is expected to give, from counts and the distributions of keys (REQ-F-AIA-003).

Joins are counted by :mod:`joining`; a filter to one constant keeps the share of its value; other
filters are not credited, so that a budget errs on the safe side.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from cdme_adapter.validation.analysis import Analysis
from cdme_adapter.validation.catalog import Catalog
from cdme_adapter.validation.joining import Joining, base_of, distinct_of, pins, stored, text_of, using
from cdme_adapter.validation.predicates import attr, conjuncts
from cdme_adapter.validation.relations import Column, Relation
from cdme_adapter.validation.select_facts import SelectFacts
from cdme_adapter.validation.source import Source, first_of_partition

_CASTS = (exp.Cast, exp.TryCast)
_NEARLY = 1.1
"""A join that gives no more rows than this times a table's keeps the table's distributions."""


def with_rows(facts: SelectFacts, output: Relation, catalog: Catalog) -> Relation:
    """The output with its expected number of rows, and the stored table whose rows they are."""
    joining = Joining(facts, catalog)
    known = _join_all(facts, joining)
    joined = joining.rows if known else None
    rows = _picked(facts, _filtered(facts, joining, joined))
    base = _base(facts, joined, catalog)
    columns = tuple(_stored(base, column, p) for column, p in _pairs(facts, output))
    return replace(
        output,
        columns=columns if len(columns) == len(output.columns) else output.columns,
        rows=None if rows is None else round(rows),
        base=base_of(base.relation) if base is not None else None,
    )


def _join_all(facts: SelectFacts, joining: Joining) -> bool:
    """Whether the rows of all sources are known."""
    for source in facts.joined:
        count = 1 if source.relation.single_row else source.relation.rows
        if count is None:
            return False
        joining.add(source, float(count))
    return True


def _filtered(facts: SelectFacts, joining: Joining, rows: float | None) -> float | None:
    for term, expression, value in pins(facts):
        if rows is not None and term[0] in facts.sources:
            rows *= joining.share(term, expression, text_of(value))
    return rows


def _base(facts: SelectFacts, rows: float | None, catalog: Catalog) -> Source | None:
    """The source of which each row is one row here, or nearly so."""
    picked = facts.grouped or facts.picks or facts.select.args.get("distinct") is not None
    if rows is None or picked:
        return None
    found = [s for s in facts.joined if base_of(s.relation) in catalog.relations and not s.padded]
    most = max(found, key=lambda s: s.relation.rows or 0, default=None)
    return most if most is not None and rows <= _NEARLY * (most.relation.rows or 0) else None


def _pairs(facts: SelectFacts, output: Relation) -> list[tuple[Column, exp.Expr]]:
    return list(zip(output.columns, facts.select.expressions, strict=False))


def _stored(base: Source | None, column: Column, projection: exp.Expr) -> Column:
    """A column with what it is of the base's rows: a column of them, or a cast of one."""
    inner = using(projection)
    below = using(inner.this) if isinstance(inner, _CASTS) else inner
    text = None
    if base is not None and isinstance(below, exp.Column) and below.text("table").lower() == base.alias:
        text = stored(base.relation, inner)
    return column if column.stored == text else replace(column, stored=text)


def _picked(facts: SelectFacts, rows: float | None) -> float | None:
    select = facts.select
    if facts.grouped:
        rows = _groups(facts, facts.group, rows) if facts.group else 1.0
    elif select.args.get("distinct") is not None:
        rows = _groups(facts, list(select.expressions), rows)
    for part in conjuncts(select.args.get("qualify")):
        window = first_of_partition(part)
        if window is not None:
            rows = _groups(facts, window.args.get("partition_by") or [], rows)
    limit = select.args.get("limit")
    if isinstance(limit, exp.Limit) and limit.expression.sql().isdigit():
        most = float(limit.expression.sql())
        rows = most if rows is None else min(rows, most)
    return rows


def _groups(facts: SelectFacts, listed: list[exp.Expr], rows: float | None) -> float | None:
    result = 1.0
    for expression in listed:
        where = attr(expression)
        distinct = distinct_of(facts, where) if where else None
        if distinct is None:
            return rows
        result *= distinct
    return result if rows is None else min(rows, result)


def join_depth(analysis: Analysis) -> int:
    """The most joins that lie on top of each other, CTEs and subqueries followed."""
    depth: dict[int, int] = {}
    for facts in analysis.selects:
        below = max((depth.get(id(s.relation), 0) for s in facts.sources.values()), default=0)
        depth[id(facts.output)] = below + max(len(facts.sources) - 1, 0)
        for found in analysis.sets:
            depth[id(found.output)] = max((depth.get(id(b), 0) for b in found.branches), default=0)
    return max(depth.values(), default=0)
