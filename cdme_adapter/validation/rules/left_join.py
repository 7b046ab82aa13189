"""LEFT_TURNED_INNER: a condition on the padded side undoes an outer join."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdme_adapter.validation.null_logic import can_be_true
from cdme_adapter.validation.predicates import attrs, conjuncts, walk
from cdme_adapter.validation.select_facts import SelectFacts
from cdme_adapter.validation.types import short
from cdme_adapter.validation.view import ModelView, Said


def check(view: ModelView) -> Iterator[Said]:
    """Conditions in WHERE, and in later inner joins, that no padded row can meet."""
    if view.analysis is None:
        return
    for facts in view.analysis.selects:
        padded = _padded(facts)
        if not padded:
            continue
        seen: set[str] = set()
        for part, clause, after in _conditions(facts):
            for alias in sorted({a for a, _ in attrs(part)} & padded.keys() - seen):
                join, number = padded[alias]
                if number >= after or _deliberate(part, alias) or can_be_true(part, alias):
                    continue
                seen.add(alias)
                yield view.found(
                    "LEFT_TURNED_INNER",
                    "warn",
                    f"{short(part)} in {clause} drops the rows that the {join} keeps",
                    "move the condition into the join's ON, or write an inner join",
                    part,
                )


def _padded(facts: SelectFacts) -> dict[str, tuple[str, int]]:
    """The aliases that an outer join fills with NULLs: by which one, and its place among the sources."""
    found: dict[str, tuple[str, int]] = {}
    for number, source in enumerate(facts.sources.values()):
        if source.side == "left":
            found[source.alias] = (f"left join of {source.alias}", number)
        if source.side in ("right", "full"):
            for earlier in list(facts.sources)[:number]:
                found[earlier] = (f"{source.side} join of {source.alias}", number)
        if source.side == "full":
            found[source.alias] = (f"full join of {source.alias}", number)
    return found


def _conditions(facts: SelectFacts) -> Iterator[tuple[exp.Expr, str, int]]:
    """Conditions with what they stand in and the number of the sources that were joined before."""
    for part in conjuncts(facts.select.args.get("where")):
        yield part, "WHERE", len(facts.sources)
    for number, source in enumerate(facts.sources.values()):
        if source.side == "inner" and source.join is not None:
            for part in conjuncts(source.join.args.get("on")):
                yield part, f"the inner join of {source.alias}", number


def _deliberate(part: exp.Expr, alias: str) -> bool:
    """``x IS NOT NULL``, wherever it stands, says that the padded rows were thought of."""
    asked = (node for node in walk(part, exp.Is) if isinstance(node.expression, exp.Null))
    return any(a == alias for node in asked for a, _ in attrs(node))
