"""The columns that USING makes one of: COALESCE over both sides as the one column that it always equals.

sqlglot writes a column of USING out as ``COALESCE(a.k, b.k)``. Of an inner or a left join that is
``a.k``, of a right join ``b.k``: an unmatched row has no other. Of a full join it is neither.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdme_adapter.validation.predicates import attr, attrs, conjuncts, plain, walk

Term = tuple[str, str]


def settle_using(tree: exp.Expr) -> None:
    """Replace what can be, in every SELECT of a qualified tree."""
    for select in list(walk(tree, exp.Select, into=True)):
        if select.args.get("joins"):
            _settle(select)


def _settle(select: exp.Select) -> None:
    merged = list(_merged(select))
    if not merged:
        return
    stands: dict[Term, Term | None] = {}
    for join in select.args.get("joins") or []:
        alias, side = join.this.alias_or_name.lower(), join.side.lower()
        if join.kind.lower() in ("semi", "anti"):
            continue
        for part in conjuncts(join.args.get("on")):
            _read(stands, part, alias, side)
    for node in merged:
        terms = [plain(c) for c in (node.this, *node.expressions)]
        found = {stands.get(t, t) for t in terms if t is not None}
        kept = next((c for c in (node.this, *node.expressions) if {plain(c)} == found), None)
        if kept is not None:
            node.replace(kept.copy())


def _read(stands: dict[Term, Term | None], part: exp.Expr, alias: str, side: str) -> None:
    """What stands for the columns of one class once this join is made."""
    if not isinstance(part, exp.EQ):
        return
    for mine, theirs in ((part.this, part.expression), (part.expression, part.this)):
        own, others = plain(mine), attrs(theirs)
        columns = plain(theirs) is not None or _is_merged(theirs)
        if own is None or own[0] != alias or not columns or any(a == alias for a, _ in others):
            continue
        known = {stands.get(one, one) for one in others}
        first = known.pop() if len(known) == 1 else None
        if side in ("right", "full") or first is None:
            stand = own if side == "right" else None
            for one, former in list(stands.items()):
                if former in (first, *others):
                    stands[one] = stand
            stands.update(dict.fromkeys(others, stand))
            stands[own] = stand
        else:
            stands[own] = first
        return


def _merged(select: exp.Select) -> Iterator[exp.Coalesce]:
    parts = [*select.expressions, *(select.args.get(k) for k in _CLAUSES)]
    parts += [join.args.get("on") for join in select.args.get("joins") or []]
    for part in parts:
        if isinstance(part, exp.Expr):
            yield from (node for node in list(walk(part, exp.Coalesce)) if _is_merged(node))


_CLAUSES = ("where", "group", "having", "qualify", "order", "distinct")


def _is_merged(node: exp.Expr) -> bool:
    """Whether it is a COALESCE of columns of one name and of several aliases."""
    if not isinstance(node, exp.Coalesce):
        return False
    columns = [node.this, *node.expressions]
    names = {c.name.lower() for c in columns}
    return len(names) == 1 and all(attr(c) is not None and isinstance(c, exp.Column) for c in columns)
