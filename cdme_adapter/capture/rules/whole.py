"""What no rule understands runs as it was written; whatever it reads is behind it as a whole.

The edges of the relations that it reads are ``superset``: every witness is among their records, and
maybe more. The rest of the model stays as exact as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.rules.reads import Read, reads
from cdme_adapter.capture.rules.subquery import bring_ctes
from cdme_adapter.capture.scope import Env, Scope, Source, Visible
from cdme_adapter.capture.sqltext import quote, render, text
from cdme_adapter.errors import UnsupportedConstruct
from cdme_adapter.provenance import Exactness, Role

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner


def plan_whole(planner: Planner, query: exp.Expr, env: Env, reason: UnsupportedConstruct) -> str:
    """``query`` as a stage that runs as written, evaluated once; the name of the stage.

    Raises ``reason`` again where it is not certain which relations the query reads.
    """
    body = query.copy()
    found = consult(planner, body, env, reason)
    bring_ctes(planner, body, env)
    if found:  # else nothing is lost: no record of any relation is behind its rows
        planner.degrade(reason)
    return planner.keep(Scope(text(body), None, ()))


def consult(planner: Planner, query: exp.Expr, env: Env, reason: UnsupportedConstruct) -> set[Read]:
    """Say of everything that ``query`` reads that all of it may be behind its rows."""
    try:
        found = reads(planner, query, env)
    except (UnsupportedConstruct, RecursionError) as unknown:
        raise reason from unknown
    for relation, role in sorted(found):
        exactness = Exactness.EXACT if role is Role.GUARD else Exactness.SUPERSET
        planner.consult(relation, role, exactness, reason.message)
    return found


def whole_item(planner: Planner, item: exp.Expr, env: Env, reason: UnsupportedConstruct) -> Source:
    """A FROM item that no rule understands, under its own alias."""
    alias = item.args.get("alias")
    name = (alias.name if alias is not None else "") or item.alias_or_name
    pivots = item.args.get("pivots")
    if pivots:
        name = pivots[-1].alias or planner.hidden("d")
    columns = tuple(c.name for c in alias.args.get("columns") or ()) if alias is not None else ()
    if not name or (isinstance(item, exp.Subquery) and alias is None and _holds_joins(item)):
        raise reason  # its names are seen from outside
    stage = plan_whole(planner, exp.select("*").from_(item.copy(), copy=False), env, reason)
    return Source(f"temp.{stage} AS {quote(name)}", (Visible(name, columns or None),), ())


def _holds_joins(item: exp.Subquery) -> bool:
    return isinstance(item.this, (exp.Table, exp.Subquery)) or bool(item.args.get("joins"))


def shown(node: exp.Expr) -> str:
    """The beginning of a construct, for a message."""
    return " ".join(render(node).split())[:60]
