"""``reconcile``: every law over what the store says, recounted and replayed (REQ-F-ADJ-006).

Independent of capture: it reads the relations, the physical maps and the SQL as dbt compiled it.
Nothing is changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cdme_adapter.lineage.against import against
from cdme_adapter.lineage.audits import Audit, audit_content, audit_keys, audit_reasons, audit_table
from cdme_adapter.lineage.batch import Batches
from cdme_adapter.lineage.context import DEFAULT_LIMIT, Context
from cdme_adapter.lineage.derive import derived
from cdme_adapter.lineage.laws import law_sql
from cdme_adapter.lineage.relations import fetch_keys
from cdme_adapter.lineage.replay import Outcome, Replay, sample_of, summarise
from cdme_adapter.lineage.values import parse_key
from cdme_adapter.provenance import Exactness, Role
from cdme_adapter.store.reader import Edge, Generation, Store

_SET_LAWS = ("zero_loss", "exclusive", "covered_output", "lower_adjoint")
_WORST = ("violation", "unknown", "superset", "exact")


@dataclass(frozen=True)
class ReconcileQuestion:
    """What is to be checked: models (all by default), how many records of each, and how chosen.

    ``sample`` 0 is all records. ``against`` is a run: then its contents are compared, nothing else.
    """

    models: tuple[str, ...] = ()
    sample: int = 100
    seed: int = 0
    limit: int = DEFAULT_LIMIT
    against: str | None = None
    replaying: Callable[[list[int]], Any] = iter
    """Wraps the records of a model as they are replayed."""


def on_own_connection(ctx: Context) -> Context:
    """The same store through a cursor of its own, so that an open transaction is left alone."""
    con: Any = ctx.store.con
    store = Store(con.cursor(), ctx.store.frozen).load()
    return Context.over(store, ctx.manifest, ctx.masking.show_pii)


def reconcile(
    ctx: Context,
    question: ReconcileQuestion,
    target_path: Path | None = None,
    progress: Callable[[list[str]], Any] = iter,
) -> dict[str, Any]:
    """The answer of docs/commands.md, ``reconcile``; ``progress`` wraps the models as they are done."""
    own = on_own_connection(ctx)
    try:
        return _reconciled(own, question, target_path, progress)
    finally:
        own.store.con.close()  # type: ignore[attr-defined]


def _reconciled(
    own: Context,
    question: ReconcileQuestion,
    target_path: Path | None,
    progress: Callable[[list[str]], Any],
) -> dict[str, Any]:
    wanted = [own.resolve(name, "model") for name in question.models]
    models = sorted(wanted or [m for m in own.store.current if _has_edges(own, m)])
    entries: list[dict[str, Any]] = []
    if question.against is not None:
        entries = against(own, list(progress(models)), question.against, question.limit)
        models = []
    for model in progress(models):
        with derived(own, [model], {}, model) as asked:
            entries += [_entry(model, audit) for audit in _audits(asked, model, question)]
    if not question.models and question.against is None:
        entries += _ledger_entries(own, target_path)
    verdict = _worst([entry["verdict"] for entry in entries])
    why = next((e["why"] for e in entries if e["verdict"] == verdict and e["why"]), "")
    return {
        "verdict": verdict,
        "why": why,
        "seed": question.seed,
        "sample": question.sample or None,
        **({"against": question.against} if question.against is not None else {}),
        "edges": entries,
    }


def _has_edges(ctx: Context, model: str) -> bool:
    generation = ctx.store.current_generation(model)
    stored = generation is not None and not generation.evaluated
    return stored and bool(ctx.store.outputs_of(ctx.store.current[model]))


def _worst(verdicts: list[str]) -> str:
    """The verdict of the whole; a question about nothing has none.

    >>> _worst(["exact", "superset"]), _worst([])
    ('superset', 'unknown')
    """
    return next((v for v in _WORST if v in verdicts), "unknown")


def _entry(model: str, audit: Audit) -> dict[str, Any]:
    return {
        "model": model,
        "input": audit.input,
        "law": audit.law,
        "checked": audit.checked,
        "verdict": audit.verdict,
        "why": audit.why,
        "missing": list(audit.missing),
    }


def _audits(ctx: Context, model: str, question: ReconcileQuestion) -> Iterator[Audit]:
    """Every check of one model."""
    generation = ctx.store.current_generation(model)
    if generation is None:
        yield Audit(None, "capture", 0, "unknown", "nothing has been captured of this model")
        return
    seen: set[str] = set()
    for edge, node in ctx.graph.parents(ctx.graph.node(model, generation.id)):
        if not edge.own:
            continue  # an earlier run's, of rows that are still there: what it read may well be gone
        if edge.input not in seen and edge.input != model:  # of itself it read what its run then changed
            yield audit_content(ctx, edge, node)
            source = ctx.graph.generation(node)
            keys = audit_keys(ctx, edge.input, source) if source else None
            if keys and ctx.stale(node) is not True:
                yield keys
        seen.add(edge.input)
        yield from audit_reasons(ctx, edge, node, question.sample * 10, question.seed)
    whole = audit_table(ctx, generation)
    if whole:
        yield whole
    own_keys = audit_keys(ctx, model, generation)
    if own_keys:
        yield own_keys
    yield from _set_laws(ctx, model, generation)
    known = ctx.manifest.nodes.get(model)
    if known is None or known.type != "seed":  # no SQL made its rows: the file is compared when it is read
        yield audit_replay(ctx, model, generation, question)


def _set_laws(ctx: Context, model: str, generation: Generation) -> Iterator[Audit]:
    """The laws that one SELECT decides for all records."""
    edges = ctx.store.outputs_of(generation.id)
    laws = [*_SET_LAWS, *(["isomorphism"] if any(e.declared == "1:1" for e in edges) else [])]
    for law in laws:
        broken: dict[str, list[tuple[str, Any]]] = defaultdict(list)
        for _, _, source, problem, record in ctx.store.rows(law_sql(law, model, ctx)):
            broken[source].append((problem, record))
        yield from _judged(ctx, law, generation, edges, broken)


def _judged(
    ctx: Context,
    law: str,
    generation: Generation,
    edges: list[Edge],
    broken: dict[str, list[tuple[str, Any]]],
) -> Iterator[Audit]:
    every = [e for e in edges if e.role is Role.DIRECT]
    direct = {e.input: e for e in sorted(every, key=lambda e: e.own)}  # the last run's, where it has one
    if law == "covered_output":
        least = {e.exactness for e in every}
        known = "superset" if Exactness.SUPERSET in least else "exact"
        verdict = "violation" if broken else "unknown" if Exactness.OPAQUE in least else known
        yield _broken(None, law, generation.row_count or 0, verdict, broken.get("", []))
        return
    for source in sorted({*direct, *broken}):
        found = direct.get(source)
        verdict = found.exactness.value if found else "exact"
        verdict = "unknown" if verdict == "opaque" else verdict
        read = ctx.store.generations.get((found.input_generation if found else 0) or 0)
        count = (read.row_count if read else None) or 0
        problems = broken.get(source, [])
        judged = _broken(source, law, count, "violation" if problems else verdict, problems)
        yield _named(ctx, found, judged)


def _broken(
    source: str | None, law: str, count: int, verdict: str, problems: list[tuple[str, Any]]
) -> Audit:
    why = problems[0][0] if problems else ""
    if verdict == "unknown":
        why = "the edge is opaque"
    missing = tuple({"rowid": r} for _, r in problems[:DEFAULT_LIMIT] if r is not None)
    return Audit(source, law, count, verdict, why, missing)


def _named(ctx: Context, edge: Edge | None, audit: Audit) -> Audit:
    """The same with the keys of input records, where they have one."""
    read = ctx.store.generations.get((edge.input_generation if edge else 0) or 0)
    if read is None or not audit.missing or "output" in audit.why.split(" in ")[0]:
        return audit
    ordinals = [entry["rowid"] for entry in audit.missing]
    keys = fetch_keys(ctx.store, read, ordinals)
    masked = ctx.masking.of(read.relation)
    return replace(audit, missing=tuple(parse_key(keys.get(o), o, masked) for o in ordinals))


def audit_replay(ctx: Context, model: str, generation: Generation, question: ReconcileQuestion) -> Audit:
    """Law 4 on a seeded sample, or on all records."""
    replay = Replay.of(ctx, model, generation)
    if replay.why_not:
        return Audit(None, "replay", 0, "unknown", replay.why_not)
    outcomes = replays(ctx, replay, question.sample, question.seed, question.replaying)
    replayed = len(outcomes)
    outcomes |= {o: found for o, found in replay.too_many().items() if o not in outcomes}
    verdict, why, skipped = summarise(outcomes)
    if verdict == "exact" and not replay.exact:
        verdict, why = "superset", "an edge is a superset of the witnesses"
    if skipped:
        why = "; ".join(part for part in (why, f"columns skipped: {', '.join(skipped)}") if part)
    failed = [o for o, outcome in outcomes.items() if outcome.verdict == "violation"]
    shown = ctx.show(ctx.graph.node(model, generation.id), failed[: question.limit or None])
    missing = tuple(shown[o]["key"] for o in failed[: question.limit or None])
    return Audit(None, "replay", replayed, verdict, why, missing)


def replays(
    ctx: Context, replay: Replay, sample: int, seed: int, replaying: Callable[[list[int]], Any] = iter
) -> dict[int, Outcome]:
    """The outcome for each record of a sample."""
    chosen = list(sample_of(ctx, replay.generation, sample, seed))
    many = Batches(replay, chosen)
    return {ordinal: many.outcome(ordinal) for ordinal in replaying(chosen)}


def round_trip_problems(context: Context, model: str, sample: int) -> Iterator[tuple[str, str, int | None]]:
    """What breaks laws 3 and 4 in a model, as (input, problem, record): for the generic test."""
    own = on_own_connection(context)
    generation = own.store.current_generation(model)
    assert generation is not None
    with derived(own, [model], {}, model) as ctx:
        yield from _round_trip_problems(ctx, model, generation, sample)


def _round_trip_problems(
    ctx: Context, model: str, generation: Generation, sample: int
) -> Iterator[tuple[str, str, int | None]]:
    for _, _, source, problem, record in ctx.store.rows(law_sql("lower_adjoint", model, ctx)):
        yield source, problem, record
    replay = Replay.of(ctx, model, generation)
    if replay.why_not:
        return
    for ordinal, outcome in replays(ctx, replay, sample, 0).items():
        if outcome.verdict in ("violation", "superset") and replay.exact:
            yield "", outcome.why, ordinal


def _ledger_entries(ctx: Context, target_path: Path | None) -> list[dict[str, Any]]:
    """Whether ledger.json is whole and says what the store says."""
    if target_path is None:
        return []
    from cdme_adapter.lineage.ledger import verify_ledger

    answer = verify_ledger(ctx.store, target_path)
    audit = Audit(
        None,
        "ledger",
        1,
        answer["verdict"],
        answer["problems"][0] if answer["problems"] else "",
        tuple(answer["problems"]),
    )
    return [_entry("", audit)]
