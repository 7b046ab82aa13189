"""Whether a model's rows, its reverse joins and its ledger rows are of one run.

Reads the contract's views, the models' own tables and what the harness knows itself (the rows of each
round); of CDME's code it uses the count of orphans alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb

from cdme_adapter.store.retention import orphans
from tests.crash.world import MODELS, expected

_SAID = """
SELECT l.run_id, l.output_count, if(l.status = 'BALANCED', l.exactness, 'not said')
FROM cdme.ledger AS l JOIN cdme.runs AS r USING (run_id)
WHERE role = 'direct' AND split_part(l.model, '.', -1) = ? AND (l.status <> 'UNKNOWN' OR EXISTS (
  SELECT 1 FROM cdme.store_nodes AS n
  WHERE n.run_id = l.run_id AND n.node = l.model AND n.state = 'committed'))
ORDER BY r.started_at DESC, l.role
"""


IN_PLACE = ("i", "s", "a", "d", "m", "b")
"""Tables that are changed in place: each row's edges are those of the run that wrote it."""


def faults(path: str, rounds: dict[str, int], models: tuple[str, ...] = MODELS) -> list[str]:
    """What does not agree in a database; ``rounds`` gives the round of each run."""
    if not Path(path).exists():
        return []
    with duckdb.connect(path) as con:
        if not _rows(con, "SELECT 1 FROM duckdb_views() WHERE schema_name = 'cdme'"):
            there = _rows(con, "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'")
            return [f"{name}: a table, and no cdme schema" for (name,) in there]
        found = [f"{model}: {fault}" for model in models for fault in _model(con, model, rounds)]
        lost = orphans(lambda sql: con.execute(sql).fetchall(), "shop.cdme")
        return found + [f"{table}: {count} orphans" for table, count in lost.items() if count]


def _rows(con: duckdb.DuckDBPyConnection, sql: str, *values: Any) -> list[Any]:
    return con.execute(sql, values).fetchall()


def _model(con: duckdb.DuckDBPyConnection, model: str, rounds: dict[str, int]) -> list[str]:
    there = _rows(con, "SELECT 1 FROM information_schema.tables WHERE table_schema = 'main'"
                       " AND table_name = ?", model)  # fmt: skip
    edges = {r[0] for r in _rows(con, "SELECT DISTINCT output_run_id FROM cdme.edges"
                                      " WHERE split_part(model, '.', -1) = ?", model)}  # fmt: skip
    said = _rows(con, _SAID, model)
    pairs = _rows(
        con,
        "SELECT output_run_id, output_key, input_key FROM cdme.reverse_join"
        " WHERE role = 'direct' AND split_part(model, '.', -1) = ?",
        model,
    )
    if not there:
        return ["an account of rows that are not there"] if edges or said or pairs else []
    if not edges and not said:
        return ["rows without an account"] if model != "v" else []
    newest = {row[0] for row in said[:1]}
    if edges != newest and not (model in IN_PLACE and newest <= edges):
        return [f"edges of {edges}, ledger of {said[:1]}"]
    run, counted, _ = said[0]
    wrong = []
    if model not in IN_PLACE and {p[0] for p in pairs} - {run}:
        wrong.append(f"reverse join of {sorted({p[0] for p in pairs})}, ledger of {run}")
    # A part that a run wrote after its capture was broken is opaque, and says so, until it is replaced.
    parts = _rows(con, "SELECT 1 FROM cdme.edges WHERE split_part(model, '.', -1) = ?"
                       " AND role = 'direct' AND exactness <> 'exact'", model)  # fmt: skip
    exact = not parts and any(r[0] == run and r[2] == "exact" for r in said)
    if exact and len({p[1] for p in pairs}) != counted:
        wrong.append(f"{len({p[1] for p in pairs})} rows in the reverse join, {counted} in the ledger")
    if exact and model in IN_PLACE and model != "s":
        wrote = {json.loads(p[1])["id"]: rounds.get(p[0]) for p in pairs}
        if wrote != dict(_rows(con, f"SELECT id, round FROM main.{model}")):
            wrong.append("a row's reverse join is not of the run that wrote the row")
    if exact and model in ("t", "p", "e", "c", *IN_PLACE) and model != "s":
        wrong += [f"{p[1]} has the witness {p[2]}" for p in pairs if p[1] != p[2]][:1]
    return wrong + ([] if model == "v" else _content(con, model, run, counted, rounds))


def _content(
    con: duckdb.DuckDBPyConnection, model: str, run: str, counted: int | None, rounds: dict[str, int]
) -> list[str]:
    """The rows in the table against the round of the run that the account speaks of."""
    rows = _rows(con, f"SELECT id, round FROM main.{model}")
    wrong = [] if counted in (None, len(rows)) else [f"{len(rows)} rows, the ledger says {counted}"]
    last = max(row[1] for row in rows)
    if last != rounds[run]:
        wrong.append(f"rows of round {last}, an account of round {rounds[run]}")
    ids = expected(model, last)
    if ids is not None and sorted(row[0] for row in rows) != sorted(ids):
        wrong.append(f"the rows are not those of round {last}")
    return wrong
