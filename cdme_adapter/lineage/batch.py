"""Law 4 for many output records with one query: what ``replay.py`` does for one.

The witnesses of each record are copied with its tag beside them, and the original query runs once per tag
as DuckDB's own LATERAL does it: a record is shown here where it comes out under its tag, from its own
witnesses and no others. What is not shown here (a query that cannot be asked so, a record that does not
come out, or more than one that does) is left to the replay of that record alone, which has the last word.
"""

from __future__ import annotations

from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from cdme_adapter.lineage.evidence import Evidence
from cdme_adapter.lineage.occurrences import CONSULTED
from cdme_adapter.lineage.replay import Outcome, Replay, equal
from cdme_adapter.lineage.shape import recurs
from cdme_adapter.lineage.stage import RECORD, TAG, Stage
from cdme_adapter.provenance import Role
from cdme_adapter.store.reader import Edge, quote

CHUNK = 4096
"""How many records are replayed with one query, at most."""
PAIRS = 1_000_000
"""How many witnesses are copied for one query, about."""
_OUT, _TAGS = "__cdme_out", "__cdme_tags"
_DEPTH = 20

Place = tuple[str, str, str]


class Batches:
    """The replays of chosen records of one model, chunk by chunk as their outcomes are asked for."""

    def __init__(self, replay: Replay, chosen: list[int]) -> None:
        self.replay, self.chosen = replay, chosen
        self.at = {ordinal: place for place, ordinal in enumerate(chosen)}
        self.done = 0
        self.size = CHUNK
        self.shown: dict[int, Outcome] = {}
        self.text = ""

    def outcome(self, ordinal: int) -> Outcome:
        """The outcome for one of the chosen records."""
        if self.at[ordinal] >= self.done and self.size:
            self._next()
        return self.shown.pop(ordinal, None) or self.replay.check(ordinal)

    def _next(self) -> None:
        import duckdb

        chunk = self.chosen[self.done : self.done + self.size]
        pairs = self._pairs(chunk)
        while len(chunk) > 1 and pairs > PAIRS:
            chunk = chunk[: max(1, int(len(chunk) * PAIRS / pairs / 2))]
            pairs = self._pairs(chunk)
        self.done += len(chunk)
        try:
            self.shown.update(self._run(chunk))
        except (duckdb.Error, SqlglotError, _CannotBatch):
            self.size = 0  # it cannot be asked so: each record is replayed alone

    def _pairs(self, chunk: list[int]) -> int:
        """How many witnesses would be copied."""
        selects = [
            f"SELECT 1 FROM ({_tagged(edges, chunk)})"
            for edges in self.replay.inputs.values()
            if not _whole(edges)
        ]
        every = " UNION ALL ".join(selects)
        return int(self.replay.ctx.store.rows(f"SELECT count(*) FROM ({every})")[0][0]) if every else 0

    def _run(self, chunk: list[int]) -> dict[int, Outcome]:
        replay = self.replay
        own = replay.generation
        table = replay.ctx.need_table(own)
        with Stage(replay.ctx, replay.settings) as stage:
            stage.add_records(own, table, chunk)
            tagged, whole = self._stage(stage, chunk)
            text = _per_tag(replay, tagged, whole)
            runner = stage.open(own.database, own.schema, replay.statements)
            listed = ", ".join(f"({ordinal})" for ordinal in chunk)
            runner.execute(f"CREATE TEMP TABLE {_TAGS} AS SELECT * FROM (VALUES {listed}) AS t(tag)")
            runner.execute(
                f"CREATE TEMP TABLE {_OUT} AS SELECT __cdme_t.tag AS {TAG}, q.*"
                f" FROM {_TAGS} AS __cdme_t, LATERAL ({text}\n) AS q"
            )
            return self._compare(runner, chunk)

    def _stage(self, stage: Stage, chunk: list[int]) -> tuple[set[Place], set[Place]]:
        """Copy what the records of a chunk are made of; the relations with a tag, and those without."""
        tagged: set[Place] = set()
        whole: set[Place] = set()
        for node, edges in self.replay.inputs.items():
            found = self.replay.source_of(node)
            if found is None:
                raise _CannotBatch
            generation, source = found
            place = (generation.database.lower(), generation.schema.lower(), generation.name.lower())
            if place in tagged | whole:
                raise _CannotBatch
            parts = [("", edges)]
            if node in self.replay.apart:
                direct = [edge for edge in edges if edge.role is Role.DIRECT]
                parts = [("", direct), (CONSULTED, [e for e in edges if e.role is not Role.DIRECT])]
            for suffix, held in parts:
                named = (*place[:2], place[2] + suffix.lower())
                pairs = None if _whole(held) else _tagged(held, chunk)
                stage.add(generation, source, pairs, suffix, tagged=pairs is not None)
                (whole if pairs is None else tagged).add(named)
        return tagged, whole

    def _compare(self, runner: Any, chunk: list[int]) -> dict[int, Outcome]:
        """The records that came out, and nothing beside them that should not have."""
        replay = self.replay
        there = {row[0].lower() for row in runner.execute(f"DESCRIBE {_OUT}").fetchall()}
        if any(column.name.lower() not in there for column in replay.compared):
            raise _CannotBatch
        record = f"{quote(replay.generation.database)}.{RECORD}.record"

        def came_out(columns: list[Any]) -> set[int]:
            tests = " AND ".join([f"o.{TAG} = y.{TAG}", *map(equal, columns)])
            sql = f"SELECT DISTINCT y.{TAG} FROM {_OUT} o JOIN {record} y ON {tests}"
            return {row[0] for row in runner.execute(sql).fetchall()}

        doubtful = self._crowded(runner, chunk)
        whole = came_out(list(replay.compared)) - doubtful
        found = dict.fromkeys(whole, Outcome("exact"))
        stable = [c for c in replay.compared if c.name.lower() not in replay.shape.unstable]
        if stable and len(stable) < len(replay.compared):
            skipped = tuple(c.name for c in replay.compared if c not in stable)
            for tag in came_out(stable) - whole - doubtful:
                found[tag] = Outcome("exact", "", skipped)
        return found

    def _crowded(self, runner: Any, chunk: list[int]) -> set[int]:
        """The tags under which more came out, or more was copied, than one record may be made of."""
        found: set[int] = set()
        if self.replay.one_only:
            sql = f"SELECT {TAG} FROM {_OUT} GROUP BY 1 HAVING count(*) > 1"
            found |= {row[0] for row in runner.execute(sql).fetchall()}
        return found | set(self.replay.too_many(f"SELECT unnest({chunk}::BIGINT[])"))


class _CannotBatch(Exception):
    """A query that cannot be asked for many records at once."""


def _whole(edges: list[Edge]) -> bool:
    """Whether a relation is read whole, whatever the record (as ``replay.witnesses`` has it)."""
    unknown = [e for e in edges if e.role is Role.INDIRECT and not e.known]
    return bool(unknown) or any(e.role is Role.GUARD or e.whole for e in edges)


def _tagged(edges: list[Edge], chunk: list[int]) -> str:
    """A SELECT of (tag, ord) of all that one relation gives to the records of a chunk."""
    outputs = f"SELECT unnest({chunk}::BIGINT[])"
    selects = [f"SELECT o AS tag, i AS ord FROM ({Evidence(e, None, outputs).pairs})" for e in edges]
    return " UNION ".join(selects)


def _per_tag(replay: Replay, tagged: set[Place], whole: set[Place]) -> str:
    """The original query with each relation kept to the rows of ``__cdme_t.tag``, views in place.

    The text is not printed anew: only names in FROM are replaced where they stand.
    """
    own = replay.generation
    views = {(v.database.lower(), v.schema.lower(), v.name.lower()): v for v in replay.views}

    def narrowed(sql: str, depth: int) -> str:
        tree = sqlglot.parse_one(sql, read="duckdb")
        if depth > _DEPTH or tree.find(exp.TableSample) or recurs(tree):
            raise _CannotBatch
        ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
        edits: list[tuple[int, int, str]] = []
        for table in tree.find_all(exp.Table):
            if not isinstance(table.this, exp.Identifier):
                continue  # a function in FROM
            if table.name.lower() in ctes and not table.db:
                continue
            catalog, db = table.catalog or own.database, table.db or own.schema
            place = (catalog.lower(), db.lower(), table.name.lower())
            if place in whole:
                continue
            inner = _rows_of(place) if place in tagged else view_of(place, depth)
            alias = "" if table.alias else f" AS {quote(table.name)}"
            start, end = _span(table)
            edits.append((start, end, f"({inner}\n){alias}"))
        for start, end, text in sorted(edits, reverse=True):
            sql = sql[:start] + text + sql[end:]
        return sql

    def view_of(place: Place, depth: int) -> str:
        view = views.get(place)
        if view is None or view.columns:
            raise _CannotBatch
        return narrowed(view.query, depth + 1)

    return narrowed(replay.sql, 0)


def _span(table: exp.Table) -> tuple[int, int]:
    """Where the name of a table stands in the text, with its schema and database."""
    places = [part.meta for part in table.parts]
    if any("start" not in place for place in places):
        raise _CannotBatch
    return min(int(place["start"]) for place in places), max(int(place["end"]) for place in places) + 1


def _rows_of(place: Place) -> str:
    """The rows of a copied relation that belong to the tag."""
    name = ".".join(map(quote, place))
    return f"SELECT * EXCLUDE ({TAG}) FROM {name} AS __cdme_r WHERE __cdme_r.{TAG} = __cdme_t.tag"
