"""``explain``: what became of input records in a model, however many models lie between them.

Every lost record answers with the clause that removed it (REQ-F-ACC-005); the summary covers all
records whatever the limit.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from cdme_adapter.errors import QuestionError
from cdme_adapter.lineage.asked import Asked
from cdme_adapter.lineage.clauses import failing_values
from cdme_adapter.lineage.context import DEFAULT_LIMIT, Context
from cdme_adapter.lineage.destinations import Destinations
from cdme_adapter.lineage.fates import Fate, Fates
from cdme_adapter.lineage.freshness import worst
from cdme_adapter.lineage.graph import Node, leading_to, ordered
from cdme_adapter.lineage.rejected import rejection
from cdme_adapter.lineage.scratch import Scratch
from cdme_adapter.provenance import Role
from cdme_adapter.store.reader import Edge


@dataclass(frozen=True)
class ExplainQuestion:
    """What ``cdme explain`` was asked."""

    model: str
    input: str
    where: str | None = None
    limit: int = DEFAULT_LIMIT
    order_by: str | None = None


Down = dict[Node, list[tuple[Edge, Node]]]


def explain(ctx: Context, question: ExplainQuestion) -> dict[str, Any]:
    """The answer of docs/commands.md, ``explain``."""
    model, generation = ctx.stored_model(question.model)
    wanted = ctx.resolve(question.input, "relation")
    target = ctx.graph.node(model, generation.id)
    source, down, consulted = _between(ctx, target, wanted)
    between = ctx.changed(ordered(target, ctx.graph.parents))
    stale = worst([ctx.stale(node) for node in (source, target, *between)])
    with Scratch(ctx.store.con) as scratch:
        asked = _select(ctx, question, source, scratch)
        if consulted:
            summary, picked = _consulted(ctx, source, asked, question.limit)
            records = _plain(ctx, source, picked)
        else:
            order = ordered(source, lambda node: down.get(node, []))
            fates = Fates(ctx, scratch, order, down, asked)
            codes = fates.table()
            summary = _summary(ctx, fates, codes)
            chosen = _chosen(ctx, asked, codes, question.limit)
            records = _records(ctx, scratch, fates, source, target, chosen)
    count = sum(entry["count"] for entry in summary)
    return {
        "model": model,
        "input": wanted,
        "run_id": generation.run_id,
        "stale": stale,
        "recomputed": model in ctx.recomputed,
        "count": count,
        "truncated": count > len(records),
        "records": records,
        "summary": summary,
    }


def judged(ctx: Context, question: ExplainQuestion, scratch: Scratch) -> tuple[Node, Fates, str]:
    """The input's node, the fates of its records and the table (ord, code) of them; for an input on a
    direct way. Raises QuestionError where there is none."""
    model, generation = ctx.stored_model(question.model)
    target = ctx.graph.node(model, generation.id)
    source, down, consulted = _between(ctx, target, ctx.resolve(question.input, "relation"))
    if consulted:
        raise QuestionError(
            f"{source.relation} is only consulted by {model}: its records have no class",
            code="CONSULTED",
            remedy="`explain` lists them",
        )
    asked = _select(ctx, question, source, scratch)
    fates = Fates(ctx, scratch, ordered(source, lambda node: down.get(node, [])), down, asked)
    return source, fates, fates.table()


def _between(ctx: Context, target: Node, wanted: str) -> tuple[Node, Down, bool]:
    """The input's node, the hops from it to the target, and whether it is only consulted."""
    for roles in ((Role.DIRECT,), tuple(Role)):
        found = _subgraph(ctx, target, wanted, roles)
        if found:
            return found[0], found[1], len(roles) > 1
    node = ctx.manifest.nodes.get(wanted)
    if node and not node.stored:
        raise QuestionError(
            f"{wanted} stores no records: its clauses are accounted in the models that read it",
            code="NOT_STORED",
            remedy=f"ask for a relation beneath it: {', '.join(sorted(node.parents))}",
        )
    upstream = ordered(target, ctx.graph.parents)[1:]
    raise ctx.no_such_upstream(target.relation, wanted, {n.relation for n in upstream})


def _subgraph(ctx: Context, target: Node, wanted: str, roles: tuple[Role, ...]) -> tuple[Node, Down] | None:
    def hops(node: Node) -> list[tuple[Edge, Node]]:
        return [hop for hop in ctx.graph.parents(node) if hop[0].role in roles]

    order = ordered(target, hops)
    sources = [node for node in order if node.relation == wanted and node != target]
    if not sources:
        return None
    source = max(sources, key=lambda n: (ctx.stale(n) is not True, ctx.graph.seen_at(n), n.generation))
    useful = leading_to(order, hops, lambda node: node == source)
    down: Down = {}
    for node in order:
        for edge, parent in hops(node):
            if parent in useful and node != source:
                down.setdefault(parent, []).append((edge, node))
    return source, down


def _select(ctx: Context, question: ExplainQuestion, source: Node, scratch: Scratch) -> Asked | None:
    """The records that were asked about; None for the whole input."""
    if question.where is None and question.order_by is None:
        return None
    generation = ctx.graph.generation(source)
    if generation is None or ctx.stale(source) is True:
        raise QuestionError(
            f"{source.relation} has changed since {question.model} was built, so its present"
            " records are not those that were read",
            code="STALE_INPUT",
            remedy="run `dbt build` and ask again, or ask without --where for the summary",
        )
    return Asked.of(ctx, scratch, ctx.need_table(generation), question.where, question.order_by)


def _summary(ctx: Context, fates: Fates, codes: str) -> list[dict[str, Any]]:
    """How many records met each fate; complete whatever the limit."""
    counts: Counter[Fate] = Counter()
    for code, count in ctx.store.rows(f"SELECT code, count(*) FROM {codes} GROUP BY code"):
        counts[fates.decode(code)] += count
    entries: dict[tuple[str | None, ...], dict[str, Any]] = {}
    for fate, count in counts.items():  # one refinement may have failed in several runs
        key = (fate.name, fate.model, _reason_id(fate), fate.verdict)
        entries.setdefault(key, _summary_entry(fate, 0))["count"] += count
    return sorted(
        entries.values(),
        key=lambda e: (e["class"], e["first_lost_at"] or "", -e["count"], e["reason_id"] or ""),
    )


def _reason_id(fate: Fate) -> str | None:
    reason = fate.reason or fate.failure
    return reason.id if reason else None


def _summary_entry(fate: Fate, count: int) -> dict[str, Any]:
    reason, said = fate.reason, fate.reason or fate.failure
    return {
        "class": fate.name,
        "first_lost_at": fate.model,
        "reason_id": _reason_id(fate),
        "verdict": fate.verdict,
        "count": count,
        "kind": reason.kind.value if reason else "error" if fate.failure else None,
        "failure_type": fate.failure.failure_type if fate.failure else None,
        "sql": said.sql if said else None,
        "file": said.file if said else None,
        "line": said.line if said else None,
    }


def _chosen(ctx: Context, asked: Asked | None, codes: str, limit: int) -> list[tuple[int, int]]:
    """The (ordinal, code) of the records to show, in the wanted order."""
    join, order = (f" JOIN {asked.in_table()} a ON a.ord = c.ord", "a.pos") if asked else ("", "c.ord")
    sql = f"SELECT c.ord, c.code FROM {codes} c{join} ORDER BY {order}"
    rows = ctx.store.rows(sql + (f" LIMIT {limit}" if limit else ""))
    return [(row[0], row[1]) for row in rows]


def _records(
    ctx: Context,
    scratch: Scratch,
    fates: Fates,
    source: Node,
    target: Node,
    chosen: list[tuple[int, int]],
) -> list[dict[str, Any]]:
    ordinals = [ordinal for ordinal, _ in chosen]
    shown = ctx.show(source, ordinals)
    judged = [fates.decode(code) for _, code in chosen]
    went = Destinations(ctx, scratch, fates.down, source, target, ordinals)
    values = failing_values(ctx, went, judged)
    rejected = {
        at: rejection(ctx, went, at, fate.edge, fate.failure)
        for at, fate in enumerate(judged)
        if fate.edge is not None and fate.failure is not None
    }
    return [
        {
            **shown[ordinal],
            "class": judged[at].name,
            "first_lost_at": judged[at].model,
            "reason": rejected.get(at) or _reason(judged[at], values.get(at, {})),
            "outputs": went.outputs(at) if judged[at].name == "contributed" else None,
        }
        for at, ordinal in enumerate(ordinals)
    ]


def _reason(fate: Fate, values: dict[str, Any]) -> dict[str, Any] | None:
    if fate.name not in ("filtered", "error"):
        return None
    reason = fate.reason
    return {
        "id": reason.id if reason else None,
        "kind": reason.kind.value if reason else fate.name,
        "sql": reason.sql if reason else None,
        "verdict": fate.verdict,
        "values": values,
        "file": reason.file if reason else None,
        "line": reason.line if reason else None,
    }


def _consulted(
    ctx: Context, source: Node, asked: Asked | None, limit: int
) -> tuple[list[dict[str, Any]], list[int]]:
    """Records that no direct edge leads on from are consulted, all of them."""
    if asked is not None:
        count, picked = asked.count, asked.first(limit)
    else:
        generation = ctx.graph.generation(source)
        if generation is None:
            return [], []
        table = ctx.need_table(generation)
        count = int(ctx.store.rows(f"SELECT count(*) FROM {table.source}")[0][0])
        cut = f" LIMIT {limit}" if limit else ""
        order = f"SELECT {table.ordinal} AS ord FROM {table.source} ORDER BY ord{cut}"
        picked = [row[0] for row in ctx.store.rows(order)]
    return [_summary_entry(Fate("consulted"), count)] if count else [], picked


def _plain(ctx: Context, source: Node, ordinals: list[int]) -> list[dict[str, Any]]:
    shown = ctx.show(source, ordinals)
    return [
        {**shown[o], "class": "consulted", "first_lost_at": None, "reason": None, "outputs": None}
        for o in ordinals
    ]
