"""FROM items that no record is behind: VALUES and generate_series."""

from __future__ import annotations

from tests.laws.generator.maker import Maker, Source
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


def table_macro(make: Maker) -> Source:
    """A call of a table macro, which reads the first table."""
    alias = make.fresh("q")
    arguments = make.pick(["0, 1", "1, 2", "2, 0", "least := 0, most := 2"])
    first = make.tables[0]
    return Source(f"between_a({arguments}) AS {alias}", alias, first.cols, first.key)
