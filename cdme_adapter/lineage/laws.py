"""The laws as SQL: a SELECT of the rows that break one; no row means that the law holds.

Everything is recounted from the relations and the physical maps (docs/concepts.md, Laws); the ledger is
only ever compared with the recount, and its ``status`` is never read. Each SELECT has the columns
(law, model, input, problem, record).
"""

from __future__ import annotations

from collections.abc import Callable

from cdme_adapter.errors import QuestionError
from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.evidence import Evidence, evidence_of
from cdme_adapter.lineage.rejected import present_errors
from cdme_adapter.provenance import Exactness, Role
from cdme_adapter.store.reader import Edge, literal
from cdme_adapter.store.rows import losses

MOST = 1000
"""How many rows that break a law a test shows, of a model whose reverse joins are derived."""
_OF_VIEWS = ("zero_loss", "exclusive", "no_errors")
_PASSES = (
    "SELECT NULL::VARCHAR AS law, NULL::VARCHAR AS model, NULL::VARCHAR AS input,"
    " NULL::VARCHAR AS problem, NULL::BIGINT AS record WHERE false"
)


def law_sql(law: str, model: str, context: Context, *, sample: int = 10, where: str | None = None) -> str:
    """A SELECT of what breaks a law in a model; ``context`` is ``Questions.context()``. ``where`` is of
    ``no_errors``: the error records that it speaks of.

    Laws: zero_loss, exclusive, covered_output, isomorphism, lower_adjoint, no_errors, round_trip.
    """
    if law not in LAWS and law != "round_trip":
        raise QuestionError(f"there is no law {law!r}", code="UNKNOWN_LAW",
                            remedy=f"laws are {', '.join([*LAWS, 'round_trip'])}")  # fmt: skip
    model = context.resolve(model, "model")
    generation = context.store.current_generation(model)
    if generation is None:
        return _failed(law, model, "", context.why_not_captured(model))
    if generation.evaluated and law not in _OF_VIEWS:
        return _failed(law, model, "", context.why_not_captured(model))
    if law == "round_trip":
        from cdme_adapter.lineage.reconcile import round_trip_problems

        problems = round_trip_problems(context, model, sample)
        return _union([_failed(law, model, i, p, record) for i, p, record in problems])
    if law == "no_errors" and where:
        return present_errors(context, model, generation, where)
    return _union(LAWS[law](context, model, context.store.outputs_of(generation.id)))


def _union(selects: list[str]) -> str:
    return "\nUNION ALL\n".join(selects) if selects else _PASSES


def _failed(law: str, model: str, source: str, problem: str, record: int | None = None) -> str:
    """One row that says what is wrong."""
    return (
        f"SELECT {literal(law)} AS law, {literal(model)} AS model, {literal(source)} AS input,"
        f" {literal(problem)} AS problem, {'NULL' if record is None else record}::BIGINT AS record"
    )


def as_values(context: Context, select: str) -> str:
    """What a law's SELECT gives now, as a SELECT of its own."""
    from cdme_adapter.store.writer import sql_value

    rows = context.store.rows(f"SELECT law, model, input, problem, record FROM ({select}) LIMIT {MOST}")
    found = [
        f"SELECT {', '.join(map(sql_value, row[:4]))}, {'NULL' if row[4] is None else row[4]}::BIGINT"
        for row in rows
    ]
    return _union([_PASSES, *found])


def _rows(law: str, edge: Edge, problem: str, ordinals: str) -> str:
    """A row for each ordinal of a SELECT of ``i``."""
    return (
        f"SELECT {literal(law)} AS law, {literal(edge.model)} AS model,"
        f" {literal(edge.input)} AS input, {literal(problem)} AS problem, q.i::BIGINT AS record"
        f" FROM ({ordinals}) AS q(i)"
    )


def _direct(edges: list[Edge]) -> list[Edge]:
    """The edges that claim an account: direct, and more than opaque."""
    return [e for e in edges if e.role is Role.DIRECT and e.exactness is not Exactness.OPAQUE]


def _accounted(edges: list[Edge]) -> list[Edge]:
    """Those of the run that left the table as it is: an account is the whole table's, of that run."""
    return [edge for edge in _direct(edges) if edge.own]


def zero_loss(context: Context, model: str, edges: list[Edge]) -> list[str]:
    """|input| = |contributed| + |filtered| + |errors|, recounted (law 1, REQ-F-ACC-001)."""
    selects = []
    for edge in _accounted(edges):
        e, law = evidence_of(context, edge), "zero_loss"
        if e.outputs is None and not e.evaluated:
            selects.append(_failed(law, model, edge.input, "the model's table has changed"))
            continue
        if e.records is not None:
            stray = f"({e.everyone}) EXCEPT ({e.records})"
            selects.append(_rows(law, edge, "a record that the input does not have", stray))
            if edge.exactness is Exactness.EXACT and edge.sample is None:
                lost = f"({e.records}) EXCEPT ({e.everyone})"
                selects.append(_rows(law, edge, "unaccounted", lost))
        elif context.store.current.get(edge.input) == edge.input_generation:
            selects.append(_failed(law, model, edge.input, "the input's table has changed"))
        elif edge.exactness is Exactness.EXACT and edge.sample is None:
            selects.append(_against_generation(context, e))
        strays = " UNION ".join(
            f"SELECT o AS i FROM {edge.store}.store_pairs WHERE map = {chain[0]}" for chain in edge.chains
        )
        if strays and e.outputs is not None:
            gone = f"({strays}) EXCEPT ({e.outputs})"
            selects.append(_rows(law, edge, "a row that the model's table does not have", gone))
        selects.append(_against_ledger(e, context.store.table("store_ledger")))
    return selects


def _against_generation(context: Context, e: Evidence) -> str:
    """Where the input has changed since: the classes against the count that was taken then."""
    generation = context.store.generations.get(e.edge.input_generation or 0)
    count = generation.row_count if generation else None
    short = f"SELECT {count if count is not None else -1} - count(*) AS i FROM ({e.everyone})"
    return _rows("zero_loss", e.edge, "records of the generation that was read are unaccounted",
                 f"SELECT i FROM ({short}) WHERE i <> 0")  # fmt: skip


def _against_ledger(e: Evidence, ledger: str) -> str:
    """The published counts against the recount; a missing ledger row fails too."""
    edge = e.edge
    counts = {
        "contributed_count": f"(SELECT count(*) FROM ({e.contributed}))",
        "filtered_count": f"(SELECT count(*) FROM ({e.filtered}))",
        "error_count": f"(SELECT count(*) FROM ({e.errors}))",
    }
    if edge.whole:  # no record is claimed to be in a class
        counts = {}
    if edge.sample is not None:  # the records are not at hand: the totals add up to a recount of the input
        counts = {
            "input_count": "contributed_count + filtered_count + error_count",
            "unaccounted_count": "0",
        }
    if e.outputs is not None:
        counts["output_count"] = f"(SELECT count(*) FROM ({e.outputs}))"
    if e.records is not None and edge.sample is None:
        counts["input_count"] = f"(SELECT count(*) FROM ({e.records}))"
    same = " AND ".join(["TRUE", *(f"l.{name} = {count}" for name, count in counts.items())])
    if e.records is not None and edge.sample is not None:
        same += f" AND l.input_count = (SELECT count(*) FROM ({e.records}))"
        same += f" AND l.contributed_count >= (SELECT count(*) FROM ({e.contributed}))"
    right = (
        f"SELECT 1 FROM {ledger} l WHERE l.run_id = {literal(edge.run_id)}"
        f" AND l.model = {literal(edge.model)} AND l.input = {literal(edge.input)}"
        f" AND l.role = {literal(edge.role.value)} AND {same}"
    )
    return _rows("zero_loss", edge, "the ledger does not say what a recount gives",
                 f"SELECT NULL::BIGINT AS i WHERE NOT EXISTS ({right})")  # fmt: skip


def exclusive(context: Context, model: str, edges: list[Edge]) -> list[str]:
    """No record is in two classes (law 2)."""
    selects = []
    for edge in _accounted(edges):
        e, law = evidence_of(context, edge), "exclusive"
        both = f"({e.contributed}) INTERSECT ({e.filtered})"
        selects.append(_rows(law, edge, "contributed and filtered", both))
        both = f"({e.routed}) INTERSECT ({e.filtered})"
        selects.append(_rows(law, edge, "filtered and in error", both))
        twice = f"SELECT i FROM {losses(edge.store, edge.id)} GROUP BY i HAVING count(*) > 1"
        selects.append(_rows(law, edge, "filtered for two reasons", twice))
    return selects


def covered_output(context: Context, model: str, edges: list[Edge]) -> list[str]:
    """Every output record has a direct witness, or the query can generate it (law 7)."""
    from cdme_adapter.lineage.shape import generated_rows

    direct = [e for e in edges if e.role is Role.DIRECT]
    if any(e.exactness is Exactness.OPAQUE or e.whole for e in direct):
        return []  # not known; or every record of an input may be behind every row
    outputs = _outputs(context, model)
    for edge in direct:
        if edge.sampled:
            outputs = f"SELECT i FROM ({outputs}) AS u(i) WHERE i IN ({edge.sampled})" if outputs else None
    if outputs is None:
        return [_failed("covered_output", model, "", "the model's table is gone")]
    covered = " UNION ".join(f"SELECT o FROM ({evidence_of(context, e).pairs})" for e in direct)
    bare = f"({outputs}) EXCEPT ({covered})" if covered else outputs
    allowed = generated_rows(context.manifest, model)
    if allowed is None:
        return []
    counted = f"SELECT i, count(*) OVER () AS n FROM ({bare}) b(i)"
    many = f"SELECT i FROM ({counted}) WHERE n > {allowed}"
    return [
        f"SELECT 'covered_output' AS law, {literal(model)} AS model, '' AS input,"
        f" 'an output record without a direct witness' AS problem, i AS record FROM ({many})"
    ]


def _outputs(context: Context, model: str) -> str | None:
    generation = context.store.current_generation(model)
    table = context.table(generation) if generation else None
    return f"SELECT {table.ordinal} AS i FROM {table.source}" if table else None


def isomorphism(context: Context, model: str, edges: list[Edge]) -> list[str]:
    """An edge that is declared 1:1 is a bijection (law 6, REQ-F-ADJ-002).

    It is one between the outputs and the input records that no clause is shown to have removed:
    a filter may stand before it, what is not accounted for may not.
    """
    direct, law = [e for e in edges if e.role is Role.DIRECT], "isomorphism"
    declared = [e for e in direct if e.declared == "1:1"]
    if not declared and len({e.input for e in direct}) != 1:
        return [_failed(law, model, "", "no edge is declared 1:1 (meta.cdme.cardinality)")]
    selects = []
    for edge in declared or direct:
        e = evidence_of(context, edge)
        if edge.exactness is Exactness.OPAQUE or e.outputs is None:
            selects.append(_failed(law, model, edge.input, "its pairs are not known"))
            continue
        twice = "SELECT {0} FROM ({1}) GROUP BY {0} HAVING count(*) > 1"
        selects.append(_rows(law, edge, "an input record in several outputs", twice.format("i", e.pairs)))
        selects.append(_rows(law, edge, "an output of several input records", twice.format("o", e.pairs)))
        if edge.sample is not None:
            continue  # of the sampled rows no more can be said
        others = [evidence_of(context, o).pairs for o in direct if o.input == edge.input]
        bare = f"({e.outputs}) EXCEPT (SELECT o FROM ({' UNION '.join(others)}))"
        selects.append(_rows(law, edge, "an output without an input record", bare))
        if e.records is not None and edge.own:
            unused = f"({e.records}) EXCEPT ({e.everyone})"
            selects.append(_rows(law, edge, "an input record without an output", unused))
    return selects


def lower_adjoint(context: Context, model: str, edges: list[Edge]) -> list[str]:
    """backward(forward(x)) ∋ x for every x that the maps say contributed (law 3)."""
    selects = []
    for edge in _direct(edges):
        e = evidence_of(context, edge)
        lost = f"({e.claimed}) EXCEPT ({e.contributed})"
        selects.append(_rows("lower_adjoint", edge, "no output leads back to this record", lost))
    return selects


def no_errors(context: Context, model: str, edges: list[Edge]) -> list[str]:
    """The model has no present error record: one row for each that it has."""
    return [present_errors(context, model)]


Law = Callable[[Context, str, list[Edge]], list[str]]

LAWS: dict[str, Law] = {
    "zero_loss": zero_loss,
    "exclusive": exclusive,
    "covered_output": covered_output,
    "isomorphism": isomorphism,
    "lower_adjoint": lower_adjoint,
    "no_errors": no_errors,
}
