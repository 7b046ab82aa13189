"""What can be read off a model's original SQL without running it; nothing of capture is used.

The texts are the model's compiled SQL and that of the views beneath it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from cdme_adapter.project import Manifest, Node

VOLATILE = frozenset({
    "random", "uuid", "uuidv4", "uuidv7", "gen_random_uuid", "now", "get_current_timestamp",
    "get_current_time", "current_date", "today", "current_timestamp", "currenttimestamp",
    "current_time", "currentdate", "currenttime", "localtime", "localtimestamp",
    "transaction_timestamp", "nextval", "currval", "txid_current", "setseed", "rand",
    "current_localtimestamp", "current_localtime", "rand_string", "uuid_string",
})  # fmt: skip
_UNORDERED = frozenset({
    "first", "last", "any_value", "arbitrary", "list", "array_agg", "string_agg", "group_concat",
    "listagg", "mode", "approx_count_distinct", "approx_quantile", "approx_top_k",
    "reservoir_quantile", "arg_min", "arg_max", "argmin", "argmax", "min_by", "max_by",
    "arrayagg", "groupconcat", "anyvalue", "row_number", "rownumber", "lag", "lead",
    "first_value", "last_value", "nth_value", "ntile", "firstvalue", "lastvalue", "nthvalue",
    "histogram", "approx_distinct", "approxdistinct", "approxquantile",
})  # fmt: skip
_GENERATORS = frozenset({"generate_series", "generateseries", "range", "unnest", "explode", "values"})


def texts(manifest: Manifest, model: str) -> Iterator[tuple[Node, str | None]]:
    """The compiled SQL of a model and of the views that it reads, each once."""
    todo, seen = [model], set()
    for name in todo:
        node = manifest.nodes.get(name)
        if node is None or name in seen or (name != model and node.stored):
            continue
        seen.add(name)
        if node.materialized != "ephemeral":
            yield node, next(iter(node.compiled), None)
        todo += node.parents


def parsed(sql: str | None) -> Any:
    """The syntax tree, or None where it cannot be had."""
    try:
        return sqlglot.parse_one(sql, read="duckdb") if sql else None
    except SqlglotError:
        return None


def generated_rows(manifest: Manifest, model: str) -> int | None:
    """How many rows a model's SQL can make out of nothing; None where there is no bound.

    SELECTs without FROM, VALUES and aggregates without GROUP BY make some; a function such as
    generate_series and a recursion make any number. SQL that cannot be read is not excused: 0.
    """
    total = 0
    for _, sql in texts(manifest, model):
        tree = parsed(sql)
        if tree is None:
            continue
        for select in tree.find_all(exp.Select):
            if not _is_operand(select):
                total += _bare_rows(select)
        for values in tree.find_all(exp.Values):
            total += len(values.expressions)
        if _calls(tree) & _GENERATORS or tree.find(exp.Unnest) or recurs(tree):
            return None
    return total


def recurs(tree: Any) -> bool:
    """Whether a query repeats itself: then what it makes of nothing has no bound."""
    return any(found.args.get("recursive") for found in tree.find_all(exp.With))


def _is_operand(select: Any) -> bool:
    """Whether a SELECT is a subquery in an expression, which makes no rows."""
    inner = select.parent
    while isinstance(inner, (exp.Subquery, exp.SetOperation)):
        if isinstance(inner.parent, (exp.From, exp.Join)):
            return False
        inner = inner.parent
    return inner is not None and not isinstance(
        inner, (exp.CTE, exp.From, exp.Join, exp.Create, exp.Lateral)
    )


def _bare_rows(select: Any) -> int:
    if select.args.get("from_") is None:
        return 1
    group = select.args.get("group")
    if group is not None:  # the group of everything is there also where nothing is
        sets = group.find_all(exp.Rollup, exp.Cube, exp.Tuple)
        return sum(not isinstance(one, exp.Tuple) or not one.expressions for one in sets)
    own = [e for e in select.expressions if e.find(exp.AggFunc) and not e.find(exp.Window)]
    return 1 if own else 0


def _calls(tree: Any) -> set[str]:
    """The functions that a tree calls, in lower case."""
    return {_name(call) for call in tree.find_all(exp.Func)}


def _name(call: Any) -> str:
    if isinstance(call, exp.Anonymous):
        return str(call.name).lower()
    return str(call.sql_name()).lower()


@dataclass
class Shape:
    """What a model's SQL is made of, views included.

    ``reads`` counts how often each identifier is read; ``unstable`` are column names whose values
    may differ between executions; ``volatile`` are calls in clauses that decide about rows.
    """

    readable: bool = True
    reads: Counter[str] = field(default_factory=Counter)
    row_by_row: bool = True
    plain_group: bool = False
    multiplies: bool = False
    windows: bool = False
    asks: bool = False
    """Whether an expression holds a subquery."""
    limits: bool = False
    subtracts: bool = False
    """Whether EXCEPT ALL takes equal rows away one by one."""
    places: bool = False
    """Whether a POSITIONAL JOIN pairs rows by their places."""
    sample: bool = False
    calls: set[str] = field(default_factory=set)
    """The functions and macros that are called, in lower case."""
    unstable: set[str] = field(default_factory=set)
    volatile: set[str] = field(default_factory=set)

    @property
    def read_once(self) -> bool:
        """Whether exactly one relation is read, exactly once."""
        return sum(self.reads.values()) == 1


def _is_asked(query: exp.Expr) -> bool:
    """Whether a query stands in an expression, not in FROM, WITH or on its own."""
    part = query
    while isinstance(part.parent, (exp.Subquery, exp.SetOperation, exp.Paren)):
        part = part.parent
    return part.parent is not None and not isinstance(
        part.parent, (exp.From, exp.Join, exp.CTE, exp.Lateral, exp.Create, exp.Table)
    )


def shape_of(manifest: Manifest, model: str) -> Shape:
    """The shape of a model's original SQL."""
    shape, views = Shape(), set()
    trees = []
    for node, sql in texts(manifest, model):
        tree = parsed(sql)
        if tree is None:
            shape.readable = False
            continue
        trees.append(tree)
        if node.id != model:
            views.add(node.identifier.lower())
    for tree in trees:
        _note(shape, tree)
    for view in views:
        if shape.reads.pop(view, 0) > 1:
            shape.multiplies = True
    _taint(shape, trees)
    shape.plain_group = len(trees) == 1 and shape.readable and _is_plain_group(trees[0])
    return shape


def _note(shape: Shape, tree: Any) -> None:
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    named: Counter[str] = Counter()
    for table in tree.find_all(exp.Table):
        name = table.name.lower()
        if name in ctes and not table.db:
            named[name] += 1
        else:
            shape.reads[name] += 1
    aggregates = tree.find(exp.AggFunc, exp.Group, exp.Distinct, exp.SetOperation, exp.Limit)
    shape.row_by_row &= aggregates is None and tree.find(exp.Fetch) is None
    shape.multiplies |= tree.find(exp.Unnest, exp.Explode, exp.Lateral, exp.Values, exp.Pivot) is not None
    shape.multiplies |= tree.find(exp.Rollup, exp.Cube, exp.GroupingSets) is not None
    shape.multiplies |= any(count > 1 for count in named.values())
    shape.multiplies |= bool(_calls(tree) & _GENERATORS)
    shape.calls |= _calls(tree)
    shape.windows |= tree.find(exp.Window, exp.Qualify) is not None
    shape.asks |= any(_is_asked(query) for query in tree.find_all(exp.Select))
    shape.limits |= tree.find(exp.Limit, exp.Offset, exp.Fetch) is not None
    shape.places |= any(join.method == "POSITIONAL" for join in tree.find_all(exp.Join))
    shape.subtracts |= any(found.args.get("distinct") is False for found in tree.find_all(exp.Except))
    shape.sample |= tree.find(exp.TableSample) is not None


def _taint(shape: Shape, trees: list[Any]) -> None:
    """Names that hold something unstable, spread over aliases until nothing is added."""
    projections = [p for tree in trees for s in tree.find_all(exp.Select) for p in s.expressions]
    size = -1
    while size != len(shape.unstable):
        size = len(shape.unstable)
        for projection in projections:
            names = {c.name.lower() for c in projection.find_all(exp.Column)}
            calls = _calls(projection)
            if calls & VOLATILE or calls & _UNORDERED or names & shape.unstable:
                shape.unstable.add(projection.alias_or_name.lower())
    for tree in trees:
        for select in tree.find_all(exp.Select):
            for clause in ("where", "having", "qualify", "group", "joins", "limit", "order"):
                found = select.args.get(clause)
                for part in found if isinstance(found, list) else [found] if found else []:
                    shape.volatile |= _calls(part) & VOLATILE


def _is_plain_group(tree: Any) -> bool:
    """One SELECT over stored relations, grouped by plain columns."""
    if not isinstance(tree, exp.Select) or tree.args.get("group") is None:
        return False
    if tree.find(exp.CTE, exp.Subquery, exp.Window, exp.SetOperation, exp.Limit, exp.Unnest):
        return False
    group = tree.args["group"]
    if any(group.args.get(name) for name in ("rollup", "cube", "grouping_sets", "all")):
        return False
    keys = list(group.expressions)
    for key in keys:
        if isinstance(key, exp.Literal) and key.is_int:
            at = int(key.name) - 1
            key = tree.expressions[at] if at < len(tree.expressions) else key
            key = key.this if isinstance(key, exp.Alias) else key
        if not isinstance(key, exp.Column):
            return False
    return bool(keys)
