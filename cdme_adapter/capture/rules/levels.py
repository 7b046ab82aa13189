"""The conjuncts over comma-joined relations as a tree of equalities, where they are one.

How far a record gets through them is then found without a join (``settle_levels.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from cdme_adapter.capture.plan import LevelCheck, LevelGroup, LevelKey, LevelTree, RelationInfo
from cdme_adapter.capture.rules.subquery import nested_queries
from cdme_adapter.capture.scope import FromGroup, Visible, sides
from cdme_adapter.capture.sqltext import text

_Own = dict[int, list[tuple[int, str, bool]]]
_Keys = dict[tuple[int, int], list[LevelKey]]


def level_checks(
    parts: Sequence[exp.Expr], clauses: Sequence[int], groups: Sequence[FromGroup],
    relations: dict[str, RelationInfo],
) -> list[LevelCheck]:  # fmt: skip
    """One check for each group with ports; none where the conjuncts are no tree of equalities."""
    found = _read(parts, groups)
    if found is None:
        return []
    own, keys = found
    tree = LevelTree(
        tuple(
            LevelGroup(
                group.sql, group.single, tuple(own[number]), _around(keys, number), _rows(group, relations)
            )
            for number, group in enumerate(groups)
        ),
        2 * len(parts),
    )
    return [
        LevelCheck(tuple(clauses), frozenset(p.column for p in group.ports), tree, number)
        for number, group in enumerate(groups)
        if group.ports
    ]


def _around(keys: _Keys, group: int) -> tuple[tuple[int, tuple[LevelKey, ...]], ...]:
    """The neighbours of a group, those of earlier conjuncts first."""
    found = [(other, tuple(shared)) for (one, other), shared in keys.items() if one == group]
    return tuple(sorted(found, key=lambda neighbour: neighbour[1][0].place))


def _rows(group: FromGroup, relations: dict[str, RelationInfo]) -> int:
    return max((relations[p.target].rows for p in group.ports if p.target in relations), default=0)


def _read(parts: Sequence[exp.Expr], groups: Sequence[FromGroup]) -> tuple[_Own, _Keys] | None:
    every = tuple(v for group in groups for v in group.visible)
    owner = {v.alias: n for n, group in enumerate(groups) for v in group.visible}
    own: _Own = {n: [] for n in range(len(groups))}
    keys: _Keys = {}
    for place, part in enumerate(parts):
        used = sides(part, every)
        members = sorted({owner[alias] for alias in used}) if used else []
        if len(members) == 1:
            own[members[0]].append((place, text(part), not nested_queries(part)))
        elif len(members) != 2 or not _read_key(keys, place, part, members, every, owner):
            return None
    return (own, keys) if _is_forest(keys, len(groups)) else None


def _read_key(
    keys: _Keys, place: int, part: exp.Expr, members: list[int], every: tuple[Visible, ...],
    owner: dict[str, int],
) -> bool:  # fmt: skip
    bare = part.unnest()
    if not isinstance(bare, exp.EQ) or nested_queries(bare):
        return False
    found = [sides(operand, every) for operand in (bare.left, bare.right)]
    owners = [{owner[a] for a in side} if side else set() for side in found]
    if len(owners[0]) != 1 or len(owners[1]) != 1 or owners[0] == owners[1]:
        return False
    left, right = owners[0].pop(), owners[1].pop()
    mine, theirs = text(bare.left), text(bare.right)
    keys.setdefault((left, right), []).append(LevelKey(place, mine, theirs))
    keys.setdefault((right, left), []).append(LevelKey(place, theirs, mine))
    return sorted((left, right)) == members


def _is_forest(keys: _Keys, groups: int) -> bool:
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
