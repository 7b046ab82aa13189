"""``cast``: the casts behind an output column run as TRY_CAST, and what they drop is kept as text.

Follows a column from the outermost SELECT through stars and plain references into CTEs and
subqueries, to the one SELECT whose expression holds casts. There each becomes TRY_CAST, and a helper
column takes the text of a value that did not cast; every SELECT on the way hands the helper on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlglot import exp

from cdme_adapter.capture.sqltext import as_written, own_nodes, touch
from cdme_adapter.engines.rows import quote
from cdme_adapter.refine.checks import Check

HELPER = "cdme_cast_"
FIELD = "cdme_text"
TYPE = f"STRUCT({FIELD} VARCHAR)"


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
        found = _Follower(name).follow(tree, column, {})
        if found is None:
            raise CastNotFound(f"no CAST stands behind the column {column}")
        check = Check(
            f"cast_{column}", found, f"({quote(name)} IS NOT NULL)", columns=(column,), shows=name
        )
        helpers.append(CastHelper(name, check))
    return helpers


_Env = dict[str, exp.Expr]


@dataclass
class _Follower:
    """Follows one column. A query is rewritten once, however many read it: ``_done`` has the casts that
    were found in each, by its identity."""

    helper: str
    _done: dict[int, str | None] = field(default_factory=dict)

    def follow(self, query: exp.Expr, column: str, env: _Env) -> str | None:
        """The casts that were rewritten, as they were written; None where there is none."""
        if id(query) not in self._done:
            self._done[id(query)] = self._query(query, column, env)
        return self._done[id(query)]

    def _query(self, query: exp.Expr, column: str, env: _Env) -> str | None:
        with_ = query.args.get("with_")
        if with_ is not None:
            env = env | {cte.alias_or_name.lower(): cte.this for cte in with_.expressions}
        if isinstance(query, exp.Subquery):
            return self.follow(query.this, column, env)
        if isinstance(query, exp.SetOperation):
            return self._union(query, column, env)
        if not isinstance(query, exp.Select):
            return None
        for projection in query.expressions:
            if isinstance(projection, exp.Star) or (
                isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star)
            ):
                continue
            if projection.alias_or_name.lower() == column.lower():
                return self._through(query, projection, env)
        return self._through_star(query, column, env)

    def _union(self, query: exp.SetOperation, column: str, env: _Env) -> str | None:
        """Both sides of a UNION; the right one's column has the left one's name, or its own."""
        if not isinstance(query, exp.Union):
            raise CastNotFound(f"the column {column} is made by {query.key}: cast it before, in a CTE")
        sides = [query.this.unnest(), query.expression.unnest()]
        names = [column, _opposite(sides[0], sides[1], column)]
        found = [self.follow(side, name, env) for side, name in zip(sides, names, strict=True)]
        if not any(found):
            return None
        for side, written in zip(sides, found, strict=True):
            if written is None:
                for select in _selects(side):
                    _append(select, exp.alias_(exp.cast(exp.Null(), TYPE, dialect="duckdb"), self.helper))
        return ", ".join(dict.fromkeys(w for w in found if w))

    def _through(self, query: exp.Select, projection: exp.Expr, env: _Env) -> str | None:
        """A column that the SELECT names: its own casts, or those of the column that it repeats."""
        written = _rewrite(query, projection, self.helper)
        if written is not None:
            return written
        inner = projection.unalias()
        if not isinstance(inner, exp.Column):
            return None
        for name, source in _sources(query, env).items():
            if inner.table and inner.table.lower() != name:
                continue
            found = self.follow(source, inner.name, env)
            if found is not None:
                _append(query, exp.column(self.helper, table=name if inner.table else None))
                return found
        return None

    def _through_star(self, query: exp.Select, column: str, env: _Env) -> str | None:
        """A column that a star brings: the star brings the helper too."""
        sources = _sources(query, env)
        for projection in query.expressions:
            star = projection if isinstance(projection, exp.Star) else projection.this
            if not isinstance(star, exp.Star):
                continue
            for changed in star.args.get("replace") or ():
                if changed.alias_or_name.lower() == column.lower():
                    return _rewrite(query, changed, self.helper)
            only = projection.table.lower() if isinstance(projection, exp.Column) else None
            for name, source in sources.items():
                found = self.follow(source, column, env) if only in (None, name) else None
                if found is not None:
                    return found
        return None


def _opposite(left: exp.Expr, right: exp.Expr, column: str) -> str:
    """The name of the right side's column at the place of the left one's, where both list their columns."""
    both = []
    for side in (left, right):
        listed = side.expressions if isinstance(side, exp.Select) else []
        plain = all(not e.is_star for e in listed)
        both.append([e.alias_or_name.lower() for e in listed] if listed and plain else [])
    if len(both[0]) == len(both[1]) and column.lower() in both[0]:
        return both[1][both[0].index(column.lower())] or column
    return column


def _selects(query: exp.Expr) -> list[exp.Select]:
    """The SELECTs whose rows a side of a UNION is."""
    if isinstance(query, exp.SetOperation):
        return [*_selects(query.this.unnest()), *_selects(query.expression.unnest())]
    if not isinstance(query, exp.Select):
        raise CastNotFound("a side of a UNION is no SELECT: cast before it, in a CTE")
    return [query]


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
    packed: exp.Expr = exp.maybe_parse(f"struct_pack({FIELD} := cdme_value)", dialect="duckdb")
    next(packed.find_all(exp.Column)).replace(made)
    known = exp.Not(this=exp.Is(this=exp.paren(made.copy()), expression=exp.Null()))
    _append(query, exp.alias_(exp.Case(ifs=[exp.If(this=known, true=packed)]), helper))
    return written


def _append(query: exp.Select, projection: exp.Expr) -> None:
    query.append("expressions", projection)
    touch(query)
