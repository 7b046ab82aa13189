"""UNION [ALL] [BY NAME], INTERSECT [ALL], EXCEPT [ALL]."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from tests.oracle.context import Context, entering
from tests.oracle.distinct import distinct, grouped
from tests.oracle.model import (
    DIRECT,
    GUARD,
    INDIRECT,
    Column,
    OracleError,
    Prov,
    Relation,
    Row,
    frozen,
    union,
)


def combined(context: Context, node: exp.SetOperation) -> Relation:
    """The two branches of a set operation, brought together."""
    role = DIRECT
    if isinstance(node, exp.Except):
        role = GUARD
    elif isinstance(node, exp.Intersect):
        role = INDIRECT
    inside = context if role == DIRECT else replace(context, role=role, recording=False)
    left, right = context.run(node.this), entering(inside.run(node.expression), role)
    left, right = _aligned(context, left, right, bool(node.args.get("by_name")))
    edges = left.edges | right.edges
    every = not node.args.get("distinct")
    if isinstance(node, exp.Union):
        together = Relation(left.columns, [*left.rows, *right.rows], edges)
        return together if every else distinct(together)
    kind = "except" if isinstance(node, exp.Except) else "intersect"
    clause = context.clause((kind, id(node)), kind, "")
    partners = {key: [right.rows[i] for i in g] for key, g in grouped(right.rows).items()}
    rows = []
    for key, places in grouped(left.rows).items():
        members = [left.rows[i] for i in places]
        matching = partners.get(frozen(key), [])
        kept, lost = _kept(kind, every, members, matching)
        rows.extend(kept)
        for row in lost:
            context.fail(clause, row.prov, ["excluded"])
    return Relation(left.columns, rows, edges)


def _kept(kind: str, every: bool, members: list[Row], matching: list[Row]) -> tuple[list[Row], list[Row]]:
    """Of one group of equal left tuples: the result tuples, and the left ones that are lost."""
    if kind == "except":
        if every:
            count = max(len(members) - len(matching), 0)
            return members[:count], members[count:]
        return ([], members) if matching else ([_whole(members, Prov())], [])
    if not every:
        beyond = union(row.prov for row in matching).entered()
        return ([_whole(members, beyond)], []) if matching else ([], members)
    count = min(len(members), len(matching))
    around = union(row.prov for row in matching).optional()
    kept = [
        Row(ours.values, ours.prov | theirs.prov.optional() | around)
        for ours, theirs in zip(members[:count], matching[:count], strict=True)
    ]
    return kept, members[count:]


def _whole(members: list[Row], beyond: Prov) -> Row:
    return Row(members[0].values, union(row.prov for row in members) | beyond)


def _aligned(context: Context, left: Relation, right: Relation, by_name: bool) -> tuple[Relation, Relation]:
    """Both branches with the same columns, values cast to the common types."""
    if by_name:
        names = [c.name.lower() for c in left.columns]
        more = [c for c in right.columns if c.name.lower() not in names]
        left_map: list[int | None] = [*range(len(names)), *(None for _ in more)]
        there = [c.name.lower() for c in right.columns]
        wanted = [*names, *(c.name.lower() for c in more)]
        right_map = [there.index(n) if n in there else None for n in wanted]
        columns = [*left.columns, *more]
    else:
        if len(left.columns) != len(right.columns):
            raise OracleError("set operation over different numbers of columns")
        left_map = right_map = list(range(len(left.columns)))
        columns = left.columns
    shaped = []
    for n, column in enumerate(columns):
        sources = [(r, m[n]) for r, m in ((left, left_map), (right, right_map))]
        kinds = [r.columns[slot].type for r, slot in sources if slot is not None]
        kind = kinds[0]
        for other in kinds[1:]:
            kind = context.session.scalars.common_type(kind, other)
        shaped.append(Column(column.name, None, kind))
    return _cast(context, left, left_map, shaped), _cast(context, right, right_map, shaped)


def _cast(context: Context, relation: Relation, slots: list[int | None], columns: list[Column]) -> Relation:
    values = []
    for slot, column in zip(slots, columns, strict=True):
        if slot is None:
            values.append([None] * len(relation.rows))
            continue
        kind = relation.columns[slot].type
        raw = [row.values[slot] for row in relation.rows]
        if kind != column.type:
            ones = [(value,) for value in raw]
            raw = context.session.scalars.values(f"CAST(x AS {column.type})", [("x", kind)], ones)
        values.append(raw)
    rows = [Row(tuple(column[i] for column in values), row.prov) for i, row in enumerate(relation.rows)]
    return Relation(columns, rows, relation.edges)
