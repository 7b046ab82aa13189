"""``refine_inputs``: bad input records are kept out before anything groups or joins them.

Each reference to the input becomes a subquery that lets only good records through. Its conditions are
marked, so that the settlement, which proves clause by clause what removed a record, can tell these
clauses from the model's own: what they removed is in class error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from cdme_adapter.capture.plan import CapturePlan
from cdme_adapter.capture.sqltext import parse, touch
from cdme_adapter.engines.rows import literal
from cdme_adapter.nodes import Nodes
from cdme_adapter.refine.checks import Check

MARK = "cdme:refine_inputs:"


class InputNotRefined(Exception):
    """Why an input could not be refined, in words."""


def keep_out(tree: exp.Expr, nodes: Nodes, checks: Mapping[str, Sequence[tuple[int, Check]]]) -> None:
    """Rewrite ``tree`` in place; ``checks`` are the numbered checks by the input's id.

    Raises InputNotRefined for an input that the query does not read by its name.
    """
    seen: set[str] = set()
    for table in list(tree.find_all(exp.Table)):
        ident = _identity(table, nodes)
        if ident is None or ident not in checks:
            continue
        seen.add(ident)
        extra = {k for k, v in table.args.items() if v} - {"this", "db", "catalog", "alias"}
        if extra - {"joins"}:
            raise InputNotRefined(f"{ident} is read with {', '.join(sorted(extra))}")
        _restrict(table, [_condition(number, check) for number, check in checks[ident]])
    missing = [ident for ident in checks if ident not in seen]
    if missing:
        raise InputNotRefined(f"the query does not read {missing[0]}")


def _identity(table: exp.Table, nodes: Nodes) -> str | None:
    name = table.name.lower()
    if not table.db:
        ephemeral = name.removeprefix("__dbt__cte__")
        found = [n.id for n in nodes.by_id.values() if n.materialized == "ephemeral"
                 and n.identifier.lower() == ephemeral]  # fmt: skip
        return found[0] if ephemeral != name and len(found) == 1 else None
    return nodes.identify(table.catalog, table.db, table.name)


def _restrict(table: exp.Table, conditions: Sequence[str]) -> None:
    alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name, quoted=True))
    bare = exp.Table(this=table.this, db=table.args.get("db"), catalog=table.args.get("catalog"))
    query = parse(f"SELECT * FROM {bare.sql('duckdb')} WHERE {' AND '.join(conditions)}")
    parent = table.parent
    replacement = exp.Subquery(this=query, alias=alias.copy())
    if table.args.get("joins"):
        replacement.set("joins", table.args["joins"])
    table.replace(replacement)
    if parent is not None:
        touch(parent)


def _condition(number: int, check: Check) -> str:
    mark = f"{literal(f'{MARK}{number}')} <> ''"
    return f"CASE WHEN {mark} AND {check.fails} THEN FALSE ELSE TRUE END"


def error_clauses(plan: CapturePlan) -> dict[int, int]:
    """The clauses of a plan that are such conditions: the number of the check by the clause's."""
    found = {}
    for place, clause in enumerate(plan.clauses):
        _, mark, rest = clause.sql.partition(MARK)
        if mark:
            found[place] = int(rest.split("'")[0])
    return found
