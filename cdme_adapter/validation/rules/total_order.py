"""NO_TOTAL_ORDER: LIMIT, row_number() or DISTINCT ON that ties may decide (REQ-F-TRV-005)."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdme_adapter.validation.dependencies import Attr
from cdme_adapter.validation.predicates import attrs, bare, plain
from cdme_adapter.validation.select_facts import SelectFacts
from cdme_adapter.validation.types import short
from cdme_adapter.validation.view import CannotTell, ModelView, Said

_NUMBERED = (exp.RowNumber, exp.Ntile)


def check(view: ModelView) -> Iterator[Said]:
    """Each clause that picks rows by position."""
    if view.analysis is None:
        return
    for facts in view.analysis.selects:
        yield from _limits(view, facts)
        yield from _distinct_on(view, facts)
    seen: set[str] = set()
    for facts, window in view.analysis.walk(exp.Window):
        if isinstance(window.this, _NUMBERED) and window.sql() not in seen:
            seen.add(window.sql())
            partition = window.args.get("partition_by") or []
            yield from _judge(view, facts, window, window.args.get("order"), partition, window)


def _limits(view: ModelView, facts: SelectFacts) -> Iterator[Said]:
    select = facts.select
    limit = select.args.get("limit") or select.args.get("offset")
    if limit is None or limit.sql("duckdb").strip().lower() == "limit 0":
        return
    if facts.output.single_row and (facts.grouped and not facts.group):
        return
    if facts.grouped or select.args.get("distinct"):
        order = select.args.get("order")
        if order is None:
            yield _finding(view, limit, "no ORDER BY", "order by a key of the output")
            return
        names = {(("", c.name.lower())) for c in facts.output.columns}
        listed = {o.this.alias_or_name.lower() for o in order.expressions}
        if not any(key <= listed for key in facts.output.keys) and names:
            yield _finding(view, limit, "ties are possible", "add a key to ORDER BY")
        return
    yield from _judge(view, facts, limit, select.args.get("order"), [], limit)


def _distinct_on(view: ModelView, facts: SelectFacts) -> Iterator[Said]:
    distinct = facts.select.args.get("distinct")
    on = distinct.args.get("on") if distinct is not None else None
    if distinct is None or on is None:
        return
    listed = on.expressions if isinstance(on, exp.Tuple) else [on]
    yield from _judge(view, facts, distinct, facts.select.args.get("order"), listed, distinct)


def _judge(
    view: ModelView,
    facts: SelectFacts,
    node: exp.Expr,
    order: exp.Expr | None,
    fixed: list[exp.Expr],
    at: exp.Expr,
) -> Iterator[Said]:
    known: set[Attr] = {a for e in fixed for a in [plain(e)] if a}
    if order is None:
        if facts.rows <= facts.joined_rows.closure(known):
            return
        yield _finding(view, at, "no ORDER BY", "order by a key")
        return
    known |= {a for o in order.expressions for a in _ordered(facts, o)}
    if facts.rows <= facts.joined_rows.closure(known):
        return
    if all(s.relation.keys_known for s in facts.core()) and facts.certain:
        yield _finding(view, at, "the order leaves ties", "add the columns of a key to ORDER BY")
    else:
        yield CannotTell(f"no key says whether the order of {short(node)} is total")


def _ordered(facts: SelectFacts, ordered: exp.Expr) -> set[Attr]:
    """The attribute that an ORDER BY term is, by column or by alias of the output."""
    inner = bare(ordered.this)
    found = plain(inner)
    if found is not None and found[0]:
        return {found}
    if isinstance(inner, exp.Column):
        for projection in facts.select.expressions:
            if projection.alias_or_name.lower() == inner.name.lower():
                origin = plain(projection)
                return {origin} if origin else attrs(projection)
    return set()


def _finding(view: ModelView, at: exp.Expr, why: str, remedy: str) -> Said:
    return view.found(
        "NO_TOTAL_ORDER",
        "warn",
        f"{short(at).strip()} picks rows by position, but {why}: another run may pick others",
        remedy,
        at,
    )
