"""EXCEPT ALL and INTERSECT ALL: of equal rows on the left, the first ones stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdme_adapter.capture.plan import HIDDEN

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner


def numbered(
    planner: Planner, rows: str, names: list[str], theirs: list[str], side: str, flag: str, is_except: bool
) -> str:
    """The left rows of ``rows`` with their ports and a flag: whether the row is among those that stay.

    ``side`` tells the left rows of the UNION ALL from the right ones. The order of equal rows is that
    of their ports: of the records beneath them, from left to right in FROM. ``theirs`` are the ports of
    right rows that take part: those of the n-th of them go with the n-th left row.
    """
    held, other, one, place = (planner.hidden(letter) for letter in "lmen")
    drop = ", ".join([*names, *theirs, side])
    partners = planner.hidden("r")
    groups = (
        f"SELECT * EXCLUDE ({drop}), {_ordered(names)} FILTER (WHERE {side}) AS {held}, "
        f"{_ordered(theirs)} FILTER (WHERE NOT {side}) AS {partners}, "
        f"count(*) FILTER (WHERE NOT {side}) AS {other} FROM ({rows}) AS {HIDDEN}rows "
        f"GROUP BY ALL HAVING bool_or({side})"
    )
    last = f"len({held}) - {other}" if is_except else other
    ports = "".join(f", {one}.{name} AS {name}" for name in names)
    ports += "".join(f", {partners}[{place}].{name} AS {name}" for name in theirs)
    return (
        f"SELECT * EXCLUDE ({held}, {partners}, {other}, {one}, {place}){ports}, "
        f"{place} <= {last} AS {flag} FROM "
        f"(SELECT *, unnest({held}) AS {one}, unnest(range(1, len({held}) + 1)) AS {place} FROM ({groups}))"
    )


def _ordered(names: list[str]) -> str:
    """The list of rows' ports, in their order."""
    fields = ", ".join(f"{name} := {name}" for name in names) or "__cdme_none := 0"
    order = f" ORDER BY {', '.join(f'{name} NULLS LAST' for name in names)}" if names else ""
    return f"list(struct_pack({fields}){order})"
