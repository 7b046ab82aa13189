"""Small helpers over sqlglot: parse, print, split, quote."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from sqlglot import TokenType, exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import SqlglotError
from sqlglot.generators.duckdb import DuckDBGenerator
from sqlglot.parsers.duckdb import DuckDBParser

from cdme_adapter.errors import UnsupportedConstruct

DIALECT = "duckdb"
_TEXT = "cdme_text"
_LINE = "cdme_line"
_SHOWN = "cdme_shown"
_VALUES = "cdme_values"
INNER = "cdme_inner"
"""On a nested query: the names of columns that are its own, not its surroundings'."""


def parse(sql: str) -> exp.Expr:
    """The one statement in ``sql``; raises UnsupportedConstruct where sqlglot cannot read it."""
    try:
        dialect = DuckDB()
        parsed = _Parser(dialect=dialect).parse(dialect.tokenize(sql), sql)
        statements = [statement for statement in parsed if statement is not None]
    except (SqlglotError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise UnsupportedConstruct(f"the SQL could not be parsed: {first}") from error
    if len(statements) != 1:
        raise UnsupportedConstruct(f"the model is {len(statements)} statements, not one SELECT")
    return statements[0]


def refuse_semicolon(sql: str) -> None:
    """Raise UnsupportedConstruct for a text that cannot stand in a statement around it."""
    if ";" in sql and DuckDB().tokenize(sql)[-1].token_type is TokenType.SEMICOLON:
        raise UnsupportedConstruct("the text ends in a semicolon")


class _Parser(DuckDBParser):
    """sqlglot's DuckDB parser, which also keeps of every expression the text that it was read from.

    A printer that rewrites ``a::text`` or ``date_trunc('month', d)`` changes names, types and now
    and then meanings; what the user wrote is repeated verbatim instead.
    """

    def _parse_lateral(self) -> exp.Lateral | None:
        """The text of ``LATERAL UNNEST(…) AS t`` holds the alias, which is the lateral item's by now."""
        item: exp.Lateral | None = super()._parse_lateral()
        if item is not None and isinstance(item.this, exp.Unnest):
            item.this.meta.pop(_TEXT, None)
        return item

    def _values_to_select(self, values: exp.Values) -> exp.Select:
        """sqlglot wraps VALUES that stand for a query in one; it is printed as it was written."""
        select: exp.Select = super()._values_to_select(values)
        select.meta[_VALUES] = True
        return select


def _keeps_text(name: str) -> Callable[..., exp.Expr | None]:
    parse_part = getattr(DuckDBParser, name)

    def wrapper(self: Any, *args: Any, **kwargs: Any) -> exp.Expr | None:
        first = self._curr
        node: exp.Expr | None = parse_part(self, *args, **kwargs)
        last = self._prev
        known = isinstance(node, exp.Expr) and first is not None and last is not None
        if known and node is not None and last.end >= first.start:
            node.meta[_TEXT] = self.sql[first.start : last.end + 1]
            node.meta[_LINE] = first.line
        return node

    return wrapper


for _name in (
    "_parse_expression", "_parse_disjunction", "_parse_equality", "_parse_bitwise",
    "_parse_ordered", "_parse_named_window", "_parse_function", "_parse_unnest",
):  # fmt: skip
    setattr(_Parser, _name, _keeps_text(_name))


class _Generator(DuckDBGenerator):
    """sqlglot's DuckDB printer, repeating verbatim what kept its text."""

    def join_sql(self, expression: exp.Join, join_op: str | None = None) -> str:
        """A comma stays a comma, also before UNNEST."""
        if not any(expression.args.get(k) for k in ("method", "side", "kind", "on", "using")):
            return f", {self.sql(expression, 'this')}"
        return str(super().join_sql(expression, join_op))

    def select_sql(self, expression: exp.Select) -> str:
        """``VALUES …`` where that was written and nothing was added to it."""
        given = [name for name, value in expression.args.items() if value]
        if expression.meta.get(_VALUES) and sorted(given) == ["expressions", "from_"]:
            values = expression.args["from_"].this.copy()
            if isinstance(values, exp.Values) and expression.is_star and len(expression.expressions) == 1:
                values.set("alias", None)
                return str(self.sql(values))
        return str(super().select_sql(expression))

    def sql(self, expression: Any, key: str | None = None, comment: bool = True) -> str:
        """``expression`` (or its argument ``key``) as SQL."""
        target = expression
        if key and isinstance(expression, exp.Expr):
            target = expression.args.get(key)
        if isinstance(target, exp.Expr):
            kept = target.meta.get(_TEXT)
            if kept is not None:
                return str(kept)
        return str(super().sql(expression, key, comment))


def render(node: exp.Expr) -> str:
    """``node`` as DuckDB SQL: as it was written, where it was not changed."""
    return _Generator(dialect=DIALECT, comments=False).generate(node, copy=False)


def as_written(node: exp.Expr) -> str:
    """``node`` for people: as it was written, on one line and without comments."""
    if _SHOWN in node.meta:
        return str(node.meta[_SHOWN])
    written = render(node)
    if "--" in written or "/*" in written:
        bare = node.copy()
        for part in bare.walk():
            part.meta.pop(_TEXT, None)
        written = bare.sql(dialect=DIALECT, comments=False)
    return " ".join(written.split())


def keep_shown(node: exp.Expr) -> None:
    """Remember how ``node`` was written before a rule changes it."""
    node.meta[_SHOWN] = as_written(node)


def shown_as(written: str) -> dict[str, str]:
    """What :func:`as_written` needs to show a node as ``written``."""
    return {_SHOWN: written}


def touch(node: exp.Expr) -> None:
    """Forget the text of a node that was changed, and of everything around it."""
    part: exp.Expr | None = node
    while part is not None:
        part.meta.pop(_TEXT, None)
        part = part.parent


def with_text(node: exp.Expr, written: str) -> exp.Expr:
    """``node`` printed as ``written`` from now on."""
    node.meta[_TEXT] = written
    return node


def braces(sql: str) -> str:
    """``sql`` safe to stand in a template of :meth:`str.format`."""
    return sql.replace("{", "{{").replace("}", "}}")


def text(node: exp.Expr) -> str:
    """``node`` as DuckDB SQL inside a template."""
    return braces(render(node))


def conjuncts(condition: exp.Expr | None) -> list[exp.Expr]:
    """The top-level conjuncts in written order.

    >>> [render(c) for c in conjuncts(parse("SELECT a AND (b AND c) AND (d OR e)").selects[0])]
    ['a', 'b', 'c', '(d OR e)']
    """
    if condition is None:
        return []
    bare = condition.unnest()
    if isinstance(bare, exp.And):
        return [part for side in (bare.left, bare.right) for part in conjuncts(side)]
    return [condition]


def quote(name: str) -> str:
    """``name`` as a quoted identifier.

    >>> quote('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def normal(sql: str) -> str:
    """A clause without the differences that reformatting makes, for ids and matching.

    >>> normal('WHERE ("A" <>  1)') == normal("where a <> 1")
    True
    """
    return re.sub(r'[\s"();]+', " ", sql).strip().lower().replace(" ", "")


def first_line(node: exp.Expr) -> int | None:
    """The line, from 1, on which ``node`` begins, where the parser kept it."""
    lines = [part.meta[key] for part in node.walk() for key in (_LINE, "line") if key in part.meta]
    return min(lines) if lines else None


def not_understood(what: str, at: object) -> UnsupportedConstruct:
    """The error for a construct that no rule knows, with the line that it begins on.

    ``at`` is an expression, or a list that begins with one; of anything else no line is known.
    """
    first = at[0] if isinstance(at, list) and at else at
    return UnsupportedConstruct(what, line=first_line(first) if isinstance(first, exp.Expr) else None)


def own_nodes(node: exp.Expr) -> Iterator[exp.Expr]:
    """The expressions of ``node`` that are not inside a nested query."""
    yield node
    for child in node.iter_expressions():
        if not isinstance(child, (exp.Query, exp.Subquery)):
            yield from own_nodes(child)


def functions(node: exp.Expr) -> Iterator[tuple[exp.Func, str]]:
    """The function calls of ``node`` outside nested queries, each with DuckDB's name for it."""
    for part in own_nodes(node):
        if isinstance(part, exp.Anonymous):
            yield part, str(part.this).lower()
        elif isinstance(part, (exp.Case, exp.If)):
            yield part, "case"  # printing an arm on its own would take it out of its CASE
        elif isinstance(part, exp.Func):
            rendered = render(part)
            match = re.match(r"\s*([A-Za-z_][A-Za-z_0-9]*)\s*\(", rendered)
            yield part, (match.group(1) if match else part.sql_name()).lower()
