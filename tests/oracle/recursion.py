"""Recursive CTEs: the step is evaluated over the rows of the step before, until none come."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from tests.oracle.context import Context, Cte
from tests.oracle.model import OracleError, Relation

MOST = 200
"""Steps after which a recursion counts as endless."""


def is_recursive(body: exp.Expr, name: str) -> bool:
    """Whether a CTE reads itself; elsewhere than in a step its name is that of something else."""
    if not isinstance(body, exp.Union):
        return False
    return any(table.name.lower() == name and not table.db for table in body.expression.find_all(exp.Table))


def iterated(context: Context, name: str, cte: Cte) -> Relation:
    """All rows of a recursive CTE; records that any step read are behind what it made."""
    body = cte.body
    if not isinstance(body, exp.Union) or body.args.get("distinct"):
        raise OracleError("recursive CTE without UNION ALL")
    found = context.run(body.this)
    rows, edges, last = list(found.rows), found.edges, found
    for _ in range(MOST):
        seen = replace(last, columns=found.columns, edges=frozenset())
        step = replace(context, ctes={**context.ctes, name: replace(cte, table=seen)})
        last = step.run(body.expression)
        edges |= last.edges
        rows.extend(last.rows)
        if not last.rows:
            return Relation(found.columns, rows, edges)
    raise OracleError("endless recursion")
