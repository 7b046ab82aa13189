"""A join tree whose result may come out differently the next time: it is evaluated once.

The rows of the tree become a stage, one column per name in FROM that holds the row of that name as a
struct. Outside, every name stands again with its own columns, over the stage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.plan import Port
from cdme_adapter.capture.scope import FromGroup, Scope, Visible
from cdme_adapter.capture.sqltext import not_understood, quote

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

SURVIVORS = "SELECT {port} AS i FROM {self} WHERE {port} IN (SELECT i FROM {cur})"
"""What gets past a clause whose survivors are read off the rows of the node itself."""


def refuse_if_unknown(groups: tuple[FromGroup, ...], select: exp.Expr | None, at: exp.Expr) -> None:
    """Raise UnsupportedConstruct where the columns of a name are not known, or are shared by two."""
    for join in select.args.get("joins") or () if select is not None else ():
        if join.args.get("using") or str(join.args.get("method") or "").upper() == "NATURAL":
            raise not_understood("columns that USING joins share, in a tree that is kept", at)
    for visible in (v for group in groups for v in group.visible):
        names = [name.lower() for name in visible.columns or ()]
        if not names or len(set(names)) < len(names):
            raise not_understood(f"the columns of {visible.alias} are not known one by one", at)


def evaluated_once(
    planner: Planner, group: FromGroup, where: str = "", flags: dict[str, str] | None = None
) -> FromGroup:
    """The group over a stage of its rows; what was registered so far stands beneath it.

    ``where`` are conditions on the rows that are kept, ``flags`` further hidden columns of them, as
    templates. Nothing but the group may have been planned in the node under construction.
    """
    flags = flags or {}
    structs, exposed, seen = [], [], []
    for visible in group.visible:
        column, row = planner.hidden("v"), planner.hidden("p")
        alias = quote(visible.alias)
        fields = ", ".join(f"{quote(c)} := {alias}.{quote(c)}" for c in visible.columns or ())
        structs.append(f"struct_pack({fields}) AS {column}")
        exposed.append((alias, column, row))
        seen.append(Visible(visible.alias, visible.columns, (row,)))
    seen[0] = Visible(seen[0].alias, seen[0].columns, (*seen[0].hidden, *flags))
    ports = [port.column for port in group.ports]
    columns = [*structs, *(f"({sql}) AS {flag}" for flag, sql in flags.items()), *ports]
    condition = f" WHERE {where}" if where else ""
    scope = Scope(f"SELECT {', '.join(columns)} FROM {group.sql}{condition}", None, group.ports)
    name = planner.adopt(scope)
    planner.builder.items.append(name)
    carried = "".join(f", {flag}" for flag in flags)
    parts = [
        f"(SELECT unnest({column}), rowid AS {row}{'' if place else carried} FROM temp.{name}) AS {alias}"
        for place, (alias, column, row) in enumerate(exposed)
    ]
    first = f"{exposed[0][0]}.{exposed[0][2]}"
    sql = parts[0] + "".join(
        f" JOIN {part} ON {first} = {alias}.{row}"
        for part, (alias, _, row) in zip(parts[1:], exposed[1:], strict=True)
    )
    return FromGroup(sql, tuple(seen), (Port(exposed[0][2], name),))
