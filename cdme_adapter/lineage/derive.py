"""Reverse joins on demand: models in mode ``key_derivable`` store a recipe, not their reverse joins.

When a question needs them, every input is compared with the mark that the run took of it; then the
capture's own plan of the recorded SQL runs over them once more, in a database in memory, and each row
that comes out is matched with a row of the stored table by its values. Where an input has changed, the
answer says ``stale``; where rows do not match, ``opaque``, with why. Nothing is ever answered from inputs
other than those that the run read (docs/decisions/0037-lineage-modes.md).
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from cdme_adapter.capture.plan import RelationInfo
from cdme_adapter.config import CdmeConfig
from cdme_adapter.engines.base import Execute, Row
from cdme_adapter.engines.rows import full_name
from cdme_adapter.errors import CdmeError, QuestionError
from cdme_adapter.generations import Generations, InputGeneration
from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.matching import match_rows
from cdme_adapter.lineage.originals import original_sql
from cdme_adapter.lineage.recompute import nodes_of_manifest
from cdme_adapter.nodes import NodeInfo, Nodes
from cdme_adapter.pipeline import Journey, Target
from cdme_adapter.provenance import Exactness, LineageMode
from cdme_adapter.recipes import Recipe, mark
from cdme_adapter.store.reader import DERIVED, Edge, Generation, Store, quote
from cdme_adapter.store.recipes import read_recipe
from cdme_adapter.store.writer import StoreWriter

_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Derivation:
    """What stands for the edges of one generation; ``place`` is the database that holds their maps.

    ``changed`` are the generations of inputs that were found to be other than when they were read.
    ``now`` says that the table was changed and its rows of now were matched: the maps speak of those.
    """

    edges: tuple[Edge, ...]
    place: str = ""
    changed: frozenset[int] = frozenset()
    now: bool = False


Derivations = dict[tuple[int, bool], Derivation]


@contextlib.contextmanager
def derived(
    ctx: Context, models: Iterable[str], known: Derivations, asked: str | None = None
) -> Iterator[Context]:
    """The context in which the edges of these models can be asked.

    ``asked`` is the model whose rows of now are asked about; of the others the rows count that the run
    left, for what was built on them says their places of then. ``known`` keeps what was derived as long
    as the connection cannot see a change; else it is let go.
    """
    made: list[Derivation] = []
    try:
        for model in models:
            generation = ctx.store.current_generation(model)
            if generation is None:
                continue
            key = (generation.id, model == asked)
            found = known.get(key) if ctx.store.frozen else None
            before = found or (known.get((key[0], not key[1])) if ctx.store.frozen else None)
            if before is None and not _derivable(ctx.store, generation.id):
                continue  # of what was derived before, the edges of then have taken the place
            if found is None and before is not None and not before.changed and not before.now:
                found = before  # the table is as its run left it: the same for both
            if found is None:
                found = _derive(ctx, generation, model == asked)
                made.append(found)
            if ctx.store.frozen:
                known[key] = found
            if found.now:
                ctx.freshness.note_matched(generation.id)
            ctx.store.replace_edges(found.edges)
            for number in found.changed:
                then = ctx.store.generations.get(number)
                if then is not None:
                    same = ctx.graph.node(then.relation, number).generation
                    ctx.freshness.note_changed([number, same])
        yield ctx
    finally:
        if not ctx.store.frozen:
            for one in made:
                if one.place:
                    ctx.store.con.execute(f"DETACH {one.place}")


def is_derivable(ctx: Context, model: str) -> bool:
    """Whether a model keeps a recipe in place of its reverse joins."""
    generation = ctx.store.current_generation(model)
    return generation is not None and _derivable(ctx.store, generation.id)


def _derivable(store: Store, generation: int) -> bool:
    return any(
        e.mode is LineageMode.KEY_DERIVABLE and e.exactness is not Exactness.OPAQUE
        for e in store.outputs_of(generation)
    )


def upstream(ctx: Context, model: str) -> list[str]:
    """A model with everything that it was made from."""
    found: dict[str, None] = {}
    todo = [model]
    for name in todo:
        if name not in found:
            found[name] = None
            generation = ctx.store.current_generation(name)
            edges = ctx.store.outputs_of(generation.id) if generation else []
            todo += sorted({edge.input for edge in edges})
    return list(found)


def downstream(ctx: Context, relation: str) -> list[str]:
    """Every model that is made from a relation now."""
    found: dict[str, None] = {}
    todo = [relation]
    for name in todo:
        for edge in ctx.store.live_edges_from(name):
            if edge.model not in found:
                found[edge.model] = None
                todo.append(edge.model)
    return list(found)


# -- one model -------------------------------------------------------------------------------------


def _derive(ctx: Context, generation: Generation, asked: bool) -> Derivation:
    edges = ctx.store.outputs_of(generation.id)
    text = read_recipe(ctx.store.rows, generation.store, generation.id)
    if text is None:
        return Derivation(_opaque(edges, "its recipe is not in the store"))
    recipe = Recipe.parse(text)
    changed, why = _changed(ctx, edges, recipe)
    if why:
        return Derivation(_opaque(edges, why), changed=changed)
    other = ctx.freshness.of(generation) is True
    if other and not asked:
        why = "its table has changed since its run, and so may have its places"
        return Derivation(_opaque(edges, why), changed=frozenset({generation.id}))
    place = f"{DERIVED}{next(_NUMBERS)}"
    con: Any = ctx.store.con if ctx.store.frozen else ctx.store.con.cursor()  # type: ignore[attr-defined]
    con.execute(f"ATTACH ':memory:' AS {place}")
    try:
        _replay(ctx, con, generation, edges, recipe, place)
        made = Store(ctx.store.con, schemas=(f"{quote(place)}.cdme",)).load()
        new = {edge.id: edge for edge in made.outputs_of(generation.id)}
    except QuestionError as error:
        con.execute(f"DETACH {place}")
        return Derivation(_opaque(edges, error.message))
    except BaseException:
        con.execute(f"DETACH {place}")
        raise
    finally:
        if con is not ctx.store.con:
            con.close()  # else the database stays open until the cursor is collected
    kept = [
        replace(new[e.id], declared=e.declared) if e.id in new else _opaque([e], "its plan has changed")[0]
        for e in edges
    ]
    return Derivation(tuple(kept), place, now=other)


def _opaque(edges: Iterable[Edge], why: str) -> tuple[Edge, ...]:
    return tuple(replace(e, exactness=Exactness.OPAQUE, chains=(), why=why) for e in edges)


def _changed(ctx: Context, edges: list[Edge], recipe: Recipe) -> tuple[frozenset[int], str]:
    """The inputs that are not what was read, and what is to be said of them.

    The columns that the recipe reads decide: another value in one that it does not read changes nothing.
    """
    changed, names = set(), []
    for number in sorted({e.input_generation or 0 for e in edges}):
        then = ctx.store.generations.get(number)
        if then is None or not _same(ctx, then, recipe):
            changed.add(number)
            names.append(then.relation if then else "an input")
    if not names:
        return frozenset(), ""
    return frozenset(changed), f"{', '.join(names)} has changed since it was read"


def _same(ctx: Context, then: Generation, recipe: Recipe) -> bool:
    columns, expected = recipe.columns.get(then.relation), recipe.marks.get(then.relation)
    if columns is None or expected is None:
        return False
    try:
        now = mark(ctx.store.rows, full_name(then.database, then.schema, then.name), columns)
    except Exception:  # the relation is gone, or a column of it
        return False
    return now == expected


@dataclass
class _Read(Generations):
    """The generations that the run read keep their numbers."""

    read: dict[str, Generation] = field(default_factory=dict)

    def of_input(
        self, execute: Execute, store: StoreWriter, info: RelationInfo, written: bool = False,
        count: int | None = None,
    ) -> InputGeneration:  # fmt: skip
        """The generation that the run read: its content was just compared."""
        known = self.read[info.id]
        return InputGeneration(known.id, known.run_id, known.row_count)


def _replay(
    ctx: Context, con: Any, generation: Generation, edges: list[Edge], recipe: Recipe, place: str
) -> None:
    """Make the model's rows and their account in ``place``, numbered as the rows that are stored."""

    def execute(sql: str) -> list[Row]:
        return list(con.execute(sql).fetchall())

    read = {e.input: ctx.store.generations[e.input_generation or 0] for e in edges}
    node = NodeInfo(
        generation.relation, generation.name, "model", "table", generation.database, generation.schema,
        generation.name, file=None,
    )  # fmt: skip
    nodes = _named(nodes_of_manifest(ctx.manifest, _in_its_file(ctx, node, generation)), read)
    there = replace(nodes.by_id[node.id], database=place)
    generations = _Read(generation.run_id, nodes, execute, read=read)
    journey = Journey(
        generation.run_id, there, CdmeConfig(), nodes, generations, recipe.sql, dict(recipe.texts)
    )
    target = Target(place, generation.schema, generation.name)
    used = execute("SELECT current_database(), current_schema()")[0]
    store = StoreWriter(execute, place)
    store.prepare()
    try:
        execute(f"USE {quote(generation.database)}.{quote(generation.schema)}")
        execute("BEGIN")
        execute(f"CREATE SCHEMA IF NOT EXISTS {quote(place)}.{quote(generation.schema)}")
        journey.make_plan(execute)
        if journey.plan is None:
            raise QuestionError(f"its SQL is not understood any more: {journey.why_not}")
        journey.stages(execute)
        execute(f"CREATE TABLE {target.quoted} AS {journey.root_select()}")
        journey.split(execute, target)
        journey.settle(execute, store, target)
        stored = full_name(generation.database, generation.schema, generation.name)
        ranks = match_rows(execute, stored, target.quoted)
        if ranks:
            for edge in edges:
                store.renumber_outputs(edge.id, ranks)
            execute(f"DROP TABLE {ranks}")
        execute(f"DROP TABLE {target.quoted}")
        execute("COMMIT")
    except CdmeError:
        _roll_back(execute)
        raise
    except Exception as error:
        _roll_back(execute)
        first = str(error).splitlines()[0]
        raise QuestionError(f"its recipe does not run any more: {first}") from error
    finally:
        execute(f"USE {quote(used[0])}.{quote(used[1])}")


def _in_its_file(ctx: Context, node: NodeInfo, generation: Generation) -> NodeInfo:
    """The node with its file, so that clauses have places, if its text is still what the run executed."""
    known = ctx.manifest.nodes.get(node.id)
    if known is None or original_sql(ctx, node.id, generation.run_id)[0] is None:
        return node
    raw = known.raw
    file, code = raw.get("original_file_path"), raw.get("raw_code")
    return replace(node, file=str(file) if file else None, raw_code=str(code or ""))


def _roll_back(execute: Execute) -> None:
    with contextlib.suppress(Exception):
        execute("ROLLBACK")


def _named(nodes: Nodes, read: dict[str, Generation]) -> Nodes:
    """The nodes, and a node for each input that the manifest does not name."""
    missing = [
        NodeInfo(name, g.name, "source", "source", g.database, g.schema, g.name, file=None)
        for name, g in read.items()
        if name not in nodes.by_id
    ]
    return Nodes.of([*nodes.by_id.values(), *missing]) if missing else nodes
