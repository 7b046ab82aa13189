"""GRAIN_FANOUT: an aggregate, a declared key or a declared grain over rows that a join repeats.

The double-counting bug (REQ-F-LDM-007, REQ-F-LDM-002). Proven from keys: a join repeats a source's
rows when the other side has keys and the condition covers none of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdme_adapter.validation.inputs import firm_keys
from cdme_adapter.validation.predicates import ADDITIVE, attrs, line_of
from cdme_adapter.validation.relations import Repeat
from cdme_adapter.validation.select_facts import SelectFacts
from cdme_adapter.validation.source import Source, join_line
from cdme_adapter.validation.types import short
from cdme_adapter.validation.view import CannotTell, ModelView, Said


def check(view: ModelView) -> Iterator[Said]:
    """Aggregates that count twice, joins of many to many, a grain that does not hold."""
    if view.analysis is None:
        return
    for facts in view.analysis.selects:
        for projection in [*facts.select.expressions, facts.select.args.get("having")]:
            for node in facts.aggregates(projection) if projection is not None else []:
                yield from _counted_twice(view, facts, node)
        yield from _many_to_many(view, facts)
    yield from _declared(view)


def _counted_twice(view: ModelView, facts: SelectFacts, node: exp.Expr) -> Iterator[Said]:
    if not isinstance(node, ADDITIVE) or isinstance(node.this, (exp.Distinct, exp.Star)):
        return
    if isinstance(node, exp.ApproxDistinct):
        return
    used = attrs(node)
    if not used:
        return
    why: list[Repeat] = []
    unsure = ""
    within = frozenset(a for g in facts.group for a in attrs(g))
    for alias, name in sorted(used):
        below = facts.carried((alias, name))
        repeated, by = facts.repeats(alias, within)
        here = facts.repeat_of(alias, within)
        if here is not None and by is not None and not by.relation.expands:
            why.append(here)
        elif repeated is False and below is not None:
            why.append(below)
        elif repeated is None and len(facts.joined) > 1:
            unsure = unsure or f"no key says whether a join repeats the rows of {alias}"
        else:
            return  # the rows of one of its relations are counted once, so the value is
    if unsure:
        yield CannotTell(unsure)
        return
    if all(repeat.lookup for repeat in why):
        return  # fetched by its key: an attribute of the finer rows, such as a price
    first = next(repeat for repeat in why if not repeat.lookup)
    counts = isinstance(node, (exp.Count, exp.CountIf))
    yield view.found(
        "GRAIN_FANOUT",
        "warn" if counts or not first.certain else "error",
        f"{short(node)} counts rows of {first.of} several times: the join with {first.by} repeats them",
        f"aggregate {first.by} to the grain of {first.of} before joining, or sum a column of {first.by}",
        line_of(node) or first.line,
    )


def _many_to_many(view: ModelView, facts: SelectFacts) -> Iterator[Said]:
    """A join on columns that are a key of neither side."""
    core = facts.grain()
    if len(core) < 2:
        return
    for source in core[1:]:
        if not _on_columns(source) or source.ranged or source.relation.expands:
            continue
        others = [s for s in core if s is not source and _touches(source, s)]
        known = [s for s in [source, *others] if s.relation.keys_known]
        if others and len(known) == 1 + len(others):
            yield view.found(
                "GRAIN_FANOUT",
                "warn",
                f"the join of {others[0].alias} and {source.alias} is many to many: its condition "
                f"covers a key of neither ({_keys(others[0])}; {_keys(source)})",
                f"join on a whole key of {source.alias} or of {others[0].alias}",
                join_line(source),
            )
        elif others:
            yield CannotTell(f"no key of {source.alias} or {others[0].alias} is known")


def _keys(source: Source) -> str:
    keys = [f"({', '.join(sorted(k))})" for k in source.relation.keys[:2]]
    return f"{source.alias}: {' or '.join(keys) if keys else 'no key in sight'}"


def _on_columns(source: Source) -> bool:
    return source.join is not None and source.join.args.get("on") is not None


def _touches(source: Source, other: Source) -> bool:
    on = source.join.args.get("on") if source.join is not None else None
    return on is not None and any(alias == other.alias for alias, _ in attrs(on))


def _declared(view: ModelView) -> Iterator[Said]:
    """The declared grain, and declared keys, against the keys that the SQL proves."""
    analysis = view.analysis
    assert analysis is not None
    grain = frozenset(c.lower() for c in view.node.config.grain)
    wanted = [(grain, "grain")] if grain else []
    wanted += [(k, "key") for k in firm_keys(view.node, analysis.root.columns) if k != grain]
    for key, what in wanted:
        root = analysis.root
        if root.opaque:
            if what == "grain":
                yield CannotTell("the output's columns are not known, so its grain is not")
            continue
        if any(proven <= key for proven in root.keys):
            continue
        if not key <= {c.name.lower() for c in root.columns}:
            continue  # rule config_names says so
        if root.keys_known and (what == "grain" or _multiplies(analysis.root_select)):
            yield _broken(view, key, what)
        elif what == "grain":
            yield CannotTell("no key proves or disproves the declared grain")


def _multiplies(facts: SelectFacts | None) -> bool:
    """Whether the outermost SELECT joins something that repeats what it starts from."""
    if facts is None or facts.grouped:
        return False
    joined = facts.joined
    return len(joined) > 1 and facts.repeats(joined[0].alias)[0] is True


def _broken(view: ModelView, key: frozenset[str], what: str) -> Said:
    assert view.analysis is not None
    facts = view.analysis.root_select
    by = facts.repeats(facts.joined[0].alias)[1] if facts and facts.joined else None
    proven = [f"({', '.join(sorted(k))})" for k in view.analysis.root.keys] or ["no visible key"]
    cause = f": the join with {by.alias} repeats rows" if by is not None else ""
    return view.found(
        "GRAIN_FANOUT",
        "error",
        f"the declared {what} ({', '.join(sorted(key))}) does not hold; the SQL gives one row per "
        f"{' or '.join(proven)}{cause}",
        "aggregate or pick one row per key before joining, or declare the grain that is meant",
        join_line(by) if by is not None else 1,
    )
