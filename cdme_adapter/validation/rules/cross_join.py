"""CROSS_JOIN: every row meets every row."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdme_adapter.validation.predicates import attrs, conjuncts
from cdme_adapter.validation.relations import Relation
from cdme_adapter.validation.select_facts import SelectFacts
from cdme_adapter.validation.source import Source, join_line
from cdme_adapter.validation.view import CannotTell, ModelView, Said


def check(view: ModelView) -> Iterator[Said]:
    """Joins without a condition that ties both sides together."""
    if view.analysis is None:
        return
    for facts in view.analysis.selects:
        aliases = list(facts.sources)
        for number, alias in enumerate(aliases):
            source = facts.sources[alias]
            if source.join is None or _harmless(facts, source, aliases[:number]):
                continue
            if not facts.certain:
                yield CannotTell(f"the columns that may tie {alias} are not known")
            elif not _tied(facts, source, set(aliases[:number])):
                yield view.found(
                    "CROSS_JOIN",
                    "warn",
                    f"nothing ties {alias} to {', '.join(aliases[:number])}: every row meets every row",
                    f"join on a key of {alias}",
                    join_line(source),
                )


def _harmless(facts: SelectFacts, source: Source, earlier: list[str]) -> bool:
    sides = [source.relation, *(facts.sources[a].relation for a in earlier)]
    if _made_up(source.relation) or isinstance(
        source.join.this if source.join else None, (exp.Lateral, exp.Unnest)
    ):
        return True
    method = str(source.join.args.get("method") or "").upper() if source.join else ""
    if method in ("NATURAL", "POSITIONAL") or source.side in ("semi", "anti"):
        return True
    return all(_made_up(r) for r in sides[1:])


def _made_up(relation: Relation) -> bool:
    """One row, or rows that no stored relation gave: a series, literals joined to themselves."""
    nothing_read = not relation.edges and not relation.opaque and not relation.file
    return relation.single_row or relation.expands or nothing_read


def _tied(facts: SelectFacts, source: Source, earlier: set[str]) -> bool:
    parts = list(conjuncts(source.join.args.get("on") if source.join else None))
    parts += list(conjuncts(facts.select.args.get("where")))
    later = [s.join.args.get("on") for s in facts.sources.values() if s.join is not None]
    for on in later:
        parts += list(conjuncts(on))
    for part in parts:
        aliases = {a for a, _ in attrs(part)}
        if source.alias in aliases and aliases & earlier:
            return True
    using = source.join.args.get("using") if source.join else None
    return bool(using)
