"""How far a record gets through the conjuncts over comma-joined relations, by semi-joins.

A derivation of a record stops at its first conjunct that is not TRUE; the record's reason is the
last conjunct at which one of its derivations stops. Where the conjuncts connect the relations as a
tree, the derivations through one neighbour do not depend on those through another. So the best stop
of a record is the least of what its own conjuncts give and, for each neighbour, the best that a row
of that neighbour gives, which is one number for each join key: nothing is ever joined with more than
a table of keys, and no product is built (message passing on a join tree: Yannakakis 1981).

A stop is coded as twice the conjunct's place, plus one if it was FALSE and not NULL; a derivation
that passes everything has twice their number. Some derivation is known to do so: then a row without
a partner for a key stops at the key's conjunct, whatever else holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from cdme_adapter.capture.plan import HIDDEN, LevelCheck, RelationInfo
from cdme_adapter.capture.rules.subquery import nested_queries
from cdme_adapter.capture.scope import FromGroup, Visible, sides
from cdme_adapter.capture.sqltext import text


@dataclass(frozen=True)
class _Key:
    """A conjunct ``mine = theirs`` between two groups, and its place."""

    place: int
    mine: str
    theirs: str

    def turned(self) -> _Key:
        """The same from the other side."""
        return _Key(self.place, self.theirs, self.mine)


class _Tree:
    """The groups as a tree of keys."""

    def __init__(self, groups: Sequence[FromGroup], relations: dict[str, RelationInfo]) -> None:
        self.groups = groups
        self.own: dict[int, list[tuple[int, str, bool]]] = {n: [] for n in range(len(groups))}
        self.keys: dict[tuple[int, int], list[_Key]] = {}
        self.passed = 0
        self._relations = relations

    def neighbours(self, group: int, but: int | None) -> list[int]:
        """The groups that share a key with one, those of earlier conjuncts first."""
        found = [b for a, b in self.keys if a == group and b != but]
        return sorted(found, key=lambda n: self.keys[group, n][0].place)

    def is_forest(self) -> bool:
        """Whether no two ways lead from one group to another."""
        seen: set[int] = set()
        for start in range(len(self.groups)):
            if start in seen:
                continue
            walk: list[tuple[int, int | None]] = [(start, None)]
            while walk:
                group, came = walk.pop()
                if group in seen:
                    return False
                seen.add(group)
                walk += [(n, group) for n in self.neighbours(group, came)]
        return True

    def size(self, group: int, came: int) -> int:
        """About how many rows the largest relation on that side of an edge has."""
        here = [self._relations[p.target].rows for p in self.groups[group].ports
                if p.target in self._relations]  # fmt: skip
        return max([*here, *(self.size(n, group) for n in self.neighbours(group, came))], default=0)


def level_checks(
    parts: Sequence[exp.Expr], clauses: Sequence[int], groups: Sequence[FromGroup],
    relations: dict[str, RelationInfo],
) -> list[LevelCheck]:  # fmt: skip
    """One check for each group with ports; none where the conjuncts are no tree of equalities."""
    tree = _read(parts, groups, relations)
    if tree is None:
        return []
    return [
        LevelCheck(tuple(clauses), frozenset(p.column for p in group.ports), _Writer(tree, number).sql())
        for number, group in enumerate(groups)
        if group.ports
    ]


def _read(
    parts: Sequence[exp.Expr], groups: Sequence[FromGroup], relations: dict[str, RelationInfo]
) -> _Tree | None:
    every = tuple(v for group in groups for v in group.visible)
    owner = {v.alias: n for n, group in enumerate(groups) for v in group.visible}
    tree = _Tree(groups, relations)
    tree.passed = 2 * len(parts)
    for place, part in enumerate(parts):
        used = sides(part, every)
        members = sorted({owner[alias] for alias in used}) if used else []
        if len(members) == 1:
            tree.own[members[0]].append((place, text(part), not nested_queries(part)))
        elif len(members) != 2 or not _read_key(tree, place, part, members, every, owner):
            return None
    return tree if tree.is_forest() else None


def _read_key(
    tree: _Tree, place: int, part: exp.Expr, members: list[int], every: tuple[Visible, ...],
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
    key = _Key(place, text(bare.left), text(bare.right))
    tree.keys.setdefault((left, right), []).append(key)
    tree.keys.setdefault((right, left), []).append(key.turned())
    return sorted((left, right)) == members


class _Writer:
    """Writes the query of one root: a common table expression for each step."""

    def __init__(self, tree: _Tree, root: int) -> None:
        self.tree = tree
        self.root = root
        self.steps: list[str] = []

    def sql(self) -> str:
        """The whole template."""
        name = self._group(self.root, None, None)
        group = self.tree.groups[self.root]
        code = "f AS code FROM {0}" if group.single else "max(f) AS code FROM {0} GROUP BY i"
        steps = f"WITH {', '.join(self.steps)} " if self.steps else ""
        return f"{steps}SELECT i, {code.format(name)}"

    def _step(self, sql: str) -> str:
        name = f"{HIDDEN}l{len(self.steps)}"
        self.steps.append(f"{name} AS MATERIALIZED ({sql})")
        return name

    def _group(self, group: int, came: int | None, need: str | None) -> str:
        """A FROM item: the rows of a group with their keys towards where it came from (``k``) and
        their best stop ``f`` on this side."""
        tree = self.tree
        towards = tree.keys[group, came] if came is not None else []
        columns = [f"{key.mine} AS k{n}" for n, key in enumerate(towards)]
        condition = ""
        if came is None:
            columns.append("{port} AS i")
            condition = " WHERE {port} IN (SELECT i FROM {cur})"
        elif need is not None:
            condition = f" WHERE ({towards[0].mine}) IN (SELECT k FROM {need})"
        around = tree.neighbours(group, came)
        for at, other in enumerate(around):
            columns += [f"{key.mine} AS c{at}_{n}" for n, key in enumerate(tree.keys[group, other])]
        code = str(tree.passed)
        for place, sql, plain in reversed(tree.own[group]):
            columns.append(f"{f'TRY({sql})' if plain else f'({sql})'} AS b{place}")
            null, false = 2 * place, 2 * place + 1
            code = f"CASE WHEN b{place} THEN {code} WHEN b{place} IS NULL THEN {null} ELSE {false} END"
        kept = [f"k{n}" for n in range(len(towards))] + (["i"] if came is None else [])
        widths = [len(tree.keys[group, other]) for other in around]
        keys = [f"c{at}_{n}" for at, width in enumerate(widths) for n in range(width)]
        inner = f"SELECT {', '.join(columns)} FROM {tree.groups[group].sql}{condition}"
        rows = f"SELECT {', '.join([*kept, *keys, f'({code})::USMALLINT AS f'])} FROM ({inner})"
        for at, other in enumerate(around):
            rows = self._through(rows, group, other, at, [*kept, *keys])
        return self._step(rows) if len(towards) > 1 else f"({rows})"

    def _through(self, rows: str, group: int, other: int, at: int, columns: list[str]) -> str:
        """``rows`` with what the neighbour's rows allow."""
        tree, keys, need = self.tree, self.tree.keys[group, other], None
        first = 2 * keys[0].place
        here = [tree._relations[p.target].rows for p in tree.groups[group].ports
                if p.target in tree._relations]  # fmt: skip
        if tree.size(other, group) > max(here, default=0):
            rows = f"FROM {self._step(rows)}"
            need = self._step(f"SELECT DISTINCT c{at}_0 AS k {rows} WHERE f > {first}")
        theirs = self._group(other, group, need)
        names = [f"k{n}" for n in range(len(keys))]
        best = f"(SELECT {', '.join(names)}, max(f) AS f FROM {theirs} GROUP BY ALL)"
        on = [f"a.k{n} = r.c{at}_{n}" for n in range(len(keys))]
        joins = [f"LEFT JOIN {best} AS a ON {' AND '.join(on)}"]
        stops = ["coalesce(a.f, 0)", f"{first} + (r.c{at}_0 IS NOT NULL)::INTEGER"]
        for n in range(1, len(keys)):
            before = ", ".join(names[:n])
            some = f"max(f) FILTER (k{n} IS NOT NULL) AS nn, max(f) FILTER (k{n} IS NULL) AS nu"
            partly = f"(SELECT {before}, {some} FROM {theirs} GROUP BY {before})"
            same = " AND ".join(f"p{n}.k{m} = r.c{at}_{m}" for m in range(n))
            joins.append(f"LEFT JOIN {partly} AS p{n} ON {same}")
            stop = 2 * keys[n].place
            stops.append(f"least(coalesce(p{n}.nn, 0), {stop} + (r.c{at}_{n} IS NOT NULL)::INTEGER)")
            stops.append(f"least(coalesce(p{n}.nu, 0), {stop})")
        shown = ", ".join(f"r.{name}" for name in columns)
        worst = f"least(r.f, greatest({', '.join(stops)}))::USMALLINT AS f"
        return f"SELECT {shown}, {worst} FROM ({rows}) AS r {' '.join(joins)}"
