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
