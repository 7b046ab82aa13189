"""A store written by hand, so that the questions are tested without capture."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pytest

from cdme_adapter.contents import content_of
from cdme_adapter.lineage import freshness
from cdme_adapter.lineage.api import Questions
from cdme_adapter.project import Manifest
from cdme_adapter.store.reader import Generation
from cdme_adapter.store.schema import VERSION, create_statements

Pairs = list[tuple[int, int]]


@dataclass
class World:
    """A database with a cdme schema; each call plays what a run would have written."""

    con: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    database: str = "memory"
    manifest: dict[str, Any] = field(default_factory=lambda: defaultdict(dict))
    numbers: int = 100
    generation_of: dict[str, int] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for statement in create_statements(f'"{self.database}"."cdme"'):
            self.con.execute(statement)
        self.con.execute("INSERT INTO cdme.store_meta VALUES ('version', ?)", [str(VERSION)])
        self.run("run1")

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def run(self, run_id: str, status: str = "COMPLETE") -> None:
        self.con.execute(
            "INSERT INTO cdme.store_runs VALUES (?, 'build', now(), now(), ?, '{}', NULL, NULL)",
            [run_id, status],
        )

    def node(self, unique_id: str, parents: list[str] | None = None, **extra: Any) -> None:
        kind, name = unique_id.split(".")[0], unique_id.split(".")[-1]
        entry = {
            "resource_type": kind,
            "name": name,
            "alias": name,
            "database": self.database,
            "schema": extra.pop("schema", "main"),
            "depends_on": {"nodes": parents or []},
            "config": {
                "materialized": extra.pop("materialized", "table"),
                "meta": extra.pop("meta", {}),
            },
            **extra,
        }
        if kind == "source":
            entry |= {"source_name": unique_id.split(".")[-2], "identifier": name}
        self.manifest["sources" if kind == "source" else "nodes"][unique_id] = entry

    def relation(
        self,
        unique_id: str,
        sql: str | None = None,
        *,
        parents: list[str] | None = None,
        run_id: str = "run1",
        keys: list[str] | None = None,
        fingerprint: str | None = None,
        **extra: Any,
    ) -> int:
        """A stored relation in a new generation: a table of a query, or values; returns it."""
        name = unique_id.split(".")[-1]
        if sql:
            self.con.execute(f'CREATE OR REPLACE TABLE "{name}" AS {sql}')
        count = self.con.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0]
        generation, kind = self.number(), unique_id.split(".")[0]
        if kind != "source" and fingerprint is None:
            held = content_of(lambda query: self.con.execute(query).fetchall(), f'"main"."{name}"')
            fingerprint = held.text() if held else None
        self.con.execute(
            "INSERT INTO cdme.store_generations VALUES (?, ?, ?, ?, ?, 'main', ?, ?, ?, ?, now())",
            [
                generation,
                unique_id,
                run_id,
                kind,
                self.database,
                name,
                count,
                fingerprint,
                keys or [],
            ],
        )
        if kind != "source":
            self.con.execute("DELETE FROM cdme.store_current WHERE relation = ?", [unique_id])
            self.con.execute(
                "INSERT INTO cdme.store_current VALUES (?, ?, ?)", [unique_id, generation, run_id]
            )
        if keys:
            pairs = ", ".join(f"'{key}', {key}" for key in keys)
            self.con.execute(
                f"INSERT INTO cdme.store_keys SELECT {generation}, rowid,"
                f' json_object({pairs}) FROM "{name}"'
            )
        self.generation_of[unique_id] = generation
        self.node(unique_id, parents, **extra)
        return generation

    def edge(
        self,
        model: str,
        source: str,
        *chains: Pairs | list[Pairs],
        role: str = "direct",
        exactness: str = "exact",
        mode: str = "full",
        declared: str | None = None,
        output: int | None = None,
        into: int | None = None,
        run_id: str = "run1",
    ) -> int:
        """An edge; each chain is a list of pairs, or a list of such maps."""
        edge = self.number()
        self.con.execute(
            "INSERT INTO cdme.store_edges VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, '')",
            [
                edge,
                run_id,
                model,
                source,
                role,
                exactness,
                mode,
                declared,
                output or self.generation_of[model],
                into or self.generation_of[source],
                run_id,
            ],
        )
        for path, chain in enumerate(chains):
            maps = [chain] if not chain or isinstance(chain[0], tuple) else chain
            for step, pairs in enumerate(maps, 1):
                map_id = self.number()
                self.con.execute(
                    "INSERT INTO cdme.store_steps VALUES (?, ?, ?, ?, ?)",
                    [edge, path, step, len(maps), map_id],
                )
                for o, i in pairs:  # type: ignore[misc]
                    self.con.execute("INSERT INTO cdme.store_pairs VALUES (?, ?, ?)", [map_id, o, i])
        return edge

    def reason(
        self,
        edge: int,
        number: int,
        kind: str,
        sql: str,
        records: dict[int, int],
        file: str = "models/m.sql",
        line: int = 3,
    ) -> str:
        """A clause that removed records: ordinal → number of the verdict."""
        reason_id = f"r{edge}_{number}"
        self.con.execute(
            "INSERT INTO cdme.store_reasons SELECT ?, ?, ?, model, input, ?, ?, ?, ?"
            " FROM cdme.store_edges WHERE edge = ?",
            [edge, number, reason_id, kind, sql, file, line, edge],
        )
        for ordinal, verdict in records.items():
            self.con.execute(
                "INSERT INTO cdme.store_filtered VALUES (?, ?, ?, ?)",
                [edge, ordinal, number, verdict],
            )
        return reason_id

    def error(self, model: str, source: str, ordinal: int, run_id: str = "run1") -> None:
        """A record in the error domain, made of one record of an input."""
        edge, generation = self.con.execute(
            "SELECT edge, output_generation FROM cdme.store_edges WHERE model = ? AND input = ?",
            [model, source],
        ).fetchone()
        number = self.con.execute("SELECT count(*) FROM cdme.store_rejects").fetchone()[0]
        self.con.execute(
            "INSERT INTO cdme.store_rejects VALUES (?, ?, ?, ?, 'refinement', ['refinement'], '{}', '{}',"
            " ?, ?, now(), now(), NULL, NULL)",
            [run_id, model, generation, number, f"hash{number}", run_id],
        )
        self.con.execute(
            "INSERT INTO cdme.store_reject_edges VALUES (?, ?, ?, ?, ?, ?, '', ?, ?, 1, 1, ?)",
            [generation, edge, model, source, self.generation_of[source], source,
             f"{source} > {model}", number, 1000 + number],
        )  # fmt: skip
        self.con.execute(
            "INSERT INTO cdme.store_reject_pairs VALUES (?, ?, ?)", [1000 + number, number, ordinal]
        )

    def ledger(
        self,
        model: str,
        source: str,
        counts: tuple[int, int, int, int, int],
        output: int,
        status: str = "BALANCED",
        role: str = "direct",
        run_id: str = "run1",
        exactness: str = "exact",
        reasons: list[dict[str, Any]] | None = None,
    ) -> None:
        """A ledger row: counts are input, contributed, filtered, error, unaccounted."""
        self.con.execute(
            "INSERT INTO cdme.store_ledger VALUES (?, ?, ?, ?, ?, 'full', 'N:1', ?, ?, ?, ?, ?, 0,"
            " ?, ?, 0, ?, '', now(), NULL)",
            [
                run_id,
                model,
                source,
                role,
                exactness,
                *counts,
                output,
                status,
                json.dumps(reasons or []),
            ],
        )

    def questions(self, **options: Any) -> Questions:
        """The questions over what has been played so far."""
        return Questions(self.con, Manifest.from_dict(self.manifest), **options)

    def fingerprint_now(self, _: Any, generation: Generation) -> str | None:
        """What is in a source now: what the last run saw, unless the test says otherwise."""
        seen = self.con.execute(
            "SELECT fingerprint FROM cdme.store_generations WHERE relation = ?"
            " ORDER BY generation DESC LIMIT 1",
            [generation.relation],
        ).fetchall()
        return self.changed.get(generation.relation, seen[0][0])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An empty world."""
    made = World()
    monkeypatch.setattr(freshness, "fingerprint", made.fingerprint_now)
    yield made
    made.con.close()
