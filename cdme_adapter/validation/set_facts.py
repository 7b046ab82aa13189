"""UNION, INTERSECT and EXCEPT: the facts of their output from those of both sides."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from cdme_adapter.validation.relations import Column, Nulls, Relation, Shape, minimal


@dataclass
class SetFacts:
    """One set operation with the relations of its branches."""

    node: exp.SetOperation
    branches: list[Relation]
    output: Relation


def union_output(node: exp.SetOperation, branches: list[Relation]) -> Relation:
    """The output of UNION, INTERSECT or EXCEPT, with its expected rows: duplicates are not credited."""
    left, right = branches[0].rows, branches[1].rows
    rows = left
    if isinstance(node, exp.Union):
        rows = None if left is None or right is None else left + right
    if isinstance(node, exp.Intersect) and left is not None and right is not None:
        rows = min(left, right)
    return replace(_output(node, branches), rows=rows)


def _output(node: exp.SetOperation, branches: list[Relation]) -> Relation:
    """Its columns, keys and edges: names of the left, what both sides agree on."""
    left, right = branches
    edges = dict(left.edges)
    for base, shape in right.edges.items():
        if isinstance(node, exp.Except):
            continue
        old = edges.get(base)
        edges[base] = shape if old is None else Shape(bool(old.many_in or shape.many_in), True)
    if left.opaque or right.opaque or len(left.columns) != len(right.columns):
        return Relation("", left.columns, opaque=left.opaque, edges=edges)
    distinct = bool(node.args.get("distinct"))
    if not isinstance(node, exp.Union):
        keys = [*left.keys, *([_all(left)] if distinct else [])]
        return Relation("", left.columns, minimal(keys), left.keys_known or distinct, edges=edges)
    columns = tuple(_merge(a, b) for a, b in zip(left.columns, right.columns, strict=True))
    if distinct:
        return Relation("", columns, (_all(left),), True, edges=edges)
    joined, known = _union_all_keys(left, right)
    return Relation("", columns, joined, known, edges=edges)


def _all(relation: Relation) -> frozenset[str]:
    return frozenset(c.name.lower() for c in relation.columns)


def _merge(a: Column, b: Column) -> Column:
    states = {a.nulls, b.nulls}
    nulls = a.nulls if len(states) == 1 else (Nulls.SOME if Nulls.SOME in states else Nulls.UNKNOWN)
    same = a.measure is not None and b.measure is not None and a.measure.kind == b.measure.kind
    return Column(
        a.name,
        a.type if a.type == b.type else None,
        nulls,
        a.measure if same else None,
        a.repeat or b.repeat,
        personal=a.personal or b.personal,
    )


def _union_all_keys(left: Relation, right: Relation) -> tuple[tuple[frozenset[str], ...], bool]:
    """With a column of another literal in each branch, a key of both and that column is a key."""
    renamed = {b.name.lower(): a.name.lower() for a, b in zip(left.columns, right.columns, strict=True)}
    marks = [
        a.name.lower()
        for a, b in zip(left.columns, right.columns, strict=True)
        if a.literal is not None and b.literal is not None and a.literal != b.literal
    ]
    theirs = [frozenset(renamed[c] for c in key) for key in right.keys]
    keys = [(one | other) | {mark} for mark in marks for one in left.keys for other in theirs]
    return minimal(keys), bool(keys)
