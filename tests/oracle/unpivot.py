"""UNPIVOT: a tuple for every named column of a tuple, those without a value left out."""

from __future__ import annotations

from sqlglot import exp

from tests.oracle.context import Context
from tests.oracle.model import Column, OracleError, Relation, Row


def unpivoted(context: Context, relation: Relation, node: exp.Pivot) -> Relation:
    """``FROM … UNPIVOT (value FOR name IN (columns))``, or the statement."""
    into, fields = node.args.get("into"), node.args.get("fields") or []
    if into is not None:
        entries, named, value = node.expressions, into.this.name, into.expressions[0].name
    else:
        entries, named, value = fields[0].expressions, fields[0].this.name, node.expressions[0].name
    names = [
        (part.this.name, part.alias) if part.args.get("alias") else (part.name, part.name)
        for part in entries
    ]
    places = [_place(relation, name) for name, _ in names]
    kept = [slot for slot in range(len(relation.columns)) if slot not in places]
    columns = [Column(relation.columns[slot].name, None, relation.columns[slot].type) for slot in kept]
    columns += [Column(named, None, "VARCHAR"), Column(value, None, relation.columns[places[0]].type)]
    clause = context.clause(("unpivot", id(node)), "unnest", node.sql("duckdb"))
    rows = []
    for row in relation.rows:
        rest = tuple(row.values[slot] for slot in kept)
        made = [
            Row((*rest, shown, row.values[slot]), row.prov)
            for slot, (_, shown) in zip(places, names, strict=True)
            if row.values[slot] is not None or node.args.get("include_nulls")
        ]
        rows += made
        if not made:
            context.fail(clause, row.prov, ["candidate:none"])
    return Relation(columns, rows, relation.edges)


def _place(relation: Relation, name: str) -> int:
    for slot, column in enumerate(relation.columns):
        if column.name.lower() == name.lower():
            return slot
    raise OracleError(f"UNPIVOT of an unknown column {name}")
