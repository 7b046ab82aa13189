"""Window functions, QUALIFY, and the row_number() dedup written as a subquery."""

from __future__ import annotations

from tests.laws.generator.expressions import scalar, where
from tests.laws.generator.maker import Maker, Query, Scope, scope_of
from tests.laws.generator.shapes.limit import total_order

FRAMES = [
    "",
    " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
    " ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING",
    " ROWS UNBOUNDED PRECEDING",
    " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW",
    " GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
]

TIED = [
    " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE TIES",
    " RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE GROUP",
    " GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE TIES",
    " GROUPS BETWEEN 1 FOLLOWING AND 2 FOLLOWING",
    " GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING",
]
"""Frames that mean the same for every order of peers."""
OFFSET = [
    " RANGE BETWEEN 1 PRECEDING AND CURRENT ROW",
    " RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW",
    " RANGE BETWEEN 1 FOLLOWING AND 2 FOLLOWING",
]
"""Frames by the distance of one number."""


def call(make: Maker, scope: Scope) -> str:
    """One window function over a window in a total order."""
    number = scalar(make, scope, "int", 0)
    partition = ""
    groups = [ref for ref, kind in scope.refs if kind != "list"]
    if groups and make.chance(60):
        partition = f"PARTITION BY {make.pick(groups)} "
    ordered = f"ORDER BY {total_order(make, scope)}" if scope.key else ""
    peers = f"ORDER BY {make.pick(groups)}" if groups else ""
    form = make.number(0, 9)
    if form <= 1 and scope.key:
        return f"row_number() OVER ({partition}{ordered})"
    if form == 2:
        return (
            f"{make.pick(['rank', 'dense_rank', 'percent_rank', 'cume_dist'])}() OVER ({partition}{peers})"
        )
    if form == 3 and scope.key:
        name, more = make.pick(["lag", "lead"]), make.pick(["", ", 2", ", 1, 7"])
        if make.chance(30):
            make.uses("lag ignore nulls")
            more += " IGNORE NULLS"
        return f"{name}({number}{more}) OVER ({partition}{ordered})"
    if form == 4 and scope.key:
        name = make.pick(["first_value", "last_value"])
        return f"{name}({number}) OVER ({partition}{ordered}{make.pick(FRAMES)})"
    if form == 5 and scope.key:
        return f"ntile({make.number(1, 3)}) OVER ({partition}{ordered})"
    numbers = [ref for ref, kind in scope.refs if kind == "int"]
    if form == 7 and numbers:
        order = f"ORDER BY {make.pick(numbers)}{make.pick(['', ' DESC', ' NULLS FIRST'])}"
        frame = make.pick(OFFSET + TIED)
        return f"{make.pick(['sum', 'count', 'max'])}({number}) OVER ({partition}{order}{frame})"
    if form == 6:
        return f"{make.pick(['sum', 'max'])}({number}) OVER ({partition}{peers})"
    name = make.pick(["sum", "count", "min", "max"])
    frame = make.pick(FRAMES) if scope.key else ""
    return f"{name}({number}) OVER ({partition}{ordered}{frame})"


def kind_of(sql: str) -> str:
    """The kind of a window function's value."""
    return "double" if sql.startswith(("percent_rank", "cume_dist")) else "int"


def window(make: Maker, depth: int) -> Query:
    """A window function or two beside the columns."""
    source = make.source(depth, keyed=make.chance(70))
    scope = scope_of(source)
    calls = [call(make, scope) for _ in range(make.number(1, 2))]
    parts = [*scope.refs, *((sql, kind_of(sql)) for sql in calls)]
    listed, cols = make.output(parts)
    names = {ref: col.name for (ref, _), col in zip(scope.refs, cols, strict=False)}
    key = tuple(names[ref] for ref in scope.key) if scope.key else None
    return Query(f"SELECT {listed} FROM {source.sql}{where(make, scope)}", cols, key)


def qualify(make: Maker, depth: int) -> Query:
    """QUALIFY with one or two conditions on window functions."""
    source = make.source(depth, keyed=True)
    scope = scope_of(source)
    listed, cols = make.output(list(scope.refs))
    names = {ref: col.name for (ref, _), col in zip(scope.refs, cols, strict=True)}
    conditions = []
    for _ in range(2 if make.chance(20) else 1):
        if make.chance(60):
            conditions.append(f"{_rank(make, scope)} = 1")
        else:
            conditions.append(
                f"{call(make, scope)} {make.pick(['>=', '<', '=', '<>'])} {make.number(0, 2)}"
            )
    sql = f"SELECT {listed} FROM {source.sql}{where(make, scope)} QUALIFY {' AND '.join(conditions)}"
    return Query(sql, cols, tuple(names[ref] for ref in scope.key or ()))


def _rank(make: Maker, scope: Scope) -> str:
    groups = [ref for ref, kind in scope.refs if kind != "list"]
    return f"row_number() OVER (PARTITION BY {make.pick(groups)} ORDER BY {total_order(make, scope)})"


def dedup(make: Maker, depth: int) -> Query:
    """The first row of each partition, by a subquery with a row number."""
    source = make.source(depth, keyed=True)
    scope = scope_of(source)
    listed, cols = make.output(list(scope.refs))
    names = {ref: col.name for (ref, _), col in zip(scope.refs, cols, strict=True)}
    inner = f"SELECT {listed}, {_rank(make, scope)} AS rn FROM {source.sql}{where(make, scope)}"
    alias = make.fresh("q")
    kept = ", ".join(f"{alias}.{col.name}" for col in cols)
    sql = f"SELECT {kept} FROM ({inner}) AS {alias} WHERE {alias}.rn = 1"
    return Query(sql, cols, tuple(names[ref] for ref in scope.key or ()))
