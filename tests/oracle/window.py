"""Window functions: the own record stays direct, the rows they look at become indirect.

Aggregates and first/last/nth_value look at the frame, lag and lead at the offset row, ranks at the
whole partition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from tests.oracle.context import Context
from tests.oracle.evaluate import evaluate, prepare
from tests.oracle.frame import Frame, Partition, frame_of
from tests.oracle.model import Edge, OracleError, Prov, Relation, Row, frozen, others, union
from tests.oracle.order import comparison, sorted_places

RANKS = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile)
OFFSETS = (exp.Lag, exp.Lead)
PLACES = (exp.FirstValue, exp.First, exp.LastValue, exp.Last, exp.NthValue)


@dataclass
class Windowed:
    """The value of a window function for each row, and what it looked at."""

    values: list[Any]
    type: str
    provs: list[Prov]
    edges: frozenset[Edge]


@dataclass(frozen=True)
class Specification:
    """PARTITION BY, ORDER BY and frame, named windows resolved."""

    partition: list[exp.Expr]
    ordered: list[exp.Ordered]
    frame: Frame


def specification(node: exp.Window, named: dict[str, exp.Window]) -> Specification:
    """What a window is, its name or base window looked up."""
    chain = [node]
    alias = node.args.get("alias")
    while alias is not None:
        base = named.get(alias.name.lower())
        if base is None:
            raise OracleError(f"unknown window {alias.name}")
        chain.append(base)
        alias = base.args.get("alias")
    partition: list[exp.Expr] = next(
        (w.args["partition_by"] for w in chain if w.args.get("partition_by")), []
    )
    order = next((w.args["order"] for w in chain if w.args.get("order")), None)
    spec = next((w.args["spec"] for w in chain if w.args.get("spec")), None)
    ordered = list(order.expressions) if order is not None else []
    return Specification(list(partition), ordered, frame_of(spec, bool(ordered)))


def compute(
    context: Context, node: exp.Window, named: dict[str, exp.Window], relation: Relation
) -> Windowed:
    """Evaluate one window function over the relation."""
    spec = specification(node, named)
    edges = others(relation.edges)
    parts = _partitions(context, spec, relation)
    function, filtered, ignore = _unwrap(node.this)
    count = len(relation.rows)
    values: list[Any] = [None] * count
    looked: list[list[int]] = [[] for _ in range(count)]
    if isinstance(function, RANKS):
        for part in parts:
            for place, row in enumerate(part.rows):
                looked[row] = part.rows
                values[row] = _rank(context, function, part, place)
        kind = "DOUBLE" if isinstance(function, exp.PercentRank | exp.CumeDist) else "BIGINT"
    elif isinstance(function, OFFSETS):
        kind = _offsets(context, function, ignore, relation, parts, values, looked)
    else:
        _frames(parts, spec.frame, looked)
        if isinstance(function, PLACES):
            kind = _places(context, function, ignore, relation, looked, values)
        else:
            kind = _aggregated(context, filtered, relation, looked, values)
    provs = [union(relation.rows[i].prov for i in rows).entered() for rows in looked]
    return Windowed(values, kind, provs, edges)


def _unwrap(node: exp.Expr) -> tuple[exp.Expr, exp.Expr, bool]:
    """The bare function, the function with its FILTER, and whether NULLs are ignored."""
    ignore = False
    while isinstance(node, exp.IgnoreNulls | exp.RespectNulls):
        ignore = isinstance(node, exp.IgnoreNulls)
        node = node.this
    filtered = node
    if isinstance(node, exp.Filter):
        node = node.this
    while isinstance(node, exp.IgnoreNulls | exp.RespectNulls):
        ignore = isinstance(node, exp.IgnoreNulls)
        node = node.this
    return node, filtered, ignore


def _partitions(context: Context, spec: Specification, relation: Relation) -> list[Partition]:
    rows = relation.rows
    by = [evaluate(context, e, relation.columns, rows).values for e in spec.partition]
    keys = [evaluate(context, o.this, relation.columns, rows).values for o in spec.ordered]
    groups: dict[Any, list[int]] = {}
    for i in range(len(rows)):
        groups.setdefault(frozen([column[i] for column in by]), []).append(i)
    compare = comparison(spec.ordered)
    result = []
    for members in groups.values():
        own = [[column[i] for column in keys] for i in members]
        places = sorted_places(own, spec.ordered)
        peers: list[int] = []
        for n, place in enumerate(places):
            new = n > 0 and compare(own[places[n - 1]], own[place]) != 0
            peers.append((peers[-1] + new) if peers else 0)
        first = [own[p][0] if own[p] else None for p in places]
        descending = bool(spec.ordered and spec.ordered[0].args.get("desc"))
        result.append(Partition([members[p] for p in places], first, peers, descending))
    return result


def _constant(context: Context, node: exp.Expr | None, default: Any) -> Any:
    if node is None:
        return default
    return evaluate(context, node, [], [Row(())]).values[0]


def _rank(context: Context, function: exp.Expr, part: Partition, place: int) -> Any:
    size, peer = len(part.rows), part.peers[place]
    before = sum(1 for p in part.peers if p < peer)
    if isinstance(function, exp.RowNumber):
        return place + 1
    if isinstance(function, exp.Rank):
        return before + 1
    if isinstance(function, exp.DenseRank):
        return peer + 1
    if isinstance(function, exp.PercentRank):
        return before / (size - 1) if size > 1 else 0.0
    if isinstance(function, exp.CumeDist):
        return sum(1 for p in part.peers if p <= peer) / size
    buckets = int(_constant(context, function.args.get("this") or function.expressions[0], 1))
    small, large = divmod(size, buckets)
    if place < large * (small + 1):
        return place // (small + 1) + 1
    return large + (place - large * (small + 1)) // max(small, 1) + 1


def _offsets(
    context: Context,
    function: exp.Expr,
    ignore: bool,
    relation: Relation,
    parts: list[Partition],
    values: list[Any],
    looked: list[list[int]],
) -> str:
    """LAG and LEAD."""
    found = evaluate(context, function.this, relation.columns, relation.rows)
    default = function.args.get("default")
    steps = int(_constant(context, function.args.get("offset"), 1))
    steps = -steps if isinstance(function, exp.Lag) else steps
    fallback = evaluate(context, default, relation.columns, relation.rows).values if default else None
    for part in parts:
        for place, row in enumerate(part.rows):
            target = place + steps
            if ignore:
                target = _stepped([found.values[r] is None for r in part.rows], place, steps)
            if 0 <= target < len(part.rows):
                looked[row] = [part.rows[target]]
                values[row] = found.values[part.rows[target]]
            elif fallback is not None:
                values[row] = fallback[row]
    return found.type


def _stepped(nulls: list[bool], place: int, steps: int) -> int:
    """The place so many rows with a value further; -1 where there are not so many."""
    direction = 1 if steps > 0 else -1
    left, place = abs(steps), place + direction
    while 0 <= place < len(nulls):
        left -= not nulls[place]
        if not left:
            return place
        place += direction
    return -1


def _frames(parts: list[Partition], frame: Frame, looked: list[list[int]]) -> None:
    for part in parts:
        for place, row in enumerate(part.rows):
            looked[row] = part.frame(place, frame)


def _places(
    context: Context,
    function: exp.Expr,
    ignore: bool,
    relation: Relation,
    looked: list[list[int]],
    values: list[Any],
) -> str:
    """FIRST_VALUE, LAST_VALUE, NTH_VALUE."""
    found = evaluate(context, function.this, relation.columns, relation.rows)
    place = 0
    if isinstance(function, exp.NthValue):
        place = int(_constant(context, function.args.get("offset"), 1)) - 1
    elif isinstance(function, exp.LastValue | exp.Last):
        place = -1
    for row, rows in enumerate(looked):
        offered = [found.values[i] for i in rows if not ignore or found.values[i] is not None]
        if offered and place < len(offered):
            values[row] = offered[place]
    return found.type


def _aggregated(
    context: Context, call: exp.Expr, relation: Relation, looked: list[list[int]], values: list[Any]
) -> str:
    """An aggregate over each frame."""
    ready = prepare(context, call, relation.columns, relation.rows)
    groups = [[ready.tuples[i] for i in rows] for rows in looked]
    scalars = context.session.scalars
    values[:] = scalars.aggregates(ready.sql, ready.inputs, groups)
    return scalars.type_of(ready.sql, ready.inputs)
