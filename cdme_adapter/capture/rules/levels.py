"""The conjuncts over comma-joined relations as a tree of equalities, where they are one.

How far a record gets through them is then found without a join (``settle_levels.py``). A conjunct
that is no equality, or closes a cycle, makes one group of the relations between those that it speaks
of, joined by the equalities before it; records that stop before the first such conjunct are found on
the tree of the conjuncts before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from cdme_adapter.capture.plan import LevelCheck, LevelGroup, LevelKey, LevelTree, Port, RelationInfo
from cdme_adapter.capture.rules.subquery import may_try, nested_queries
from cdme_adapter.capture.scope import FromGroup, Visible, sides
from cdme_adapter.capture.sqltext import text


@dataclass(frozen=True)
class _Edge:
    """An equality of a column of group ``left`` and one of group ``right``."""

    place: int
    left: int
    right: int
    mine: str
    theirs: str

    def key(self, left: bool) -> LevelKey:
        return LevelKey(self.place, *((self.mine, self.theirs) if left else (self.theirs, self.mine)))

    @property
    def sql(self) -> str:
        return f"({self.mine}) = ({self.theirs})"


@dataclass(frozen=True)
class _Part:
    """Any other conjunct, over one group or several."""

    place: int
    members: frozenset[int]
    sql: str
    plain: bool


@dataclass
class _Conjuncts:
    """The conjuncts of WHERE: the edges of a forest, the rest, and those that break the forest."""

    edges: list[_Edge] = field(default_factory=list)
    own: list[_Part] = field(default_factory=list)
    breaking: list[_Part] = field(default_factory=list)


def level_checks(
    parts: Sequence[exp.Expr], clauses: Sequence[int], groups: Sequence[FromGroup],
    relations: dict[str, RelationInfo],
) -> list[LevelCheck]:  # fmt: skip
    """One check for each group with ports, or two where the conjuncts are more than a tree; none
    where they cannot be told apart by what they speak of."""
    found = _read(parts, groups)
    if found is None:
        return []
    first = min((part.place for part in found.breaking), default=len(parts))
    checks: list[LevelCheck] = []
    alone = [frozenset({number}) for number in range(len(groups))]
    if first:
        early = _Conjuncts(
            [edge for edge in found.edges if edge.place < first],
            [part for part in found.own if part.place < first],
        )
        checks += _checks(clauses[:first], alone, early, first, groups, relations)
    merged = _merged(found, first, alone) if found.breaking else None
    if merged is not None:
        checks += _checks(clauses, merged, found, first, groups, relations)
    return checks


def _checks(
    clauses: Sequence[int], merged: list[frozenset[int]], found: _Conjuncts, first: int,
    groups: Sequence[FromGroup], relations: dict[str, RelationInfo],
) -> list[LevelCheck]:  # fmt: skip
    inside = [edge for edge in found.edges if _of(merged, edge.left) == _of(merged, edge.right)]
    late = [_Part(e.place, frozenset({e.left, e.right}), e.sql, True) for e in inside if e.place >= first]
    own = sorted([*found.own, *late, *found.breaking], key=lambda part: part.place)
    keys: dict[tuple[int, int], list[LevelKey]] = {}
    for edge in found.edges:
        if edge not in inside:
            left, right = _of(merged, edge.left), _of(merged, edge.right)
            keys.setdefault((left, right), []).append(edge.key(True))
            keys.setdefault((right, left), []).append(edge.key(False))
    if not _is_forest(keys, len(merged)):
        return []
    tree = LevelTree(
        tuple(
            LevelGroup(
                _joined(members, [e for e in inside if e.place < first and e.left in members], groups),
                _single(members, groups),
                tuple((part.place, part.sql, part.plain) for part in own if part.members <= members),
                _around(keys, number),
                max(_rows(groups[member], relations) for member in members),
                len(members) > 1,
            )
            for number, members in enumerate(merged)
        ),
        2 * len(clauses),
    )
    return [
        LevelCheck(tuple(clauses), frozenset(p.column for p in group.ports), tree, _of(merged, number))
        for number, group in enumerate(groups)
        if group.ports
    ]


def _single(members: frozenset[int], groups: Sequence[FromGroup]) -> Port | None:
    group = groups[min(members)]
    return group.ports[0] if len(members) == 1 and group.single else None


def _of(merged: list[frozenset[int]], group: int) -> int:
    return next(number for number, members in enumerate(merged) if group in members)


def _joined(members: frozenset[int], edges: list[_Edge], groups: Sequence[FromGroup]) -> str:
    """The groups as one FROM item, each joined to one that stands before it."""
    done = {min(members)}
    sql = groups[min(members)].sql
    while done < members:
        new = next(e for e in edges if (e.left in done) != (e.right in done))
        number = new.right if new.left in done else new.left
        done.add(number)
        on = [e.sql for e in edges if number in (e.left, e.right) and {e.left, e.right} <= done]
        sql += f" JOIN ({groups[number].sql}) ON {' AND '.join(on)}"
    return sql


def _merged(found: _Conjuncts, first: int, alone: list[frozenset[int]]) -> list[frozenset[int]] | None:
    """The groups, united along the ways between those that a breaking conjunct speaks of; None where
    no equality before the first of these leads from one to another."""
    early = [edge for edge in found.edges if edge.place < first]
    merged = alone
    for part in found.breaking:
        start = min(part.members)
        united = frozenset({start})
        for end in part.members - {start}:
            way = _way(early, start, end)
            if way is None:
                return None
            united |= way
        touched = [members for members in merged if members & united]
        rest = [members for members in merged if not members & united]
        merged = [*rest, frozenset().union(*touched)]
    return sorted(merged, key=min)


def _way(edges: list[_Edge], start: int, end: int) -> frozenset[int] | None:
    """The groups on the way from one to another."""
    ways = {start: frozenset({start})}
    walk = [start]
    while walk:
        group = walk.pop()
        for edge in edges:
            for here, there in ((edge.left, edge.right), (edge.right, edge.left)):
                if here == group and there not in ways:
                    ways[there] = ways[group] | {there}
                    walk.append(there)
    return ways.get(end)


def _around(
    keys: dict[tuple[int, int], list[LevelKey]], group: int
) -> tuple[tuple[int, tuple[LevelKey, ...]], ...]:
    """The neighbours of a group, those of earlier conjuncts first."""
    found = [
        (other, tuple(sorted(shared, key=lambda key: key.place)))
        for (one, other), shared in keys.items()
        if one == group
    ]
    return tuple(sorted(found, key=lambda neighbour: neighbour[1][0].place))


def _rows(group: FromGroup, relations: dict[str, RelationInfo]) -> int:
    return max((relations[p.target].rows for p in group.ports if p.target in relations), default=0)


def _read(parts: Sequence[exp.Expr], groups: Sequence[FromGroup]) -> _Conjuncts | None:
    every = tuple(v for group in groups for v in group.visible)
    owner = {v.alias: n for n, group in enumerate(groups) for v in group.visible}
    found = _Conjuncts()
    for place, part in enumerate(parts):
        used = sides(part, every)
        if not used:
            return None
        members = frozenset(owner[alias] for alias in used)
        edge = _edge(place, part, members, every, owner)
        if edge is not None and _fits(found.edges, edge):
            found.edges.append(edge)
            continue
        other = _Part(place, members, text(part), may_try(part))
        (found.own if len(members) == 1 else found.breaking).append(other)
    return found


def _fits(edges: list[_Edge], new: _Edge) -> bool:
    """Whether an edge joins what nothing joins yet, or two groups that an edge joins already."""
    beside = any({edge.left, edge.right} == {new.left, new.right} for edge in edges)
    return beside or _way(edges, new.left, new.right) is None


def _edge(
    place: int, part: exp.Expr, members: frozenset[int], every: tuple[Visible, ...],
    owner: dict[str, int],
) -> _Edge | None:  # fmt: skip
    bare = part.unnest()
    if not isinstance(bare, exp.EQ) or nested_queries(bare):
        return None
    found = [sides(operand, every) for operand in (bare.left, bare.right)]
    owners = [{owner[a] for a in side} if side else set() for side in found]
    if len(owners[0]) != 1 or len(owners[1]) != 1 or owners[0] == owners[1]:
        return None
    left, right = owners[0].pop(), owners[1].pop()
    if {left, right} != members:
        return None
    return _Edge(place, left, right, text(bare.left), text(bare.right))


def _is_forest(keys: dict[tuple[int, int], list[LevelKey]], groups: int) -> bool:
    """Whether no two ways lead from one group to another."""
    seen: set[int] = set()
    for start in range(groups):
        walk: list[tuple[int, int | None]] = [] if start in seen else [(start, None)]
        while walk:
            group, came = walk.pop()
            if group in seen:
                return False
            seen.add(group)
            walk += [(b, group) for a, b in keys if a == group and b != came]
    return True
