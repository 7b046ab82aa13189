"""LEFT_TURNED_INNER: a condition on the padded side undoes an outer join."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdme_adapter.validation.predicates import bare, conjuncts, rejects_null
from cdme_adapter.validation.select_facts import SelectFacts
from cdme_adapter.validation.types import short
from cdme_adapter.validation.view import ModelView, Said


def check(view: ModelView) -> Iterator[Said]:
    """Conditions in WHERE, and in later inner joins, that no padded row can meet."""
    if view.analysis is None:
        return
    for facts in view.analysis.selects:
        padded = {s.alias for s in facts.sources.values() if s.side == "left"}
        if not padded:
            continue
        seen: set[str] = set()
        for part, clause in _conditions(facts):
            for alias in sorted({a for a, _ in rejects_null(part)} & padded - seen):
                if _deliberate(part):
                    continue
                seen.add(alias)
                yield view.found(
                    "LEFT_TURNED_INNER",
                    "warn",
                    f"{short(part)} in {clause} drops the rows that the left join of {alias} keeps",
                    "move the condition into the join's ON, or write an inner join",
                    part,
                )


def _conditions(facts: SelectFacts) -> Iterator[tuple[exp.Expr, str]]:
    for part in conjuncts(facts.select.args.get("where")):
        yield part, "WHERE"
    for source in facts.sources.values():
        if source.side == "inner" and source.join is not None:
            for part in conjuncts(source.join.args.get("on")):
                yield part, f"the inner join of {source.alias}"


def _deliberate(part: exp.Expr) -> bool:
    """``x IS NOT NULL`` says that the padded rows are to go."""
    return isinstance(part, exp.Not) and isinstance(bare(part.this), exp.Is)
