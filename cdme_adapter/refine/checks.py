"""What each record must fulfil: the refinements of a model as SQL over its output columns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cdme_adapter.config import Refinement
from cdme_adapter.declared_tests import DeclaredTest
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import Columns, literal, quote
from cdme_adapter.errors import ConfigError, Place
from cdme_adapter.locate import search_line
from cdme_adapter.nodes import NodeInfo, Nodes
from cdme_adapter.refine.repeatable import calls, volatile_functions

MOST = 60
"""How many refinements a model may have: each is one bit of a BIGINT."""
_IDENTIFIER = re.compile(r'"((?:[^"]|"")+)"|\b([A-Za-z_]\w*)\b')
_SELECT = re.compile(r"\b(select|from|values)\b", re.I)
_STRING = re.compile(r"'(?:[^']|'')*'")


@dataclass(frozen=True)
class Check:
    """One refinement.

    ``fails`` is a condition that is TRUE for a record that fails and never NULL; where it is empty the
    check is by set: the ``unique`` expressions must not repeat among the records where ``where`` holds.
    ``shown`` is what people read. ``shows`` is a column that holds the offending text of ``columns[0]``.
    """

    name: str
    shown: str
    fails: str = ""
    unique: tuple[str, ...] = ()
    where: str | None = None
    order_by: str | None = None
    columns: tuple[str, ...] = ()
    shows: str = ""
    asked: str = ""
    """The text whose columns are the offending ones, where it is not all of the condition."""
    expression: str | None = None
    file: str | None = None
    line: int | None = None

    @property
    def reason_id(self) -> str:
        """The stable id of the refinement."""
        text = "\x1f".join((self.name, " ".join(self.shown.split()).lower()))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def checks_of(refinements: Iterable[Refinement], node: NodeInfo) -> list[Check]:
    """The checks that a list of refinements means for ``node``; names are made unique."""
    found: list[Check] = []
    for one in refinements:
        if one.tests:
            found += [check for test in node.tests if (check := _of_test(test)) is not None]
        elif one.expression is not None:
            found.append(Check(one.name, one.expression, expression=one.expression))
        else:
            keep = f", the first by {one.order_by} stays" if one.order_by else ""
            columns = tuple(quote(name) for name in one.unique)
            found.append(
                Check(one.name, f"unique ({', '.join(one.unique)}){keep}", unique=columns,
                      order_by=one.order_by)
            )  # fmt: skip
    if len(found) > MOST:
        raise ConfigError(
            f"{len(found)} refinements are declared, {MOST} is the most",
            code="REFINE_TOO_MANY", model=node.id, place=Place(node.file),
            remedy="join some of them with AND",
        )  # fmt: skip
    return [_placed(check, node) for check in _named(found)]


def skipped_tests(refinements: Iterable[Refinement], node: NodeInfo) -> list[str]:
    """The names of a node's tests that ``tests`` does not enforce, though they fail the build."""
    if not any(one.tests for one in refinements):
        return []
    return [t.name for t in node.tests if _of_test(t) is None and t.severity == "error"
            and not t.name.startswith("dbt_cdme.")]  # fmt: skip


def late_parents(refinements: Iterable[Refinement], node: NodeInfo, nodes: Nodes) -> list[str]:
    """The relations that enforced relationships look into and that dbt need not build before ``node``."""
    if not any(one.tests for one in refinements):
        return []
    before, todo = {node.id}, [node.id]
    while todo:
        one = nodes.by_id.get(todo.pop())
        new = set(one.parents if one is not None else ()) - before
        before |= new
        todo += new
    asked = dict.fromkeys(t.parent_id for t in node.tests if t.parent_id and _of_test(t) is not None)
    return [one for one in asked if one not in before and not one.startswith("source.")]


def _named(checks: Sequence[Check]) -> list[Check]:
    """Every name once: a second ``not_null_id`` becomes ``not_null_id_2``."""
    seen: dict[str, int] = {}
    found = []
    for check in checks:
        seen[check.name] = seen.get(check.name, 0) + 1
        count = seen[check.name]
        found.append(replace(check, name=f"{check.name}_{count}") if count > 1 else check)
    return found


def _placed(check: Check, node: NodeInfo) -> Check:
    line = search_line(node.raw_code, check.shown) if check.expression and not check.file else None
    return replace(check, file=check.file or node.file, line=line)


def _of_test(test: DeclaredTest) -> Check | None:
    """A dbt test as a check: a record fails exactly when the test's query would return it."""
    if test.severity != "error" and test.severity:
        return None
    condition = _test_condition(test)
    if condition is None:
        return None
    kind, fails, unique = condition
    where = f" where {test.where}" if test.where else ""
    column = test.column or str(test.arguments.get("column_name") or "")
    name = kind if not column else f"{kind}_{re.sub(r'[^A-Za-z0-9_]+', '_', column)}"
    shown = f"{_shown(test, kind, column)}{where}"
    if fails and test.where:
        fails = f"({test.where}\n) IS TRUE AND {fails}"
    if fails:
        fails = f"(({fails}) IS TRUE)"
    # The parent's column in a relationship is none of the record's.
    asked = f"{column} {test.where or ''}" if kind == "relationships" else ""
    return Check(name, shown, fails, unique, test.where, file=test.file, asked=asked)


def _test_condition(test: DeclaredTest) -> tuple[str, str, tuple[str, ...]] | None:
    """The kind, the condition that is TRUE for a failing record, the expressions that are unique."""
    column, said = test.column, test.arguments
    kind = test.name.removeprefix("dbt_utils.")
    if test.name == "not_null" and column:
        return kind, f"({column}) IS NULL", ()
    if test.name == "unique" and column:
        return kind, "", (column,)
    if test.name == "accepted_values" and column:
        quoted = said.get("quote", True)
        values = ", ".join(literal(str(v)) if quoted else str(v) for v in said.get("values") or ())
        return kind, f"({column}) NOT IN ({values or 'NULL'})", ()
    if test.name == "relationships" and column and test.parent:
        field = said.get("field")
        known = f"SELECT {field} FROM {test.parent} WHERE {field} IS NOT NULL"
        return kind, f"({column}) IS NOT NULL AND ({column}) NOT IN ({known})", ()
    if test.name in ("dbt_utils.expression_is_true", "expression_is_true") and said.get("expression"):
        return kind, f"NOT ({column or ''} {said['expression']}\n)", ()
    return None


def _shown(test: DeclaredTest, kind: str, column: str) -> str:
    said = test.arguments
    if kind == "accepted_values":
        return f"{column} in ({', '.join(map(str, said.get('values') or ()))})"
    if kind == "relationships":
        return f"{column} in {test.parent_id}.{said.get('field')}"
    if kind == "expression_is_true":
        return f"{column} {said.get('expression')}".strip()
    return f"{kind.replace('_', ' ')} ({column})"


# -- over the columns that are really there -------------------------------------------------------


def bind(
    execute: Execute, checks: Sequence[Check], columns: Columns, node: NodeInfo,
    volatile: frozenset[str] | None = None,
) -> list[Check]:  # fmt: skip
    """The checks over these output columns: each expression is proven to be one, and runs under TRY
    where DuckDB allows it, so that a record on which it raises fails it instead of ending the model.
    ``volatile``: the functions that may vary, where they are known already.

    Raises ConfigError, naming refinement and columns, for what does not bind.
    """
    names = {name.lower(): name for name, _ in columns}
    if "rowid" in names:
        raise ConfigError(
            "a model with a column called rowid cannot be refined", code="REFINE_ROWID",
            model=node.id, place=Place(node.file), remedy="give the column another name",
        )  # fmt: skip
    empty = ", ".join(f"CAST(NULL AS {kind}) AS {quote(name)}" for name, kind in columns)
    written = any(check.expression is not None for check in checks)
    if volatile is None:
        volatile = volatile_functions(execute) if written else frozenset()
    return [_bound(execute, check, empty, names, node, volatile) for check in checks]


def _bound(
    execute: Execute, check: Check, empty: str, names: dict[str, str], node: NodeInfo,
    volatile: frozenset[str],
) -> Check:  # fmt: skip
    if check.expression is not None:
        _refuse_fragment(execute, check, node)
        careful = "TRY" if _may_try(check.expression, volatile) else ""
        check = replace(check, fails=f"({careful}({check.expression}\n) IS NOT TRUE)")
    parts = [check.fails or "TRUE", *check.unique]
    where = f" WHERE {check.where}" if check.where and not check.fails else ""
    order = f" ORDER BY {check.order_by}" if check.order_by else ""
    try:
        execute(f"SELECT {', '.join(parts)} FROM (SELECT {empty}) AS __cdme_q{where}{order} LIMIT 0")
    except Exception as error:
        raise _unbound(check, error, names, node) from error
    if check.columns:
        return check
    said = check.asked or " ".join((check.shown, check.where or "", " ".join(check.unique)))
    words = [a.replace('""', '"') or b for a, b in _IDENTIFIER.findall(_STRING.sub("", said))]
    used = dict.fromkeys(names[word.lower()] for word in words if word.lower() in names)
    return replace(check, columns=tuple(used))


def _may_try(expression: str, volatile: frozenset[str]) -> bool:
    """Whether DuckDB lets an expression stand under TRY: not one with a subquery or one that varies.

    Asking it would abort the transaction.
    """
    return not _SELECT.search(_STRING.sub("", expression)) and not calls(expression) & volatile


def _refuse_fragment(execute: Execute, check: Check, node: NodeInfo) -> None:
    """``a) OR (b`` binds inside parentheses and means something else: refuse it."""
    text = literal(f"SELECT {check.expression}\n")
    answer = execute(
        "SELECT json_extract_string(j, '$.error') = 'true' OR"
        " json_array_length(j, '$.statements') <> 1 OR"
        " json_array_length(j, '$.statements[0].node.select_list') <> 1 OR"
        " json_extract_string(j, '$.statements[0].node.from_table.type') <> 'EMPTY' OR"
        " json_extract_string(j, '$.statements[0].node.select_list[0].alias') <> ''"
        f" FROM (SELECT json_serialize_sql({text}) AS j)"
    )[0][0]
    if answer is not False:
        raise _wrong(check, "it is not one SQL expression", "write one predicate over the columns", node)


def _unbound(check: Check, error: Exception, names: dict[str, str], node: NodeInfo) -> ConfigError:
    return _wrong(
        check, str(error).splitlines()[0], f"output columns are {', '.join(names.values())}", node
    )


def _wrong(check: Check, found: str, remedy: str, node: NodeInfo) -> ConfigError:
    return ConfigError(
        f"meta.cdme refine {check.name!r} ({check.shown}): {found}",
        code="REFINE_EXPRESSION",
        model=node.id,
        place=Place(check.file or node.file, check.line),
        remedy=remedy,
    )
