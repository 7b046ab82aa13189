"""The shapes of queries, one construct a file; ``SHAPES`` is what the generator chooses from."""

from __future__ import annotations

from tests.laws.generator.maker import Shape
from tests.laws.generator.shapes.distinct import distinct, distinct_on
from tests.laws.generator.shapes.group import global_aggregate, group
from tests.laws.generator.shapes.join import join, join_using
from tests.laws.generator.shapes.limit import limit
from tests.laws.generator.shapes.project import project
from tests.laws.generator.shapes.union import union, union_all
from tests.laws.generator.shapes.window import dedup, qualify, window

CORE: dict[str, Shape] = {
    "project": project,
    "join": join,
    "group": group,
    "join using": join_using,
    "window": window,
    "qualify": qualify,
    "row_number dedup": dedup,
    "distinct": distinct,
    "distinct on": distinct_on,
    "union all": union_all,
    "union": union,
    "limit": limit,
    "global aggregate": global_aggregate,
}
"""The constructs of the first release."""
SHAPES: dict[str, Shape] = {**CORE}
"""All constructs."""
