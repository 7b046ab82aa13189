"""SKEWED_KEY: a few values of a key make most of the rows that a join gives (REQ-F-TRV-006)."""

from __future__ import annotations

from collections.abc import Iterator

from cdme_adapter.validation.select_facts import SelectFacts
from cdme_adapter.validation.source import join_line
from cdme_adapter.validation.view import ModelView, Said
from cdme_adapter.validation.weights import Key, Met


def check(view: ModelView) -> Iterator[Said]:
    """Every join whose rows few values make, each of them with its share."""
    if view.analysis is None:
        return
    for facts in view.analysis.selects:
        for met in facts.met:
            few = met.few()
            if few:
                yield view.found(
                    "SKEWED_KEY",
                    "info",
                    described(view, facts, met, few),
                    "filter these values, aggregate before joining, or join on a whole key",
                    join_line(facts.sources[met.alias]) or 1,
                )


def heaviest(view: ModelView) -> str:
    """The join that gives the most rows for a key that is none of its table, and its commonest value."""
    if view.analysis is None:
        return ""
    joins = [(met, facts) for facts in view.analysis.selects for met in facts.met if met.right.heads]
    if not joins:
        return ""
    met, facts = max(joins, key=lambda pair: pair[0].both.rows)
    if few := met.few():
        return described(view, facts, met, few)
    key = max(met.right.heads, key=lambda k: met.right.heads[k])
    rows = round(met.right.heads[key])
    title = _title(view, facts, met.alias)
    return f"{title} has {rows:,} rows where {_names(met)} is {_value(met, key)}" if rows > 1 else ""


def described(view: ModelView, facts: SelectFacts, met: Met, few: list[Key]) -> str:
    """``customer_id 1 is 30% of the rows of a and 30% of those of b: it makes 97% of …``"""
    one, other = _title(view, facts, met.beside), _title(view, facts, met.alias)
    told = [
        f"{_names(met)} {_value(met, key)} is {_percent(met.left.share(key))} of the rows of {one} and "
        f"{_percent(met.right.share(key))} of those of {other}"
        for key in few
    ]
    made = _percent(sum(met.both.heads[key] for key in few) / met.both.rows)
    they = "it makes" if len(few) == 1 else "they make"
    return f"{'; '.join(told)}: {they} {made} of the about {round(met.both.rows):,} rows of their join"


def _title(view: ModelView, facts: SelectFacts, alias: str) -> str:
    name = facts.sources[alias].relation.name
    read = view.title(name) if view.analysis is not None and name in view.analysis.reads else name
    return f"{read} {alias}" if read and read.lower() != alias else alias


def _names(met: Met) -> str:
    return met.names[0] if len(met.names) == 1 else f"({', '.join(met.names)})"


def _value(met: Met, key: Key) -> str:
    if met.personal:
        return "(one value, not shown)"
    shown = [repr(part) if isinstance(part, str) else str(part) for part in key]
    text = shown[0] if len(shown) == 1 else f"({', '.join(shown)})"
    return text if len(text) <= 60 else text[:57] + "…"


def _percent(share: float) -> str:
    if share >= 0.999:
        return "nearly all"
    return f"{share:.0%}" if 0.1 <= share < 0.99 else f"{share:.1%}" if share >= 0.001 else "less than 0.1%"
