"""Writes to the cdme schema: in the model's transaction, or in one of its own.

Nothing here commits. A model's transaction appends, and deletes only rows of its own model.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdme_adapter.accounting import LedgerEntry, ReasonCount
from cdme_adapter.capture.sqltext import quote
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import literal
from cdme_adapter.errors import Finding, StoreVersionError
from cdme_adapter.nodes import Outcome
from cdme_adapter.provenance import stable_id
from cdme_adapter.store.migrations import migrate
from cdme_adapter.store.rows import SPARSE, opened
from cdme_adapter.store.schema import EDGE_TABLES, MAPS, SCHEMA, VERSION


def sql_value(value: Any) -> str:
    """A Python value as a SQL literal.

    >>> sql_value(None), sql_value(3), sql_value("a'b"), sql_value(["x"])
    ('NULL', '3', "'a''b'", "['x']")
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(sql_value(v) for v in value) + "]"
    return literal(str(value))


@dataclass(frozen=True)
class Generation:
    """One row of ``store_generations``."""

    number: int
    relation: str
    run_id: str
    kind: str
    database: str
    schema: str
    name: str
    row_count: int | None
    fingerprint: str | None = None
    key_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class EdgeRow:
    """One row of ``store_edges``."""

    number: int
    run_id: str
    model: str
    input: str
    role: str
    exactness: str
    lineage_mode: str
    cardinality_declared: str | None
    cardinality_observed: str | None
    output_generation: int
    input_generation: int | None
    input_run_id: str | None
    why: str


def reasons_json(reasons: Iterable[ReasonCount]) -> str:
    """The reasons of a ledger row as the JSON of ``ledger.json``."""
    return json.dumps(
        [
            {
                "id": r.reason.id,
                "kind": r.reason.kind.value,
                "sql": r.reason.sql,
                "verdict": r.verdict.value,
                "count": r.count,
                "file": r.reason.place.file,
                "line": r.reason.place.line,
            }
            for r in reasons
        ]
    )


class StoreWriter:
    """The cdme schema of one database, over a connection."""

    def __init__(self, execute: Execute, database: str) -> None:
        self.execute = execute
        self.database = database
        self.schema = f"{quote(database)}.{SCHEMA}"

    # -- the schema ------------------------------------------------------------------------------

    def version(self) -> int | None:
        """The version of the schema in the database, None where there is none."""
        there = self.execute(
            f"SELECT 1 FROM duckdb_tables() WHERE database_name = {literal(self.database)}"
            f" AND schema_name = '{SCHEMA}' AND table_name = 'store_meta'"
        )
        if not there:
            return None
        rows = self.execute(f"SELECT value FROM {self.schema}.store_meta WHERE name = 'version'")
        return int(rows[0][0]) if rows else None

    def prepare(self) -> None:
        """Make or migrate the schema. Raises StoreVersionError for one from a newer version."""
        found = self.version()
        if found == VERSION:
            return
        if found is not None and found > VERSION:
            raise StoreVersionError(
                f"the cdme schema of {self.database} has version {found}, this CDME writes {VERSION}",
                remedy="install the newer dbt-cdme, or drop the schema cdme to start anew",
            )
        # One text, for other threads use the same connection between statements.
        made = migrate(self.schema, found)
        try:
            self.execute(";\n".join(["BEGIN", *made, "COMMIT"]))
        except Exception:
            with contextlib.suppress(Exception):  # it may have failed before its BEGIN
                self.execute("ROLLBACK")
            raise

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        values = ", ".join("(" + ", ".join(sql_value(v) for v in row) + ")" for row in rows)
        self.execute(f"INSERT INTO {self.schema}.{table} VALUES {values}")

    # -- runs ------------------------------------------------------------------------------------

    def begin_run(self, run_id: str, command: str, versions: dict[str, Any]) -> None:
        """The run's row, RUNNING, before its first model."""
        self.execute(
            f"INSERT INTO {self.schema}.store_runs SELECT {literal(run_id)}, {literal(command)},"
            f" now(), NULL, 'RUNNING', {literal(json.dumps(versions))}, NULL, NULL"
            f" WHERE NOT EXISTS (SELECT 1 FROM {self.schema}.store_runs"
            f" WHERE run_id = {literal(run_id)})"
        )

    def planned(self, run_id: str, rows: Sequence[tuple[str, str, str, list[str] | None]]) -> None:
        """What a run selected: (node, materialized, lineage mode, inputs or None); replaces itself."""
        self.execute(f"DELETE FROM {self.schema}.store_planned WHERE run_id = {literal(run_id)}")
        self._insert("store_planned", [(run_id, *row) for row in rows])

    def outcomes(self, run_id: str, outcomes: Iterable[Outcome]) -> None:
        """What dbt said of the nodes of a run."""
        self._insert(
            "store_outcomes",
            [
                (run_id, o.node, o.status, o.started_at, o.finished_at, o.failures, o.message[:2000])
                for o in outcomes
            ],
        )

    def end_run(self, run_id: str, status: str) -> None:
        """Set the run's status."""
        self.execute(
            f"UPDATE {self.schema}.store_runs SET status = {literal(status)}, finished_at = now()"
            f" WHERE run_id = {literal(run_id)}"
        )

    def node(self, run_id: str, node: str, state: str, materialized: str, sql_hash: str,
             seconds: tuple[float, float, float], message: str) -> None:  # fmt: skip
        """What became of a node in a run."""
        self._insert("store_nodes", [(run_id, node, state, materialized, sql_hash, *seconds, message)])

    def findings(self, run_id: str, findings: Iterable[Finding]) -> None:
        """Findings of a run."""
        self._insert(
            "store_findings",
            [
                (
                    run_id,
                    f.code,
                    f.severity,
                    f.model,
                    f.place.file,
                    f.place.line,
                    f.message,
                    f.remedy,
                )
                for f in findings
            ],
        )

    # -- generations and edges -------------------------------------------------------------------

    def current(self, relation: str) -> tuple[int, str] | None:
        """The generation and run of what CDME last wrote of a relation."""
        rows = self.execute(
            f"SELECT generation, run_id FROM {self.schema}.store_current"
            f" WHERE relation = {literal(relation)}"
        )
        return (int(rows[0][0]), str(rows[0][1])) if rows else None

    def row_count(self, generation: int) -> int | None:
        """How many rows a generation has, where that is known."""
        rows = self.execute(
            f"SELECT row_count FROM {self.schema}.store_generations WHERE generation = {generation}"
        )
        return rows[0][0] if rows else None

    def fingerprint(self, generation: int) -> str | None:
        """The fingerprint of a generation, None where it has none."""
        rows = self.execute(
            f"SELECT fingerprint FROM {self.schema}.store_generations WHERE generation = {generation}"
        )
        return rows[0][0] if rows else None

    def has_generation(self, number: int) -> bool:
        """Whether a generation is known already."""
        return bool(
            self.execute(
                f"SELECT 1 FROM {self.schema}.store_generations WHERE generation = {number} LIMIT 1"
            )
        )

    def generation(self, g: Generation) -> None:
        """Register a generation."""
        self.execute(
            f"INSERT INTO {self.schema}.store_generations VALUES ({g.number},"
            f" {literal(g.relation)}, {literal(g.run_id)}, {literal(g.kind)},"
            f" {literal(g.database)}, {literal(g.schema)}, {literal(g.name)},"
            f" {sql_value(g.row_count)}, {sql_value(g.fingerprint)},"
            f" {sql_value(list(g.key_columns))}::VARCHAR[], now())"
        )

    def mark(self, generation: int, fingerprint: str) -> None:
        """Set the fingerprint of a generation that the same transaction made."""
        self.execute(
            f"UPDATE {self.schema}.store_generations SET fingerprint = {literal(fingerprint)}"
            f" WHERE generation = {generation}"
        )

    def make_current(self, relation: str, generation: int, run_id: str) -> None:
        """Say which generation a model's table holds now."""
        self.execute(f"DELETE FROM {self.schema}.store_current WHERE relation = {literal(relation)}")
        self._insert("store_current", [(relation, generation, run_id)])

    def keys(self, generation: int, rows: str) -> None:
        """Keep declared keys: ``rows`` selects (ordinal, key as JSON text)."""
        self.execute(f"INSERT INTO {self.schema}.store_keys SELECT {generation}, ordinal, key FROM {rows}")

    def edge(self, e: EdgeRow) -> None:
        """Register an edge."""
        self._insert(
            "store_edges",
            [
                (
                    e.number, e.run_id, e.model, e.input, e.role, e.exactness, e.lineage_mode,
                    e.cardinality_declared, e.cardinality_observed, e.output_generation,
                    e.input_generation, e.input_run_id, e.why,
                )
            ],
        )  # fmt: skip

    def chain(
        self, edge: int, path: int, maps: Sequence[tuple[int, str]], ranged: Collection[int] = (),
        sorted_o: Collection[int] = (),
    ) -> None:  # fmt: skip
        """One path of an edge: (map number, SELECT of o and i) from the output inwards.

        A map whose number is in ``ranged`` is a SELECT of o, lo and hi; one in ``sorted_o`` gives its
        pairs in the order of o.
        """
        self.steps(edge, path, [number for number, _ in maps])
        for number, pairs in maps:
            self.map(number, pairs, number in ranged, number in sorted_o)

    def steps(self, edge: int, path: int, maps: Sequence[int]) -> None:
        """One path of an edge over maps that are written elsewhere, from the output inwards."""
        rows = [(edge, path, step, len(maps), number) for step, number in enumerate(maps, 1)]
        self._insert("store_steps", rows)

    def sampled(self, edge: int, rows: str) -> None:
        """Say that the paths of an edge hold only some rows: ``rows`` is a SELECT of (o, i), o = i."""
        number = stable_id("sample", str(edge))
        self._insert("store_steps", [(edge, -1, -1, 0, number)])
        self.map(number, rows)

    def map(self, number: int, pairs: str, ranged: bool = False, sorted_o: bool = False) -> None:
        """One map: ``pairs`` is a SELECT of (o, i), or of (o, lo, hi) where it is ranged.

        Pairs are kept in the order of o, which makes the look-up of one record skip most blocks; that is
        speed, not meaning, so that a scan known to come in that order (``sorted_o``) is not sorted.
        """
        if ranged:
            self._insert("store_ranged", [(number,)])
            self.execute(
                f"INSERT INTO {self.schema}.store_ranges SELECT {number}, o, lo, hi FROM ({pairs})"
                " ORDER BY o"
            )
            return
        order = "" if sorted_o else " ORDER BY o, i"
        self.execute(f"INSERT INTO {self.schema}.store_pairs SELECT {number}, o, i FROM ({pairs}){order}")

    # -- what a transaction takes back of its own -------------------------------------------------

    def forget(self, generation: int) -> None:
        """Delete everything written of a generation and of the edges that lead to it."""
        edges = f"SELECT edge FROM {self.schema}.store_edges WHERE output_generation = {generation}"
        others = f"SELECT map FROM {self.schema}.store_steps WHERE edge NOT IN ({edges})"
        maps = f"SELECT map FROM {self.schema}.store_steps WHERE edge IN ({edges}) EXCEPT {others}"
        for table in MAPS:
            self.execute(f"DELETE FROM {self.schema}.{table} WHERE map IN ({maps})")
        for table in EDGE_TABLES:
            self.execute(f"DELETE FROM {self.schema}.{table} WHERE edge IN ({edges})")
        for table in ("store_keys", "store_parts", "store_recipes", "store_generations"):
            self.execute(f"DELETE FROM {self.schema}.{table} WHERE generation = {generation}")

    def contributed(self, edge: int) -> str:
        """A SELECT of the input ordinals ``i`` that reach the output through an edge's chains."""
        pairs = f"{self.schema}.store_pairs"
        arms = [
            f"SELECT m{len(maps) - 1}.i FROM "
            + " JOIN ".join(
                f"(SELECT o, i FROM {pairs} WHERE map = {number}) AS m{n}"
                + (f" ON m{n}.o = m{n - 1}.i" if n else "")
                for n, number in enumerate(maps)
            )
            for maps in self._steps(edge)
        ]
        return " UNION ".join(arms) or "SELECT NULL::BIGINT AS i WHERE FALSE"

    def _steps(self, edge: int) -> list[list[int]]:
        """The maps of each path of an edge, from the output inwards."""
        rows = self.execute(
            f"SELECT list(map ORDER BY step) FROM {self.schema}.store_steps"
            f" WHERE edge = {edge} AND step > 0 GROUP BY path ORDER BY path"
        )
        return [list(row[0]) for row in rows]

    def renumber_outputs(self, edge: int, ranks: str) -> None:
        """Keep the outputs that ``ranks`` (old, new) lists, under their new ordinals."""
        for first, *_ in self._steps(edge):
            self._renumber("store_pairs", "map", first, "o", ranks)
            self._renumber("store_ranges", "map", first, "o", ranks)

    def renumber_keys(self, generation: int, ranks: str, rows: int) -> None:
        """The same for a generation's keys and its number of rows."""
        self._renumber("store_keys", "generation", generation, "ordinal", ranks)
        self.execute(
            f"UPDATE {self.schema}.store_generations SET row_count = {rows} WHERE generation = {generation}"
        )

    def _renumber(self, table: str, owner: str, number: int, column: str, ranks: str) -> None:
        # Written anew: an UPDATE of six million rows takes 45 seconds, this one.
        mine, kept = f"{self.schema}.{table}", "temp.cdme_renumbered"
        self.execute(
            f"CREATE OR REPLACE TEMP TABLE cdme_renumbered AS SELECT m.* REPLACE (r.new AS {column})"
            f" FROM {mine} AS m JOIN {ranks} AS r ON m.{column} = r.old WHERE m.{owner} = {number}"
        )
        self.execute(f"DELETE FROM {mine} WHERE {owner} = {number}")
        self.execute(f"INSERT INTO {mine} FROM {kept} ORDER BY ALL")
        self.execute(f"DROP TABLE {kept}")

    def filtered(self, edge: int, rows: str) -> None:
        """Keep filtered records: ``rows`` selects (i, clause, verdict)."""
        self.execute(
            f"INSERT INTO {self.schema}.store_filtered SELECT {edge}, i, clause, verdict"
            f" FROM {rows} ORDER BY i"
        )

    def filtered_chunks(self, edge: int, chunks: str) -> None:
        """The same; ``chunks`` is a FROM item of (clause, verdict, chunk, n, bits)."""
        few, many = f"{chunks} WHERE n < {SPARSE}", f"{chunks} WHERE n >= {SPARSE}"
        self.execute(
            f"INSERT INTO {self.schema}.store_filtered SELECT {edge}, i, clause, verdict"
            f" FROM {opened(f'(FROM {few})')} ORDER BY i;"
            f" INSERT INTO {self.schema}.store_filtered_bits SELECT {edge}, clause, verdict, chunk, n, bits"
            f" FROM {many} ORDER BY clause, verdict, chunk"
        )

    def reasons(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """(edge, reason, reason_id, model, input, kind, sql, file, line)."""
        self._insert("store_reasons", rows)

    def last_good_edges(self, model: str, run_id: str) -> list[dict[str, Any]]:
        """The direct edges of the last run that committed a model, in the shape of ledger.json."""
        rows = self.execute(
            f"SELECT l.model, l.input, l.role, l.input_count, l.reasons FROM {self.schema}.store_ledger l"
            f" WHERE l.model = {literal(model)} AND l.role = 'direct' AND l.run_id ="
            f" (SELECT n.run_id FROM {self.schema}.store_nodes n JOIN {self.schema}.store_runs r"
            f" ON r.run_id = n.run_id WHERE n.node = {literal(model)} AND n.state = 'committed'"
            f" AND n.run_id <> {literal(run_id)} ORDER BY r.started_at DESC LIMIT 1)"
        )
        names = ("model", "input", "role", "input_count")
        return [{**dict(zip(names, row[:4], strict=True)), "reasons": json.loads(row[4])} for row in rows]

    def totals(self, run_id: str, model: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Control totals: (input, column, class, reason id, verdict, records, nulls, total, exact)."""
        self._insert("store_totals", [(run_id, model, row[0], "direct", *row[1:]) for row in rows])

    def epochs(self, run_id: str, model: str, rows: Sequence[tuple[str | None, ...]]) -> None:
        """The epochs that a model read: (input, declared mode, declared column, epoch, its kind)."""
        self._insert("store_epochs", [(run_id, model, *row) for row in rows])

    def unaccounted(self, run_id: str, model: str, records: Mapping[str, Sequence[int]]) -> None:
        """The first unaccounted records of a model, by input."""
        self._insert("store_unaccounted", [(run_id, model, name, i) for name, found in records.items()
                                           for i in found])  # fmt: skip

    def ledger(self, entries: Iterable[LedgerEntry]) -> None:
        """Ledger rows."""
        rows = [
            "("
            + ", ".join(
                sql_value(v)
                for v in (
                    e.run_id, e.model, e.input, e.role.value, e.exactness.value,
                    e.lineage_mode.value, e.cardinality, e.input_count, e.contributed_count,
                    e.filtered_count, e.error_count, e.unaccounted_count, e.consulted_count,
                    e.output_count, e.status.value, e.unused_count, reasons_json(e.reasons), e.why,
                )
            )
            + f", now(), {sql_value(e.seconds)})"
            for e in entries
        ]  # fmt: skip
        if rows:
            self.execute(f"INSERT INTO {self.schema}.store_ledger VALUES {', '.join(rows)}")
