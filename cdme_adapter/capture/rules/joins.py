"""FROM: joins, the groups that commas make, and the check of each join.

A reason's unit is the join as a whole: its ON conjuncts belong to it (docs/decisions).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.accounting import Kind
from cdme_adapter.capture.plan import ConsultedInput, StepCheck
from cdme_adapter.capture.reach import beneath
from cdme_adapter.capture.rules.lookups import Around, look_at_partners
from cdme_adapter.capture.rules.neighbours import METHODS, join_by_chance, join_neighbours, method_of
from cdme_adapter.capture.rules.nomatch import no_match_evidence
from cdme_adapter.capture.rules.reads import INPUTLESS
from cdme_adapter.capture.rules.shape import is_volatile
from cdme_adapter.capture.rules.sources import plan_source
from cdme_adapter.capture.rules.subquery import own_names, settle_subqueries
from cdme_adapter.capture.rules.unnest import join_unnest
from cdme_adapter.capture.scope import Env, FromGroup, Visible, some_row
from cdme_adapter.capture.sqltext import (
    as_written,
    conjuncts,
    functions,
    not_understood,
    quote,
    text,
    with_text,
)
from cdme_adapter.errors import UnsupportedConstruct
from cdme_adapter.provenance import Exactness, Role

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

_JOIN = "cdme_join"
"""On a join: how its reason shows it, kept before a rule changes it."""


def plan_from(planner: Planner, select: exp.Select, env: Env) -> list[FromGroup]:
    """The FROM clause as groups; inner cross joins count as commas, so that the conjuncts of WHERE
    that connect them can be checked without building the product."""
    from_ = select.args.get("from_")
    if from_ is None:
        return []
    groups: list[FromGroup] = []
    behind: list[FromGroup] = []  # what is cross joined behind the last comma, and so binds stronger
    last: exp.Join | None = None
    joins = [_without_lateral_unnest(join) for join in select.args.get("joins") or ()]
    with planner.apart():
        for comma, first, tail in _trees(from_.this, joins):
            seen = tuple(v for g in groups for v in g.visible)
            if comma is not None and _is_comma(comma):
                _check_comma(planner, last, groups, behind)
                last, behind = comma, []
            if comma is not None and looks_left(planner, first, seen, env):
                # It may speak of anything to its left: everything becomes one tree.
                _refuse_apart(tail, seen)
                _check_comma(planner, last, groups, behind)
                last, behind = None, []
                left = _looking_left(planner, one_tree(groups), comma, "INNER", env)
                groups = [_joined(planner, left, tail, env)]
                continue
            with planner.apart():
                group = _joined(planner, _item(planner, first, env, alone=not joins), tail, env)
            if comma is not None and not _is_comma(comma):
                _check_cross(planner, comma, behind or groups, [group])
            behind += [group] if last is not None else []
            groups.append(group)
        _check_comma(planner, last, groups, behind)
    return groups


def _check_comma(
    planner: Planner, comma: exp.Join | None, groups: list[FromGroup], right: list[FromGroup]
) -> None:
    """A comma binds weaker than JOIN: its right side, the last of the groups, is complete now."""
    if comma is not None and right:
        _check_cross(planner, comma, groups[: -len(right)], right)


def _refuse_apart(joins: list[exp.Join], left: tuple[Visible, ...]) -> None:
    """Raise UnsupportedConstruct for joins behind a comma item that mean something else in one tree with
    what stands before the comma: a comma binds weaker than they do."""
    known = {name.lower() for one in left for name in one.columns or ()}
    for join in joins:
        side, method = (str(join.args.get(key) or "").upper() for key in ("side", "method"))
        shared = {name.name.lower() for name in join.args.get("using") or ()}
        unsure = bool(shared) and any(one.columns is None for one in left)
        if side in ("RIGHT", "FULL") or method in ("POSITIONAL", "NATURAL") or shared & known or unsure:
            word = side or method or "USING"
            raise not_understood(f"{word} JOIN behind a comma and an item that may look left", join)


def _trees(
    first: exp.Expr, joins: list[exp.Join]
) -> list[tuple[exp.Join | None, exp.Expr, list[exp.Join]]]:
    """The items between commas with the joins written after each, and the comma before it."""
    crosses_only = all(_is_cross(join) for join in joins)
    trees: list[tuple[exp.Join | None, exp.Expr, list[exp.Join]]] = [(None, first, [])]
    for join in joins:
        if crosses_only or _is_comma(join):
            trees.append((join, join.this, []))
        else:
            trees[-1][2].append(join)
    return trees


def _joined(planner: Planner, group: FromGroup, joins: list[exp.Join], env: Env) -> FromGroup:
    for join in joins:
        group = _join(planner, group, join, env)
    return group


def one_tree(groups: list[FromGroup]) -> FromGroup:
    """Comma-joined groups as one."""
    if len(groups) == 1:
        return groups[0]
    # A comma binds weaker than JOIN: what is joined behind one stays together.
    first, *others = groups
    parts = [first.sql, *(f"({g.sql})" if len(g.visible) > 1 else g.sql for g in others)]
    return FromGroup(
        " CROSS JOIN ".join(parts),
        tuple(v for g in groups for v in g.visible),
        tuple(p for g in groups for p in g.ports),
    )


def _item(planner: Planner, item: exp.Expr, env: Env, alone: bool = False) -> FromGroup:
    """One item, or joins in parentheses."""
    if isinstance(item, exp.Subquery) and _holds_from_items(item.this):
        if item.args.get("alias"):
            return FromGroup.of(plan_source(planner, _as_query(item), env, alone))
        return _parenthesised(planner, item.this, env)
    if isinstance(item, (exp.Table, exp.Subquery)) and item.args.get("joins"):
        return _parenthesised(planner, item, env)
    return FromGroup.of(plan_source(planner, item, env, alone))


def _as_query(item: exp.Subquery) -> exp.Subquery:
    """``(a JOIN b …) AS j`` as DuckDB reads it: ``(SELECT * FROM a JOIN b …) AS j``."""
    inner = item.this.copy()
    query = exp.select("*").from_(inner)
    query.set("joins", inner.args.get("joins"))
    inner.set("joins", None)
    whole = item.copy()
    whole.set("this", query)
    return whole


def _holds_from_items(inner: exp.Expr) -> bool:
    """Whether parentheses hold FROM items rather than a query."""
    if isinstance(inner, exp.Subquery):
        return bool(inner.args.get("joins") or inner.args.get("alias"))
    return isinstance(inner, exp.Table)


def _parenthesised(planner: Planner, item: exp.Expr, env: Env) -> FromGroup:
    bare = item.copy()
    joins: list[exp.Join] = bare.args.get("joins") or []
    bare.set("joins", None)
    with planner.apart():
        group = _joined(planner, _item(planner, bare, env), joins, env)
    return FromGroup(f"({group.sql})", group.visible, group.ports)


def _without_lateral_unnest(join: exp.Join) -> exp.Join:
    """``LATERAL UNNEST(…)`` as UNNEST, which is lateral by itself."""
    item = join.this
    if not isinstance(item, exp.Lateral) or not isinstance(item.this, exp.Unnest):
        return join
    bare = join.copy()
    bare.set("this", item.this.copy())
    bare.this.set("alias", item.args["alias"].copy() if item.args.get("alias") else None)
    return bare


def looks_left(planner: Planner, item: exp.Expr, seen: tuple[Visible, ...], env: Env) -> bool:
    """Whether an item of FROM is read for each row on its left, said or unsaid."""
    if isinstance(item, (exp.Unnest, exp.Lateral)):
        return True
    if isinstance(item, exp.Table) and not isinstance(item.this, (exp.Identifier, exp.Values)):
        name = next(functions(item.this), (None, ""))[1]
        return name in INPUTLESS and any(True for _ in item.this.find_all(exp.Column))
    if not isinstance(item, exp.Subquery):
        return False
    own = {t.alias_or_name.lower() for t in item.find_all(exp.Table, exp.Subquery, exp.Unnest)}
    around = {v.alias.lower() for v in seen} - own
    columns = list(item.find_all(exp.Column))
    if any(part.name.lower() in around for column in columns for part in column.parts[:-1]):
        return True
    bare = {column.name.lower() for column in columns if not column.table}
    there = {name.lower() for v in seen for name in v.columns or ()}
    return bool(bare & there) and bool((bare & there) - _names_inside(planner, item, env))


def _names_inside(planner: Planner, item: exp.Subquery, env: Env) -> frozenset[str]:
    """The names that a derived table has of its own; of what is not known nothing is said."""

    def look() -> frozenset[str]:
        return own_names(planner, item, env)

    def unknown(reason: UnsupportedConstruct) -> frozenset[str]:
        return frozenset(column.name.lower() for column in item.find_all(exp.Column))

    return planner.attempt(look, unknown)


def _looking_left(planner: Planner, left: FromGroup, join: exp.Join, kind: str, env: Env) -> FromGroup:
    if isinstance(join.this, exp.Unnest):
        around = None if _beside_outer(join) else Around(left.visible)  # padded rows asked nothing
        return join_unnest(planner, left, join, kind, around, env)
    return planner.lateral(left, join, kind, _shown(join), env)


def _kind(join: exp.Join) -> str:
    """INNER, LEFT, RIGHT, FULL or CROSS; everything else is not known here."""
    method, side, kind = (str(join.args.get(k) or "").upper() for k in ("method", "side", "kind"))
    if method not in ("", "NATURAL", *METHODS):
        raise not_understood(f"{method} JOIN", join)
    if kind in ("SEMI", "ANTI"):
        return kind
    if side:
        return side
    if method == "POSITIONAL":
        return method
    return "CROSS" if kind == "CROSS" else "INNER"


def _beside_outer(join: exp.Join) -> bool:
    """Whether an outer join stands in the same FROM clause: then rows are padded."""
    select = join.find_ancestor(exp.Select)
    return select is None or any(j.args.get("side") for j in select.find_all(exp.Join))


def _is_comma(join: exp.Join) -> bool:
    keys = ("method", "side", "kind", "on", "using")
    return not any(join.args.get(key) for key in keys)


def _is_cross(join: exp.Join) -> bool:
    return _is_comma(join) or _kind(join) == "CROSS"


def _shown(join: exp.Join) -> str:
    """The join as its reason shows it: a derived table by its alias alone."""
    if _JOIN in join.meta:
        return str(join.meta[_JOIN])
    shown = join.copy()
    if isinstance(shown.this, exp.Subquery):
        shown.set("this", with_text(exp.Table(), shown.this.alias or "(…)"))
    elif isinstance(shown.this, exp.Lateral):
        shown.set("this", with_text(exp.Table(), f"LATERAL {shown.this.alias or '(…)'}"))
    elif isinstance(shown.this, exp.Table):
        shown.this.set("db", None)
        shown.this.set("catalog", None)
        name = shown.this.this
        if isinstance(name, exp.Identifier) and name.name.isidentifier():
            name.set("quoted", False)  # dbt quotes what it renders; nobody wrote the quotes
    return as_written(shown).lstrip(", ")


def _check_cross(planner: Planner, join: exp.Join, left: list[FromGroup], right: list[FromGroup]) -> None:
    """A comma or CROSS JOIN removes everything when the other side is empty."""
    clause = planner.clause(Kind.JOIN_NO_MATCH, _shown(join) or join.this.sql(), join)
    for side, other in ((left, right), (right, left)):
        ports = [port for group in side for port in group.ports]
        others = [some_row(f"FROM {group.sql}") for group in other]
        if ports:
            reach = f"SELECT i FROM {{cur}} WHERE {' AND '.join(others)}"
            evidence = f"SELECT i, {{no_match}} AS verdict FROM {{cur}} WHERE NOT ({' AND '.join(others)})"
            names = frozenset(port.column for port in ports)
            planner.check(StepCheck(clause, names, reach, evidence, passes=" AND ".join(others)))


def _join(planner: Planner, left: FromGroup, join: exp.Join, env: Env) -> FromGroup:
    kind = _kind(join)
    if looks_left(planner, join.this, left.visible, env):
        return _looking_left(planner, left, join, kind, env)
    join.meta[_JOIN] = _shown(join)
    consulted: list[ConsultedInput] = []
    if kind == "ANTI":
        right = planner.aside(
            lambda: _item(planner, join.this, env), Role.GUARD, Exactness.EXACT, "ANTI JOIN"
        )
    elif kind == "SEMI":
        right, consulted = planner.witnessing(lambda: _item(planner, join.this, env))
    else:
        right = _item(planner, join.this, env)
    if join.args.get("on") is not None:
        around = Around(left.visible + right.visible, joined=_beside_outer(join))
        filtering = kind in ("SEMI", "ANTI")
        role = Role.GUARD if kind == "ANTI" else Role.INDIRECT
        settle_subqueries(planner, join.args["on"], env, role, None if filtering else around)
        if is_volatile(join.args["on"], planner.catalog):
            return join_by_chance(planner, left, right, join, _shown(join))
    if method_of(join) in METHODS:
        return join_neighbours(planner, left, right, join, _shown(join))
    on, using = join.args.get("on"), [name.name for name in join.args.get("using") or ()]
    if str(join.args.get("method") or "").upper() == "NATURAL":
        using = _natural(left, right)
    word = {"INNER": "JOIN", "CROSS": "CROSS JOIN"}.get(kind, f"{kind} JOIN")
    condition = ""
    if using:
        condition = f" USING ({', '.join(quote(name) for name in using)})"
    elif on is not None:
        condition = f" ON {text(on)}"
    elif kind != "CROSS":
        raise not_understood(f"{word} without a condition", join)
    if kind == "SEMI":
        planner.consult_beside(consulted)
        if _beside_outer(join) or not look_at_partners(planner, join, left, right, using):
            relations, deeper = beneath(planner, right.ports)
            planner.consult_beside(deeper)
            for relation in relations:
                planner.consult(relation, Role.INDIRECT, Exactness.SUPERSET, "SEMI JOIN")
    if kind in ("SEMI", "ANTI"):
        return _filtering(planner, join, kind, left, right, condition, using)
    joined = FromGroup(
        f"{left.sql} {word} {right.sql}{condition}",
        left.visible + right.visible,
        left.ports + right.ports,
    )
    _check_join(planner, join, kind, left, right, joined, using)
    return joined


def _filtering(
    planner: Planner, join: exp.Join, kind: str, left: FromGroup, right: FromGroup,
    condition: str, using: list[str],
) -> FromGroup:  # fmt: skip
    """SEMI and ANTI JOIN: the left side goes on; the right side is indirect, or a guard."""
    anti = kind == "ANTI"
    joined = f"{left.sql} {kind} JOIN {right.sql}{condition}"
    clause = planner.clause(Kind.ANTI_JOIN if anti else Kind.SEMI_JOIN, _shown(join), join)
    if left.ports:
        inside = "WHERE {port} IN (SELECT i FROM {cur})"
        reach = f"SELECT {{port}} AS i FROM {joined} {inside}"
        if anti:
            partners = f"{left.sql} SEMI JOIN {right.sql}{condition}"
            evidence = f"SELECT DISTINCT {{port}} AS i, {{excluded}} AS verdict FROM {partners} {inside}"
        else:
            evidence = no_match_evidence(
                left.sql, left.visible, right.sql, right.visible,
                conjuncts(join.args.get("on")), using,
            )  # fmt: skip
        names = frozenset(port.column for port in left.ports)
        planner.check(StepCheck(clause, names, reach, evidence))
    return FromGroup(joined, left.visible, left.ports)


def _natural(left: FromGroup, right: FromGroup) -> list[str]:
    names: list[str] = []
    known = {column.lower() for v in left.visible if v.columns is not None for column in v.columns}
    if any(v.columns is None for v in left.visible + right.visible):
        raise UnsupportedConstruct("NATURAL JOIN over columns that are not known")
    for v in right.visible:
        names += [c for c in v.columns or () if c.lower() in known]
    return names


def _check_join(
    planner: Planner, join: exp.Join, kind: str, left: FromGroup, right: FromGroup,
    joined: FromGroup, using: list[str],
) -> None:  # fmt: skip
    """The sides that the join does not preserve lose what has no partner."""
    lossy = {
        "INNER": (left, right), "CROSS": (left, right), "LEFT": (right,), "RIGHT": (left,),
        "FULL": (),
    }[kind]  # fmt: skip
    if not any(side.ports for side in lossy):
        return
    clause = planner.clause(Kind.JOIN_NO_MATCH, _shown(join), join)
    on = conjuncts(join.args.get("on"))
    for side in lossy:
        if not side.ports:
            continue
        other = right if side is left else left
        reach = f"SELECT {{port}} AS i FROM {joined.sql} WHERE {{port}} IN (SELECT i FROM {{cur}})"
        evidence = no_match_evidence(side.sql, side.visible, other.sql, other.visible, on, using)
        names = frozenset(port.column for port in side.ports)
        looked_up = kind != "FULL" and side is (left if kind == "RIGHT" else right)
        planner.check(StepCheck(clause, names, reach, evidence, lookup=looked_up))
