"""The SELECT list: stars keep the hidden columns out, names are told to the outer query."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from cdme_adapter.capture.plan import HIDDEN
from cdme_adapter.capture.rules.columns import expands, without_hidden
from cdme_adapter.capture.scope import Visible
from cdme_adapter.capture.sqltext import (
    conjuncts,
    keep_shown,
    not_understood,
    own_nodes,
    quote,
    text,
    touch,
    with_text,
)


def projections(select: exp.Select, visible: tuple[Visible, ...]) -> list[str]:
    """The SELECT list as SQL texts, every star without hidden columns."""
    return [_projection(item, visible) for item in select.expressions]


def _projection(item: exp.Expr, visible: tuple[Visible, ...]) -> str:
    star = _star(item)
    if star is not None or expands(item):
        _refuse_two_rowids(item, visible)
    if expands(item):
        return text(without_hidden(item, visible))
    if star is None:
        return text(item)
    hidden = [column for v in _of_star(item, visible) for column in v.hidden]
    if not hidden:
        return text(item)
    item = item.copy()
    copied = _star(item)
    assert copied is not None
    kept = list(copied.args.get("except_") or copied.args.get("except") or [])
    copied.set("except_", kept + [exp.column(name) for name in hidden])
    touch(copied)
    return text(item)


def _refuse_two_rowids(item: exp.Expr, visible: tuple[Visible, ...]) -> None:
    """Raise UnsupportedConstruct where a star may hold a column called rowid beside DuckDB's own.

    What keeps the one out of the star would keep the other out, too.
    """
    found = _of_star(item, visible)
    own = any("rowid" in v.hidden for v in found)
    if own and any(v.columns is None or "rowid" in map(str.lower, v.columns) for v in found):
        raise not_understood("a star over a column called rowid, beside a row id", item)


def _star(item: exp.Expr) -> exp.Star | None:
    if isinstance(item, exp.Star):
        return item
    if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
        return item.this
    return None


def _of_star(item: exp.Expr, visible: tuple[Visible, ...]) -> list[Visible]:
    if isinstance(item, exp.Column):
        found = [v for v in visible if v.alias.lower() == item.table.lower()]
        if not found:
            raise not_understood(f"{item.table}.* names nothing in FROM", item)
        return found
    return list(visible)


def output_names(
    select: exp.Select, visible: tuple[Visible, ...], merged: Iterable[str] = ()
) -> tuple[str, ...] | None:
    """The names of the user's columns, or None where a star spans unknown columns.

    ``merged`` are the columns that USING joins show once.
    """
    names: list[str] = []
    once = {name.lower() for name in merged}
    for item in select.expressions:
        star = _star(item)
        if expands(item):
            return None
        if star is None:
            if not item.alias_or_name.startswith(HIDDEN):
                names.append(item.alias_or_name)
            continue
        dropped = {c.name.lower() for c in star.args.get("except_") or ()}
        renamed = {r.this.name.lower(): r.alias for r in star.args.get("rename") or ()}
        for v in _of_star(item, visible):
            if v.columns is None:
                return None
            for column in v.columns:
                low = column.lower()
                if low in once and low in map(str.lower, names):
                    continue
                if low not in dropped:
                    names.append(renamed.get(low, column))
    return tuple(names)


def _own_columns(select: exp.Select) -> list[exp.Column]:
    """The column references of a SELECT outside FROM and nested queries."""
    found: list[exp.Column] = []
    for key, value in select.args.items():
        if key in ("from_", "with_"):
            continue
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, exp.Expr):
                found += [c for c in own_nodes(part) if isinstance(c, exp.Column)]
    return found


def _without_aliases(select: exp.Select, visible: tuple[Visible, ...]) -> exp.Select:
    """WHERE may name an output column; what it stands for takes its place."""
    where = select.args.get("where")
    named = {item.alias.lower(): item.this for item in select.expressions if item.alias}
    if where is None or not named:
        return select
    columns = {c.lower() for v in visible for c in v.columns or ()}
    for _ in range(len(named)):
        used = [
            c for c in own_nodes(where)
            if isinstance(c, exp.Column) and not c.table
            and c.name.lower() in named and c.name.lower() not in columns
        ]  # fmt: skip
        if not used:
            break
        if any(v.columns is None for v in visible):
            raise not_understood(f"{used[0].name} in WHERE: an alias or a column", used[0])
        for column in used:
            for conjunct in conjuncts(where.this):
                keep_shown(conjunct)
            touch(column)
            column.replace(exp.Paren(this=named[column.name.lower()].copy()))
    return select


def settle_names(select: exp.Select, visible: tuple[Visible, ...]) -> exp.Select:
    """A copy whose column references bind against instrumented sources.

    ``schema.table.column`` becomes ``table.column``. Raises UnsupportedConstruct for a reference to
    a whole row, whose value would show hidden columns.
    """
    select = _without_aliases(select.copy(), visible)
    aliases = {v.alias.lower() for v in visible}
    columns = {c.lower() for v in visible for c in v.columns or ()}
    for column in _own_columns(select):
        schema = column.text("db").lower()
        if schema and column.table.lower() in aliases and schema not in aliases | columns:
            column.set("db", None)
            column.set("catalog", None)
            touch(column)
        if not column.table and column.name.lower() in aliases - columns:
            _whole_row(column, visible)
    return select


def _whole_row(column: exp.Column, visible: tuple[Visible, ...]) -> None:
    """``t`` as a value: a struct of its columns, without the hidden ones."""
    found = next(v for v in visible if v.alias.lower() == column.name.lower())
    if not found.hidden:
        return  # it shows what the user's own row shows
    top: exp.Expr = column
    while top.parent is not None and not isinstance(top.parent, exp.Select):
        top = top.parent
    names = [name.lower() for name in found.columns or ()]
    nameless = top.arg_key == "expressions" and top is not column and not isinstance(top, exp.Alias)
    if not names or len(set(names)) < len(names) or nameless or isinstance(column.parent, exp.Dot):
        raise not_understood(f"the whole row {quote(column.name)} used as a value", column)
    for part in conjuncts(top.this) if isinstance(top, (exp.Where, exp.Having, exp.Qualify)) else [top]:
        keep_shown(part)
    fields = ", ".join(f"{quote(c)} := {quote(found.alias)}.{quote(c)}" for c in found.columns or ())
    struct = with_text(exp.Anonymous(this="struct_pack"), f"struct_pack({fields})")
    touch(column)
    named = top is column and top.arg_key == "expressions"
    column.replace(exp.alias_(struct, column.name, quoted=True) if named else struct)
