"""One refinement as SQL, and its proof over the columns that are really there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import Columns, literal, quote
from cdme_adapter.errors import ConfigError, Place
from cdme_adapter.nodes import NodeInfo
from cdme_adapter.refine.repeatable import calls, volatile_functions

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
    nulls: bool = False
    """Whether NULLs repeat too, of a check by set."""
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
