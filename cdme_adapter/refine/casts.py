"""``cast``: the casts behind an output column run as TRY_CAST, and what they drop is kept as text.

Follows a column from the outermost SELECT through stars and plain references into CTEs and
subqueries, to the one SELECT whose expression holds casts. There each becomes TRY_CAST, and a helper
column takes the text of a value that did not cast; every SELECT on the way hands the helper on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlglot import exp

from cdme_adapter.capture.sqltext import as_written, own_nodes, touch
from cdme_adapter.engines.rows import quote
from cdme_adapter.refine.checks import Check

HELPER = "cdme_cast_"


class CastNotFound(Exception):
    """Why no cast of a column could be found, in words."""


@dataclass(frozen=True)
class CastHelper:
    """A helper column and the check on it."""

    name: str
    check: Check


def try_casts(tree: exp.Expr, columns: Iterable[str]) -> list[CastHelper]:
    """Rewrite ``tree`` in place; raises CastNotFound for a column without a cast that can be found."""
    helpers = []
    for number, column in enumerate(columns, 1):
        name = f"{HELPER}{number}"
        found = _follow(tree, column, name, {})
        if found is None:
            raise CastNotFound(f"no CAST stands behind the column {column}")
        check = Check(
            f"cast_{column}", found, f"({quote(name)} IS NOT NULL)", columns=(column,), shows=name
        )
        helpers.append(CastHelper(name, check))
    return helpers


_Env = dict[str, exp.Expr]


def _follow(query: exp.Expr, column: str, helper: str, env: _Env) -> str | None:
    """The casts that were rewritten, as they were written; None where there is none."""
    with_ = query.args.get("with_")
    if with_ is not None:
        env = env | {cte.alias_or_name.lower(): cte.this for cte in with_.expressions}
    if isinstance(query, exp.Subquery):
        return _follow(query.this, column, helper, env)
    if isinstance(query, exp.SetOperation):
        raise CastNotFound(f"the column {column} is made by a set operation: cast it before, in a CTE")
    if not isinstance(query, exp.Select):
        return None
    for projection in query.expressions:
        if isinstance(projection, exp.Star) or (
            isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star)
        ):
            continue
        if projection.alias_or_name.lower() == column.lower():
            return _through(query, projection, helper, env)
    return _through_star(query, column, helper, env)


def _through(query: exp.Select, projection: exp.Expr, helper: str, env: _Env) -> str | None:
    """A column that the SELECT names: its own casts, or those of the column that it repeats."""
    written = _rewrite(query, projection, helper)
    if written is not None:
        return written
    inner = projection.unalias()
    if not isinstance(inner, exp.Column):
        return None
    for name, source in _sources(query, env).items():
        if inner.table and inner.table.lower() != name:
            continue
        found = _follow(source, inner.name, helper, env)
        if found is not None:
            _append(query, exp.column(helper, table=name if inner.table else None))
            return found
    return None


def _through_star(query: exp.Select, column: str, helper: str, env: _Env) -> str | None:
    """A column that a star brings: the star brings the helper too."""
    sources = _sources(query, env)
    for projection in query.expressions:
        star = projection if isinstance(projection, exp.Star) else projection.this
        if not isinstance(star, exp.Star):
            continue
        for changed in star.args.get("replace") or ():
            if changed.alias_or_name.lower() == column.lower():
                return _rewrite(query, changed, helper)
        only = projection.table.lower() if isinstance(projection, exp.Column) else None
        for name, source in sources.items():
            found = _follow(source, column, helper, env) if only in (None, name) else None
            if found is not None:
                return found
    return None


def _sources(query: exp.Select, env: _Env) -> dict[str, exp.Expr]:
    """The queries that a SELECT reads, by the name that it gives them; stored relations are none."""
    items = [query.args.get("from_"), *(query.args.get("joins") or ())]
    found: dict[str, exp.Expr] = {}
    for item in items:
        source = item.this if item is not None else None
        if isinstance(source, exp.Subquery):
            found[source.alias_or_name.lower()] = source.this
        elif isinstance(source, exp.Table) and not source.db and source.name.lower() in env:
            found[source.alias_or_name.lower()] = env[source.name.lower()]
    return found


def _rewrite(query: exp.Select, projection: exp.Expr, helper: str) -> str | None:
    """TRY_CAST for each cast of an expression, and the helper beside it."""
    casts = [n for n in own_nodes(projection) if isinstance(n, exp.Cast) and not isinstance(n, exp.TryCast)]
    if not casts:
        return None
    written = ", ".join(as_written(cast) for cast in casts)
    texts = []
    for cast in reversed(casts):  # the inner before the outer
        value, kind = cast.this, cast.args["to"]
        tried = exp.TryCast(this=value.copy(), to=kind.copy(), safe=True)
        text = exp.cast(value.copy(), "VARCHAR")
        failed = exp.and_(
            exp.Not(this=exp.Is(this=exp.paren(value.copy()), expression=exp.Null())),
            exp.Is(this=tried.copy(), expression=exp.Null()),
        )
        texts.append(exp.Case(ifs=[exp.If(this=failed, true=text)]))
        touch(cast)
        cast.replace(tried)
    made = exp.Coalesce(this=texts[0], expressions=texts[1:]) if len(texts) > 1 else texts[0]
    _append(query, exp.alias_(made, helper))
    return written


def _append(query: exp.Select, projection: exp.Expr) -> None:
    query.append("expressions", projection)
    touch(query)
