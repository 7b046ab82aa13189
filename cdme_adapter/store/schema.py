"""The tables and views of the ``cdme`` schema, and its version.

Physical tables are called ``store_*`` and may change; the views are the contract (docs/commands.md).
A model's transaction only appends and touches rows of its own model, so that threads never conflict.

* ``store_generations``: a relation's content as one run left or saw it; ``generation`` names it.
* ``store_current``: which generation of a model is in its table now.
* ``store_edges``: (model generation, input generation, role), the metadata of one edge.
* ``store_steps``: an edge is the union of paths, a path a chain of maps. Windows and aggregates
  that are joined back stay factorised this way (docs/concepts.md, Size).
* ``store_pairs``: the maps, as (o, i) ordinal pairs.
* ``store_ranges``: the maps that lead to places next to each other (a window's frames), as (o, lo, hi)
  with both ends inside; ``store_ranged`` lists them.
* ``store_filtered``: input ordinals of an edge that a clause removed.
* ``store_filtered_bits``: the same, one bit for each of 4,096 neighbours, where many were removed.
* ``store_reasons``: the clauses of an edge; ``reason`` is the place in the picky order.
* ``store_parts``: a table that was changed in place is the union of parts, one for each generation
  that wrote rows which are still there; ``map`` leads from its rows to those of the part. Every edge of
  such a generation says as step 0 which part it belongs to (docs/decisions/0020-in-place.md).
* ``store_carried``: input ordinals of an edge that this run's query left out and that are witnesses
  of rows which an earlier run wrote and which are still there.
* ``store_held``: input ordinals of an edge that this run's query left out and that stand behind a record
  which an earlier run rejected and whose error is still present.
* ``store_pruned``: replaced generations of which only what is referred to is left (``pruning.py``).
* ``store_batches``: a run's own equation of a table that was changed in place, batch by batch.
* ``store_keys``: declared keys of the records of a generation, as JSON text.
* ``store_planned``: the nodes that a run selected, written before its first model, so that the ledger
  of a run that was killed can be finished; ``inputs`` is NULL for what stores no rows.
* ``store_outcomes``: what dbt said of each node when it was done, tests too.
* ``store_recipes``: what the reverse joins of a generation are derived from, in mode ``key_derivable``.
  In ``summary`` the edges of a generation name, as step -1, the map of the rows that were sampled.
* ``store_documents``: the ledger of each run, byte for byte what its hash was taken of.
* ``store_files``: the file behind the rows of an external model, and whether it is in its place.
* ``store_totals``: control totals of an edge; ``class`` is that of the records, or ``input``.
* ``store_epochs``: of the inputs of a model that declares ``temporal``, which epoch it read.
* ``store_unaccounted``: ordinals of unaccounted records of an edge, the first thousand.
* ``store_columns``: the column lineage of each model's present SQL, so that a run need not find it anew.
* ``store_outbox``: OpenLineage events, in order; ``sent_at`` is NULL until a collector has one.
"""

from __future__ import annotations

from cdme_adapter.store.files import COLUMNS as FILE_COLUMNS
from cdme_adapter.store.recipes import COLUMNS as RECIPE_COLUMNS
from cdme_adapter.store.rejects import REJECT_TABLES, REJECT_VIEWS
from cdme_adapter.store.rows import losses

VERSION = 6
READS = 2
"""The oldest version whose tables ``reader.py`` understands."""
SCHEMA = "cdme"

TABLES: dict[str, str] = {
    "store_meta": "name VARCHAR, value VARCHAR",
    "store_runs": (
        "run_id VARCHAR, command VARCHAR, started_at TIMESTAMPTZ, finished_at TIMESTAMPTZ, "
        "status VARCHAR, versions JSON, ledger_hash VARCHAR, previous_hash VARCHAR"
    ),
    "store_generations": (
        "generation BIGINT, relation VARCHAR, run_id VARCHAR, kind VARCHAR, database VARCHAR, "
        "schema VARCHAR, name VARCHAR, row_count BIGINT, fingerprint VARCHAR, "
        "key_columns VARCHAR[], created_at TIMESTAMPTZ"
    ),
    "store_current": "relation VARCHAR, generation BIGINT, run_id VARCHAR",
    "store_edges": (
        "edge BIGINT, run_id VARCHAR, model VARCHAR, input VARCHAR, role VARCHAR, "
        "exactness VARCHAR, lineage_mode VARCHAR, cardinality_declared VARCHAR, "
        "cardinality_observed VARCHAR, output_generation BIGINT, input_generation BIGINT, "
        "input_run_id VARCHAR, why VARCHAR"
    ),
    "store_steps": "edge BIGINT, path INTEGER, step INTEGER, steps INTEGER, map BIGINT",
    "store_parts": "generation BIGINT, part BIGINT, run_id VARCHAR, map BIGINT",
    "store_pruned": "generation BIGINT",
    "store_carried": "edge BIGINT, i BIGINT",
    "store_batches": (
        "run_id VARCHAR, model VARCHAR, input VARCHAR, role VARCHAR, batch VARCHAR, "
        "input_count BIGINT, contributed_count BIGINT, filtered_count BIGINT, error_count BIGINT, "
        "unaccounted_count BIGINT, consulted_count BIGINT, delta_count BIGINT, new_rows BIGINT, "
        "updated_rows BIGINT, carried_rows BIGINT, deleted_rows BIGINT, written_at TIMESTAMPTZ"
    ),
    "store_pairs": "map BIGINT, o BIGINT, i BIGINT",
    "store_ranges": "map BIGINT, o BIGINT, lo BIGINT, hi BIGINT",
    "store_ranged": "map BIGINT",
    "store_filtered": "edge BIGINT, i BIGINT, reason INTEGER, verdict TINYINT",
    "store_filtered_bits": (
        "edge BIGINT, reason INTEGER, verdict TINYINT, chunk INTEGER, n INTEGER, bits BIT"
    ),
    "store_reasons": (
        "edge BIGINT, reason INTEGER, reason_id VARCHAR, model VARCHAR, input VARCHAR, "
        "kind VARCHAR, sql VARCHAR, file VARCHAR, line INTEGER"
    ),
    "store_keys": "generation BIGINT, ordinal BIGINT, key VARCHAR",
    "store_ledger": (
        "run_id VARCHAR, model VARCHAR, input VARCHAR, role VARCHAR, exactness VARCHAR, "
        "lineage_mode VARCHAR, cardinality VARCHAR, input_count BIGINT, contributed_count BIGINT, "
        "filtered_count BIGINT, error_count BIGINT, unaccounted_count BIGINT, "
        "consulted_count BIGINT, output_count BIGINT, status VARCHAR, unused_count BIGINT, "
        "reasons JSON, why VARCHAR, written_at TIMESTAMPTZ, settle_seconds DOUBLE"
    ),
    "store_findings": (
        "run_id VARCHAR, code VARCHAR, severity VARCHAR, model VARCHAR, file VARCHAR, "
        "line INTEGER, message VARCHAR, remedy VARCHAR"
    ),
    "store_nodes": (
        "run_id VARCHAR, node VARCHAR, state VARCHAR, materialized VARCHAR, sql_hash VARCHAR, "
        "plan_seconds DOUBLE, execute_seconds DOUBLE, settle_seconds DOUBLE, message VARCHAR"
    ),
    **REJECT_TABLES,
    "store_planned": (
        "run_id VARCHAR, node VARCHAR, materialized VARCHAR, lineage_mode VARCHAR, inputs VARCHAR[]"
    ),
    "store_outcomes": (
        "run_id VARCHAR, node VARCHAR, status VARCHAR, started_at TIMESTAMPTZ, "
        "finished_at TIMESTAMPTZ, failures BIGINT, message VARCHAR"
    ),
    "store_files": FILE_COLUMNS,
    "store_recipes": RECIPE_COLUMNS,
    "store_documents": "run_id VARCHAR, ledger VARCHAR",
    "store_totals": (
        "run_id VARCHAR, model VARCHAR, input VARCHAR, role VARCHAR, column_name VARCHAR, "
        "class VARCHAR, reason_id VARCHAR, verdict VARCHAR, records BIGINT, nulls BIGINT, "
        "total VARCHAR, exact BOOLEAN"
    ),
    "store_epochs": (
        "run_id VARCHAR, model VARCHAR, input VARCHAR, mode VARCHAR, column_name VARCHAR, epoch VARCHAR, "
        "kind VARCHAR"
    ),
    "store_unaccounted": "run_id VARCHAR, model VARCHAR, input VARCHAR, i BIGINT",
    "store_columns": "node VARCHAR, mark VARCHAR, relations VARCHAR, lineage VARCHAR",
    "store_outbox": "run_id VARCHAR, position BIGINT, event VARCHAR, sent_at TIMESTAMPTZ",
}

MAPS = ("store_pairs", "store_ranges", "store_ranged")
"""The tables that hold maps, by ``map``."""
EDGE_TABLES = (
    "store_steps", "store_filtered", "store_filtered_bits", "store_carried", "store_held", "store_reasons",
    "store_edges",
)  # fmt: skip
"""What belongs to an edge; the edge's own row comes last."""

_VERDICT = (
    "CASE {0} WHEN 0 THEN 'false' WHEN 1 THEN 'null' WHEN 2 THEN 'no_match' "
    "WHEN 3 THEN 'rank' WHEN 4 THEN 'excluded' END"
)

# {s} is the schema, qualified with its database.
VIEWS: dict[str, str] = {
    "store_losses": f"FROM {losses('{s}')}",  # both forms; not part of the contract
    "runs": (
        "SELECT run_id, command, started_at, finished_at, status, versions, ledger_hash, previous_hash "
        "FROM {s}.store_runs"
    ),
    "ledger": (
        "SELECT run_id, model, input, role, exactness, lineage_mode, cardinality, input_count, "
        "contributed_count, filtered_count, error_count, unaccounted_count, consulted_count, "
        "output_count, status, unused_count, why FROM {s}.store_ledger"
    ),
    "control_totals": (
        "SELECT run_id, model, input, role, column_name, class, reason_id, verdict, records, nulls, "
        "total, exact FROM {s}.store_totals"
    ),
    "epochs": "SELECT run_id, model, input, mode, column_name, epoch, kind FROM {s}.store_epochs",
    "edges": (
        "SELECT e.model, e.input, e.role, e.exactness, e.lineage_mode, e.cardinality_declared, "
        "e.cardinality_observed, e.run_id AS output_run_id, e.input_run_id, e.why "
        "FROM {s}.store_edges e JOIN {s}.store_current c ON c.generation = e.output_generation"
    ),
    "reverse_join": (
        "WITH RECURSIVE walk AS ("
        " (SELECT t.edge, t.path, t.step, t.steps, p.o, p.i FROM {s}.store_steps t"
        " JOIN {s}.store_pairs p ON p.map = t.map WHERE t.step = 1"
        " UNION ALL SELECT t.edge, t.path, t.step, t.steps, r.o, unnest(range(r.lo, r.hi + 1))"
        " FROM {s}.store_steps t JOIN {s}.store_ranges r ON r.map = t.map WHERE t.step = 1)"
        " UNION ALL"
        " (SELECT w.edge, w.path, t.step, w.steps, w.o, p.i FROM walk w"
        " JOIN {s}.store_steps t ON t.edge = w.edge AND t.path = w.path AND t.step = w.step + 1"
        " JOIN {s}.store_pairs p ON p.map = t.map AND p.o = w.i"
        " UNION ALL SELECT w.edge, w.path, t.step, w.steps, w.o, unnest(range(r.lo, r.hi + 1)) FROM walk w"
        " JOIN {s}.store_steps t ON t.edge = w.edge AND t.path = w.path AND t.step = w.step + 1"
        " JOIN {s}.store_ranges r ON r.map = t.map AND r.o = w.i)),"
        " pairs AS (SELECT DISTINCT edge, o, i FROM walk WHERE step = steps)"
        " SELECT e.model, e.input, coalesce(ko.key, '{{\"rowid\":' || p.o || '}}') AS output_key,"
        " coalesce(ki.key, '{{\"rowid\":' || p.i || '}}') AS input_key, e.role,"
        " e.run_id AS output_run_id, e.input_generation"
        " FROM pairs p JOIN {s}.store_edges e ON e.edge = p.edge"
        " JOIN {s}.store_current c ON c.generation = e.output_generation"
        " LEFT JOIN {s}.store_keys ko ON ko.generation = e.output_generation AND ko.ordinal = p.o"
        " LEFT JOIN {s}.store_keys ki ON ki.generation = e.input_generation AND ki.ordinal = p.i"
    ),
    "filtered_keys": (
        "SELECT e.model, e.input, coalesce(k.key, '{{\"rowid\":' || f.i || '}}') AS input_key,"
        " r.reason_id, " + _VERDICT.format("f.verdict") + " AS verdict, e.input_generation"
        " FROM {s}.store_losses f JOIN {s}.store_edges e ON e.edge = f.edge"
        " JOIN {s}.store_current c ON c.generation = e.output_generation"
        " JOIN {s}.store_reasons r ON r.edge = f.edge AND r.reason = f.reason"
        " LEFT JOIN {s}.store_keys k ON k.generation = e.input_generation AND k.ordinal = f.i"
    ),
    "reasons": (
        "SELECT DISTINCT r.reason_id, r.model, r.input, r.kind, r.sql, r.file, r.line"
        " FROM {s}.store_reasons r JOIN {s}.store_edges e ON e.edge = r.edge"
        " JOIN {s}.store_current c ON c.generation = e.output_generation"
    ),
    **REJECT_VIEWS,
}


def create_statements(schema: str) -> list[str]:
    """The DDL that makes the schema, for ``schema`` qualified and quoted as needed."""
    statements = [f"CREATE SCHEMA IF NOT EXISTS {schema}"]
    statements += [
        f"CREATE TABLE IF NOT EXISTS {schema}.{name} ({columns})" for name, columns in TABLES.items()
    ]
    statements += [
        f"CREATE OR REPLACE VIEW {schema}.{name} AS {sql.format(s=schema)}" for name, sql in VIEWS.items()
    ]
    return statements
