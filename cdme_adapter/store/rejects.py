"""The error domain in the store: its tables, its views, how they are written and read.

* ``store_rejects``: one row per rejected record of a model's generation; ``reject`` is its number
  there. A record that the next run rejects again takes the older row's place and keeps its
  ``first_*`` columns; one that is gone keeps its row, with ``resolved_*`` set (REQ-F-ERR-004).
* ``store_reject_edges``: how rejected records of a generation lead to the records of one input: paths
  of maps, as edges have them. A failing aggregate is one record and one map, however many its sources.
* ``store_reject_pairs``: the maps.
* ``store_reject_reasons``: what each failure type asked for.
* ``store_reject_runs``: how many records a run emitted and rejected for a model.
* ``store_held``: of a table that is changed in place, which records of an input stand behind an error
  that an earlier run left and that is still present (edge and ordinal in this run, record in that one).
* ``store_forgotten``: when ``cdme forget`` erased the values of how many records.

A generation's number names the model and the run, also of a run that was rolled back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdme_adapter.engines.rows import literal

if TYPE_CHECKING:
    from cdme_adapter.store.reader import Edge
    from cdme_adapter.store.writer import StoreWriter

REJECT_TABLES: dict[str, str] = {
    "store_rejects": (
        "run_id VARCHAR, model VARCHAR, generation BIGINT, reject BIGINT, failure_type VARCHAR, "
        "failed VARCHAR[], offending_values JSON, record JSON, record_hash VARCHAR, "
        "first_run_id VARCHAR, first_seen TIMESTAMPTZ, last_seen TIMESTAMPTZ, "
        "resolved_run_id VARCHAR, resolved_at TIMESTAMPTZ"
    ),
    "store_reject_edges": (
        "generation BIGINT, edge BIGINT, model VARCHAR, input VARCHAR, input_generation BIGINT, "
        "source_entity VARCHAR, source_epoch VARCHAR, morphism_path VARCHAR, "
        "path INTEGER, step INTEGER, steps INTEGER, map BIGINT"
    ),
    "store_reject_pairs": "map BIGINT, o BIGINT, i BIGINT",
    "store_reject_reasons": (
        "generation BIGINT, failure_type VARCHAR, reason_id VARCHAR, sql VARCHAR, "
        "file VARCHAR, line INTEGER"
    ),
    "store_reject_runs": (
        "run_id VARCHAR, model VARCHAR, generation BIGINT, emitted BIGINT, rejected BIGINT, "
        "judged_at TIMESTAMPTZ"
    ),
    "store_held": "edge BIGINT, i BIGINT, generation BIGINT, reject BIGINT",
    "store_forgotten": "forgotten_at TIMESTAMPTZ, relation VARCHAR, records BIGINT",
}

REJECT_VIEWS: dict[str, str] = {
    "errors": (
        "WITH RECURSIVE present AS (SELECT * FROM {s}.store_rejects WHERE resolved_run_id IS NULL),"
        " walk AS (SELECT t.generation, t.edge, t.path, t.step, t.steps, p.o, p.i"
        " FROM {s}.store_reject_edges t JOIN {s}.store_reject_pairs p ON p.map = t.map"
        " WHERE t.step = 1 UNION ALL"
        " SELECT w.generation, w.edge, w.path, t.step, w.steps, w.o, p.i FROM walk w"
        " JOIN {s}.store_reject_edges t ON t.generation = w.generation AND t.edge = w.edge"
        " AND t.path = w.path AND t.step = w.step + 1"
        " JOIN {s}.store_reject_pairs p ON p.map = t.map AND p.o = w.i),"
        " pairs AS (SELECT DISTINCT generation, edge, o, i FROM walk WHERE step = steps),"
        " edges AS (SELECT DISTINCT generation, edge, input, input_generation, source_entity,"
        " source_epoch, morphism_path FROM {s}.store_reject_edges)"
        " SELECT x.run_id, x.model, e.input,"
        " CASE WHEN x.failure_type = 'not_parsed' THEN CAST(json_object("
        "'file', x.offending_values->>'file', 'line',"
        " CAST(x.offending_values->>'line' AS BIGINT)) AS VARCHAR)"
        " WHEN p.i IS NOT NULL THEN coalesce(k.key, '{{\"rowid\":' || p.i || '}}') END AS input_key,"
        " x.failure_type, x.offending_values, e.source_entity, e.source_epoch, e.morphism_path,"
        " x.record, x.failed, x.record_hash, x.first_seen FROM present x"
        " LEFT JOIN pairs p ON p.generation = x.generation AND p.o = x.reject"
        " LEFT JOIN edges e ON e.generation = x.generation AND e.edge = p.edge"
        " LEFT JOIN {s}.store_keys k ON k.generation = e.input_generation AND k.ordinal = p.i"
    ),
    "forgotten": "SELECT forgotten_at, relation, records FROM {s}.store_forgotten",
    "error_history": (
        "SELECT model, record_hash, failure_type, offending_values, record, first_run_id, first_seen,"
        " run_id AS last_run_id, last_seen, resolved_run_id, resolved_at FROM {s}.store_rejects"
    ),
}

DROPPED = ("DROP VIEW IF EXISTS {s}.errors", "DROP TABLE IF EXISTS {s}.store_errors")
"""What earlier versions had instead; nothing was ever written to it."""

OF_GENERATION = ("store_rejects", "store_reject_edges", "store_reject_reasons", "store_reject_runs")


@dataclass(frozen=True)
class RejectEdge:
    """The way from rejected records to the records of one input."""

    edge: int
    input: str
    input_generation: int | None
    source_entity: str
    source_epoch: str | None
    morphism_path: str


def begin(store: StoreWriter, model: str, run_id: str, keep: str = "TRUE") -> None:
    """A model is judged anew: what was in error until now is resolved unless it comes again.

    ``keep`` is a condition on ``store_rejects``: which of the present errors are judged by this run.
    """
    store.execute(
        f"UPDATE {store.schema}.store_rejects SET resolved_run_id = {literal(run_id)},"
        f" resolved_at = now() WHERE model = {literal(model)} AND resolved_run_id IS NULL AND ({keep})"
    )


def any_present(store: StoreWriter, model: str) -> bool:
    """Whether any record of a model is in error now."""
    found = store.execute(
        f"SELECT 1 FROM {store.schema}.store_rejects WHERE model = {literal(model)}"
        " AND resolved_run_id IS NULL LIMIT 1"
    )
    return bool(found)


def records(store: StoreWriter, run_id: str, model: str, generation: int, rows: str) -> None:
    """Keep rejected records: ``rows`` selects (reject, failure_type, failed, offending_values,
    record), the last two as JSON. A record that was still in error takes its place; what an earlier run
    had resolved stays in the history, and comes again as another."""
    table = f"{store.schema}.store_rejects"
    hashed = (
        f"SELECT *, md5(concat_ws(chr(31), {literal(model)}, array_to_string(failed, chr(30)),"
        " record::VARCHAR, row_number() OVER (PARTITION BY failed, record::VARCHAR ORDER BY reject)))"
        f" AS h FROM ({rows})"
    )
    mine = f"model = {literal(model)} AND generation <> {generation} AND {_until(run_id)}"
    store.execute(
        f"INSERT INTO {table} SELECT {literal(run_id)}, {literal(model)}, {generation}, n.reject,"
        " n.failure_type, n.failed, n.offending_values, n.record, n.h,"
        f" coalesce(p.first_run_id, {literal(run_id)}), coalesce(p.first_seen, now()), now(), NULL, NULL"
        f" FROM ({hashed}) AS n LEFT JOIN (SELECT record_hash, arg_min(first_run_id, first_seen) AS"
        f" first_run_id, min(first_seen) AS first_seen FROM {table} WHERE {mine} GROUP BY 1) AS p"
        " ON p.record_hash = n.h ORDER BY n.reject"
    )
    again = f"SELECT record_hash FROM {table} WHERE generation = {generation}"
    store.execute(f"DELETE FROM {table} WHERE {mine} AND record_hash IN ({again})")


def _until(run_id: str) -> str:
    """A condition on ``store_rejects``: what was in error until this run."""
    return f"(resolved_run_id IS NULL OR resolved_run_id = {literal(run_id)})"


def reasons(store: StoreWriter, generation: int, rows: Sequence[tuple[Any, ...]]) -> None:
    """(failure_type, reason_id, sql, file, line) of each check that rejected a record."""
    store._insert("store_reject_reasons", [(generation, *row) for row in rows])


def judged(
    store: StoreWriter, run_id: str, model: str, generation: int, emitted: int, rejected: int
) -> None:
    """How many records a run emitted and rejected."""
    store.execute(
        f"INSERT INTO {store.schema}.store_reject_runs VALUES ({literal(run_id)}, {literal(model)},"
        f" {generation}, {emitted}, {rejected}, now())"
    )


def sources(
    store: StoreWriter, generation: int, model: str, e: RejectEdge, path: int,
    maps: Sequence[tuple[int, str]],
) -> None:  # fmt: skip
    """One path from rejected records to an input: (map number, SELECT of o and i) from the record."""
    store._insert(
        "store_reject_edges",
        [
            (generation, e.edge, model, e.input, e.input_generation, e.source_entity, e.source_epoch,
             e.morphism_path, path, step, len(maps), number)
            for step, (number, _) in enumerate(maps, 1)
        ],
    )  # fmt: skip
    for number, pairs in maps:
        store.execute(
            f"INSERT INTO {store.schema}.store_reject_pairs SELECT {number}, o, i FROM ({pairs})"
            " ORDER BY o, i"
        )


@dataclass(frozen=True)
class EarlierErrors:
    """The errors of an earlier run that are still present, and how they lead to one input."""

    generation: int
    input_generation: int | None
    chains: Chains

    def pairs(self, schema: str) -> str:
        """A SELECT of (reject, i): the present ones and the ordinals of their sources."""
        present = (
            f"SELECT reject FROM {schema}.store_rejects WHERE generation = {self.generation}"
            " AND resolved_run_id IS NULL"
        )
        return f"SELECT o AS reject, i FROM ({routed_by(schema, self.chains)}) WHERE o IN ({present})"


def earlier(store: StoreWriter, model: str, source: str, generation: int) -> list[EarlierErrors]:
    """The present errors of a model that other generations than ``generation`` left, by the input."""
    rows = store.execute(
        "SELECT generation, edge, path, map, input_generation FROM"
        f" {store.schema}.store_reject_edges WHERE model = {literal(model)} AND input = {literal(source)}"
        f" AND generation <> {generation} AND generation IN (SELECT generation FROM"
        f" {store.schema}.store_rejects WHERE model = {literal(model)} AND resolved_run_id IS NULL)"
        " ORDER BY generation, edge, path, step"
    )
    seen = {(row[0], row[1]): row[4] for row in rows}
    return [
        EarlierErrors(key[0], seen[key], chains) for key, chains in chains_of(r[:4] for r in rows).items()
    ]


def resolve(store: StoreWriter, model: str, run_id: str, again: str) -> None:
    """Resolve the present errors of a model that ``again`` selects as (generation, reject)."""
    begin(store, model, run_id, f"(generation, reject) IN ({again})")


def hold(store: StoreWriter, edge: int, rows: str) -> None:
    """Write (i, generation, reject) of an edge: what stands behind errors of earlier runs."""
    store.execute(
        f"INSERT INTO {store.schema}.store_held"
        f" SELECT {edge}, i, generation, reject FROM {rows} ORDER BY ALL"
    )


# -- a model that is rolled back keeps its errors -------------------------------------------------


RESOLVED = "resolved"
"""The file of the errors of earlier runs that the transaction resolved."""


def export(store: StoreWriter, model: str, run_id: str, generation: int, folder: str) -> None:
    """Write what a transaction holds of a generation's errors to a folder, before it is undone."""
    for table in OF_GENERATION:
        _copy(store, f"SELECT * FROM {store.schema}.{table} WHERE generation = {generation}", folder, table)
    maps = f"SELECT map FROM {store.schema}.store_reject_edges WHERE generation = {generation}"
    pairs = f"SELECT * FROM {store.schema}.store_reject_pairs WHERE map IN ({maps})"
    _copy(store, pairs, folder, "store_reject_pairs")
    judged = f"model = {literal(model)} AND resolved_run_id = {literal(run_id)}"
    resolved = f"SELECT generation, reject FROM {store.schema}.store_rejects WHERE {judged}"
    _copy(store, resolved, folder, RESOLVED)


def _copy(store: StoreWriter, select: str, folder: str, table: str) -> None:
    store.execute(f"COPY ({select}) TO {literal(f'{folder}/{table}.parquet')} (FORMAT parquet)")


def restore(store: StoreWriter, model: str, run_id: str, folder: str) -> None:
    """Take in what :func:`export` wrote, on a connection outside the transaction that was undone."""
    resolved = f"SELECT generation, reject FROM read_parquet({literal(f'{folder}/{RESOLVED}.parquet')})"
    begin(store, model, run_id, f"(generation, reject) IN ({resolved})")
    for table in (*OF_GENERATION, "store_reject_pairs"):
        file = f"read_parquet({literal(f'{folder}/{table}.parquet')})"
        store.execute(f"INSERT INTO {store.schema}.{table} SELECT * FROM {file}")
    table = f"{store.schema}.store_rejects"
    mine = f"model = {literal(model)} AND run_id"
    again = f"SELECT record_hash FROM {table} WHERE {mine} = {literal(run_id)}"
    store.execute(
        f"DELETE FROM {table} WHERE {mine} <> {literal(run_id)} AND {_until(run_id)}"
        f" AND record_hash IN ({again})"
    )


# -- reading --------------------------------------------------------------------------------------

Chains = tuple[tuple[int, ...], ...]


def chains_of(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[int, int], Chains]:
    """From rows (generation, edge, path, map), ordered, the chains of each edge."""
    found: dict[tuple[int, int], dict[int, list[int]]] = {}
    for generation, edge, path, map_id in rows:
        found.setdefault((generation, edge), {}).setdefault(path, []).append(map_id)
    return {key: tuple(tuple(maps) for _, maps in sorted(p.items())) for key, p in found.items()}


def rejected(edge: Edge) -> str:
    """A SELECT of (generation, reject, i): the rejected records that stand behind an edge's account, and
    their sources: those of its own run, and of a table that is changed in place those that earlier
    runs left and that are still present."""
    own = (
        f"SELECT {edge.output_generation} AS generation, o AS reject, i"
        f" FROM ({routed_by(edge.store, edge.rejected)})"
    )
    if not edge.held:
        return own
    held = f"SELECT generation, reject, i FROM {edge.store}.store_held WHERE edge = {edge.id}"
    return f"{own} UNION ALL {held}"


def routed_by(schema: str, chains: Chains) -> str:
    """The same over the chains of one edge."""
    selects = []
    for chain in chains:
        maps = [
            f"(SELECT o, i FROM {schema}.store_reject_pairs WHERE map = {m}) m{n}"
            + ("" if n == 1 else f" ON m{n}.o = m{n - 1}.i")
            for n, m in enumerate(chain, 1)
        ]
        selects.append(f"SELECT DISTINCT m1.o, m{len(chain)}.i FROM {' JOIN '.join(maps)}")
    return " UNION ".join(selects) or "SELECT NULL::BIGINT AS o, NULL::BIGINT AS i WHERE false"


# -- retention ------------------------------------------------------------------------------------


def sources_of_errors(schema: str) -> str:
    """A SELECT of the generations that hold the sources of errors: their keys are still asked for."""
    return f"SELECT input_generation FROM {schema}.store_reject_edges WHERE input_generation IS NOT NULL"


def named_by_errors(schema: str, generation: int) -> str:
    """A SELECT of (i): the records of a generation that error records name."""
    edges = f"{schema}.store_reject_edges"
    last = f"SELECT map FROM {edges} WHERE step = steps AND input_generation = {generation}"
    return f"SELECT i FROM {schema}.store_reject_pairs WHERE map IN ({last})"


def collect(schema: str) -> list[str]:
    """Statements that drop the sources of errors that are resolved; what the record said stays."""
    gone = (
        f"SELECT generation FROM {schema}.store_reject_edges EXCEPT"
        f" SELECT generation FROM {schema}.store_rejects WHERE resolved_run_id IS NULL"
    )
    maps = f"SELECT map FROM {schema}.store_reject_edges WHERE generation IN ({gone})"
    return [
        f"DELETE FROM {schema}.store_reject_pairs WHERE map IN ({maps})",
        f"DELETE FROM {schema}.store_reject_edges WHERE generation IN ({gone})",
        f"DELETE FROM {schema}.store_reject_reasons WHERE generation NOT IN"
        f" (SELECT generation FROM {schema}.store_rejects)",
    ]
