"""The capture rules, one SQL construct a file; those of a whole SELECT are tried in this order.

``select`` calls ``joins``, ``sources``, ``where``, ``subquery``, ``unnest`` and ``projection``; the
planner calls ``setops``; ``shape``, ``split`` and ``nomatch`` help the others.

A rule takes the planner, a SELECT without its WITH clause and the CTEs in sight. It returns the
planned :class:`~cdme_adapter.capture.scope.Scope`, or None where the construct is not there. A rule
that splits a query hands the parts back to ``planner.query``.
"""

from cdme_adapter.capture.rules.distinct import plan_distinct, split_distinct
from cdme_adapter.capture.rules.group import plan_group
from cdme_adapter.capture.rules.having import split_having
from cdme_adapter.capture.rules.limit import plan_limit, split_limit
from cdme_adapter.capture.rules.qualify import split_qualify
from cdme_adapter.capture.rules.select import plan_select
from cdme_adapter.capture.rules.unnest_split import split_unnest

RULES = (
    split_limit,
    split_distinct,
    split_unnest,
    split_qualify,
    split_having,
    plan_limit,
    plan_distinct,
    plan_group,
    plan_select,
)
