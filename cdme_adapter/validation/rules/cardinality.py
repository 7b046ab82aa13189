"""CARDINALITY_MISMATCH: the declared cardinality of an edge against what keys prove.

Read input : output; ``1`` on the right says that an input record is in one output record at most
(REQ-F-LDM-002).
"""

from __future__ import annotations

from collections.abc import Iterator

from cdme_adapter.validation.view import CannotTell, ModelView, Said


def check(view: ModelView) -> Iterator[Said]:
    """Each declared edge."""
    if not view.node.config.cardinality:
        return
    if view.analysis is None or view.analysis.root.opaque:
        yield CannotTell("the cardinality of its edges cannot be read from the SQL")
        return
    for given, declared in view.node.config.cardinality.items():
        edges = list(view.edges(given))
        if not edges and view.beneath(given):
            yield CannotTell(f"{given} is read through a view whose edges are not known")
        for name, shape in edges:
            wrong = (declared[0] == "1" and shape.many_in is True) or (
                declared[2] == "1" and shape.many_out is True
            )
            unsure = (declared[0] == "1" and shape.many_in is None) or (
                declared[2] == "1" and shape.many_out is None
            )
            seen = f"{'N' if shape.many_in else '1'}:{_right(shape.many_in, shape.many_out)}"
            if wrong:
                yield view.found(
                    "CARDINALITY_MISMATCH",
                    "error",
                    f"{given} is declared {declared}, but by its keys the edge is {seen}",
                    f"declare {seen}, or join and group on whole keys of {given}",
                    view.analysis.places.get(name),
                )
            elif unsure:
                yield CannotTell(f"no key decides whether {given} is {declared}")


def _right(many_in: bool | None, many_out: bool | None) -> str:
    if not many_out:
        return "1"
    return "M" if many_in else "N"
