"""Recipes: what is kept of a model in lineage mode ``key_derivable`` in place of its reverse joins.

A recipe is the SQL that made the model, with the texts of the views it read, and for each input a
*mark*: a hash of every value that the SQL can have read, row by row with its ordinal. The capture's plan
of the same text over inputs with the same marks gives the same records again
(docs/decisions/0037-lineage-modes.md). An input whose mark differs has changed: nothing is derived from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from cdme_adapter.capture.catalog import Catalog
from cdme_adapter.capture.plan import CapturePlan, RelationInfo
from cdme_adapter.capture.sqltext import functions, parse
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import columns_of, ordinals, quote
from cdme_adapter.errors import CdmeError

_CLOCK = frozenset({
    "now", "today", "current_date", "current_time", "current_timestamp", "currentdate", "currenttime",
    "currenttimestamp", "current_datetime", "get_current_timestamp", "get_current_time", "localtime",
    "localtimestamp", "current_localtime", "current_localtimestamp", "transaction_timestamp",
    "current_setting", "getvariable", "getenv", "current_schema", "current_database", "current_user",
    "txid_current", "current_query", "age",
})  # fmt: skip
_PICKS = frozenset({
    "first", "last", "any_value", "anyvalue", "arbitrary", "list", "array_agg", "arrayagg", "string_agg",
    "group_concat", "groupconcat", "listagg", "mode", "arg_min", "arg_max", "argmin", "argmax", "min_by",
    "max_by", "argminnull", "arg_min_null", "arg_max_null", "approx_count_distinct", "approx_distinct",
    "approxdistinct", "approx_quantile", "approxquantile", "approx_top_k", "reservoir_quantile",
    "histogram",
})  # fmt: skip
_BY_PLACE = frozenset({
    "row_number", "rownumber", "ntile", "lag", "lead", "first_value", "firstvalue", "last_value",
    "lastvalue", "nth_value", "nthvalue",
})  # fmt: skip
_STARS = re.compile(r"\bcount\s*\(\s*\*\s*\)", re.I)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Recipe:
    """``texts`` are the views' SELECTs by id; ``columns`` and ``marks`` are by input."""

    sql: str
    texts: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """As it is stored."""
        return json.dumps(
            {"sql": self.sql, "texts": self.texts, "columns": self.columns, "marks": self.marks}
        )

    @staticmethod
    def parse(text: str) -> Recipe:
        """From what is stored.

        >>> Recipe.parse(Recipe("SELECT 1", {}, {"a": ("x",)}, {"a": "7"}).text()).columns
        {'a': ('x',)}
        """
        held = json.loads(text)
        columns = {name: tuple(found) for name, found in held["columns"].items()}
        return Recipe(held["sql"], held["texts"], columns, held["marks"])


def why_unstable(texts: Iterable[str], catalog: Catalog, ordered: bool) -> str:
    """Why the same inputs might give other rows or other witnesses; "" where that is ruled out.

    ``ordered``: it is known otherwise that what picks rows by position is given a total order. What
    cannot be read is not ruled out.
    """
    for sql in texts:
        try:
            tree = parse(sql)
        except CdmeError:
            return "its SQL cannot be read"
        for node in tree.walk():
            why = _unstable(node, catalog, ordered)
            if why:
                return why
    return ""


def _unstable(node: exp.Expr, catalog: Catalog, ordered: bool) -> str:
    if isinstance(node, exp.TableSample):
        return "it samples"
    if not ordered and isinstance(node, (exp.Limit, exp.Offset, exp.Fetch)):
        return "LIMIT picks rows by position, and no key shows that their order is total"
    if not ordered and isinstance(node, exp.Distinct) and node.args.get("on") is not None:
        return "DISTINCT ON picks rows by position, and no key shows that their order is total"
    if isinstance(node, exp.Join) and node.args.get("method") in ("ASOF", "POSITIONAL"):
        return f"a join by position ({node.args['method']})"
    if not isinstance(node, exp.Func):
        return ""
    names = {next(iter(functions(node)))[1].lower(), node.sql_name().lower()}
    called = min(names)
    if any(catalog.macros(name) for name in names):
        return f"the macro {called}() may be given another body"
    if names & _CLOCK or any(catalog.is_volatile(name) for name in names):
        return f"{called}() gives another value in another run"
    if names & _PICKS:
        return f"{called}() depends on the order of the rows"
    if not ordered and names & _BY_PLACE:
        return f"{called}() picks or compares rows by position, and no key shows that their order is total"
    return ""


def columns_read(info: RelationInfo, texts: Collection[str]) -> tuple[str, ...]:
    """The columns of an input that some SQL may read: those whose name stands in it as a word, and
    all of them where a star, a whole row or a join by common names may read any.

    >>> info = RelationInfo("t", "d", "s", "t", ("a", "b", "c"))
    >>> columns_read(info, ["select a, count(*) from t where b > 1"])
    ('a', 'b')
    >>> columns_read(info, ["select * from t"])
    ('a', 'b', 'c')
    """
    words = {word.lower() for text in texts for word in _WORD.findall(text)}
    found = tuple(name for name in info.columns if set(_WORD.findall(name.lower())) <= words)
    return info.columns if any(map(_reads_whole_rows, texts)) else found


def _reads_whole_rows(sql: str) -> bool:
    bare = _STARS.sub("count()", sql)
    try:
        tree = parse(bare)
    except CdmeError:
        return True
    if tree.find(exp.Star, exp.Columns) or re.search(r"\b(natural|positional)\b|#\s*\d", bare, re.I):
        return True
    names = {table.alias_or_name.lower() for table in tree.find_all(exp.Table)}
    names |= {query.alias.lower() for query in tree.find_all(exp.Subquery) if query.alias}
    return any(column.name.lower() in names for column in tree.find_all(exp.Column))


def mark(execute: Execute, relation: str, columns: Collection[str]) -> str:
    """A hash of the rows of a relation in the columns that are read, with their ordinals and types.

    64 bits of it are the exclusive or of one hash for each row; 30 ms for four columns of six million
    rows. Two contents with one mark are taken for the same.
    """
    kinds = {name.lower(): kind for name, kind in columns_of(execute, relation)}
    held = [name for name in columns if name.lower() in kinds]
    ordinal = ordinals(execute, relation)
    place = "i" if ordinal.consecutive else "row_number() OVER (ORDER BY i) - 1"
    if ordinal.consecutive and ordinal.low:
        place = f"i - {ordinal.low}"
    values = "".join(f", {quote(name)}" for name in held)
    rows = f"(SELECT rowid AS i{values} FROM {relation})"
    if not ordinal.consecutive:
        rows, place = f"(SELECT {place} AS i{values} FROM {rows})", "i"
    count, total = execute(f"SELECT count(*), bit_xor(hash({place}{values})) FROM {rows}")[0]
    types = ",".join(f"{name} {kinds[name.lower()]}" for name in held)
    return f"{count}:{total}:{types}"


def recipe_of(
    execute: Execute, plan: CapturePlan, sql: str, texts: Mapping[str, str], words: Collection[str]
) -> Recipe:
    """The recipe of a model whose plan is given; ``words`` are the texts of what it reads beneath."""
    columns, marks = {}, {}
    for ident, info in plan.relations.items():
        columns[ident] = columns_read(info, [sql, *words])
        marks[ident] = mark(execute, info.quoted, columns[ident])
    return Recipe(sql, texts, columns, marks)
