"""Subqueries in expressions, exactly: a row's key, and the rows that the key leads to.

A subquery is asked once per value of what it is asked with: the columns of its surroundings that it
speaks of, and the operands that it is compared with. So each row carries that key, and the rows
behind each key are found once (output → key → rows; docs/concepts.md, Size). What the subquery does
with those rows (an aggregate, say) does not change which they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.rules.called import Call
from cdme_adapter.capture.rules.keyed import FirstRows
from cdme_adapter.capture.rules.outer import Outer
from cdme_adapter.capture.rules.shape import blocks, has_aggregate, has_limit, has_window
from cdme_adapter.capture.scope import (
    Cte,
    Env,
    FromGroup,
    Key,
    Scope,
    Source,
    Visible,
    column_side,
)
from cdme_adapter.capture.sqltext import functions, parse, quote, render, text, touch, with_text
from cdme_adapter.errors import UnsupportedConstruct

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

KEYS = "cdme_keys_"
NUMBER = "cdme__k"
_SUB = "cdme__sub"
_NOT_PLAIN = (exp.Query, exp.Unnest, exp.Explode)
CONJUNCT = "cdme_conjunct"
"""On a nested query: it is a conjunct of its own, so that only what makes it TRUE takes part."""


@dataclass(frozen=True)
class Around:
    """What surrounds an expression: the names in sight, and where it is evaluated.

    ``joined``: under an outer join, where a row's columns are not those that the subquery saw.
    """

    visible: tuple[Visible, ...]
    late: bool = False
    joined: bool = False
    conjunct: bool = False


@dataclass(frozen=True)
class _Asked:
    """How a subquery is asked: the operands, and the condition on each of its rows."""

    operands: tuple[exp.Expr, ...] = ()
    condition: str = ""
    """``{x}`` is an operand, ``{y}`` the row's value; empty: every row takes part."""


def look_up(planner: Planner, query: exp.Expr, env: Env, around: Around) -> bool:
    """Plan which rows a subquery looks at; False where that is not known exactly.

    The query itself is changed only where it must not be evaluated twice (it then reads a stage), or
    where its order is not total.
    """
    asked = _asked(query, around.conjunct)
    if asked is None:
        return False

    def plan() -> tuple[Key, Callable[[], None]] | None:
        before = len(planner.coarse)
        found = _plan(planner, query, env, around, asked)
        if len(planner.coarse) > before:
            raise UnsupportedConstruct("a part of a subquery whose rows are not known")
        return found

    planned = planner.attempt(plan, lambda _: None)
    if planned is None:
        return False
    key, change = planned
    planner.keys[-1] += (key,)
    change()
    return True


def _plan(
    planner: Planner, query: exp.Expr, env: Env, around: Around, asked: _Asked
) -> tuple[Key, Callable[[], None]]:
    body = query.copy()
    outer = Outer(planner, body, env, around.visible).columns()
    if outer is None:
        raise UnsupportedConstruct("a subquery with a column that may be its surroundings'")
    if around.joined and (outer or asked.operands):
        raise UnsupportedConstruct("a correlated subquery in the ON of an outer join")
    name = planner.look_name()
    keys = f"{KEYS}{name.rpartition('_')[2]}"
    spoken = _replaced(outer, keys)
    parts = [*spoken, *asked.operands]
    places = range(len(spoken), len(parts))
    planner.key_columns[keys] = (NUMBER, *(f"cdme__c{n}" for n in range(len(parts))))
    cte = None
    if isinstance(body, exp.Select) and _is_rows(planner, body, len(asked.operands)):
        rows = _stripped(body, keys, asked, list(places))
    elif outer and asked.operands:
        raise UnsupportedConstruct("a comparison with a correlated subquery that groups, cuts or combines")
    elif outer:
        if _names_column(query):
            raise UnsupportedConstruct("a subquery whose text names a column")
        first = FirstRows(planner, body, f"{keys}.{NUMBER}", keys)
        port = planner.look(name, lambda: first.scope(env))
        return Key(port, _key_sql(parts), around.late, tuple(parts)), lambda: first.order_like(query)
    else:
        cte = Cte(body, (), env, planner.origin, 1)
        if blocks(body, planner.catalog):
            if _names_column(query):
                raise UnsupportedConstruct("a subquery whose text names a column")
            planner.keep_stage(cte)
        rows = _over(keys, asked, list(places))
        env = {**env, _SUB: cte}
    port = planner.look(name, lambda: planner.query(rows, env))

    def change() -> None:
        if cte is not None and cte.stage is not None:
            _read_stage(planner, query, cte.stage[0])

    return Key(port, _key_sql(parts), around.late, tuple(parts)), change


def look_up_call(planner: Planner, call: Call, env: Env, around: Around) -> bool:
    """Plan which rows the subqueries of a macro look at; False where that is not known exactly."""

    def plan() -> bool:
        if around.joined:
            raise UnsupportedConstruct("a macro in the ON of an outer join")
        before = len(planner.coarse)
        for query in call.queries:
            planner.keys[-1] += (_key_of_call(planner, call, query.copy(), env, around),)
        if len(planner.coarse) > before:
            raise UnsupportedConstruct("a part of a macro whose rows are not known")
        return True

    return planner.attempt(plan, lambda _: False)


def _key_of_call(planner: Planner, call: Call, body: exp.Expr, env: Env, around: Around) -> Key:
    parameters = Visible("cdme__parameters", tuple(call.arguments))
    spoken = Outer(planner, body, env, (parameters,)).columns()
    if spoken is None or not isinstance(body, exp.Select) or not _is_rows(planner, body, 0):
        raise UnsupportedConstruct("a macro whose rows are not known")
    name = planner.look_name()
    keys = f"{KEYS}{name.rpartition('_')[2]}"
    parts = [call.arguments[column.name.lower()].copy() for column in _replaced(spoken, keys)]
    planner.key_columns[keys] = (NUMBER, *(f"cdme__c{n}" for n in range(len(parts))))
    rows = _stripped(body, keys, _Asked(), [])
    port = planner.look(name, lambda: planner.query(rows, env))
    return Key(port, _key_sql(parts), around.late, tuple(parts))


def look_at_partners(
    planner: Planner, join: exp.Join, left: FromGroup, right: FromGroup, using: list[str]
) -> bool:
    """The right rows that a SEMI JOIN finds for each left row; False where a column is not certain."""
    on = join.args.get("on")
    condition = on.copy() if on is not None else None
    every = left.visible + right.visible
    mine = {v.alias for v in left.visible}
    outer: list[exp.Column] = []
    for column in condition.find_all(exp.Column) if condition is not None else ():
        side = column_side(column, every)
        if side is None or column.find_ancestor(exp.Query):
            return False
        outer += [column] if side in mine else []
    if condition is None and not using:
        return False
    name = planner.look_name()
    keys = f"{KEYS}{name.rpartition('_')[2]}"
    holder = exp.Paren(this=condition) if condition is not None else None
    parts = _replaced(outer, keys) if condition is not None else [exp.column(n, quoted=True) for n in using]
    planner.key_columns[keys] = (NUMBER, *(f"cdme__c{n}" for n in range(len(parts))))
    if holder is not None:
        test = text(holder)
    else:
        test = " AND ".join(f"{keys}.cdme__c{n} = {quote(one)}" for n, one in enumerate(using))
    ports = ", ".join(port.column for port in right.ports)
    source = keys_source(planner, keys).sql
    sql = f"SELECT {keys}.{NUMBER}{', ' if ports else ''}{ports} FROM {source}, {right.sql} WHERE {test}"
    port = planner.look(name, lambda: Scope(sql, None, right.ports))
    planner.keys[-1] += (Key(port, _key_sql(parts), False, tuple(parts)),)
    return True


def keys_source(planner: Planner, name: str) -> Source:
    """The keys of a lookup as a FROM item of the rows that they lead to."""
    columns = planner.key_columns[name]
    fields = "".join(f', "key".c{n} AS {column}' for n, column in enumerate(columns[1:]))
    table = f"temp.cdme_look_{name.removeprefix(KEYS)}_keys"
    return Source(f"(SELECT k AS {NUMBER}{fields} FROM {table}) AS {name}", (Visible(name, columns),), ())


def _key_sql(parts: list[exp.Expr]) -> str:
    if not parts:
        return "0::BIGINT"
    return f"struct_pack({', '.join(f'c{n} := {text(part)}' for n, part in enumerate(parts))})"


def _asked(query: exp.Expr, conjunct: bool) -> _Asked | None:
    """How the surroundings ask a subquery; None where it is not known."""
    inner, part = query, query.parent
    while isinstance(part, (exp.Subquery, exp.Paren)):
        inner, part = part, part.parent
    if isinstance(part, exp.Exists) or part is None:
        return _Asked()
    if isinstance(part, exp.In) and inner.arg_key == "query":  # else it is one value of a list
        return _compared(part.this, "=", conjunct)
    if isinstance(part, (exp.Any, exp.All)):
        comparison = part.parent
        if not isinstance(comparison, exp.Binary) or comparison.expression is not part:
            return None
        words = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
        word = words.get(type(comparison))
        if word is None:
            return None
        if isinstance(part, exp.Any):
            return _compared(comparison.this, word, conjunct)
        asked = _compared(comparison.this, word, conjunct)
        if asked is None or not conjunct:
            return _Asked() if asked is not None else None
        return _Asked(asked.operands, f"({asked.condition}) IS FALSE")
    return _Asked()


def _compared(left: exp.Expr, word: str, conjunct: bool) -> _Asked | None:
    left = left.unnest()
    row = isinstance(left, exp.Tuple)
    if not row and isinstance(left, exp.Anonymous) and left.name.strip('"').lower() == "row":
        row = True
    operands = tuple(left.expressions) if row else (left,)
    if any(isinstance(part, exp.Query) or has_window(part) for o in operands for part in o.walk()):
        return None
    if len(operands) > 1 and (word != "=" or not conjunct):
        return None
    return _Asked(operands, f"{{x}} {word} {{y}}" if conjunct else f"({{x}} {word} {{y}}) IS NOT FALSE")


def _replaced(outer: list[exp.Column], keys: str) -> list[exp.Expr]:
    """Let the subquery read its surroundings' columns from the keys; the columns, each once."""
    names: dict[str, int] = {}
    spoken: list[exp.Expr] = []
    for column in outer:
        written = ".".join(part.name.lower() for part in column.parts)
        if written not in names:
            names[written] = len(spoken)
            spoken.append(column.copy())
        touch(column)
        column.replace(exp.column(f"cdme__c{names[written]}", table=keys))
    return spoken


def _is_rows(planner: Planner, body: exp.Select, operands: int) -> bool:
    """Whether the rows of FROM and WHERE are what takes part: no groups, no LIMIT, no window."""
    if has_limit(body):
        return False
    if any(body.args.get(part) for part in ("group", "having", "qualify", "windows", "with_")):
        return False
    distinct = body.args.get("distinct")
    aggregated = any(has_aggregate(item, planner.catalog) for item in body.expressions)
    if distinct is not None and (distinct.args.get("on") or aggregated):
        return False
    if operands and (aggregated or len(body.expressions) != operands):
        return False
    for item in body.expressions:
        if has_window(item) or any(isinstance(part, _NOT_PLAIN) for part in item.walk()):
            return False
        if any(planner.catalog.is_macro(name) for _, name in functions(item)):
            return False
        if operands and any(isinstance(p, (exp.Star, exp.Columns)) for p in item.walk()):
            return False
    return True


def _filled(asked: _Asked, keys: str, place: int, value: str) -> str:
    return asked.condition.replace("{x}", f"{keys}.cdme__c{place}").replace("{y}", f"({value})")


def _stripped(body: exp.Select, keys: str, asked: _Asked, places: list[int]) -> exp.Select:
    """The subquery's rows beside the keys, before anything is computed from them."""
    values = [item.unalias() for item in body.expressions][: len(places)]
    conditions = []
    for place, value in zip(places, values, strict=True) if asked.condition else ():
        sides = exp.EQ(this=exp.column(f"cdme__c{place}", table=keys), expression=value.copy())
        written = _filled(asked, keys, place, render(value))
        conditions.append(with_text(exp.Paren(this=sides), f"({written})"))
    where = body.args.get("where")
    for part in ("distinct", "order", "where"):
        body.set(part, None)
    body.set("expressions", [exp.column(NUMBER, table=keys)])
    if body.args.get("from_") is None:
        body.set("from_", exp.From(this=exp.to_table(keys)))
    else:
        body.append("joins", exp.Join(this=exp.to_table(keys)))
    if where is not None:
        conditions.insert(0, exp.Paren(this=where.this) if conditions else where.this)
    if conditions:
        joined = conditions[0]
        for more in conditions[1:]:
            joined = exp.And(this=joined, expression=more)
        body.set("where", exp.Where(this=joined))
    return body


def _over(keys: str, asked: _Asked, places: list[int]) -> exp.Select:
    """The rows of the subquery as a derived table beside the keys."""
    columns = ", ".join(f"cdme__s{n}" for n in range(len(places)))
    alias = f"cdme__s({columns})" if columns else "cdme__s"
    conditions = [
        f"({_filled(asked, keys, place, f'cdme__s.cdme__s{n}')})"
        for n, place in enumerate(places) if asked.condition
    ]  # fmt: skip
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    made = parse(f"SELECT {keys}.{NUMBER} FROM {_SUB} AS {alias}, {keys}{where}")
    assert isinstance(made, exp.Select)
    return made


def _names_column(query: exp.Expr) -> bool:
    """Whether the text of the subquery is the name of an output column, so that it must stay."""
    part: exp.Expr | None = query
    while part is not None:
        parent = part.parent
        if isinstance(part, exp.Alias):
            return False
        if isinstance(parent, exp.Select) and part.arg_key == "expressions":
            return True
        part = parent
    return False


def _read_stage(planner: Planner, query: exp.Expr, stage: str) -> None:
    """Let the subquery read the stage that its rows were kept in."""
    node = next(n for n in planner.nodes if n.name == stage)
    for part in list(query.args):
        query.set(part, None)
    touch(query)
    with_text(query, node.shown().format())
