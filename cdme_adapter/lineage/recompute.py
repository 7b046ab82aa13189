"""Views on demand: a view stores nothing, so a question about one evaluates it now, with its lineage.

The view's rows and their account are made in a database in memory, by the journey that models take,
and are gone when the question is answered. Nothing is written to the user's database.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from cdme_adapter.capture.plan import RelationInfo
from cdme_adapter.config import CdmeConfig
from cdme_adapter.engines.base import Execute, Row
from cdme_adapter.errors import CdmeError, QuestionError
from cdme_adapter.generations import Generations, InputGeneration
from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.freshness import RECOMPUTED
from cdme_adapter.lineage.originals import original_sql
from cdme_adapter.nodes import NodeInfo, Nodes
from cdme_adapter.pipeline import Journey, Target
from cdme_adapter.project import Manifest, Node
from cdme_adapter.store.reader import Store, literal, quote
from cdme_adapter.store.writer import StoreWriter

RUN = RECOMPUTED
"""Stands for the run of a view's rows: no run wrote them."""

_NUMBERS = itertools.count()


@contextlib.contextmanager
def evaluated(ctx: Context, text: str) -> Iterator[Context]:
    """The context in which a view can be asked: with its rows made now.

    Raises QuestionError where the view is not in the database or cannot be evaluated.
    """
    model = ctx.resolve(text, "model")
    view = _view(ctx, model)
    place = f"__cdme_now{next(_NUMBERS)}"
    con: Any = ctx.store.con if ctx.store.frozen else ctx.store.con.cursor()  # type: ignore[attr-defined]
    con.execute(f"ATTACH ':memory:' AS {place}")
    try:
        _evaluate(ctx, con, view, place)
        store = Store(ctx.store.con, ctx.store.frozen).load()
        made = next(g for g in store.generations.values() if g.database == place)
        store.current[model] = made.id
        found = Context.over(store, ctx.manifest, ctx.masking.show_pii)
        found.recomputed = frozenset({model})
        yield found
    finally:
        con.execute(f"DETACH {place}")
        if con is not ctx.store.con:
            con.close()  # else the database stays open until the cursor is collected


def _view(ctx: Context, model: str) -> NodeInfo:
    """The view or ephemeral model as a node, without a manifest too."""
    node = ctx.manifest.nodes.get(model)
    if node is not None:
        return _info(node)
    generation = ctx.store.generations[ctx.store.current[model]]
    where = (generation.database, generation.schema, generation.name)
    return NodeInfo(model, generation.name, "model", "view", *where, file=None)


def _info(node: Node) -> NodeInfo:
    key = node.cdme.get("key")
    raw = node.raw
    return NodeInfo(
        node.id, node.name, node.type, node.materialized or node.type, node.database, node.schema,
        node.identifier, str(raw.get("original_file_path") or "") or None, tuple(node.parents),
        node.cdme, (key,) if isinstance(key, str) else tuple(key or ()),
        str(raw.get("raw_code") or ""), source_name=node.source_name,
    )  # fmt: skip


def nodes_of_manifest(manifest: Manifest, view: NodeInfo) -> Nodes:
    """The nodes of a project, with one in the place of its namesake."""
    return Nodes.of([*(_info(node) for node in manifest.nodes.values() if node.id != view.id), view])


@dataclass
class _Seen(Generations):
    """Generations that the store knows already keep their numbers, so that the walk goes on."""

    ctx: Context | None = None

    def of_input(
        self, execute: Execute, store: StoreWriter, info: RelationInfo, written: bool = False,
        count: int | None = None,
    ) -> InputGeneration:  # fmt: skip
        """What the store knows of the relation's present content, else a generation of this moment."""
        known = self.ctx.store.latest_generation(info.id) if self.ctx else None
        if known is not None and self.ctx is not None and self.ctx.freshness.of(known) is not True:
            return InputGeneration(known.id, known.run_id, known.row_count)
        return super().of_input(execute, store, info, written, count)


def _evaluate(ctx: Context, con: Any, view: NodeInfo, place: str) -> None:
    """Make the view's rows and their account in the database ``place``."""

    def execute(sql: str) -> list[Row]:
        return list(con.execute(sql).fetchall())

    nodes = nodes_of_manifest(ctx.manifest, view)
    texts = _texts(ctx, nodes)
    generations = _Seen(RUN, nodes, execute, ctx=ctx)
    target = Target(place, view.schema, view.identifier)
    there = replace(view, database=place)
    query = _query(ctx, view, texts)
    journey = Journey(RUN, there, CdmeConfig(key=view.unique_key), nodes, generations, query, texts)
    used = execute("SELECT current_database(), current_schema()")[0]
    store = StoreWriter(execute, place)
    store.prepare()
    try:
        with contextlib.suppress(Exception):  # its schema may be gone; its SQL is qualified as a rule
            execute(f"USE {quote(view.database)}.{quote(view.schema)}")
        execute("BEGIN")
        execute(f"CREATE SCHEMA IF NOT EXISTS {quote(place)}.{quote(view.schema)}")
        journey.make_plan(execute)
        if journey.plan is None:
            execute(f"CREATE TABLE {target.quoted} AS {query}")
            journey.write_coarse(execute, store, target)
        else:
            journey.stages(execute)
            execute(f"CREATE TABLE {target.quoted} AS {journey.root_select()}")
            journey.split(execute, target)
            journey.settle(execute, store, target)
        execute("COMMIT")
    except CdmeError:
        _roll_back(execute)
        raise
    except Exception as error:
        _roll_back(execute)
        raise QuestionError(
            f"{view.id} stores no records, and cannot be evaluated now: {ctx.masking.message(error)}",
            code="NOT_EVALUATED",
            remedy="run `dbt build`, or ask for a model that reads it",
        ) from error
    finally:
        execute(f"USE {quote(used[0])}.{quote(used[1])}")


def _roll_back(execute: Execute) -> None:
    with contextlib.suppress(Exception):
        execute("ROLLBACK")


def _texts(ctx: Context, nodes: Nodes) -> dict[str, str]:
    """The views' SELECTs as the user wrote them, where that is what the last run executed."""
    table = ctx.store.table("store_nodes")
    rows = ctx.store.rows(
        "SELECT node, arg_max(n.run_id, r.started_at) FROM"
        f" {table} AS n JOIN {ctx.store.table('store_runs')} AS r ON r.run_id = n.run_id GROUP BY 1"
    )
    found = {}
    for name, run_id in rows:
        node = nodes.by_id.get(name)
        if node is not None and not node.stores:
            text, _ = original_sql(ctx, name, run_id)
            if text is not None:
                found[name] = text
    return found


def _query(ctx: Context, view: NodeInfo, texts: dict[str, str]) -> str:
    """What is evaluated: the view that is in the database, or an ephemeral model's own text."""
    if view.materialized == "ephemeral":
        node = ctx.manifest.nodes[view.id]
        if not node.compiled:
            raise QuestionError(
                f"{view.id} is an ephemeral model, and its compiled SQL is not at hand",
                code="NOT_STORED",
                remedy="run `dbt compile`, then ask again",
            )
        return node.compiled[0].strip().rstrip(";")
    there = ctx.store.rows(
        "SELECT count(*) FROM duckdb_views() WHERE"
        f" lower(database_name) = {literal(view.database.lower())}"
        f" AND lower(schema_name) = {literal(view.schema.lower())}"
        f" AND lower(view_name) = {literal(view.identifier.lower())}"
    )
    if not there[0][0]:
        raise QuestionError(
            f"{view.id} is not in the database as {view.database}.{view.schema}.{view.identifier}",
            code="RELATION_GONE",
            remedy="run `dbt build`, then ask again",
        )
    return f"SELECT * FROM {'.'.join(map(quote, (view.database, view.schema, view.identifier)))}"
