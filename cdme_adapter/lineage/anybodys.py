"""Error records that may be a subject's: nothing that is kept tells whose sources they had.

A record that an earlier run rejected may have been made of a generation that is gone; without a key
nothing leads from its sources to those that are there now. Such a record is the subject's where its own
values say so: those of the columns that the predicate asks for, under the same names. Where it does not
have them it may be anybody's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.rejected import member
from cdme_adapter.lineage.values import Column
from cdme_adapter.provenance import Exactness, Role
from cdme_adapter.pseudonyms import Pseudonyms
from cdme_adapter.store.reader import literal, quote


def asked_columns(where: str, columns: Iterable[Column]) -> frozenset[str] | None:
    """The columns that a predicate asks for; None where it cannot be told."""
    try:
        tree = parse_one(where, read="duckdb")
    except SqlglotError:
        return None
    names = {c.name.lower(): c.name for c in columns}
    found = {c.name.lower() for c in tree.find_all(exp.Column)}
    if not found <= set(names) or tree.find(exp.Query):
        return None
    return frozenset(names[name] for name in found)


def values_of(columns: Iterable[Column], json: str, hidden: Collection[str] = ()) -> str:
    """A SELECT list of the columns' values in a JSON object; of ``hidden`` ones, what stands for them."""
    return ", ".join(
        f"TRY_CAST({json}->>{literal(member(c.name))} AS"
        f" {'VARCHAR' if c.name.lower() in hidden else c.type}) AS {quote(c.name)}"
        for c in columns
    )


def over_hashes(
    where: str, columns: Iterable[Column], hidden: Collection[str], names: Pseudonyms
) -> str | None:
    """A predicate over what stands for personal values: equal values have equal hashes. None where it asks
    for more of a hidden column than whether it equals a value, or is NULL."""
    kinds = {c.name.lower(): c.type for c in columns}
    try:
        tree = parse_one(where, read="duckdb")
    except SqlglotError:
        return None
    for column in list(tree.find_all(exp.Column)):
        if column.name.lower() not in hidden:
            continue
        asks = column.parent
        if isinstance(asks, exp.Is) and isinstance(asks.expression, exp.Null):
            continue
        values = [asks.expression] if isinstance(asks, exp.EQ) and asks.this is column else []
        values = asks.expressions if isinstance(asks, exp.In) and asks.this is column else values
        if not names.keyed or not values or not all(isinstance(v, exp.Literal) for v in values):
            return None
        for value in values:
            typed = f"CAST({value.sql('duckdb')} AS {kinds[column.name.lower()]})"
            value.replace(parse_one(names.of_value(typed), read="duckdb"))
    return tree.sql("duckdb")


def downstream(ctx: Context, relation: str) -> frozenset[str]:
    """A relation and what is made of it, as the manifest has it."""
    below, found = [relation], {relation}
    while below:
        one = below.pop()
        new = {n.id for n in ctx.manifest.nodes.values() if one in n.parents} - found
        found |= new
        below += new
    return frozenset(found)


class Told:
    """Of which generations it is known which records are the subject's; ``told`` are the relation's."""

    def __init__(self, ctx: Context, relation: str, told: Iterable[int]) -> None:
        self.ctx, self.relation, self.told = ctx, relation, frozenset(told)
        self.below = downstream(ctx, relation)
        self._known: dict[int, bool] = {}

    def knows(self, source: str, generation: int | None) -> bool:
        """Whether it is known of the records of a generation whose they are."""
        if source not in self.below:
            return True
        if generation is None:
            return False
        if generation not in self._known:
            self._known[generation] = False  # a table that reads itself
            self._known[generation] = self._look(source, generation)
        return self._known[generation]

    def _look(self, source: str, generation: int) -> bool:
        if source == self.relation:
            return generation in self.told
        edges = [e for e in self.ctx.store.outputs_of(generation) if e.role is Role.DIRECT]
        opaque = any(e.exactness is Exactness.OPAQUE for e in edges)  # it is named as not followed
        return opaque or (bool(edges) and all(self.knows(e.input, e.input_generation) for e in edges))

    def unsure(self, schema: str) -> dict[str, list[int]]:
        """By model the generations whose error records were made of what is not known."""
        rows = self.ctx.store.con.execute(
            f"SELECT DISTINCT generation, model, input, input_generation FROM {schema}.store_reject_edges"
        ).fetchall()
        found: dict[str, list[int]] = {}
        for made, model, source, seen in rows:
            if not self.knows(source, seen):
                found.setdefault(model, []).append(made)
        return found
