"""COLUMNS(…) and stars in the SELECT list: they must not see the hidden columns."""

from __future__ import annotations

import re

from sqlglot import exp

from cdme_adapter.capture.plan import HIDDEN
from cdme_adapter.capture.scope import Visible
from cdme_adapter.capture.sqltext import not_understood, own_nodes, render, touch, with_text

_KEYWORD = re.compile(r"^\s*columns\s*\(\s*lambda\b", re.I)
_PATTERNS = (exp.Like, exp.ILike, exp.Glob, exp.SimilarTo)


def expands(item: exp.Expr) -> bool:
    """Whether an item of a SELECT list stands for columns whose names only the engine knows."""
    return any(isinstance(part, exp.Columns) or _is_pattern(part) for part in own_nodes(item))


def _is_pattern(part: exp.Expr) -> bool:
    return isinstance(part, _PATTERNS) and isinstance(part.this, exp.Star)


def refuse_unknown_columns(item: exp.Expr) -> None:
    """Raise UnsupportedConstruct for a form of COLUMNS that cannot be kept from hidden columns."""
    for part in own_nodes(item):
        if not isinstance(part, exp.Columns):
            continue
        known = isinstance(part.this, (exp.Star, exp.Lambda, exp.Array))
        known = known or (isinstance(part.this, exp.Column) and isinstance(part.this.this, exp.Star))
        named = isinstance(item, exp.Alias) and "\\" in item.alias  # the groups of a pattern
        if isinstance(part.this, exp.Literal) and part.this.is_string and not named:
            known = True
        if not known or part.args.get("unpack") or render(part).lstrip().startswith("*"):
            raise not_understood("COLUMNS()", part)


def without_hidden(item: exp.Expr, visible: tuple[Visible, ...]) -> exp.Expr:
    """A copy of an item whose COLUMNS and patterned stars leave hidden columns out."""
    item = item.copy()
    for part in list(own_nodes(item)):
        if isinstance(part, exp.Columns):
            _narrow(part, visible)
        elif _is_pattern(part):
            _exclude(part.this, visible)
    return item


def _narrow(part: exp.Columns, visible: tuple[Visible, ...]) -> None:
    wanted = part.this
    if isinstance(wanted, exp.Star):
        _exclude(wanted, visible)
    elif isinstance(wanted, exp.Column):
        alias = wanted.table.lower()
        _exclude(wanted.this, tuple(v for v in visible if v.alias.lower() == alias))
    elif isinstance(wanted, exp.Lambda):
        name = wanted.expressions[0].name
        body = f"({render(wanted.this)}) AND NOT starts_with({name}, '{HIDDEN}')"
        # As it was written: an engine takes one of the two spellings, and which is a setting.
        head = f"lambda {name}:" if _KEYWORD.search(render(part)) else f"{name} ->"
        touch(part)
        with_text(part, f"COLUMNS({head} {body})")
    elif isinstance(wanted, exp.Literal):
        test = f"regexp_matches(c, {render(wanted)}) AND NOT starts_with(c, '{HIDDEN}')"
        touch(part)
        with_text(part, f"COLUMNS(lambda c: {test})")


def _exclude(star: exp.Star, visible: tuple[Visible, ...]) -> None:
    hidden = [column for v in visible for column in v.hidden]
    if hidden:
        kept = list(star.args.get("except_") or [])
        star.set("except_", kept + [exp.column(name) for name in hidden])
        touch(star)
