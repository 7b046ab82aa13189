"""Reads the ``cdme`` schema: one schema in each database that a project writes, seen as one store.

What is small (generations, edges, their maps, reasons) is read into values once; the maps
themselves stay in the database and are only ever named here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from cdme_adapter.accounting import Kind, Verdict
from cdme_adapter.errors import StoreError, StoreVersionError
from cdme_adapter.provenance import Exactness, LineageMode, Role
from cdme_adapter.store.files import FileRow, read_files
from cdme_adapter.store.lookups import Lookups, Pairs
from cdme_adapter.store.parts import rows_map
from cdme_adapter.store.rejects import chains_of
from cdme_adapter.store.schema import READS, SCHEMA, VERSION

DERIVED = "__cdme_derived"
"""Begins the names of databases in memory that hold what was derived for a question."""


class Cursor(Protocol):
    """What an execution gives back."""

    description: Any

    def fetchall(self) -> list[Any]: ...


class Connection(Protocol):
    """The part of a DuckDB connection (or cursor) that the questions use."""

    def execute(self, query: str, parameters: Any = None, /) -> Any: ...


@dataclass(frozen=True)
class Generation:
    """A relation's content as one run left or saw it.

    ``evaluated``: a view that was evaluated once for its account; its rows were not kept. ``file``: the
    file that holds the rows of an external model, which has a view in the database.
    """

    id: int
    relation: str
    run_id: str
    kind: str
    database: str
    schema: str
    name: str
    row_count: int | None
    fingerprint: str | None
    key_columns: tuple[str, ...]
    created_at: str
    store: str
    evaluated: bool = False
    file: FileRow | None = None


@dataclass(frozen=True)
class Edge:
    """One edge of the store: between two generations, in one role.

    ``chains`` are its paths; each is the tuple of maps from the output record to the input record.
    ``store`` is the quoted schema that holds the maps; those in ``ranged`` are kept as ranges.
    """

    id: int
    run_id: str
    model: str
    input: str
    role: Role
    exactness: Exactness
    mode: LineageMode
    declared: str | None
    observed: str | None
    output_generation: int
    input_generation: int | None
    input_run_id: str | None
    why: str
    store: str
    chains: tuple[tuple[int, ...], ...] = ()
    rejected: tuple[tuple[int, ...], ...] = ()
    """The same from the rejected records of the output generation to the input."""
    ranged: frozenset[int] = frozenset()
    """The maps that are kept as ranges."""
    held: bool = False
    """Whether records of the input stand behind errors that earlier runs left."""
    sample: int | None = None
    """The map of the rows whose witnesses are kept, where the chains are of some rows alone (summary)."""
    rows: int | None = None
    """The map from the rows of a table that was changed in place to the part that the edge is of;
    the first map of every chain. None: the edge is of all rows."""

    @property
    def own(self) -> bool:
        """Whether the run that left the table as it is made the edge: then it has an account."""
        return self.rows in (None, rows_map(self.output_generation, self.output_generation))

    @property
    def part(self) -> str:
        """A SELECT of (o, i): the model's rows that the edge is of, where it is not of all."""
        return f"SELECT o, i FROM {self.store}.store_pairs WHERE map = {self.rows}"

    @property
    def carried(self) -> str:
        """A SELECT of (i): records that are witnesses of rows through edges of earlier runs alone."""
        return f"SELECT i FROM {self.store}.store_carried WHERE edge = {self.id}"

    @property
    def sampled(self) -> str:
        """A SELECT of (o): the model's rows whose witnesses are kept; "" where those of all are."""
        return (
            ""
            if self.sample is None
            else f"SELECT o FROM {self.store}.store_pairs WHERE map = {self.sample}"
        )

    @property
    def known(self) -> bool:
        """Whether the edge's maps say everything: no map means no witness, not no knowledge."""
        if self.exactness is Exactness.OPAQUE:
            return False
        if self.chains:
            return True
        full = self.mode is LineageMode.FULL and self.exactness is Exactness.EXACT
        return full and self.role is not Role.GUARD

    def pairs(self, map_id: int) -> str:
        """A map as a FROM item of (o, i). A ranged one is taken apart: join on ``o`` before that
        (:meth:`following`) wherever only some rows are wanted."""
        if map_id in self.ranged:
            return (
                f"(SELECT o, unnest(range(lo, hi + 1)) AS i FROM {self.store}.store_ranges"
                f" WHERE map = {map_id})"
            )
        return f"(SELECT o, i FROM {self.store}.store_pairs WHERE map = {map_id})"

    def following(self, rows: str, map_id: int) -> str:
        """A SELECT of (o, i): where the (o, i) of ``rows`` lead to over one more map."""
        if map_id in self.ranged:
            return (
                f"SELECT c.o, unnest(range(r.lo, r.hi + 1)) AS i FROM ({rows}) c"
                f" JOIN {self.store}.store_ranges r ON r.map = {map_id} AND r.o = c.i"
            )
        return f"SELECT c.o, p.i FROM ({rows}) c JOIN {self.pairs(map_id)} p ON p.o = c.i"

    @property
    def whole(self) -> bool:
        """Whether all records of the input are taken as witnesses for want of anything narrower."""
        light = (
            self.mode in (LineageMode.KEY_DERIVABLE, LineageMode.SUMMARY) and self.role is not Role.GUARD
        )
        return not self.known and not light and self.exactness is not Exactness.OPAQUE


@dataclass(frozen=True)
class StoredReason:
    """A clause that removed records of one edge; ``number`` orders the clauses of a model."""

    edge: int
    number: int
    id: str
    model: str
    input: str
    kind: Kind
    sql: str
    file: str | None
    line: int | None


def quote(name: str) -> str:
    """An SQL identifier.

    >>> quote('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


VERDICTS: tuple[str, ...] = tuple(v.value for v in Verdict)


@dataclass
class Store:
    """The store of a connection. ``frozen`` says that nobody can change it while it is open."""

    con: Connection
    frozen: bool = False
    schemas: tuple[str, ...] = ()
    generations: dict[int, Generation] = field(default_factory=dict)
    current: dict[str, int] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()
    by_output: dict[int, list[Edge]] = field(default_factory=dict)
    by_input: dict[str, list[Edge]] = field(default_factory=dict)
    _loaded: bool = False
    _reasons: dict[int, tuple[StoredReason, ...]] = field(default_factory=dict)
    _parts: dict[int, dict[int, str]] = field(default_factory=dict)

    @cached_property
    def lookups(self) -> Lookups:
        """Where few records lead to; maps are held in memory only where nobody can write."""
        return Lookups(self.rows, self.con, self.frozen)

    def follow(
        self, edge: Edge, number: int, ordinals: list[int], forward: bool, most: int
    ) -> Pairs | None:
        """Where some records (ascending) lead to over one map of an edge; None for more than ``most``."""
        return self.lookups.follow(edge.store, number, number in edge.ranged, ordinals, forward, most)

    def reach(
        self, edge: Edge, number: int, ordinals: list[int], forward: bool, most: int
    ) -> list[int] | None:
        """What they lead to, once and in order; None for more than ``most`` pairs."""
        return self.lookups.reach(edge.store, number, number in edge.ranged, ordinals, forward, most)

    def rows(self, sql: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        cursor = self.con.execute(sql, parameters) if parameters else self.con.execute(sql)
        return list(cursor.fetchall())

    def table(self, name: str) -> str:
        """A store table over all schemas, as something to select FROM."""
        if len(self.schemas) == 1:
            return f"{self.schemas[0]}.{name}"
        parts = [f"SELECT * FROM {s}.{name}" for s in self.schemas]
        return "(" + " UNION ALL BY NAME ".join(parts) + ")"

    def load(self) -> Store:
        """Read the metadata; again, unless the database cannot have changed since."""
        if self._loaded and self.frozen:
            return self
        self.schemas = self.schemas or find_schemas(self.con)
        check_version(self)
        self.current = _current(self)
        self.generations = {}
        for g in _generations(self):  # the store beside a relation knows more than its readers' does
            if g.id not in self.generations or g.store.startswith(f"{quote(g.database)}."):
                self.generations[g.id] = g
        self.edges = tuple(_edges(self))
        self.by_output, self.by_input = defaultdict(list), defaultdict(list)
        for edge in self.edges:
            self.by_output[edge.output_generation].append(edge)
            self.by_input[edge.input].append(edge)
        self._reasons.clear()
        self._parts.clear()
        self._loaded = True
        return self

    def outputs_of(self, generation: int) -> list[Edge]:
        """The edges whose output is this generation: what it was made from."""
        return self.by_output.get(generation, [])

    def live_edges_from(self, relation: str) -> list[Edge]:
        """The edges by which models that are stored now read a relation."""
        return [
            e for e in self.by_input.get(relation, []) if self.current.get(e.model) == e.output_generation
        ]

    def current_generation(self, relation: str) -> Generation | None:
        """The generation that is in a relation now, where CDME wrote the relation."""
        return self.generations.get(self.current.get(relation, -1))

    def parts(self, generation: Generation) -> dict[int, str]:
        """The maps to the parts of a table that is changed in place, with the run that wrote each."""
        if generation.id not in self._parts or not self.frozen:
            self._parts[generation.id] = dict(
                self.rows(
                    f"SELECT map, run_id FROM {generation.store}.store_parts"
                    f" WHERE generation = {generation.id}"
                )
            )
        return self._parts[generation.id]

    def written_last(self, generation: Generation) -> str:
        """A SELECT of the ordinals that the last run alone wrote; "" where that is all of them."""
        own = rows_map(generation.id, generation.id)
        others = [number for number in self.parts(generation) if number != own]
        if not others:
            return ""
        pairs = f"SELECT o FROM {generation.store}.store_pairs WHERE map"
        return f"{pairs} = {own} EXCEPT {pairs} IN ({', '.join(map(str, others))})"

    def writers(self, generation: Generation, ordinals: Iterable[int]) -> dict[int, list[str]]:
        """The runs that wrote some rows of a generation, the earliest first; none for its own run."""
        parts = self.parts(generation)
        if not parts:
            return {}
        maps = ", ".join(str(number) for number in parts)
        found: dict[int, list[str]] = defaultdict(list)
        for ordinal, number in self.rows(
            f"SELECT p.o, p.map FROM {generation.store}.store_pairs p"
            " JOIN (SELECT DISTINCT unnest(?::BIGINT[]) AS ord) w ON w.ord = p.o"
            f" WHERE p.map IN ({maps}) ORDER BY p.o",
            [sorted(set(ordinals))],
        ):
            if parts[number] not in found[ordinal]:
                found[ordinal].append(parts[number])
        return found

    def latest_generation(self, relation: str) -> Generation | None:
        """The current generation, else the one that was seen last."""
        found = self.current_generation(relation)
        if found:
            return found
        seen = [g for g in self.generations.values() if g.relation == relation]
        return max(seen, key=lambda g: (g.created_at, g.id), default=None)

    def replace_edges(self, edges: Iterable[Edge]) -> None:
        """Let these stand for the edges of the same ids: what was found of them when it was asked."""
        others = {edge.id: edge for edge in edges}
        self.edges = tuple(others.get(edge.id, edge) for edge in self.edges)
        for number, found in self.by_output.items():
            self.by_output[number] = [others.get(edge.id, edge) for edge in found]
        for name, found in self.by_input.items():
            self.by_input[name] = [others.get(edge.id, edge) for edge in found]
        for replaced in others:
            self._reasons.pop(replaced, None)

    def reasons(self, edge: Edge) -> tuple[StoredReason, ...]:
        """The clauses that removed records of an edge."""
        if edge.id not in self._reasons:
            rows = self.rows(
                "SELECT edge, reason, reason_id, model, input, kind, sql, file, line"
                f" FROM {edge.store}.store_reasons WHERE edge = {edge.id} ORDER BY reason"
            )
            self._reasons[edge.id] = tuple(
                StoredReason(r[0], r[1], r[2], r[3], r[4], Kind(r[5]), *r[6:]) for r in rows
            )
        return self._reasons[edge.id]


def find_schemas(con: Connection) -> tuple[str, ...]:
    """The quoted cdme schemas of all attached databases."""
    rows = con.execute(
        "SELECT database_name FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?"
        f" AND NOT starts_with(database_name, '{DERIVED}') ORDER BY 1",
        [SCHEMA, "store_meta"],
    ).fetchall()
    if not rows:
        raise StoreError(
            "the database holds no cdme schema, so nothing has been captured in it",
            code="NO_STORE",
            remedy="run `dbt build` with `type: cdme` in profiles.yml, then ask again",
        )
    return tuple(f"{quote(row[0])}.{quote(SCHEMA)}" for row in rows)


def _current(store: Store) -> dict[str, int]:
    """Which generation of each relation is in its table now.

    Environments of one project may lie beside each other (``--defer`` to an attached production): then a
    model is that of the database that was opened, and another's only where it has none.
    """
    opened = f"{quote(store.rows('SELECT current_database()')[0][0])}.{quote(SCHEMA)}"
    found: dict[str, int] = {}
    for schema in sorted(store.schemas, key=lambda name: name == opened):
        found.update(store.rows(f"SELECT relation, generation FROM {schema}.store_current"))
    return found


def check_version(store: Store) -> None:
    """Refuse a store that a newer CDME wrote, or one whose tables are too old to be read."""
    rows = store.rows(f"SELECT value FROM {store.table('store_meta')} WHERE name = 'version'")
    found = [int(r[0]) for r in rows if str(r[0]).isdigit()] or [VERSION]
    if max(found) > VERSION:
        raise StoreVersionError(
            f"the cdme schema has version {max(found)}; this CDME reads up to {VERSION}",
            remedy="upgrade dbt-cdme",
        )
    if min(found) < READS:
        raise StoreVersionError(
            f"the cdme schema has version {min(found)}; this CDME reads from {READS} on",
            code="STORE_OLDER",
            remedy="run any model with dbt, or `cdme gc`: either brings the schema up to date",
        )


_LIVE = """WITH RECURSIVE live(generation) AS (
 SELECT generation FROM {current}
 UNION SELECT e.input_generation FROM {edges} e JOIN live ON e.output_generation = live.generation
 WHERE e.input <> e.model OR e.role = 'direct' OR EXISTS (SELECT 1 FROM {current} c
  WHERE c.generation = e.output_generation AND c.run_id = e.run_id))
"""


def _generations(store: Store) -> Iterable[Generation]:
    """Every generation that is current or that a current one was made from."""
    columns = (
        "generation, relation, run_id, kind, database, schema, name, row_count, fingerprint,"
        " key_columns, CAST(created_at AS VARCHAR)"
    )
    live = _LIVE.format(current=store.table("store_current"), edges=store.table("store_edges"))
    views = set(
        store.rows("SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal")
    )
    for schema in store.schemas:
        files = {file.generation: file for file in read_files(store.rows, schema)}
        rows = store.rows(
            live + f"SELECT DISTINCT {columns} FROM {schema}.store_generations"
            " WHERE generation IN (SELECT generation FROM live)"
        )
        for row in rows:
            file = files.get(row[0])
            evaluated = row[4:7] in views and file is None
            yield Generation(*(*row[:9], tuple(row[9] or ()), row[10] or "", schema, evaluated, file))


def _edges(store: Store) -> Iterable[Edge]:
    columns = (
        "edge, run_id, model, input, role, exactness, lineage_mode, cardinality_declared,"
        " cardinality_observed, output_generation, input_generation, input_run_id, why"
    )
    live = _LIVE.format(current=store.table("store_current"), edges=store.table("store_edges"))
    for schema in store.schemas:
        chains: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        parts: dict[int, int] = {}
        samples: dict[int, int] = {}
        for edge, path, step, map_id in store.rows(
            f"SELECT edge, path, step, map FROM {schema}.store_steps ORDER BY edge, path, step"
        ):
            if step == 0:
                parts[edge] = map_id
            elif step < 0:
                samples[edge] = map_id
            else:
                chains[edge][path].append(map_id)
        rejected = chains_of(
            store.rows(
                f"SELECT generation, edge, path, map FROM {schema}.store_reject_edges"
                " ORDER BY generation, edge, path, step"
            )
        )
        ranged = _numbers(store, schema, "store_ranged", "map")
        held = _numbers(store, schema, "store_held", "edge")
        rows = store.rows(
            live + f"SELECT {columns} FROM {schema}.store_edges"
            " WHERE output_generation IN (SELECT generation FROM live) ORDER BY edge"
        )
        for r in rows:
            paths = tuple(tuple(maps) for _, maps in sorted(chains.get(r[0], {}).items()))
            yield Edge(
                r[0],
                r[1],
                r[2],
                r[3],
                Role(r[4]),
                Exactness(r[5]),
                LineageMode(r[6]),
                r[7],
                r[8],
                r[9],
                r[10],
                r[11],
                r[12] or "",
                schema,
                paths,
                rejected.get((r[9], r[0]), ()),
                ranged.intersection(m for path in paths for m in path),
                r[0] in held,
                samples.get(r[0]),
                parts.get(r[0]),
            )


def _numbers(store: Store, schema: str, table: str, column: str) -> frozenset[int]:
    """The numbers in a table that a store of an earlier version does not have."""
    database, _, name = schema.partition(".")
    there = store.rows(
        f"SELECT 1 FROM duckdb_tables() WHERE table_name = {literal(table)}"
        f" AND database_name = {literal(_bare(database))} AND schema_name = {literal(_bare(name))}"
    )
    rows = store.rows(f"SELECT DISTINCT {column} FROM {schema}.{table}") if there else []
    return frozenset(row[0] for row in rows)


def _bare(quoted: str) -> str:
    return quoted[1:-1].replace('""', '"')
