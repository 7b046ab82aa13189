"""FROM items that are no table by its name: VALUES, series, macros, a CTE with its table's name."""

from __future__ import annotations

from tests.laws.generator.expressions import predicate
from tests.laws.generator.maker import Maker, Source, scope_of
from tests.laws.generator.schema import Col


def values(make: Maker) -> Source:
    """A VALUES list."""
    alias = make.fresh("q")
    lines = ", ".join(
        f"({make.pick(['1', '2', '0'])}, {make.pick(['2', '1', 'NULL'])})" for _ in range(make.number(1, 3))
    )
    return Source(f"(VALUES (1, 1), {lines}) AS {alias}(a, b)", alias, (Col("a", "int"), Col("b", "int")))


def series(make: Maker) -> Source:
    """A range of numbers, which are a key."""
    alias = make.fresh("q")
    call = make.pick(["generate_series(0, 2)", "range(3)", "range(0)"])
    return Source(f"{call} AS {alias}(a)", alias, (Col("a", "int"),), ("a",))


def _asked(make: Maker) -> str:
    """A small number that a subquery finds in a table; now and then NULL."""
    table = make.pick(make.tables)
    number = make.pick([c.name for c in table.cols if c.kind == "int"] or ["1"])
    call = make.pick([f"max({number})", f"min({number})", "count(*)"])
    inner = Source(table.name, table.name, table.cols)
    filtered = f" WHERE {predicate(make, scope_of(inner), 0)}" if make.chance(50) else ""
    return f"(SELECT least({call}, 3) FROM {table.name}{filtered})"


def asking_values(make: Maker) -> Source:
    """A VALUES list in which a value is a subquery."""
    alias = make.fresh("q")
    lines = [f"(1, {_asked(make)})", "(2, 1)", f"({_asked(make)}, 0)"]
    chosen = ", ".join(make.some(lines))
    return Source(f"(VALUES {chosen}) AS {alias}(a, b)", alias, (Col("a", "int"), Col("b", "int")))


def asking_series(make: Maker) -> Source:
    """A range of numbers, one of whose bounds is a subquery."""
    alias = make.fresh("q")
    calls = ["generate_series(0, {})", "range({})", "generate_series({}, 2)", "range(0, {}, 1)"]
    call = make.pick(calls).format(_asked(make))
    return Source(f"{call} AS {alias}(a)", alias, (Col("a", "int"),), ("a",))


def asking_unnest(make: Maker) -> Source:
    """UNNEST of a list in which an element is a subquery."""
    alias = make.fresh("q")
    elements = ", ".join(make.some([_asked(make), "1", "NULL", _asked(make)]))
    inner = make.fresh(
        "u"
    )  # in a query of its own: the parser knows no parenthesis that begins with UNNEST
    listed = f"SELECT a FROM unnest([{elements}]::INTEGER[]) AS {inner}(a)"
    return Source(f"({listed}) AS {alias}", alias, (Col("a", "int"),))


def table_macro(make: Maker) -> Source:
    """A call of a table macro, which reads the first table."""
    alias = make.fresh("q")
    arguments = make.pick(["0, 1", "1, 2", "2, 0", "least := 0, most := 2"])
    first = make.tables[0]
    return Source(f"between_a({arguments}) AS {alias}", alias, first.cols, first.key)


def recursive_series(make: Maker) -> Source:
    """Numbers that a recursion makes of nothing."""
    alias, name = make.fresh("q"), make.fresh("r")
    step = f"SELECT a + 1 FROM {name} WHERE a < {make.number(0, 2)}"
    sql = f"WITH RECURSIVE {name}(a) AS (SELECT 0 UNION ALL {step}) SELECT a FROM {name}"
    return Source(f"({sql}) AS {alias}", alias, (Col("a", "int"),), ("a",))


def namesake(make: Maker) -> Source:
    """A CTE that has the name of the table that it reads."""
    alias, first = make.fresh("q"), make.pick(make.tables)
    inside = Source(first.name, first.name, first.cols)
    body = f"SELECT * FROM {first.name} WHERE {predicate(make, scope_of(inside), 0)}"
    recursive = make.pick(["", "RECURSIVE "])
    sql = f"WITH {recursive}{first.name} AS ({body}) SELECT * FROM {first.name}"
    return Source(f"({sql}) AS {alias}", alias, first.cols, first.key)
