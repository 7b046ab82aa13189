"""Joins: every pair of tuples is tried; what is left over is preserved or filtered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from tests.oracle import asof
from tests.oracle.account import Clause
from tests.oracle.context import Context
from tests.oracle.joinclause import Condition, condition_of, own_tokens, truths
from tests.oracle.model import (
    DIRECT,
    GUARD,
    INDIRECT,
    NOTHING,
    Column,
    OracleError,
    Prov,
    Relation,
    Row,
    through,
    union,
)
from tests.oracle.source import for_row, read, with_ctes


@dataclass(frozen=True)
class Candidate:
    """A pair of tuples by number, and the truth of the condition for it."""

    left: int
    right: int
    row: Row
    truth: bool | None
    asked: Prov = NOTHING
    """What the subqueries of the condition looked at for it."""


@dataclass
class Sides:
    """The two inputs of a join; of a lateral one the right rows of each left row."""

    left: Relation
    right: Relation
    offers: list[list[int]]
    """Per left tuple the numbers of the right tuples it meets."""
    lateral: bool = False
    asked: Prov = NOTHING
    """What the subqueries of the condition looked at, whoever is asked."""


def joined(context: Context, first: exp.Expr, joins: list[exp.Join]) -> Relation:
    """A FROM item and the joins written after it, left to right; a comma binds last."""
    relation = read(context, first)
    groups: list[list[exp.Join]] = [[]]
    for node in joins:
        if is_comma(node):
            groups.append([])
        groups[-1].append(node)
    for node in groups[0]:
        relation = join(context, relation, node)
    for comma, *more in groups[1:]:
        relation = join(context, relation, comma, more)
    return relation


def is_comma(node: exp.Join) -> bool:
    """Whether this "join" was written as a comma."""
    return not any(node.args.get(key) for key in ("kind", "side", "method", "on", "using"))


def join(context: Context, left: Relation, node: exp.Join, more: Sequence[exp.Join] = ()) -> Relation:
    """One join; comma and CROSS are joins without a condition.

    ``more`` are joins written after the right item that belong to it, as after a comma.
    """
    kind = node.kind.upper()
    role = {"SEMI": INDIRECT, "ANTI": GUARD}.get(kind, DIRECT)
    sides = _sides(context, left, node, role, more)
    if node.method == "POSITIONAL":
        return _positional(sides)
    condition = condition_of(node, left, sides.right)
    clause = context.clause(("join", id(node)), _reason_kind(kind, node), condition.sql)
    candidates, edges = _candidates(context, sides, condition)
    if kind in ("SEMI", "ANTI"):
        found = _filtering(context, sides, condition, candidates, clause)
        return replace(found, edges=found.edges | through(edges, role if kind == "ANTI" else DIRECT))
    if node.method == "ASOF":
        candidates = asof.choose(context, condition, sides.left, sides.right, candidates)
    rows = [c.row for c in candidates if c.truth]
    side = node.side.upper()
    ours = _unmatched(context, sides, condition, candidates, clause, preserve=side in ("LEFT", "FULL"))
    theirs = _unmatched_right(
        context, sides, condition, candidates, clause, preserve=side in ("RIGHT", "FULL")
    )
    if sides.lateral and not left.rows:
        _nothing_to_meet(for_row(context, left.columns, _nulls(left)), node.this, sides.right, clause)
    whole = Relation(
        [*left.columns, *sides.right.columns],
        [*rows, *ours, *theirs],
        left.edges | sides.right.edges | edges,
        asked=left.asked | sides.right.asked | sides.asked,
    )
    return _common_columns(context, whole, condition, side, len(left.columns))


def _reason_kind(kind: str, node: exp.Join) -> str:
    if kind in ("SEMI", "ANTI"):
        return f"{kind.lower()}_join"
    return "unnest" if _is_unnest(node) else "join_no_match"


def _is_unnest(node: exp.Join) -> bool:
    item = node.this
    return isinstance(item, exp.Unnest) or (
        isinstance(item, exp.Lateral) and isinstance(item.this, exp.Unnest)
    )


def _sides(context: Context, left: Relation, node: exp.Join, role: str, more: Sequence[exp.Join]) -> Sides:
    """Read the right side, once or once for each left tuple."""
    inside = context if role == DIRECT else replace(context, role=role, recording=False)
    item = node.this
    if node.method == "POSITIONAL" or not isinstance(item, exp.Lateral | exp.Unnest):
        try:
            right = _in_role(joined(inside, item, list(more)), role)
            everything = list(range(len(right.rows)))
            return Sides(left, right, [everything for _ in left.rows])
        except OracleError as error:
            if "unknown column" not in str(error):
                raise
    lent = replace(for_row(inside, left.columns, _nulls(left)), recording=False)
    shape = joined(lent, item, list(more))
    rows: list[Row] = []
    offers = []
    for row in left.rows:
        found = joined(for_row(inside, left.columns, row), item, list(more)).rows
        offers.append(list(range(len(rows), len(rows) + len(found))))
        rows.extend(found)
    return Sides(left, _in_role(replace(shape, rows=rows), role), offers, lateral=True)


def _nulls(relation: Relation) -> Row:
    return Row(tuple(None for _ in relation.columns))


def _in_role(relation: Relation, role: str) -> Relation:
    return replace(relation, edges=through(relation.edges, role))


def _candidates(
    context: Context, sides: Sides, condition: Condition
) -> tuple[list[Candidate], frozenset[tuple[str, str]]]:
    numbers = [(i, j) for i, offer in enumerate(sides.offers) for j in offer]
    pairs = [
        Row(
            sides.left.rows[i].values + sides.right.rows[j].values,
            sides.left.rows[i].prov | sides.right.rows[j].prov,
        )
        for i, j in numbers
    ]
    columns = sides.left.columns, sides.right.columns
    judged, edges, provs = truths(context, condition, *columns, pairs)
    # A preserved row that met nobody owes that to the condition as well; an edge may say so.
    nulls = Row(tuple(None for part in columns for _ in part))
    sides.asked = truths(context, condition, *columns, [nulls])[2][0].optional()
    pairs = [Row(row.values, row.prov | prov) for row, prov in zip(pairs, provs, strict=True)]
    found = [
        Candidate(i, j, row, t, prov)
        for (i, j), row, t, prov in zip(numbers, pairs, judged, provs, strict=True)
    ]
    return found, edges


def _token(truth: bool | None) -> str:
    return "candidate:null" if truth is None else f"candidate:{str(truth).lower()}"


def _unmatched(
    context: Context,
    sides: Sides,
    condition: Condition,
    candidates: list[Candidate],
    clause: Clause,
    preserve: bool,
) -> list[Row]:
    """The left tuples without a partner: padded, or failed at the join."""
    matched = {c.left for c in candidates if c.truth}
    alone = [i for i in range(len(sides.left.rows)) if i not in matched]
    rows = [sides.left.rows[i] for i in alone]
    if preserve:
        padding = tuple(None for _ in sides.right.columns)
        asked = sides.asked | sides.right.asked
        return [Row(row.values + padding, row.prov | asked) for row in rows]
    own = own_tokens(context, condition, sides.left.columns, sides.right.columns, rows)
    for i, row, tokens in zip(alone, rows, own, strict=True):
        seen = {_token(c.truth) for c in candidates if c.left == i}
        context.fail(clause, row.prov, tokens | (seen or {"candidate:none"}))
    return []


def _unmatched_right(
    context: Context,
    sides: Sides,
    condition: Condition,
    candidates: list[Candidate],
    clause: Clause,
    preserve: bool,
) -> list[Row]:
    """The right tuples without a partner: padded, or failed at the join."""
    matched = {c.right for c in candidates if c.truth}
    alone = [j for j in range(len(sides.right.rows)) if j not in matched]
    rows = [sides.right.rows[j] for j in alone]
    if preserve:
        padding = tuple(None for _ in sides.left.columns)
        asked = sides.asked | sides.left.asked
        return [Row(padding + row.values, row.prov | asked) for row in rows]
    own = own_tokens(context, condition, sides.right.columns, sides.left.columns, rows)
    for j, row, tokens in zip(alone, rows, own, strict=True):
        seen = {_token(c.truth) for c in candidates if c.right == j}
        context.fail(clause, row.prov, tokens | (seen or {"candidate:none"}))
    return []


def _nothing_to_meet(context: Context, item: exp.Expr, right: Relation, clause: Clause) -> None:
    """A lateral item that no left tuple asked: what its FROM let through met nobody."""
    query = item.this.unnest() if isinstance(item.this, exp.Expr) else item
    if isinstance(query, exp.Select) and (source := query.args.get("from_")) is not None:
        rows = joined(with_ctes(context, query), source.this, query.args.get("joins") or []).rows
    else:
        tables = [context.session.table(name) for name, role in right.edges if role == DIRECT]
        rows = [row for table in tables for row in (table.rows if table else [])]
    for row in rows:
        context.fail(clause, row.prov, ["candidate:none"])


def _filtering(
    context: Context, sides: Sides, condition: Condition, candidates: list[Candidate], clause: Clause
) -> Relation:
    """SEMI and ANTI JOIN: the left side alone goes on."""
    anti = clause.kind == "anti_join"
    own = own_tokens(context, condition, sides.left.columns, sides.right.columns, sides.left.rows)
    rows = []
    for i, row in enumerate(sides.left.rows):
        mine = [c for c in candidates if c.left == i]
        partners = [sides.right.rows[c.right].prov for c in mine if c.truth]
        if bool(partners) == anti:
            seen = {_token(c.truth) for c in mine} or {"candidate:none"}
            context.fail(clause, row.prov, {"false"} if anti else own[i] | seen)
        else:
            asked = union(c.asked for c in mine if c.truth)
            rows.append(Row(row.values, row.prov | union(partners).entered() | asked))
    return Relation(sides.left.columns, rows, sides.left.edges | sides.right.edges)


def _positional(sides: Sides) -> Relation:
    """POSITIONAL JOIN: the n-th with the n-th, the shorter side padded."""
    left, right = sides.left, sides.right
    rows = []
    for i in range(max(len(left.rows), len(right.rows))):
        ours = left.rows[i] if i < len(left.rows) else Row(tuple(None for _ in left.columns))
        theirs = right.rows[i] if i < len(right.rows) else Row(tuple(None for _ in right.columns))
        rows.append(Row(ours.values + theirs.values, ours.prov | theirs.prov))
    return Relation([*left.columns, *right.columns], rows, left.edges | right.edges)


def _common_columns(
    context: Context, whole: Relation, condition: Condition, side: str, width: int
) -> Relation:
    """The columns of USING appear once: left, right or the first that is not NULL."""
    if not condition.common:
        return whole
    columns = list(whole.columns)
    rows = whole.rows
    order: list[tuple[int, int | None]] = []
    added: list[Column] = []
    values: list[list[object]] = [[] for _ in rows]
    for slot in range(len(columns)):
        pair = next(((a, width + b) for a, b in condition.common if a == slot), None)
        if pair is not None and side in ("RIGHT", "FULL"):
            order.append((-1, len(added)))
            added.append(replace(columns[slot], table=None, merged=False))
            for value, row in zip(values, rows, strict=True):
                ours, theirs = row.values[pair[0]], row.values[pair[1]]
                value.append(theirs if ours is None else ours)
        order.append((slot, None))
    hidden = {width + b for _, b in condition.common}
    if side in ("RIGHT", "FULL"):
        hidden |= {a for a, _ in condition.common}
    shown = [replace(c, merged=c.merged or i in hidden) for i, c in enumerate(columns)]
    return Relation(
        [added[n] if n is not None else shown[slot] for slot, n in order],
        [
            Row(tuple(v[n] if n is not None else row.values[slot] for slot, n in order), row.prov)
            for v, row in zip(values, rows, strict=True)
        ],
        whole.edges,
        asked=whole.asked,
    )
