"""The macros that every generated case may call."""

from __future__ import annotations

import sqlglot
from sqlglot import exp

SCALAR = {"plus_two": ("x", "x + 2")}
"""Name → its parameter, and its expression."""
READING = {"count_from": ("x", "(SELECT count(*) FROM t0 WHERE a >= x)")}
"""The same of macros that read a table."""
TABLE = {"between_a": (("least", "most"), "SELECT * FROM t0 WHERE a >= least AND a <= most")}
"""Name → its parameters, and its query."""
STATEMENTS = (
    *(f"CREATE OR REPLACE MACRO {name}({x}) AS {body}" for name, (x, body) in (SCALAR | READING).items()),
    *(
        f"CREATE OR REPLACE MACRO {name}({', '.join(given)}) AS TABLE {body}"
        for name, (given, body) in TABLE.items()
    ),
)


def with_macros(tree: exp.Expr) -> exp.Expr:
    """A query with the subqueries of macros in the places of their calls."""

    def visit(part: exp.Expr) -> exp.Expr:
        name = part.name.lower() if isinstance(part, exp.Anonymous) else ""
        if name not in READING:
            return part
        parameter, body = READING[name]
        query = sqlglot.parse_one(f"SELECT {body}", read="duckdb").selects[0]
        argument = exp.Paren(this=part.expressions[0])
        return query.transform(
            lambda one: argument.copy() if isinstance(one, exp.Column) and one.name == parameter else one
        )

    return tree.transform(visit)
