"""Recursive CTEs: which of WITH RECURSIVE recurs, and that one as a query that stands alone.

Nothing is known of the rows of a recursion: it runs as it was written (``whole``), and everything else
of the query is planned as if it were a table.
"""

from __future__ import annotations

from sqlglot import exp

_ALONE = "cdme_alone"
"""On a WITH clause: it holds one recursive CTE and nothing else."""


def is_recursive(cte: exp.CTE) -> bool:
    """Whether a CTE reads itself; only the right arm of a UNION under WITH RECURSIVE can.

    >>> from cdme_adapter.capture.sqltext import parse
    >>> bodies = "SELECT 1 i UNION SELECT i + 1 FROM t", "SELECT i FROM t UNION SELECT 1", "SELECT i FROM t"
    >>> found = [parse(f"WITH RECURSIVE t AS ({sql}) SELECT i FROM t").find(exp.CTE) for sql in bodies]
    >>> [is_recursive(cte) for cte in found]
    [True, False, False]
    """
    with_ = cte.parent
    if with_ is None or not with_.args.get("recursive") or not isinstance(cte.this, exp.Union):
        return False
    name = cte.alias_or_name.lower()
    return any(t.name.lower() == name and not t.db for t in cte.this.expression.find_all(exp.Table))


def stands_alone(with_: exp.With) -> bool:
    """Whether a WITH clause was made by :func:`alone`."""
    return bool(with_.meta.get(_ALONE))


def alone(cte: exp.CTE) -> exp.Select:
    """``WITH RECURSIVE cte SELECT * FROM cte``."""
    with_ = exp.With(expressions=[cte.copy()], recursive=True)
    with_.meta[_ALONE] = True
    itself = exp.Table(this=exp.to_identifier(cte.alias_or_name, quoted=True))
    query = exp.select("*").from_(itself)
    query.set("with_", with_)
    return query
