"""Plants faults into good models, mechanically; knows nothing of the validation.

It knows SQL (sqlglot), the projects' models, and what DuckDB says of their columns. Each operator
is a function from a model to the faulty versions of it, and names the code that should be found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp


@dataclass(frozen=True)
class Fault:
    """One faulty version of one model."""

    project: str
    model: str
    operator: str
    code: str
    sql: str
    equivalent: bool = False
    """Its output on the project's data is the good one's: the fault shows on other data only."""


class Ground:
    """A project, really built in a DuckDB, so that faults can be planted where they bite."""

    def __init__(self, name: str, told: Mapping[str, Any]) -> None:
        self.name, self.tables = name, told["tables"]
        self.connection = duckdb.connect()
        self.connection.execute("ATTACH ':memory:' AS wh; CREATE SCHEMA wh.raw; USE wh.main")
        self.columns: dict[str, dict[str, str]] = {}
        for table, facts in self.tables.items():
            listed = ", ".join(f"{c} {t}" for c, t in facts["columns"].items())
            self.connection.execute(f"CREATE TABLE wh.raw.{table} ({listed})")
            self.connection.execute(f"INSERT INTO wh.raw.{table} {facts['fill']}")
            self.columns[table] = facts["columns"]
        self.models: dict[str, str] = {}
        for model, text in told["models"].items():
            self.models[model] = self.compiled(text)
            self.connection.execute(f"CREATE VIEW wh.main.{model} AS {self.models[model]}")
            self.columns[model] = self.described(self.models[model]) or {}

    def compiled(self, text: str) -> str:
        """The SQL with the names of the relations in it."""
        for table in self.tables:
            text = text.replace(f"{{{table}}}", f'"wh"."raw"."{table}"')
        for model in self.models:
            text = text.replace(f"{{{model}}}", f'"wh"."main"."{model}"')
        return text

    def described(self, sql: str) -> dict[str, str] | None:
        """Columns and types of a query, or None if it does not bind."""
        try:
            rows = self.connection.execute(f"DESCRIBE {sql}").fetchall()
        except duckdb.Error:
            return None
        return {str(row[0]): str(row[1]) for row in rows}

    def same(self, sql: str, other: str) -> bool:
        """Whether both give the same rows on the project's data."""
        try:
            rows = [sorted(map(repr, self.connection.execute(q).fetchall())) for q in (sql, other)]
        except duckdb.Error:
            return False
        return rows[0] == rows[1]

    def unique(self, table: str) -> list[set[str]]:
        """The declared keys of a table."""
        listed = self.tables.get(table, {}).get("unique", [])
        return [{k} if isinstance(k, str) else set(k) for k in listed]


Operator = Callable[[Ground, exp.Expr], Iterator[str]]


def _text(tree: exp.Expr) -> str:
    return tree.sql("duckdb", pretty=True)


def _select(tree: exp.Expr) -> exp.Select | None:
    found = tree if isinstance(tree, exp.Select) else None
    return found


def _aliases(select: exp.Select) -> dict[str, str]:
    """Alias → name of the table, for what is joined as a table."""
    nodes = [select.args["from_"].this] if select.args.get("from_") else []
    nodes += [j.this for j in select.args.get("joins") or []]
    return {n.alias_or_name: n.name for n in nodes if isinstance(n, exp.Table)}


def _family(data_type: str | None) -> str:
    text = (data_type or "").upper()
    if text.startswith(("DATE", "TIMESTAMP")):
        return "date"
    if text in ("VARCHAR", "BOOLEAN"):
        return text.lower()
    return "number" if text else ""


def misspelt_column(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """A letter too many in one column."""
    columns = [c for c in tree.find_all(exp.Column) if not isinstance(c.this, exp.Star)]
    for number in range(0, len(columns), max(len(columns) // 2, 1)):
        copy = tree.copy()
        found = [c for c in copy.find_all(exp.Column) if not isinstance(c.this, exp.Star)][number]
        name = found.name
        found.set("this", exp.to_identifier(name[:-1] + "x" + name[-1:]))
        yield _text(copy)


def invented_relation(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """A table that nobody has."""
    copy = tree.copy()
    table = next((t for t in copy.find_all(exp.Table) if t.args.get("db")), None)
    if table is not None:
        table.set("this", exp.to_identifier(table.name + "_v2", quoted=True))
        yield _text(copy)


def invented_function(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """A function that DuckDB does not have."""
    copy = tree.copy()
    call = next(copy.find_all(exp.Sum, exp.Count, exp.Lower, exp.Max, exp.Coalesce), None)
    if call is not None and isinstance(call.this, exp.Column):
        call.replace(exp.Anonymous(this=f"safe_{call.key}", expressions=[call.this.copy()]))
        yield _text(copy)


def unqualified(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """A column of two joined tables without its alias."""
    select = _select(tree)
    aliases = _aliases(select) if select else {}
    for number, projection in enumerate(select.expressions if select else []):
        column = projection.unalias()
        holders = [a for a, t in aliases.items() if column.name in ground.columns.get(t, {})]
        if isinstance(column, exp.Column) and column.table and len(holders) > 1:
            copy = tree.copy()
            copy.expressions[number].unalias().set("table", None)
            yield _text(copy)
            return


def wrong_join_column(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """A join on a column of another type."""
    for number, join in enumerate(tree.args.get("joins") or []):
        equal = join.args.get("on").find(exp.EQ) if join.args.get("on") else None
        if equal is None or not isinstance(equal.this, exp.Column):
            continue
        table = _aliases(tree).get(equal.this.table, "")
        types = ground.columns.get(table, {})
        right = equal.this.name
        other = [c for c, t in types.items() if _family(t) != _family(types.get(right))]
        if other:
            copy = tree.copy()
            copy.args["joins"][number].args["on"].find(exp.EQ).this.set("this", exp.to_identifier(other[0]))
            yield _text(copy)


def wrong_literal(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """A filter that compares a number or a date with a word."""
    for alias, table in _aliases(tree).items() if isinstance(tree, exp.Select) else ():
        for column, data_type in ground.columns.get(table, {}).items():
            if _family(data_type) in ("number", "date"):
                yield _text(tree.copy().where(f"{alias}.{column} = 'unknown'"))
                return


def mixed_case(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """A CASE with a date in one branch and a number in the other."""
    for alias, table in _aliases(tree).items() if isinstance(tree, exp.Select) else ():
        found = [c for c, t in ground.columns.get(table, {}).items() if _family(t) == "date"]
        if found and not tree.args.get("group"):
            case = f"case when {alias}.{found[0]} is null then 0 else {alias}.{found[0]} end as x1"
            yield _text(tree.copy().select(case))
            return


def swapped_union(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """Two columns of different types change places in one branch of a UNION."""
    if not isinstance(tree, exp.Union):
        return
    types = list((ground.described(_text(tree)) or {}).values())
    copy = tree.copy()
    right = copy.expression
    for first in range(len(types)):
        for second in range(first + 1, len(types)):
            if _family(types[first]) != _family(types[second]):
                listed = [e.copy() for e in right.expressions]
                listed[first], listed[second] = listed[second], listed[first]
                right.set("expressions", listed)
                yield _text(copy)
                return


def dropped_condition(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """A join whose condition is gone."""
    for number, join in enumerate(tree.args.get("joins") or []):
        if join.args.get("on") is not None:
            copy = tree.copy()
            copy.args["joins"][number].set("on", exp.true())
            yield _text(copy)


def dropped_key_column(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """A join on a part of the key."""
    for number, join in enumerate(tree.args.get("joins") or []):
        if isinstance(join.args.get("on"), exp.And):
            for side in ("this", "expression"):
                copy = tree.copy()
                on = copy.args["joins"][number].args["on"]
                copy.args["joins"][number].set("on", on.args[side].copy())
                yield _text(copy)


def fanned_aggregate(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """An additive aggregate after a join with a child table."""
    if not isinstance(tree, exp.Select) or not tree.args.get("group"):
        return
    aliases = _aliases(tree)
    first = next(iter(aliases), None)
    if first is None or next(tree.find_all(exp.Sum), None) is None:
        return
    used = {c.table for s in tree.find_all(exp.Sum) for c in s.find_all(exp.Column)}
    if used - {first, ""}:
        return
    parent = aliases[first]
    for key in (k for k in ground.unique(parent) if len(k) == 1):
        column = next(iter(key))
        for child, types in ground.columns.items():
            if child in ground.tables and child != parent and column in types:
                if {column} in ground.unique(child):
                    continue
                copy = tree.copy()
                for found in copy.find_all(exp.Column):
                    if not found.table:
                        found.set("table", exp.to_identifier(first))
                yield _text(
                    copy.join(
                        f'"wh"."raw"."{child}" AS kid',
                        on=f"kid.{column} = {first}.{column}",
                        dialect="duckdb",
                    )
                )
                return


def fanned_by_sibling(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """A sum over a table joined to its parent beside a second child of the parent."""
    for parent in ground.tables:
        for key in (k for k in ground.unique(parent) if len(k) == 1):
            column = next(iter(key))
            kids = [
                t
                for t, facts in ground.tables.items()
                if t != parent and column in facts["columns"] and {column} not in ground.unique(t)
            ]
            if len(kids) < 2 or f'"{parent}"' not in _text(tree):
                continue
            numbers = [c for c, t in ground.tables[parent]["columns"].items() if t == "DOUBLE"]
            if numbers:
                yield (
                    f"SELECT p.{column}, SUM(p.{numbers[0]}) AS total, COUNT(*) AS n\n"
                    f'FROM "wh"."raw"."{parent}" AS p\n'
                    f'LEFT JOIN "wh"."raw"."{kids[0]}" AS k\n  ON k.{column} = p.{column}\n'
                    f"GROUP BY p.{column}"
                )


def filtered_left_join(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """A WHERE on the padded side."""
    for join in tree.args.get("joins") or []:
        alias = join.this.alias_or_name
        types = ground.columns.get(join.this.name, {})
        column = next((c for c, t in types.items() if _family(t) == "number"), None)
        if join.side == "LEFT" and column and not tree.args.get("group"):
            yield _text(tree.copy().where(f"{alias}.{column} > 0"))


def any_for_max(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """``first`` where ``max`` stood."""
    copy = tree.copy()
    call = next((m for m in copy.find_all(exp.Max, exp.Min)), None)
    if call is not None:
        call.replace(exp.Anonymous(this="first", expressions=[call.this.copy()]))
        yield _text(copy)


def unordered_call(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """lag() or string_agg() without its ORDER BY."""
    copy = tree.copy()
    for window in copy.find_all(exp.Window):
        if isinstance(window.this, exp.Lag):
            window.set("order", None)
            yield _text(copy)
            return
    for call in copy.find_all(exp.GroupConcat):
        order = call.find(exp.Order)
        if order is not None:
            order.replace(order.this)
            yield _text(copy)
            return


def bare_limit(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """A LIMIT without ORDER BY."""
    if isinstance(tree, exp.Select) and not tree.args.get("distinct"):
        copy = tree.copy()
        copy.set("order", None)
        yield _text(copy.limit(7))


def untied_number(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """row_number() that has lost the key from its ORDER BY."""
    copy = tree.copy()
    for window in copy.find_all(exp.Window):
        order = window.args.get("order")
        if isinstance(window.this, exp.RowNumber) and order and len(order.expressions) > 1:
            order.set("expressions", order.expressions[:1])
            yield _text(copy)
            return


def random_column(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """A random number in the output."""
    if isinstance(tree, exp.Select) and not tree.args.get("group"):
        yield _text(tree.copy().select("uuid() as row_tag"))


def deduplicating_union(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """UNION where UNION ALL stood."""
    if isinstance(tree, exp.Union) and not tree.args.get("distinct"):
        copy = tree.copy()
        copy.set("distinct", True)
        yield _text(copy)


def unequal_filter(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """``<>`` on a column that holds NULLs."""
    if not isinstance(tree, exp.Select):
        return
    for alias, table in _aliases(tree).items():
        facts = ground.tables.get(table)
        for column, data_type in (facts or {}).get("columns", {}).items():
            if data_type != "VARCHAR" or column in facts.get("not_null", []):
                continue
            query = f'SELECT count(*) - count({column}) FROM wh.raw."{table}"'
            if ground.connection.execute(query).fetchall()[0][0]:
                yield _text(tree.copy().where(f"{alias}.{column} <> 'zzz'"))
                return


def averaged_average(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """The average of a column of averages."""
    for projection in tree.expressions if isinstance(tree, exp.Select) else ():
        if isinstance(projection.unalias(), exp.Avg):
            yield f"SELECT AVG(q.{projection.alias}) AS overall\nFROM (\n{_text(tree)}\n) AS q"


def summed_distinct(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """The sum of distinct counts."""
    for projection in tree.expressions if isinstance(tree, exp.Select) else ():
        call = projection.unalias()
        if isinstance(call, exp.Count) and isinstance(call.this, exp.Distinct):
            yield f"SELECT SUM(q.{projection.alias}) AS overall\nFROM (\n{_text(tree)}\n) AS q"


def ungrouped(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """A column lost from GROUP BY."""
    group = tree.args.get("group")
    if group is not None and len(group.expressions) > 1:
        copy = tree.copy()
        copy.args["group"].set("expressions", copy.args["group"].expressions[1:])
        yield _text(copy)


def mixed_grain(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """A coarser total beside the finer rows."""
    if not isinstance(tree, exp.Select) or tree.args.get("group") or tree.args.get("qualify"):
        return
    aliases = _aliases(tree)
    for alias, table in aliases.items():
        facts = ground.tables.get(table)
        if facts is None or tree.args.get("with_") or tree.args.get("distinct"):
            continue
        keys = ground.unique(table)
        foreign = [c for c in facts["columns"] if c.endswith("_id") and {c} not in keys]
        number = [c for c, t in facts["columns"].items() if t == "DOUBLE"]
        if foreign and number and keys and alias == next(iter(aliases)):
            total = (
                f'(SELECT {foreign[0]} AS f1, SUM({number[0]}) AS total_of FROM "wh"."raw"."{table}" '
                f"GROUP BY {foreign[0]})"
            )
            copy = tree.copy().select("tot.total_of")
            yield _text(copy.join(f"{total} AS tot", on=f"tot.f1 = {alias}.{foreign[0]}", dialect="duckdb"))
            return


def hidden_fanout(ground: Ground, tree: exp.Expr) -> Iterator[str]:
    """A child joined for nothing, and DISTINCT to hide it."""
    if not isinstance(tree, exp.Select) or tree.args.get("group") or tree.args.get("joins"):
        return
    aliases = _aliases(tree)
    for alias, table in aliases.items():
        for key in (k for k in ground.unique(table) if len(k) == 1):
            column = next(iter(key))
            for child, facts in ground.tables.items():
                if child == table or column not in facts["columns"]:
                    continue
                if any(tree.args.get(k) for k in ("qualify", "distinct", "order", "where")):
                    continue
                if any(tree.find_all(exp.Window)):
                    continue
                copy = tree.copy()
                for found in copy.find_all(exp.Column):
                    found.set("table", exp.to_identifier(alias))
                joined = copy.join(
                    f'"wh"."raw"."{child}" AS kid',
                    on=f"kid.{column} = {alias}.{column}",
                    dialect="duckdb",
                )
                yield _text(joined.distinct())
                return


OPERATORS: tuple[tuple[Operator, str], ...] = (
    (misspelt_column, "UNKNOWN_COLUMN"),
    (invented_relation, "UNKNOWN_RELATION"),
    (invented_function, "UNKNOWN_FUNCTION"),
    (unqualified, "AMBIGUOUS_COLUMN"),
    (wrong_join_column, "TYPE_MISMATCH"),
    (wrong_literal, "TYPE_MISMATCH"),
    (mixed_case, "TYPE_MISMATCH"),
    (swapped_union, "TYPE_MISMATCH"),
    (dropped_condition, "CROSS_JOIN"),
    (dropped_key_column, "GRAIN_FANOUT"),
    (fanned_aggregate, "GRAIN_FANOUT"),
    (fanned_by_sibling, "GRAIN_FANOUT"),
    (filtered_left_join, "LEFT_TURNED_INNER"),
    (any_for_max, "ORDER_DEPENDENT"),
    (unordered_call, "ORDER_DEPENDENT"),
    (bare_limit, "NO_TOTAL_ORDER"),
    (untied_number, "NO_TOTAL_ORDER"),
    (random_column, "NON_DETERMINISTIC"),
    (deduplicating_union, "UNION_DEDUPLICATES"),
    (unequal_filter, "NULL_DROPPED"),
    (averaged_average, "MONOID_AVERAGE"),
    (summed_distinct, "MONOID_DISTINCT"),
    (ungrouped, "GRAIN_MIXED"),
    (mixed_grain, "GRAIN_MIXED"),
    (hidden_fanout, "DISTINCT_HIDES_FANOUT"),
)


def plant(ground: Ground) -> Iterator[Fault]:
    """Every fault that the operators can plant in this project's models."""
    seen: set[tuple[str, str]] = set()
    for model, sql in ground.models.items():
        for operator, code in OPERATORS:
            for faulty in operator(ground, sqlglot.parse_one(sql, dialect="duckdb")):
                if (model, faulty) in seen:
                    continue
                seen.add((model, faulty))
                same = ground.same(sql, faulty)
                yield Fault(ground.name, model, operator.__name__, code, faulty, same)
