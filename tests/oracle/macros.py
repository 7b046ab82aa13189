"""The macros that every generated case may call."""

from __future__ import annotations

SCALAR = {"plus_two": ("x", "x + 2")}
"""Name → its parameter, and its expression."""
TABLE = {"between_a": (("least", "most"), "SELECT * FROM t0 WHERE a >= least AND a <= most")}
"""Name → its parameters, and its query."""
STATEMENTS = (
    *(f"CREATE OR REPLACE MACRO {name}({x}) AS {body}" for name, (x, body) in SCALAR.items()),
    *(
        f"CREATE OR REPLACE MACRO {name}({', '.join(given)}) AS TABLE {body}"
        for name, (given, body) in TABLE.items()
    ),
)
