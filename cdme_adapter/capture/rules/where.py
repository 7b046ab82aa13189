"""WHERE: conjuncts in written order, over one join tree or over several comma-joined groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.accounting import Kind, Verdict
from cdme_adapter.capture.plan import FALSE_VERDICT, CaseCheck, StepCheck
from cdme_adapter.capture.rules.levels import level_checks
from cdme_adapter.capture.rules.lookups import Around
from cdme_adapter.capture.rules.shape import flag_clause, is_volatile
from cdme_adapter.capture.rules.subquery import (
    may_try,
    nested_queries,
    predicate_kind,
    settle_guards,
    settle_subqueries,
)
from cdme_adapter.capture.scope import Env, FromGroup, Visible, sides, some_row
from cdme_adapter.capture.sqltext import (
    as_written,
    conjuncts,
    functions,
    keep_shown,
    not_understood,
    quote,
    render,
    text,
)
from cdme_adapter.provenance import Role

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

FALSE_WORD = {kind: f"{{{FALSE_VERDICT.get(kind, Verdict.FALSE).value}}}" for kind in Kind}
"""The template word of the verdict on a record for which a clause of this kind is FALSE."""

_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.GT, exp.LTE, exp.GTE)


def check_where(planner: Planner, where: exp.Where | None, groups: list[FromGroup], env: Env) -> None:
    """Register the conjuncts of WHERE and how to check them."""
    if where is None:
        return
    parts = conjuncts(where.this)
    for part in parts:  # by the name of an item of the SELECT list
        for _, name in functions(part):
            if planner.catalog.is_macro(name):
                raise not_understood(f"the macro {name}()", part)
    visible = tuple(v for group in groups for v in group.visible)
    for part in parts:
        found = predicate_kind(part)
        keep_shown(part)
        if found is not None and found[1] is Role.GUARD:
            settle_guards(planner, part, env)
        settle_subqueries(planner, part, env, around=Around(visible, conjunct=found is not None))
    for part in parts:
        if is_volatile(part, planner.catalog):
            raise not_understood(f"a volatile function in WHERE: {render(part)}", part)
    clauses = [_clause(planner, part) for part in parts]
    if not any(group.ports for group in groups):
        return
    if len(groups) == 1:
        _check_in_order(planner, parts, clauses, groups[0])
    else:
        _check_prefixes(planner, parts, clauses, groups)


def _check_in_order(planner: Planner, parts: list[exp.Expr], clauses: list[int], group: FromGroup) -> None:
    """Conjuncts over one join tree: runs of plain ones row by row, predicate subqueries by set."""
    names = frozenset(port.column for port in group.ports)
    shown = [text(part) for part in parts]
    start = 0
    for place in [*range(len(parts)), len(parts)]:
        if place < len(parts) and predicate_kind(parts[place]) is None:
            continue
        if start < place:
            plain = tuple(may_try(part) for part in parts[start:place])
            before, run = tuple(shown[:start]), tuple(shown[start:place])
            numbers, source = tuple(clauses[start:place]), _source(group, parts[start:place], start)
            planner.check(CaseCheck(numbers, names, source, run, plain, group.single, before))
        if place < len(parts):
            reach, evidence = _predicate(group, parts[place], shown[: place + 1])
            evidence = _words(evidence, planner.clauses[clauses[place]].kind)
            planner.check(StepCheck(clauses[place], names, reach, evidence))
        start = place + 1


def _source(group: FromGroup, parts: list[exp.Expr], before: int) -> str:
    """The FROM item of a run of conjuncts: the thin one where it has all that they speak of."""
    columns = [column for part in parts for column in part.find_all(exp.Column)]
    if group.thin is None or before or any(nested_queries(part) for part in parts):
        return group.sql
    known = all(column.name.lower() in group.thin.columns for column in columns)
    return group.thin.sql if known else group.sql


def _predicate(group: FromGroup, part: exp.Expr, shown: list[str]) -> tuple[str, str]:
    """A predicate subquery as a conjunct: who gets past, and the verdict on the others."""
    inside = "{port} IN (SELECT i FROM {cur})"
    before = " AND ".join([inside, *(f"({sql})" for sql in shown[:-1])])
    reach = f"SELECT {{port}} AS i FROM {group.sql} WHERE {before} AND ({shown[-1]})"
    evidence = (
        f"SELECT {{port}} AS i, {_verdict(part, shown[-1])} AS verdict FROM {group.sql} "
        f"WHERE {before} GROUP BY 1"
    )
    return reach, evidence


def _verdict(part: exp.Expr, sql: str) -> str:
    """FALSE for some derivation, else NULL; EXISTS is never NULL and need not be looked at."""
    if _is_exists(part):
        return "{false}"
    return f"CASE WHEN bool_or(coalesce(({sql}) IS FALSE, FALSE)) THEN {{false}} ELSE {{null}} END"


def _is_exists(part: exp.Expr) -> bool:
    bare = part.unnest()
    while isinstance(bare, exp.Not):
        bare = bare.this.unnest()
    return isinstance(bare, exp.Exists)


def _words(template: str, kind: Kind) -> str:
    """A template with the words of the verdicts that this kind of clause gives."""
    template = template.replace("{false}", FALSE_WORD[kind])
    return template.replace("{null}", "{all_null}") if kind in FALSE_VERDICT else template


def _clause(planner: Planner, part: exp.Expr) -> int:
    flag = flag_clause(part)
    if flag is not None:
        return planner.register(planner.flags[flag])
    found = predicate_kind(part)
    return planner.clause(found[0] if found else Kind.WHERE, as_written(part), part)


class _Components:
    """Which comma-joined groups the conjuncts so far connect, as sets of group numbers."""

    def __init__(self, count: int) -> None:
        self.sets = [frozenset({n}) for n in range(count)]

    def connect(self, members: frozenset[int]) -> None:
        """Unite every component that a conjunct touches."""
        touched = [s for s in self.sets if s & members]
        if len(touched) > 1:
            self.sets = [s for s in self.sets if not s & members] + [frozenset().union(*touched)]

    def of(self, number: int) -> frozenset[int]:
        """The component of a group."""
        return next(s for s in self.sets if number in s)


class _Prefix:
    """The SQL of the first conjuncts over comma-joined groups, one component at a time."""

    def __init__(self, groups: list[FromGroup], parts: list[tuple[str, frozenset[int]]]) -> None:
        self.groups = groups
        self.parts = parts
        self.components = _Components(len(groups))
        for _, members in parts:
            self.components.connect(members)

    def conditions(self, component: frozenset[int]) -> list[str]:
        """The conjuncts that speak of a component only; constants hold for all."""
        return [f"({sql})" for sql, members in self.parts if members <= component]

    def body(self, component: frozenset[int], more: list[str]) -> str:
        """FROM … WHERE … of a component."""
        source = ", ".join(self.groups[n].sql for n in sorted(component))
        conditions = self.conditions(component) + more
        return f"FROM {source}" + (f" WHERE {' AND '.join(conditions)}" if conditions else "")

    def others(self, component: frozenset[int]) -> list[str]:
        """Non-emptiness of every other component."""
        return [some_row(self.body(c, [])) for c in self.components.sets if c != component]


def _check_prefixes(
    planner: Planner, parts: list[exp.Expr], clauses: list[int], groups: list[FromGroup]
) -> None:
    for check in level_checks(parts, clauses, groups, planner.relations):
        planner.check(check)
    every = tuple(v for group in groups for v in group.visible)
    owner = {v.alias: n for n, group in enumerate(groups) for v in group.visible}
    everything = frozenset(range(len(groups)))
    known: list[tuple[str, frozenset[int]]] = []
    for part in parts:
        used = sides(part, every)
        known.append((text(part), everything if used is None else frozenset(owner[a] for a in used)))
    for place, clause in enumerate(clauses):
        before, after = _Prefix(groups, known[:place]), _Prefix(groups, known[: place + 1])
        for number, group in enumerate(groups):
            if group.ports:
                names = frozenset(port.column for port in group.ports)
                inside = ["{port} IN (SELECT i FROM {cur})"]
                component = after.components.of(number)
                reach = f"SELECT {{port}} AS i {after.body(component, inside + after.others(component))}"
                evidence = _evidence(before, number, parts[place], known[place], every, owner)
                kind = planner.clauses[clause].kind
                evidence = _words(evidence, kind)
                members = known[place][1]  # none: a constant, which speaks of every row
                untouched = members and not members & component
                passes = " AND ".join(after.others(component)) if untouched else None
                first = _first_try(before, number, known[place])
                planner.check(StepCheck(clause, names, reach, evidence, False, first, passes))


def _evidence(
    before: _Prefix, number: int, part: exp.Expr, known: tuple[str, frozenset[int]],
    every: tuple[Visible, ...], owner: dict[str, int],
) -> str:  # fmt: skip
    """(i, verdict) of the records that reached a conjunct: FALSE for some derivation, else NULL."""
    sql, members = known
    own = before.components.of(number)
    inside = ["{port} IN (SELECT i FROM {cur})"]
    outside = before.others(own)
    if _is_exists(part):
        false = "TRUE"
    elif members <= own:
        false = f"(({sql}) IS FALSE)"
    elif not members & own and _one_component(before, members):
        other = before.components.of(min(members))
        false = f"EXISTS (SELECT 1 {before.body(other, [f'(({sql}) IS FALSE)'])})"
    else:
        false = _false_between(before, own, part, sql, members, every, owner)
    return (
        f"SELECT {{port}} AS i, CASE WHEN bool_or(coalesce({false}, FALSE)) THEN {{false}} "
        f"ELSE {{null}} END AS verdict {before.body(own, inside + outside)} GROUP BY 1"
    )


def _one_component(before: _Prefix, members: frozenset[int]) -> bool:
    return bool(members) and members <= before.components.of(min(members))


def _false_between(
    before: _Prefix, own: frozenset[int], part: exp.Expr, sql: str, members: frozenset[int],
    every: tuple[Visible, ...], owner: dict[str, int],
) -> str:  # fmt: skip
    """FALSE for some pair, of a conjunct that is TRUE for none.

    A comparison is NULL exactly when an operand is; so with none TRUE, FALSE for some pair means
    that both sides have a value.
    """
    bare = part.unnest()
    rest = members - own
    if isinstance(bare, _COMPARISONS) and not nested_queries(bare) and _one_component(before, rest):
        other = before.components.of(min(rest))
        for mine, theirs in ((bare.left, bare.right), (bare.right, bare.left)):
            a, b = sides(mine, every), sides(theirs, every)
            if a and b and {owner[x] for x in a} <= own and {owner[x] for x in b} <= other:
                present = before.body(other, [f"(({text(theirs)}) IS NOT NULL)"])
                return f"(({text(mine)}) IS NOT NULL AND EXISTS (SELECT 1 {present}))"
    others = frozenset().union(*(before.components.of(n) for n in rest)) - own
    return f"EXISTS (SELECT 1 {before.body(others, [f'(({sql}) IS FALSE)'])})"


def _first_try(before: _Prefix, number: int, known: tuple[str, frozenset[int]]) -> str | None:
    """The records for which the conjunct is FALSE with one of a few candidates: nearly every one."""
    sql, members = known
    own = before.components.of(number)
    found: list[str] = []
    for other in {before.components.of(n) for n in members - own}:
        spoken = [before.groups[n] for n in sorted(members & other)]
        if len(spoken) != 1 or len(spoken[0].visible) != 1:
            return None
        alias = quote(spoken[0].visible[0].alias)
        found.append(f"(SELECT {alias}.* {before.body(other, [])} LIMIT {{few}}) AS {alias}")
    if not 0 < len(found) <= 3:
        return None
    conditions = ["{port} IN (SELECT i FROM {cur})", *before.others(own), f"(({sql}) IS FALSE)"]
    body = before.body(own, conditions).removeprefix("FROM ")
    return f"SELECT {{port}} AS i FROM {', '.join(sorted(found))}, {body}"
