"""The ways of DuckDB's SQL to say the same: stars, FROM first, reused aliases, named windows."""

from __future__ import annotations

from tests.laws.generator.expressions import LITERALS, predicate, scalar, where
from tests.laws.generator.maker import Maker, Query, Scope, scope_of
from tests.laws.generator.schema import Col
from tests.laws.generator.shapes.limit import total_order


def stars(make: Maker, depth: int) -> Query:
    """``*`` and ``q.*`` with EXCLUDE, REPLACE and RENAME."""
    source = make.source(depth)
    scope = scope_of(source)
    first, *rest = source.cols
    star = make.pick(["*", f"{source.alias}.*"])
    key: tuple[str, ...] | None = None
    cols: tuple[Col, ...] = source.cols
    form = make.number(0, 3)
    if form == 0 and rest:
        star, cols = f"{star} EXCLUDE ({first.name})", tuple(rest)
    elif form == 1:
        value = scalar(make, scope, first.kind, 0)
        star = f"{star} REPLACE ({value} AS {first.name})"
    elif form == 2 and not any(c.name == "z" for c in cols):
        star, cols = f"{star} RENAME ({first.name} AS z)", (Col("z", first.kind), *rest)
    else:
        key = source.key
    return Query(f"SELECT {star} FROM {source.sql}{where(make, scope)}", cols, key)


def from_first(make: Maker, depth: int) -> Query:
    """``FROM … SELECT …``, or no SELECT at all."""
    source = make.source(depth)
    scope = scope_of(source)
    if make.chance(40):
        return Query(f"FROM {source.sql}{where(make, scope)}", source.cols, source.key)
    listed, cols = make.output(make.some(scope.refs)[:3])
    return Query(f"FROM {source.sql} SELECT {listed}{where(make, scope)}", cols)


def aliases(make: Maker, depth: int) -> Query:
    """An alias used again in the SELECT list, in WHERE, in GROUP BY and in ORDER BY."""
    source = make.source(depth)
    scope = scope_of(source)
    first, second = make.fresh("n"), make.fresh("n")
    value = scalar(make, scope, "int")
    condition = f" WHERE {first} {make.pick(['>=', '<>', '<'])} {make.number(0, 2)}"
    if not make.chance(50):
        condition = where(make, scope)
    if make.chance(40):
        sql = (
            f"SELECT {value} AS {first}, count(*) AS {second} FROM {source.sql}{condition}"
            f" GROUP BY {first} HAVING {second} >= 1"
        )
        return Query(sql, (Col(first, "int"), Col(second, "int")), (first,))
    sql = (
        f"SELECT {value} AS {first}, {first} + 1 AS {second} FROM {source.sql}{condition} ORDER BY {second}"
    )
    return Query(sql, (Col(first, "int"), Col(second, "int")))


def alias_hides(make: Maker, depth: int) -> Query:
    """GROUP BY … HAVING with an alias that has the name of a column."""
    source = make.source(depth)
    scope = scope_of(source)
    ints = [c.name for c in source.cols if c.kind == "int"]
    first = make.pick([ref for ref, kind in scope.refs if kind != "list"] or ["1"])
    if not ints or "." not in first:
        return aliases(make, depth)
    name = make.pick(ints)
    column = f"{source.alias}.{name}"
    value = make.pick([f"sum({column})", f"max({column})", f"count({column})", f"min({column} + 1)"])
    condition = make.pick(
        [f"{name} {make.pick(['>=', '<>', '<'])} {make.number(0, 2)}", f"sum({name}) > 0"]
    )
    key = make.fresh("n")
    while key == name:  # a view counts its names anew
        key = make.fresh("n")
    kind = dict(scope.refs)[first]
    if make.chance(30):
        condition += f" AND {name} IS NOT NULL"
    if first == column:  # grouped by: the alias gives way to it
        value = f"count({column})"
    sql = (
        f"SELECT {first} AS {key}, {value} AS {name} FROM {source.sql}{where(make, scope)}"
        f" GROUP BY {make.pick([first, '1'])} HAVING {condition}"
    )
    return Query(sql, (Col(key, kind), Col(name, "int")), (key,))


def columns(make: Maker, depth: int) -> Query:
    """COLUMNS of a pattern, and names in another case."""
    source = make.source(depth)
    chosen = make.pick(source.cols)
    pattern = f"^{chosen.name}$"
    rest = where(make, scope_of(source))
    cols = tuple(c for c in source.cols if c.name == chosen.name)
    if chosen.name.startswith('"'):
        return Query(f"SELECT * FROM {source.sql}{rest}", source.cols, source.key)
    if make.chance(50):
        return Query(f"SELECT COLUMNS('{pattern}') FROM {source.sql}{rest}", cols)
    make.uses("names in another case")
    listed = f"{source.alias.upper()}.{chosen.name.upper()}"
    name = make.fresh("n")
    return Query(f"SELECT {listed} AS {name} FROM {source.sql}{rest}", (Col(name, chosen.kind),))


def named_window(make: Maker, depth: int) -> Query:
    """Windows with a name, refined where they are used."""
    source = make.source(depth, keyed=True)
    scope = scope_of(source)
    number = scalar(make, scope, "int", 0)
    order = total_order(make, scope)
    groups = [ref for ref, kind in scope.refs if kind != "list"]
    partition = f"PARTITION BY {make.pick(groups)}"
    calls = [(f"sum({number}) OVER w", "int"), ("row_number() OVER (w)", "int")]
    definition = f"w AS ({partition} ORDER BY {order})"
    if make.chance(50):
        calls = [(f"max({number}) OVER (u ORDER BY {order})", "int"), (f"count({number}) OVER u", "int")]
        definition = f"u AS ({partition})"
    listed, cols = make.output([*scope.refs, *calls])
    names = {ref: col.name for (ref, _), col in zip(scope.refs, cols, strict=False)}
    sql = f"SELECT {listed} FROM {source.sql}{where(make, scope)} WINDOW {definition}"
    return Query(sql, cols, tuple(names[ref] for ref in scope.key or ()))


def window_over_groups(make: Maker, depth: int) -> Query:
    """A window function over the rows of a GROUP BY, maybe with QUALIFY."""
    source = make.source(depth)
    scope = scope_of(source)
    keys = [(ref, kind) for ref, kind in scope.refs if kind != "list"] or [("1", "int")]
    ref, kind = make.pick(keys)
    number = scalar(make, scope, "int", 0)
    call = make.pick(
        [
            f"sum(count(*)) OVER (ORDER BY {ref})",
            "max(count(*)) OVER ()",
            f"rank() OVER (ORDER BY sum({number}) DESC NULLS LAST)",
            f"count(*) OVER (PARTITION BY max({number}))",
        ]
    )
    listed, cols = make.output([(ref, kind), (call, "int")])
    by = ref if "." in ref else "1"
    if "." not in ref:
        call = "max(count(*)) OVER ()"
        listed, cols = make.output([(ref, kind), (call, "int")])
    tail = ""
    if make.chance(30) and "." in ref:
        tail = f" QUALIFY row_number() OVER (ORDER BY {ref}) <= {make.number(1, 2)}"
    sql = f"SELECT {listed} FROM {source.sql}{where(make, scope)} GROUP BY {by}{tail}"
    return Query(sql, cols, (cols[0].name,))


def nested_values(make: Maker, depth: int) -> Query:
    """Lists, structs, lambdas and comprehensions in the SELECT list."""
    source = make.source(depth)
    scope = scope_of(source)
    left, right = scalar(make, scope, "int", 0), scalar(make, scope, "int", 0)
    calls = [
        (f"list_transform([{left}, {right}], lambda el: el + 1)", "list"),
        (f"[el * 2 FOR el IN [{left}, {right}] IF el > 0]", "list"),
        (f"({{'u': {left}, 'v': {right}}}).u", "int"),
        (f"len([{left}])", "int"),
        (f"list_filter([{left}, 1], lambda el: el IS NOT NULL)", "list"),
        (f"[{left}, {right}][1]", "int"),
        (f"CAST(json_object('u', {left}) ->> '$.u' AS INTEGER)", "int"),
        (f"CAST(json_extract(json_array({left}, {right}), '$[1]') AS INTEGER)", "int"),
        (f"MAP {{'u': {left}}}['u']", "int"),
        (f"plus_two({left})", "int"),
    ]
    parts = [*make.some(scope.refs)[:2], *make.some(calls)[:2]]
    listed, cols = make.output(parts)
    return Query(f"SELECT {listed} FROM {source.sql}{where(make, scope)}", cols)


def tuple_in(make: Maker, depth: int) -> Query:
    """A tuple IN a subquery, or in a list of tuples."""
    left, right = make.source(depth), make.source(0)
    ours, theirs = scope_of(left), scope_of(right)
    pair = [scalar(make, ours, "int", 0) for _ in range(2)]
    other = [scalar(make, theirs, "int", 0) for _ in range(2)]
    word = make.pick(["IN", "NOT IN"])
    condition = (
        f"({', '.join(pair)}) {word} (SELECT {', '.join(other)} FROM {right.sql}{where(make, theirs)})"
    )
    listed, cols = make.output(make.some(ours.refs)[:3])
    return Query(f"SELECT {listed} FROM {left.sql} WHERE {condition}", cols)


def having_subquery(make: Maker, depth: int) -> Query:
    """HAVING and QUALIFY against subqueries."""
    source, other = make.source(depth, keyed=True), make.source(0)
    scope, there = scope_of(source), scope_of(other)
    inner = f"(SELECT count(*) FROM {other.sql}{where(make, there)})"
    groups = [(ref, kind) for ref, kind in scope.refs if kind != "list"]
    ref, kind = make.pick(groups)
    comparison = make.pick(["<=", "<", "<>", ">="])
    if make.chance(50):
        listed, cols = make.output([(ref, kind), ("count(*)", "int")])
        exists = f"EXISTS (SELECT 1 FROM {other.sql} WHERE {predicate(make, there, 0)})"
        condition = make.pick([f"count(*) {comparison} {inner}", exists])
        sql = f"SELECT {listed} FROM {source.sql} GROUP BY {ref} HAVING {condition}"
        return Query(sql, cols, (cols[0].name,))
    listed, cols = make.output(list(scope.refs))
    rank = f"row_number() OVER (ORDER BY {total_order(make, scope)})"
    return Query(f"SELECT {listed} FROM {source.sql} QUALIFY {rank} {comparison} {inner}", cols)


def recursive(make: Maker, depth: int) -> Query:
    """A recursive CTE: a walk of at most two steps over a table."""
    base, step = make.source(depth), make.base()
    ours, theirs = scope_of(base), scope_of(step)
    name, alias = make.fresh("r"), make.fresh("q")
    start = scalar(make, ours, "int", 0)
    inner = Scope((*theirs.refs, (f"{alias}.a", "int")))
    anchor = f"SELECT {start}, 0 FROM {base.sql}{where(make, ours)}"
    link = f"{make.pick(theirs.of('int') or LITERALS['int'])} = {alias}.a"
    following = (
        f"SELECT {scalar(make, inner, 'int', 0)}, {alias}.n + 1 FROM {name} AS {alias}"
        f" JOIN {step.sql} ON {link} WHERE {alias}.n < {make.number(1, 2)}"
    )
    sql = (
        f"WITH RECURSIVE {name}(a, n) AS ({anchor} UNION ALL {following})"
        f" SELECT {name}.a AS a, {name}.n AS n FROM {name}"
    )
    return Query(sql, (Col("a", "int"), Col("n", "int")))


def unused_cte(make: Maker, depth: int) -> Query:
    """A query beside a CTE that nobody reads, and one whose columns are named in its head."""
    unused, query = make.query(0), make.query(depth)
    name = make.fresh("w")
    alias = make.fresh("q")
    names = [make.fresh("h") for _ in query.cols]
    sql = (
        f"WITH {make.fresh('w')} AS ({unused.sql}), {name}({', '.join(names)}) AS ({query.sql})"
        f" SELECT * FROM {name} AS {alias}"
    )
    cols = tuple(Col(n, c.kind) for n, c in zip(names, query.cols, strict=True))
    place = {c.name: n for n, c in zip(names, query.cols, strict=True)}
    key = tuple(place[k] for k in query.key) if query.key else None
    return Query(sql, cols, key)


def quoted(make: Maker, depth: int) -> Query:
    """Quoted, reserved and mixed-case names."""
    source = make.source(depth)
    scope = scope_of(source)
    parts = make.some(scope.refs)[:2]
    names = ['"Order"', '"group by"'][: len(parts)]
    listed = ", ".join(f"{ref} AS {name}" for (ref, _), name in zip(parts, names, strict=True))
    cols = tuple(Col(name, kind) for (_, kind), name in zip(parts, names, strict=True))
    return Query(f"SELECT {listed} FROM {source.sql}{where(make, scope)}", cols)


def reading_macro(make: Maker, depth: int) -> Query:
    """A macro with a subquery in it, asked with a column."""
    source = make.source(depth)
    scope = scope_of(source)
    asked = make.pick([ref for ref in scope.of("int") if "." in ref] or ["1"])
    value = make.pick([f"count_from({asked})", f"count_from({asked}) + 1", f"count_from({asked} + 1)"])
    listed, cols = make.output([*make.some(scope.refs)[:2], (value, "int")])
    return Query(f"SELECT {listed} FROM {source.sql}{where(make, scope)}", cols)


def unpivot(make: Maker, depth: int) -> Query:
    """UNPIVOT of whole numbers, in FROM or as a statement."""
    source = make.source(depth)
    ints = [c.name for c in source.cols if c.kind == "int"]
    if not ints:
        return stars(make, depth)
    chosen = make.some(ints)[:3]
    n, v, alias = make.fresh("n"), make.fresh("v"), make.fresh("q")
    cols = (*(c for c in source.cols if c.name not in chosen), Col(n, "text"), Col(v, "int"))
    if {n, v} & {c.name for c in source.cols}:
        return stars(make, depth)
    nulls = make.pick(["", "", " INCLUDE NULLS"])
    inner = f"(SELECT * FROM {source.sql})"
    if make.chance(40):
        make.uses("unpivot statement")
        made = f"UNPIVOT {inner} ON {', '.join(chosen)} INTO NAME {n} VALUE {v}"
        return Query(f"SELECT {alias}.* FROM ({made}) AS {alias}", cols)
    item = f"{inner} UNPIVOT{nulls} ({v} FOR {n} IN ({', '.join(chosen)})) AS {alias}"
    scope = Scope(tuple((f"{alias}.{c.name}", c.kind) for c in cols))
    return Query(f"SELECT {alias}.* FROM {item}{where(make, scope)}", cols)
