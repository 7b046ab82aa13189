"""NULL_DROPPED: conditions that drop rows with NULL without a word.

``x <> 'a'``, NOT IN and NOT LIKE are not TRUE for NULL; an inner join loses NULL keys.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdme_adapter.validation.dependencies import Attr
from cdme_adapter.validation.predicates import attr, attrs, bare, conjuncts, plain, rejects_null
from cdme_adapter.validation.relations import Nulls
from cdme_adapter.validation.select_facts import SelectFacts
from cdme_adapter.validation.types import short
from cdme_adapter.validation.view import CannotTell, ModelView, Said

_NEGATED = (exp.EQ, exp.In, exp.Like, exp.ILike, exp.Between)


def check(view: ModelView) -> Iterator[Said]:
    """Negated conditions in filters, and inner joins over keys that hold NULLs."""
    if view.analysis is None:
        return
    for facts in view.analysis.selects:
        for clause in ("where", "having", "qualify"):
            parts = list(conjuncts(facts.select.args.get(clause)))
            for part in parts:
                others = {a for p in parts if p is not part for a in rejects_null(p)}
                yield from _negated(view, facts, part, others)
        yield from _joins(view, facts)


def _negated(view: ModelView, facts: SelectFacts, part: exp.Expr, guarded: set[Attr]) -> Iterator[Said]:
    inner = bare(part.this) if isinstance(part, exp.Not) else part
    if isinstance(part, exp.Not) and not isinstance(inner, _NEGATED):
        return
    negated = isinstance(part, (exp.Not, exp.NEQ)) or bool(part.args.get("negate"))
    if not negated or inner is None:
        return
    query = inner.args.get("query") if isinstance(inner, exp.In) else None
    if query is not None:
        yield from _not_in(view, part, query)
    for side in (inner.this, inner.args.get("expression")):
        where = plain(side) if isinstance(side, exp.Expr) else None
        if where is None or where in guarded:
            continue
        if _without(facts, part, where) is Nulls.NEVER:
            continue
        yield view.found(
            "NULL_DROPPED",
            "warn",
            f"{short(part)} is not true where {where[1]} is NULL: those rows are dropped too",
            f"say what should happen: `{where[1]} IS DISTINCT FROM …`, `OR {where[1]} IS NULL`, or "
            f"a not_null test on {where[1]}",
            part,
        )
        return


def _without(facts: SelectFacts, part: exp.Expr, where: Attr) -> Nulls:
    """Whether the attribute may be NULL, this conjunct and those like it not counted."""
    kept = facts.not_null
    facts.not_null = kept - rejects_null(part)
    try:
        return facts.nulls(where)
    finally:
        facts.not_null = kept


def _not_in(view: ModelView, part: exp.Expr, query: exp.Expr) -> Iterator[Said]:
    assert view.analysis is not None
    select = query.unnest() if isinstance(query, exp.Subquery) else query
    inside = next((f for f in view.analysis.selects if f.select is select), None)
    columns = inside.output.columns if inside is not None else ()
    if columns and columns[0].nulls is Nulls.NEVER:
        return
    yield view.found(
        "NULL_DROPPED",
        "warn",
        "NOT IN gives no row at all once the subquery holds a NULL",
        "use NOT EXISTS, or add IS NOT NULL inside the subquery",
        part,
    )


def _joins(view: ModelView, facts: SelectFacts) -> Iterator[Said]:
    for source in facts.sources.values():
        if source.side != "inner" or source.join is None:
            continue
        for part in conjuncts(source.join.args.get("on")):
            if not isinstance(part, exp.EQ):
                continue
            meant = _meant(facts)
            for side in (part.this, part.expression):
                where = attr(side)
                if where is None or where in meant or not attrs(part) - {where}:
                    continue
                origin = facts.sources.get(where[0])
                column = origin.relation.column(where[1]) if origin else None
                if column is None:
                    continue
                if column.nulls is Nulls.SOME and not (origin and origin.padded):
                    yield view.found(
                        "NULL_DROPPED",
                        "warn",
                        f"{where[1]} holds NULLs, and the inner join on {short(part)} drops them",
                        "use a left join, or say with IS NOT NULL that they are to go",
                        part,
                    )
                elif column.nulls is Nulls.UNKNOWN:
                    yield CannotTell(f"whether {where[1]}, joined on, holds NULLs is not known")


def _meant(facts: SelectFacts) -> set[Attr]:
    """Attributes whose NULLs a condition of its own drops: WHERE, or IS NOT NULL in ON."""
    parts = list(conjuncts(facts.select.args.get("where")))
    for source in facts.sources.values():
        on = source.join.args.get("on") if source.join is not None and source.side == "inner" else None
        parts += [part for part in conjuncts(on) if isinstance(part, exp.Not)]
    return {found for part in parts for found in rejects_null(part)}
