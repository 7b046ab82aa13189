"""LOSSY: the model is not one-to-one, and by which clauses (REQ-DATA-LIN-003); information only."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdme_adapter.validation.select_facts import SelectFacts
from cdme_adapter.validation.view import CannotTell, ModelView, Said

_CLAUSES = ("where", "having", "qualify", "limit", "offset", "sample")


def check(view: ModelView) -> Iterator[Said]:
    """One finding that names what loses or merges records."""
    if view.analysis is None:
        yield CannotTell("whether it is lossy is not known")
        return
    why = sorted({w for facts in view.analysis.selects for w in _why(facts)})
    why += sorted({type(s.node).__name__.upper() for s in view.analysis.sets if _merges(s.node)})
    if why:
        yield view.found(
            "LOSSY",
            "info",
            f"lossy: {', '.join(why)}; backward returns what contributed and what was filtered",
            "nothing to do; the accounting says what was lost",
            1,
        )


def _why(facts: SelectFacts) -> Iterator[str]:
    for clause in _CLAUSES:
        if facts.select.args.get(clause) is not None:
            yield clause
    if facts.grouped:
        yield "aggregation"
    if facts.select.args.get("distinct") is not None:
        yield "distinct"
    for source in facts.sources.values():
        if source.side in ("inner", "right", "semi", "anti"):
            yield f"{source.side} join"


def _merges(node: exp.SetOperation) -> bool:
    return not isinstance(node, exp.Union) or bool(node.args.get("distinct"))
