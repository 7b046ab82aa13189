"""Law 4: the original SQL, run on the witnesses of an output record alone, gives that record again.

Each relation is replaced by the witnesses that the store names for it, the whole of it where it is a
guard or where only a superset is known. Where a relation is read directly and consulted as well, each
kind of occurrence gets its own. Where the two cannot be told apart (a window reads both from one
place), they get both: a record that the query would not have used does not change what comes out.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from cdme_adapter.engines.files import SCAN
from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.earlier import earlier_rows, own_columns, why_gone
from cdme_adapter.lineage.evidence import Evidence
from cdme_adapter.lineage.graph import Node
from cdme_adapter.lineage.occurrences import CONSULTED, split
from cdme_adapter.lineage.originals import View, macro_names, original_sql, user_macros, views_beneath
from cdme_adapter.lineage.relations import Table
from cdme_adapter.lineage.shape import Shape, shape_of
from cdme_adapter.lineage.stage import RECORD, Stage, settings_of
from cdme_adapter.lineage.values import Column
from cdme_adapter.provenance import Exactness, Role
from cdme_adapter.store.reader import Edge, Generation, literal, quote

TOLERANCE = "1e-9"
_NOTING = re.compile(
    r",\s*(?:store_rejects\s*=\s*true|rejects_(?:table|scan)\s*=\s*'[^']*')", re.IGNORECASE
)
"""The options with which the scan of a refined model notes its lines (refine/files.py)."""


@dataclass(frozen=True)
class Outcome:
    """What one replay showed: exact, superset, violation or unknown."""

    verdict: str
    why: str = ""
    skipped: tuple[str, ...] = ()


@dataclass
class Replay:
    """The replays of one model; ``why_not`` says why there can be none."""

    ctx: Context
    model: str
    generation: Generation
    why_not: str = ""
    sql: str = ""
    shape: Shape = field(default_factory=Shape)
    views: list[View] = field(default_factory=list)
    inputs: dict[Node, list[Edge]] = field(default_factory=dict)
    apart: set[Node] = field(default_factory=set)
    scans: dict[Node, str] = field(default_factory=dict)
    """The names that files have in the text that is replayed."""
    doubtful: bool = False

    @staticmethod
    def of(ctx: Context, model: str, generation: Generation) -> Replay:
        """Look at what is needed once for all records."""
        replay = Replay(ctx, model, generation)
        sql, replay.why_not = original_sql(ctx, model, generation.run_id)
        if sql is None:
            return replay
        replay.sql = sql.strip().rstrip(";")
        replay.shape = shape_of(ctx.manifest, model)
        replay.views = views_beneath(ctx, model)
        replay.why_not = replay._prepare()
        return replay

    def _prepare(self) -> str:
        if self.shape.sample:
            return "not_replayable: it samples"
        for edge, node in self.ctx.graph.parents(self.ctx.graph.node(self.model, self.generation.id)):
            if not edge.own:
                continue  # an earlier run's, whose SQL is not at hand
            itself = edge.input == self.model
            if itself and self.snapshot:
                continue  # dbt's own statement compares with it, not the snapshot's query
            if itself and (gone := why_gone(self.ctx, self.model, self.generation, self._seen(node))):
                return f"not_replayable: {gone}"
            stale = False if itself else self.ctx.stale(node)
            if stale is True:
                return f"{edge.input} has changed since it was read"
            if not edge.known and edge.exactness is Exactness.OPAQUE:
                return f"the edge from {edge.input} is opaque"
            if not edge.known and not edge.whole and edge.role is Role.DIRECT:
                return f"no row is sampled of the edge from {edge.input}"
            self.doubtful |= stale == "unknown"
            self.inputs.setdefault(node, []).append(edge)
            if node not in self.scans and not self._rename_scan(node):
                return f"{edge.input} is not read in the model's own text"
        self._split()
        return ""

    def _seen(self, node: Node) -> Generation | None:
        return self.ctx.graph.generation(node)

    @cached_property
    def snapshot(self) -> dict[str, str]:
        """The columns that dbt adds, which the query of a snapshot does not give."""
        return own_columns(self.ctx.manifest.nodes.get(self.model))

    @cached_property
    def compared(self) -> tuple[Column, ...]:
        """The columns of the table that the query gives."""
        own = set(self.snapshot.values())
        return tuple(c for c in self.ctx.need_table(self.generation).columns if c.name.lower() not in own)

    def _rename_scan(self, node: Node) -> bool:
        """Let the text read a table in place of files; whether it now reads what can be copied."""
        generation = self.ctx.graph.generation(node)
        if generation is None or generation.schema != SCAN:
            return True
        named = generation.name.startswith('"')
        scan = literal(generation.name[1:-1].replace('""', '"')) if named else generation.name
        written = scan if scan in self.sql else _as_written(scan, self.sql)
        if written is None:
            return False
        self.scans[node] = f"__cdme_file{len(self.scans)}"
        self.sql = self.sql.replace(written, quote(self.scans[node]))
        return True

    def _split(self) -> None:
        """Tell direct occurrences from consulted ones, for relations that are read as both."""
        if self.shape.windows or self.shape.limits:
            return
        names = Counter(self._name(node) for node in self.inputs)
        for node, edges in self.inputs.items():
            roles = {edge.role for edge in edges}
            if Role.DIRECT not in roles or len(roles) == 1 or names[self._name(node)] > 1:
                continue
            text = split(self.sql, self._name(node))
            if text is not None:
                self.sql = text
                self.apart.add(node)

    def _name(self, node: Node) -> str:
        generation = self.ctx.graph.generation(node)
        return generation.name.lower() if generation else ""

    def source_of(self, node: Node) -> tuple[Generation, Table] | None:
        """What a relation is copied from, and the name it is copied to."""
        generation = self.ctx.graph.generation(node)
        source = self.ctx.table(generation) if generation else None
        if generation is None or source is None:
            return None
        if node in self.scans:
            own = self.generation
            generation = replace(
                generation, database=own.database, schema=own.schema, name=self.scans[node]
            )
            source = source.without_place()
        if node.relation == self.model:
            source = earlier_rows(source, generation)
        return generation, source

    def _stage_input(self, stage: Stage, node: Node, edges: list[Edge], ordinal: int) -> str | None:
        """Copy one relation's witnesses; what stands in the way, if anything."""
        found = self.source_of(node)
        if found is None:
            return f"{node.relation} is no table that can be copied"
        generation, source = found
        if node not in self.apart:
            stage.add(generation, source, witnesses(edges, ordinal))
            return None
        direct = [edge for edge in edges if edge.role is Role.DIRECT]
        others = [edge for edge in edges if edge.role is not Role.DIRECT]
        stage.add(generation, source, witnesses(direct, ordinal))
        stage.add(generation, source, witnesses(others, ordinal), CONSULTED)
        return None

    @property
    def exact(self) -> bool:
        """Whether every direct edge says that it is exact."""
        edges = [e for held in self.inputs.values() for e in held if e.role is Role.DIRECT]
        return all(e.exactness is Exactness.EXACT for e in edges)

    @cached_property
    def statements(self) -> list[str]:
        """What is made on the copy before the SQL runs: the user's macros and views."""
        return [*self._macros, *(view.statement for view in self.views)]

    @cached_property
    def _macros(self) -> list[str]:
        return user_macros(self.ctx)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The settings of the user's connection."""
        return settings_of(self.ctx)

    def check(self, ordinal: int) -> Outcome:
        """Replay one output record."""
        import duckdb

        table = self.ctx.need_table(self.generation)
        with Stage(self.ctx, self.settings) as stage:
            stage.add_record(self.generation, table, ordinal)
            for node, edges in self.inputs.items():
                problem = self._stage_input(stage, node, edges, ordinal)
                if problem:
                    return Outcome("unknown", problem)
            runner = stage.open(self.generation.database, self.generation.schema, self.statements)
            try:
                runner.execute(f"CREATE TEMP TABLE __cdme_out AS {self.sql}")
            except duckdb.Error as error:
                return self._failed(self.ctx.masking.message(error))
            return self._compare(runner, ordinal)

    def _failed(self, message: str) -> Outcome:
        return Outcome("unknown", f"the SQL does not run on the copy: {message}")

    def _compare(self, runner: Any, ordinal: int) -> Outcome:
        """Whether the record is among what came out, and whether too much came out."""
        there = {row[0].lower() for row in runner.execute("DESCRIBE __cdme_out").fetchall()}
        columns = [c for c in self.compared if c.name.lower() in there]
        if len(columns) < len(self.compared):
            return Outcome("unknown", "the columns of the table are not those of the SQL")
        record = f"{quote(self.generation.database)}.{RECORD}.record"
        if _found(runner, columns, record):
            return self._surplus(runner, ordinal)
        stable = [c for c in columns if c.name.lower() not in self.shape.unstable]
        skipped = tuple(c.name for c in columns if c not in stable)
        if skipped and stable and _found(runner, stable, record):
            return Outcome("exact", "", skipped)
        if self.shape.volatile or (skipped and not stable):
            called = ", ".join(sorted(self.shape.volatile)) or ", ".join(skipped)
            return Outcome("unknown", f"not_replayable: {called} differ from run to run", skipped)
        if self.doubtful:
            return Outcome("unknown", "it did not come out, and a source may have changed")
        if why := self._not_alone():
            return Outcome("unknown", f"not_replayable: {why}", skipped)
        return Outcome("violation", "the record does not come out of its witnesses", skipped)

    def _not_alone(self) -> str:
        """Why a record's witnesses alone need not give it; "" where they must."""
        if self.shape.subtracts:
            return "EXCEPT ALL counts equal rows, of which a record's witnesses are one"
        if self.shape.places:
            return "a POSITIONAL JOIN pairs rows by their places, which are others without the other rows"
        if mixed := self._mixed():
            return f"a window and a subquery consult {mixed}, and its one edge does not tell which of them"
        return ""

    def _mixed(self) -> str:
        """A relation that is read more than once, by a window and by a subquery: its indirect witnesses
        are those of both, so neither can be given its own."""
        for node, edges in self.inputs.items():
            name = (self.ctx.graph.generation(node) or self.generation).name.lower()
            if self.shape.reads.get(name, 0) > 1 and any(e.role is Role.INDIRECT for e in edges):
                return node.relation if self.shape.windows and self.shape.asks else ""
        return ""

    def _surplus(self, runner: Any, ordinal: int) -> Outcome:
        """Whether more came out, or more is named, than one record can be made of."""
        if not self.shape.readable:
            return Outcome("exact")
        if self.one_only:
            count = runner.execute("SELECT count(*) FROM __cdme_out").fetchall()[0][0]
            if count > 1 and not self._repeated(runner):
                return self._too_much(f"{count - 1} other records come out of its witnesses")
        return self.too_many(f"SELECT {ordinal}::BIGINT").get(ordinal) or Outcome("exact")

    def too_many(self, outputs: str | None = None) -> dict[int, Outcome]:
        """Those of some outputs, or of all, that name more witnesses than they can have."""
        found: dict[int, Outcome] = {}
        for sql in self.crowded(outputs):
            for ordinal, relation, held in self.ctx.store.rows(sql):
                found[ordinal] = self._too_much(
                    f"it has {held} witnesses in {relation}, and can have fewer"
                )
        return found

    def _too_much(self, why: str) -> Outcome:
        """Too many witnesses: no more was promised of a superset, and of what is exact nothing less."""
        if not self.exact:
            return Outcome("superset", why)
        return Outcome("violation", f"{why}; the edges say that they are exact")

    def crowded(self, outputs: str | None) -> list[str]:
        """SELECTs of (record, relation, count) of those, of some outputs or of all, that name more
        witnesses in a relation than they can have: one for each occurrence, where rows are made one by
        one."""
        found = []
        for node, edges in self.inputs.items() if self.one_each else []:
            name = (self.ctx.graph.generation(node) or self.generation).name.lower()
            most = (
                self.sql.count(quote(self.scans[node]))
                if node in self.scans
                else self.shape.reads.get(name, 0)
            )
            direct = [
                f"SELECT DISTINCT o, i FROM ({Evidence(e, None, outputs).pairs})"
                for e in edges
                if e.role is Role.DIRECT and e.chains
            ]
            if direct and most:  # 0: it is read where the text does not show it
                found.append(
                    f"SELECT o, {literal(node.relation)}, count(*) FROM ({' UNION ALL '.join(direct)})"
                    f" GROUP BY o HAVING count(*) > {most} ORDER BY o"
                )
        return found

    @property
    def one_each(self) -> bool:
        """Whether a record has one witness at most of each occurrence of a relation."""
        return self.shape.row_by_row and not self.shape.windows and not self.shape.multiplies

    @cached_property
    def one_only(self) -> bool:
        """Whether the query gives one record only, when restricted to the witnesses of one."""
        roles = {e.role for edges in self.inputs.values() for e in edges}
        if roles - {Role.DIRECT} or self.shape.multiplies or not self.exact:
            return False
        if self.shape.calls & macro_names(self.ctx):
            return False  # a macro may make several rows of one
        return self.shape.plain_group or self.shape.read_once

    def _repeated(self, runner: Any) -> bool:
        """Whether what came out is one record several times over."""
        found = runner.execute("SELECT count(*) FROM (SELECT DISTINCT * FROM __cdme_out)")
        return bool(found.fetchall()[0][0] == 1)


def _as_written(scan: str, sql: str) -> str | None:
    """The call in a model's text of which a scan was printed that notes lines which do not parse.

    >>> _as_written("READ_CSV('a.csv', store_rejects = TRUE)", "from read_csv( 'a.csv')")
    "read_csv( 'a.csv')"
    """
    plain = _NOTING.sub("", scan)
    parts = re.findall(r"'(?:[^']|'')*'|\w+|\S", plain)
    found = re.search(r"\s*".join(map(re.escape, parts)), sql, re.IGNORECASE)
    if found is None and len(parts) == 4:  # a path in FROM, read with nothing but these options
        found = re.search(re.escape(parts[2]), sql)
    return found.group() if found else None


def witnesses(edges: list[Edge], ordinal: int) -> str | None:
    """A SELECT of ``ord`` of all that one relation gives to an output record; None is all of it."""
    unknown = [e for e in edges if e.role is Role.INDIRECT and not e.known]  # of a sample they are not kept
    if unknown or any(edge.role is Role.GUARD or edge.whole for edge in edges):
        return None
    selects = [
        f"SELECT i AS ord FROM ({Evidence(e, None, f'SELECT {ordinal}::BIGINT').pairs})" for e in edges
    ]
    return " UNION ".join(selects)


def _found(runner: Any, columns: list[Column], record: str) -> bool:
    """Whether the record is among what came out; doubles within 1e-9 relative."""
    tests = " AND ".join(equal(column) for column in columns)
    found = runner.execute(f"SELECT count(*) FROM __cdme_out o, {record} y WHERE {tests or 'true'}")
    return bool(found.fetchall()[0][0])


def equal(column: Column) -> str:
    """Whether a value that came out (``o``) is that of the record (``y``)."""
    here, there = f"o.{quote(column.name)}", f"y.{quote(column.name)}"
    cast = f"CAST({here} AS {column.type})" if "ENUM" not in column.type else here
    same = f"{cast} IS NOT DISTINCT FROM {there}"
    if not column.floating:
        return same
    near = f"abs({cast} - {there}) <= {TOLERANCE} * greatest(abs({cast}), abs({there}))"
    return f"({same} OR coalesce({near}, false))"


def sample_of(ctx: Context, generation: Generation, size: int, seed: int) -> list[int]:
    """Ordinals of output records, the same for the same seed; all of them for size 0.

    Of a table that is changed in place: of those that its last run alone wrote.
    """
    table = ctx.need_table(generation)
    own = ctx.store.written_last(generation)
    order = f"hash({table.ordinal} + {seed} * 7919), {table.ordinal}"
    limit = f" LIMIT {size}" if size else ""
    kept = [e.sampled for e in ctx.store.outputs_of(generation.id) if e.sampled]
    tests = [f"{table.ordinal} IN ({rows})" for rows in ([own] if own else []) + kept]
    deleted = own_columns(ctx.manifest.nodes.get(generation.relation)).get("dbt_is_deleted", "")
    if deleted and table.column(deleted) is not None:  # dbt made it of the version before, no query did
        tests.append(f"r.{quote(deleted)} IS DISTINCT FROM 'True'")
    only = f" WHERE {' AND '.join(tests)}" if tests else ""
    rows = ctx.store.rows(f"SELECT {table.ordinal} FROM {table.source}{only} ORDER BY {order}{limit}")
    return sorted(row[0] for row in rows)


def summarise(outcomes: dict[int, Outcome]) -> tuple[str, str, list[str]]:
    """The verdict of several replays, why, and the columns that were skipped."""
    by_verdict: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes.values():
        by_verdict[outcome.verdict].append(outcome)
    skipped = sorted({name for outcome in outcomes.values() for name in outcome.skipped})
    for verdict in ("violation", "superset", "unknown"):
        if by_verdict[verdict]:
            return verdict, by_verdict[verdict][0].why, skipped
    return "exact", "", skipped
