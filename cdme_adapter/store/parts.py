"""Tables that are changed in place: their rows as the union of parts, one for each writing run.

A part names the generation that wrote rows which are still there; its map leads from an ordinal of the
table now to the ordinal that the row had in that generation's delta. The edges of a part are those of
the run that wrote it, with the part's map put before their own maps. So whoever reads a chain reads
the rows of now, and only the parts' maps are written anew when the table changes
(docs/decisions/0020-in-place.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdme_adapter.provenance import stable_id
from cdme_adapter.store.rejects import hold
from cdme_adapter.store.rows import losses

if TYPE_CHECKING:
    from cdme_adapter.store.writer import EdgeRow, StoreWriter


def rows_map(generation: int, part: int) -> int:
    """The number of the map from the rows of a generation to one of its parts."""
    return stable_id("rows", str(generation), str(part))


@dataclass(frozen=True)
class Part:
    """Rows of a generation that one run wrote; ``map`` is None where the generation is all of it."""

    number: int
    run_id: str
    map: int | None


@dataclass(frozen=True)
class StoredEdge:
    """An edge of an earlier generation with its maps, ``rows`` being the map of its part."""

    row: EdgeRow
    rows: int | None
    paths: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Batch:
    """This run's own equation for one input, and what became of the table's rows."""

    input: str
    role: str
    name: str
    counts: tuple[int | None, ...]
    """input, contributed, filtered, error, unaccounted, consulted, delta; new, updated, carried and
    deleted rows."""


class PartStore:
    """The parts of one database's tables, over a :class:`StoreWriter`."""

    def __init__(self, writer: StoreWriter) -> None:
        self.writer = writer

    def parts(self, generation: int, run_id: str) -> list[Part]:
        """The parts of a generation; itself, where it was written at once."""
        rows = self.writer.execute(
            f"SELECT part, run_id, map FROM {self.writer.schema}.store_parts"
            f" WHERE generation = {generation} ORDER BY part"
        )
        return [Part(*row) for row in rows] or [Part(generation, run_id, None)]

    def carry_over(self, parts: Iterable[Part], generation: int, kept: str) -> dict[int | None, Part]:
        """Write the maps of the parts that live on, by ``kept`` (o, was); the new ones by old map."""
        new: dict[int | None, Part] = {}
        moved: list[tuple[int, int]] = []
        for part in parts:
            number = rows_map(generation, part.number)
            new[part.map] = Part(part.number, part.run_id, number)
            if part.map is None:
                self.writer.map(number, f"SELECT o, was AS i FROM {kept}")
            else:
                moved.append((part.map, number))
        if moved:
            self._compose(moved, kept)
        there = self.counts([part.map for part in new.values() if part.map is not None])
        return {old: part for old, part in new.items() if there.get(part.map or 0)}

    def _compose(self, moved: list[tuple[int, int]], kept: str) -> None:
        """For each (old, new) map: the pairs of the old one, under the rows' ordinals of now."""
        pairs = f"{self.writer.schema}.store_pairs"
        values = ", ".join(f"({old}, {new})" for old, new in moved)
        self.writer.execute(
            f"INSERT INTO {pairs} SELECT v.new, k.o, p.i FROM {pairs} AS p"
            f" JOIN (VALUES {values}) AS v(old, new) ON v.old = p.map"
            f" JOIN {kept} AS k ON k.was = p.o ORDER BY ALL"
        )

    def counts(self, maps: Sequence[int]) -> dict[int, int]:
        """The number of pairs of some maps; those without any are missing."""
        if not maps:
            return {}
        return {
            int(number): int(count)
            for number, count in self.writer.execute(
                f"SELECT map, count(*) FROM {self.writer.schema}.store_pairs"
                f" WHERE map IN ({', '.join(str(number) for number in maps)}) GROUP BY map"
            )
        }

    def register(self, generation: int, parts: Iterable[Part]) -> None:
        """Say which parts a generation has."""
        self.writer._insert(
            "store_parts", [(generation, part.number, part.run_id, part.map) for part in parts]
        )

    def edges(self, generation: int) -> list[StoredEdge]:
        """The edges of a generation, with their maps; the map of the part is not among those."""
        from cdme_adapter.store.writer import EdgeRow

        schema = self.writer.schema
        found = self.writer.execute(
            f"SELECT * FROM {schema}.store_edges WHERE output_generation = {generation} ORDER BY edge"
        )
        maps: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        rows: dict[int, int] = {}
        sampled: set[int] = set()  # their paths hold some rows only: carried over, nothing is known of them
        for edge, path, step, number in self.writer.execute(
            f"SELECT edge, path, step, map FROM {schema}.store_steps WHERE edge IN"
            f" (SELECT edge FROM {schema}.store_edges WHERE output_generation = {generation})"
            " ORDER BY edge, path, step"
        ):
            if step == 0:
                rows[edge] = number
            elif step < 0:
                sampled.add(edge)
            else:
                maps[edge][path].append(number)
        return [
            StoredEdge(
                EdgeRow(*row),
                rows.get(row[0]),
                tuple(
                    tuple(path[1:] if row[0] in rows else path)
                    for _, path in sorted(maps[row[0]].items())
                    if row[0] not in sampled
                ),
            )
            for row in found
        ]

    def add_edge(self, edge: EdgeRow, rows: int, paths: Sequence[Sequence[int]]) -> None:
        """An edge of one part: ``rows`` is the part's map, ``paths`` are the edge's own maps."""
        self.writer.edge(edge)
        self.of_part(edge.number, rows)
        for path, maps in enumerate(paths):
            self.writer.steps(edge.number, path, [rows, *maps])

    def of_part(self, edge: int, rows: int) -> None:
        """Say which part an edge is of."""
        self.writer._insert("store_steps", [(edge, 0, 0, 0, rows)])

    def pairs(self, paths: Iterable[Sequence[int]]) -> str:
        """A SELECT of (o, i) over paths of maps, from the output inwards."""
        arms = [
            f"SELECT m0.o, m{len(maps) - 1}.i FROM "
            + " JOIN ".join(
                f"({self._map(number)}) AS m{n}" + (f" ON m{n}.o = m{n - 1}.i" if n else "")
                for n, number in enumerate(maps)
            )
            for maps in paths
        ]
        return " UNION ".join(arms) or "SELECT NULL::BIGINT AS o, NULL::BIGINT AS i WHERE FALSE"

    def _map(self, number: int) -> str:
        """A SELECT of (o, i) of one map, however it is kept."""
        schema = self.writer.schema
        return (
            f"SELECT o, i FROM {schema}.store_pairs WHERE map = {number} UNION ALL"
            f" SELECT o, unnest(range(lo, hi + 1)) FROM {schema}.store_ranges WHERE map = {number}"
        )

    def carried(self, edge: int, rows: str) -> None:
        """Keep the input ordinals ``i`` of ``rows`` that are witnesses through earlier runs alone."""
        self.writer.execute(
            f"INSERT INTO {self.writer.schema}.store_carried SELECT {edge}, i FROM {rows} ORDER BY i"
        )

    def held(self, edge: int, rows: str) -> None:
        """Keep (i, generation, reject) of ``rows``: what stands behind errors that earlier runs left."""
        hold(self.writer, edge, rows)

    def filtered(self, edge: int, clauses: Sequence[tuple[str, str, int, int]]) -> str:
        """A SELECT of the (i, clause, verdict) that an earlier edge lost to the same clauses.

        ``clauses`` are (sql, kind, place in the picky order, number).
        """
        from cdme_adapter.store.writer import sql_value

        values = ", ".join("(" + ", ".join(map(sql_value, clause)) + ")" for clause in clauses)
        schema = self.writer.schema
        return (
            f"SELECT f.i, v.clause, f.verdict FROM {losses(schema, edge)} AS f"
            f" JOIN {schema}.store_reasons AS r ON r.edge = f.edge AND r.reason = f.reason"
            f" JOIN (VALUES {values}) AS v(sql, kind, place, clause)"
            f" ON v.sql = r.sql AND v.kind = r.kind AND v.place = r.reason"
        )

    def key_columns(self, generation: int) -> tuple[str, ...]:
        """The columns of the keys that are stored of a generation, none where none are."""
        rows = self.writer.execute(
            f"SELECT key_columns FROM {self.writer.schema}.store_generations"
            f" WHERE generation = {generation} LIMIT 1"
        )
        return tuple(rows[0][0] or ()) if rows else ()

    def keys(self, generation: int) -> str:
        """A FROM item of (ordinal, key) of a generation."""
        return f"(SELECT ordinal, key FROM {self.writer.schema}.store_keys WHERE generation = {generation})"

    def batches(self, run_id: str, model: str, batches: Iterable[Batch]) -> None:
        """Keep a run's own equations."""
        from cdme_adapter.store.writer import sql_value

        values = [
            f"({', '.join(map(sql_value, (run_id, model, b.input, b.role, b.name, *b.counts)))}, now())"
            for b in batches
        ]
        if values:
            self.writer.execute(
                f"INSERT INTO {self.writer.schema}.store_batches VALUES {', '.join(values)}"
            )

    def forget_batch(self, run_id: str, model: str, batch: str) -> None:
        """Take back one of a run's own equations."""
        from cdme_adapter.store.writer import sql_value

        self.writer.execute(
            f"DELETE FROM {self.writer.schema}.store_batches WHERE run_id = {sql_value(run_id)}"
            f" AND model = {sql_value(model)} AND batch = {sql_value(batch)}"
        )

    def forget_account(self, run_id: str, model: str) -> None:
        """Take back the ledger rows of an earlier batch of the same run: the last one's stand."""
        for table, column in (
            ("store_ledger", "model"), ("store_nodes", "node"), ("store_totals", "model"),
            ("store_unaccounted", "model"), ("store_epochs", "model"),
        ):  # fmt: skip
            self.writer.execute(
                f"DELETE FROM {self.writer.schema}.{table} WHERE run_id = '{run_id}' AND {column} = "
                + "'" + model.replace("'", "''") + "'"
            )  # fmt: skip
