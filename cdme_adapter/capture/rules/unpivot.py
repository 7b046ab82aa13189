"""UNPIVOT: a record becomes one row for each of its columns that has a value.

The row ids pass through it like any other column that is not named. A record whose columns are all
NULL is removed, as by UNNEST of an empty list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.accounting import Kind
from cdme_adapter.capture.plan import StepCheck
from cdme_adapter.capture.rules.columns import without_hidden
from cdme_adapter.capture.scope import Scope, Source, Visible
from cdme_adapter.capture.sqltext import as_written, not_understood, quote, text

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner


def unpivot_of(item: exp.Expr) -> exp.Pivot | None:
    """The UNPIVOT on a FROM item, where that is all that hangs on it."""
    pivots: list[exp.Pivot] = item.args.get("pivots") or []
    return pivots[0] if len(pivots) == 1 and pivots[0].args.get("unpivot") else None


def unpivoted_item(planner: Planner, source: Source, pivot: exp.Pivot) -> Source:
    """``source UNPIVOT (value FOR name IN (columns)) AS alias``."""
    alias = pivot.args.get("alias")
    fields: list[exp.Expr] = pivot.args.get("fields") or []
    if len(fields) != 1 or (alias is not None and alias.args.get("columns")):
        raise not_understood("UNPIVOT with an alias for its columns", pivot)
    field = fields[0].copy()
    values = [text(part) for part in pivot.expressions]
    entries = [_entry(entry, source) for entry in field.expressions]
    nulls = " INCLUDE NULLS" if pivot.args.get("include_nulls") else ""
    names = f"{', '.join(values)} FOR {text(field.this)} IN ({', '.join(entries)})"
    rows = f"(SELECT * FROM (SELECT * FROM {source.sql}) UNPIVOT{nulls} ({names}))"
    columns = _columns(source, field.expressions, [field.this, *pivot.expressions])
    _check(planner, source, rows, pivot, f"UNPIVOT{nulls} ({names})")
    name = alias.this.name if alias is not None else planner.hidden("d")
    ports = tuple(port.column for port in source.ports)
    return Source(f"{rows} AS {quote(name)}", (Visible(name, columns, ports),), source.ports)


def unpivoted_statement(planner: Planner, source: Source, pivot: exp.Pivot) -> Scope:
    """``UNPIVOT source ON columns INTO NAME name VALUE value``."""
    into = pivot.args.get("into")
    known = {"this", "expressions", "unpivot", "into", "include_nulls", "using"}
    if into is None or any(value and key not in known for key, value in pivot.args.items()):
        raise not_understood("UNPIVOT in a form that is not known", pivot)
    entries = ", ".join(_entry(entry, source) for entry in pivot.expressions)
    values = ", ".join(text(part) for part in into.expressions)
    nulls = "INCLUDE NULLS " if pivot.args.get("include_nulls") else ""
    made = f"ON {entries} INTO NAME {text(into.this)} VALUE {values}"
    rows = f"(UNPIVOT {nulls}(SELECT * FROM {source.sql}) {made})"
    columns = _columns(source, pivot.expressions, [into.this, *into.expressions])
    _check(planner, source, rows, pivot, f"UNPIVOT {nulls}{made}")
    ports = ", ".join(port.column for port in source.ports)
    hidden = f" EXCLUDE ({ports}), {ports}" if ports else ""
    return Scope(f"SELECT *{hidden} FROM {rows}", columns, source.ports)


def _entry(entry: exp.Expr, source: Source) -> str:
    """One of the columns that become rows; a pattern of columns leaves hidden ones out."""
    bare = entry.this if isinstance(entry, (exp.Alias, exp.PivotAlias)) else entry
    if isinstance(bare, exp.Columns):
        return text(without_hidden(entry, source.visible))
    parts = bare.expressions if isinstance(bare, exp.Tuple) else [bare]
    if not all(isinstance(part, exp.Column) and not part.table for part in parts):
        raise not_understood("UNPIVOT of something else than columns", entry)
    return text(entry)


def _columns(source: Source, entries: list[exp.Expr], made: list[exp.Expr]) -> tuple[str, ...] | None:
    """The columns that stay, then the name and the values."""
    kept = source.visible[0].columns
    if kept is None or any(isinstance(part, exp.Columns) for e in entries for part in e.walk()):
        return None
    taken = {column.name.lower() for entry in entries for column in entry.find_all(exp.Column)}
    names = [
        part.name for one in made for part in (one.expressions if isinstance(one, exp.Tuple) else [one])
    ]
    return (*(name for name in kept if name.lower() not in taken), *names)


def _check(planner: Planner, source: Source, rows: str, pivot: exp.Pivot, shown: str) -> None:
    """A record without a value in any of the columns."""
    if pivot.args.get("include_nulls") or not source.ports:
        return
    clause = planner.clause(Kind.UNNEST, " ".join(as_written(exp.Var(this=shown)).split()), pivot)
    inside = "WHERE {port} IN (SELECT i FROM {cur})"
    reach = f"SELECT {{port}} AS i FROM {rows} {inside}"
    evidence = f"SELECT DISTINCT {{port}} AS i, {{no_match}} AS verdict FROM {source.sql} {inside}"
    names = frozenset(port.column for port in source.ports)
    planner.check(StepCheck(clause, names, reach, evidence))
