"""A stage of windows over one wide relation keeps the windows alone; the rest is fetched by row id.

Writing every column of a large table to a temporary table, sorted by a window's partition, costs a
multiple of the window itself; most of its rows are about to be removed. What is plain and certain
(columns, deterministic expressions over them) is taken from the relation again, by the row id that
the stage holds (docs/decisions/0038).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.plan import HIDDEN, STAGE_NAME, Fetch
from cdme_adapter.capture.rules.columns import expands
from cdme_adapter.capture.rules.projection import projections
from cdme_adapter.capture.rules.shape import has_aggregate, has_window, is_volatile
from cdme_adapter.capture.rules.subquery import nested_queries
from cdme_adapter.capture.rules.unnest import unnests
from cdme_adapter.capture.scope import Visible
from cdme_adapter.capture.sqltext import own_nodes, quote, text

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner
    from cdme_adapter.capture.rules.select import Prepared

LARGE = 100_000
"""Relations of fewer rows are kept whole: there is nothing to gain, and the rows stay in the order in
which plain DuckDB gives them."""
WIDE = 4
_OTHERS = ("group", "having", "qualify", "distinct", "limit", "offset", "order")


def narrow(planner: Planner, prepared: Prepared) -> Fetch | None:
    """How the user's columns of a SELECT are had from its hidden ones, where that is worth it."""
    select = prepared.select
    group = prepared.groups[0] if len(prepared.groups) == 1 else None
    if group is None or not group.pure or not group.single or prepared.keys:
        return None
    port = group.ports[0]
    relation = planner.relations.get(port.target)
    if relation is None or relation.rows < LARGE or len(relation.columns) < WIDE:
        return None
    if any(select.args.get(part) for part in _OTHERS) or unnests(select):
        return None
    kept: list[tuple[str, str]] = []
    shown: list[exp.Expr] = []
    items = prepared.items()
    for item in select.expressions:
        if expands(item) or nested_queries(item) or is_volatile(item, planner.catalog):
            return None
        if not has_window(item):
            if has_aggregate(item, planner.catalog):
                return None
            shown.append(item)
            continue
        if not isinstance(item, exp.Alias) or _reads_alias(item, select, group.visible):
            return None
        name = planner.hidden("n")
        kept.append((item.alias, name))
        items.insert(0, f"{text(item.this)} AS {name}")
        shown.append(exp.alias_(exp.column(name), item.alias, quoted=True))
    if not kept:
        return None
    mine, row, side = planner.hidden("q"), planner.hidden("r"), planner.hidden("s")
    names = [name for _, name in kept]
    of_user = select.copy()
    of_user.set("expressions", shown)
    user = projections(of_user, (*group.visible, Visible(side, None, (mine, row, *names))))
    stage = ", ".join([f"{port.column} AS {mine}", *names, f"rowid AS {row}"])
    at = f"{quote(group.visible[0].alias)}.{port.column}"
    source = f"{group.sql} JOIN (SELECT {stage} FROM temp.{STAGE_NAME}) AS {side} ON {at} = {mine}"
    return Fetch(_stage(prepared, items), ", ".join(user), source, row, tuple(kept))


def _stage(prepared: Prepared, items: list[str]) -> str:
    windows = prepared.select.args.get("windows")
    named = " WINDOW " + ", ".join(text(window) for window in windows) if windows else ""
    return f"SELECT {', '.join(items)}{prepared.from_where()}{named}"


def _reads_alias(item: exp.Expr, select: exp.Select, visible: tuple[Visible, ...]) -> bool:
    """Whether a window speaks of another item by its alias, which the stage does not have."""
    aliases = {other.alias.lower() for other in select.expressions if other.alias}
    if any(v.columns is None for v in visible):
        return True
    columns = {name.lower() for v in visible for name in v.columns or ()}
    used = {p.name.lower() for p in own_nodes(item) if isinstance(p, exp.Column) and not p.table}
    return bool(used & aliases - columns) or any(name.startswith(HIDDEN) for name in used)
