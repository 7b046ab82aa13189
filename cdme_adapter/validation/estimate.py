"""How many rows a SELECT is expected to give, from counts and distinct values (REQ-F-AIA-003).

Textbook estimates: a join on equal columns keeps one in max(distinct) pairs, a constant one in
distinct rows; other filters are not credited, so that a budget errs on the safe side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from cdme_adapter.validation.analysis import Analysis
from cdme_adapter.validation.catalog import Catalog
from cdme_adapter.validation.predicates import attr, conjuncts, constant
from cdme_adapter.validation.relations import Relation
from cdme_adapter.validation.select_facts import SelectFacts
from cdme_adapter.validation.source import Source, first_of_partition


def with_rows(facts: SelectFacts, output: Relation) -> Relation:
    """The output with its expected number of rows."""
    rows = _rows(facts)
    return replace(output, rows=None if rows is None else round(rows))


def _rows(facts: SelectFacts) -> float | None:
    rows: float | None = 1.0
    for source in facts.joined:
        count = 1.0 if source.relation.single_row else source.relation.rows
        if count is None or rows is None:
            rows = None
            break
        rows = _joined(facts, source, rows, float(count))
    rows = _filtered(facts, rows)
    return _picked(facts, rows)


def _joined(facts: SelectFacts, source: Source, rows: float, count: float) -> float:
    if source.join is None:
        return rows * count
    result = rows * count
    for one, other in equal_columns(facts, source):
        found = [d for d in (_distinct(facts, one), _distinct(facts, other)) if d]
        result /= max(found) if found else max(min(rows, count), 1)
    if facts.repeats(source.alias)[0] is False and source.join is not None:
        result = min(result, max(rows, count))
    if source.side in ("left", "full"):
        result = max(result, rows)
    if source.side in ("right", "full"):
        result = max(result, count)
    return result


def equal_columns(facts: SelectFacts, source: Source) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """The pairs of columns that a join, or WHERE for a comma, sets equal: the source's last."""
    parts = list(conjuncts(source.join.args.get("on") if source.join else None))
    if source.comma or source.side == "cross":
        parts += list(conjuncts(facts.select.args.get("where")))
    pairs = []
    for part in parts:
        if not isinstance(part, exp.EQ):
            continue
        one, other = attr(part.this), attr(part.expression)
        if one and other and one[0] != other[0] and source.alias in (one[0], other[0]):
            pairs.append((other, one) if one[0] == source.alias else (one, other))
    return pairs


def _distinct(facts: SelectFacts, where: tuple[str, str]) -> int | None:
    source = facts.sources.get(where[0])
    column = source.relation.column(where[1]) if source else None
    if source and frozenset({where[1]}) in source.relation.keys and source.relation.rows:
        return source.relation.rows
    return column.distinct if column else None


def _filtered(facts: SelectFacts, rows: float | None) -> float | None:
    for part in conjuncts(facts.select.args.get("where")):
        if rows is None or not isinstance(part, exp.EQ):
            continue
        where = attr(part.this) if constant(part.expression) else None
        distinct = _distinct(facts, where) if where else None
        if distinct:
            rows /= distinct
    return rows


def _picked(facts: SelectFacts, rows: float | None) -> float | None:
    select = facts.select
    if facts.grouped:
        rows = 1.0 if not facts.group else _groups(facts, facts.group, rows)
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
        distinct = _distinct(facts, where) if where else None
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


def heaviest_join(analysis: Analysis, catalog: Catalog, personal: Callable[[str, list[str]], bool]) -> str:
    """The commonest value of a joined key that is no key of its table, named (REQ-F-TRV-006).

    ``personal`` says whether columns of a relation are marked ``pii``: their value is not shown.
    """
    worst = ("", 1)
    for facts in analysis.selects:
        for source in facts.joined:
            if source.join is None or source.relation.name not in analysis.reads:
                continue
            columns = sorted({mine[1] for _, mine in equal_columns(facts, source)})
            if not columns or any(k <= set(columns) for k in source.relation.keys):
                continue
            found = catalog.heaviest(source.relation.name, columns)
            if found and found[1] > worst[1]:
                name = source.relation.name.split(".", 1)[1]
                value = "one value" if personal(source.relation.name, columns) else found[0]
                text = f"{name} has {found[1]:,} rows where ({', '.join(columns)}) is {value}"
                worst = (text, found[1])
    return worst[0]
