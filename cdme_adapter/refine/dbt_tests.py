"""A node's own dbt tests as checks: a record fails exactly when the test's query would return it.

One function a test, by the name that dbt gives it; what stands in ``ENFORCED`` is enforced. Tests of
severity ``warn`` only ever warn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cdme_adapter.declared_tests import DeclaredTest
from cdme_adapter.engines.rows import quote
from cdme_adapter.refine.checks import Check


@dataclass(frozen=True)
class _Law:
    """What a test asks of a record, as people read it, and as SQL: see ``Check``."""

    shown: str
    fails: str = ""
    unique: tuple[str, ...] = ()
    nulls: bool = False
    asked: str = ""


def check_of(test: DeclaredTest) -> Check | None:
    """The check of a test; None for what is not enforced."""
    if test.severity != "error" and test.severity:
        return None
    column = test.column or str(test.arguments.get("column_name") or "")
    read = ENFORCED.get(test.name)
    law = read(column, test) if read is not None else None
    if law is None:
        return None
    kind = test.name.split(".")[-1]
    name = f"{kind}_{re.sub(r'[^A-Za-z0-9_]+', '_', column)}" if column else kind
    fails = law.fails
    if fails and test.where:
        fails = f"({test.where}\n) IS TRUE AND {fails}"
    return Check(
        name,
        law.shown + (f" where {test.where}" if test.where else ""),
        f"(({fails}) IS TRUE)" if fails else "",
        law.unique,
        test.where,
        nulls=law.nulls,
        file=test.file,
        asked=f"{law.asked} {test.where or ''}" if law.asked else "",
    )


# -- dbt's own ----------------------------------------------------------------------------------


def _not_null(column: str, test: DeclaredTest) -> _Law | None:
    return _Law(f"not null ({column})", f"({column}) IS NULL") if column else None


def _unique(column: str, test: DeclaredTest) -> _Law | None:
    return _Law(f"unique ({column})", unique=(column,)) if column else None


def _accepted_values(column: str, test: DeclaredTest) -> _Law | None:
    values = _values(test)
    if not column or values is None:
        return None
    return _Law(f"{column} in ({_listed(test)})", f"({column}) NOT IN ({values})")


def _relationships(column: str, test: DeclaredTest) -> _Law | None:
    said = test.arguments
    if not column or not test.parent:
        return None
    field, also = said.get("field"), said.get("to_condition")
    known = f"SELECT {field} FROM {test.parent} WHERE {field} IS NOT NULL"
    known += f" AND ({also}\n)" if also else ""
    fails = f"({column}) IS NOT NULL AND ({column}) NOT IN ({known})"
    only = said.get("from_condition")
    shown = f"{column} in {test.parent_id}.{field}"
    # The parent's column is none of the record's.
    if not only:
        return _Law(shown, fails, asked=column)
    return _Law(f"{shown} where {only}", f"({only}\n) IS TRUE AND {fails}", asked=f"{column} {only}")


# -- of dbt_utils -------------------------------------------------------------------------------


def _expression_is_true(column: str, test: DeclaredTest) -> _Law | None:
    expression = test.arguments.get("expression")
    if not expression:
        return None
    return _Law(f"{column} {expression}".strip(), f"NOT ({column} {expression}\n)")


def _accepted_range(column: str, test: DeclaredTest) -> _Law | None:
    said = test.arguments
    same = "=" if said.get("inclusive", True) else ""
    bounds = [(">", said.get("min_value")), ("<", said.get("max_value"))]
    held = [f"{column} {sign}{same} {bound}" for sign, bound in bounds if bound is not None]
    if not column or not held:
        return None
    return _Law(" and ".join(held), " OR ".join(f"NOT ({one}\n)" for one in held))


def _not_accepted_values(column: str, test: DeclaredTest) -> _Law | None:
    values = _values(test)
    if not column or values is None:
        return None
    return _Law(f"{column} not in ({_listed(test)})", f"({column}) IN ({values})")


def _not_empty_string(column: str, test: DeclaredTest) -> _Law | None:
    value = f"trim({column})" if test.arguments.get("trim_whitespace", True) else f"({column})"
    return _Law(f"{column} is not empty", f"{value} = ''") if column else None


def _unique_combination(column: str, test: DeclaredTest) -> _Law | None:
    columns = test.arguments.get("combination_of_columns")
    if not isinstance(columns, Sequence) or isinstance(columns, str) or not columns:
        return None
    names = [quote(str(c)) if test.arguments.get("quote_columns") else str(c) for c in columns]
    return _Law(f"unique ({', '.join(names)})", unique=tuple(names), nulls=True)


ENFORCED: dict[str, Callable[[str, DeclaredTest], _Law | None]] = {
    "not_null": _not_null,
    "unique": _unique,
    "accepted_values": _accepted_values,
    "relationships": _relationships,
    "expression_is_true": _expression_is_true,
    "dbt_utils.expression_is_true": _expression_is_true,
    "dbt_utils.accepted_range": _accepted_range,
    "dbt_utils.not_accepted_values": _not_accepted_values,
    "dbt_utils.not_empty_string": _not_empty_string,
    "dbt_utils.relationships_where": _relationships,
    "dbt_utils.unique_combination_of_columns": _unique_combination,
}


def _values(test: DeclaredTest) -> str | None:
    """The list of a test as dbt writes it into its SQL; None for what is no list."""
    found: Any = test.arguments.get("values")
    if not isinstance(found, Sequence) or isinstance(found, str):
        return None
    quoted = test.arguments.get("quote", True)
    return ", ".join(f"'{value}'" if quoted else str(value) for value in found) or "NULL"


def _listed(test: DeclaredTest) -> str:
    return ", ".join(map(str, test.arguments["values"]))
