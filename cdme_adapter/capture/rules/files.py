"""Files in FROM: read_csv and its like, glob, and a path in quotes.

A scan is kept in a temporary table, once, in the order of the files: row n of it is record n. The
engine's setting ``preserve_insertion_order`` (on by default) is what makes that order the files'.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.plan import RelationInfo
from cdme_adapter.capture.scope import Env, Scope
from cdme_adapter.capture.sqltext import functions, not_understood, quote, render, text

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

READERS = frozenset({
    "read_csv", "read_csv_auto", "read_parquet", "parquet_scan", "read_json", "read_json_auto",
    "read_json_objects", "read_json_objects_auto", "read_ndjson", "read_ndjson_auto",
    "read_ndjson_objects", "read_text", "read_blob", "glob", "sniff_csv",
})  # fmt: skip
VIRTUAL = frozenset({"filename", "file_row_number", "file_index"})
"""Columns that a scan offers without being asked, and a table of its rows does not have."""

_PATH = re.compile(r"\.(csv|tsv|txt|parquet|json|ndjson|jsonl)(\.(gz|zst|gzip|zstd))?$", re.I)


def file_of(planner: Planner, item: exp.Table, env: Env) -> RelationInfo | None:
    """The files that a FROM item reads, or None where it reads none."""
    if isinstance(item.this, exp.Identifier):
        if item.db or item.name.lower() in env or not _PATH.search(item.name):
            return None
        if planner.catalog.relation("", "", item.name) is not None:
            return None
        literal = "'" + item.name.replace("'", "''") + "'"
        return _info(item.name, quote(item.name), literal)
    if not isinstance(item.this, exp.Func):
        return None
    if next(functions(item.this))[1] not in READERS:
        return None
    arguments = [
        *([item.this.this] if isinstance(item.this.this, exp.Expr) else []),
        *item.this.expressions,
    ]
    if not arguments or any(_is_open(planner, argument) for argument in arguments):
        raise not_understood(f"a scan of files that are not constant: {render(item.this)[:60]}", item)
    paths = arguments[0].expressions if isinstance(arguments[0], exp.Array) else [arguments[0]]
    named = [part.name if isinstance(part, exp.Literal) else render(part) for part in paths]
    return _info(",".join(named), render(item.this), render(arguments[0]))


def file_alias(item: exp.Table) -> str:
    """The name that DuckDB gives a scan without an alias: the function's, or the file's without its
    folders and its ending."""
    if not isinstance(item.this, exp.Identifier):
        return next(functions(item.this))[1]
    return re.split(r"[/\\\\]", item.name)[-1].split(".", 1)[0]


def _info(path: str, scan: str, paths: str) -> RelationInfo:
    return RelationInfo(f"file.{path}", "", "", "", (), None, scan, paths)


def _is_open(planner: Planner, argument: exp.Expr) -> bool:
    """Whether an argument is more than a constant; ``name = value`` names a parameter."""
    value = argument
    if isinstance(argument, (exp.EQ, exp.PropertyEQ, exp.Kwarg)):
        value = argument.expression
    if value.find(exp.Query, exp.Subquery, exp.Column):
        return True
    return any(planner.catalog.is_volatile(n) or planner.catalog.is_macro(n) for _, n in functions(value))


def kept(planner: Planner, info: RelationInfo, item: exp.Expr) -> RelationInfo:
    """The files with their rows in a table of the plan; read twice in one way, they are kept once."""
    known = planner.relations.get(info.id)
    if known is not None and known.name and known.scan == info.scan:
        return known
    if known is not None and known.scan != info.scan:
        raise not_understood(f"{info.id} is read in two ways", item)
    if not planner.catalog.keeps_order():
        raise not_understood("files are read while preserve_insertion_order is off", item)
    if planner.virtual_names and "filename" not in str(info.scan).lower():
        raise not_understood(f"{', '.join(sorted(planner.virtual_names))} of {info.id}", item)
    name = planner.keep(Scope(f"SELECT * FROM {text(_bare(item))}", None, ()))
    planner.relations[info.id] = replace(info, database="temp", schema="main", name=name)
    return planner.relations[info.id]


def _bare(item: exp.Expr) -> exp.Expr:
    bare = item.copy()
    bare.set("alias", None)
    return bare
