"""EPOCH_UNDECLARED: a join across epochs that does not say which one it wants.

REQ-F-TRV-003: ``temporal`` declares as_of, latest or exact. A snapshot holds many epochs at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdme_adapter.validation.project import Node
from cdme_adapter.validation.view import ModelView, Said

_VALIDITY = ("dbt_valid_to", "dbt_valid_from", "dbt_is_deleted")


def check(view: ModelView) -> Iterator[Said]:
    """Snapshots read beside others without their validity, and sources of different epochs."""
    if view.analysis is None:
        return
    inputs = list(view.inputs())
    if len(inputs) < 2:
        return
    declared = {n for given in view.node.config.temporal for n in view.names(given)}
    for name, _, node in inputs:
        if node is None or name in declared or node.resource_type != "snapshot":
            continue
        used = {c.name.lower() for c in view.analysis.tree.find_all(exp.Column) if _filtering(c)}
        if not used & set(_VALIDITY):
            yield _finding(view, name, f"{node.name} is a snapshot and holds a record's every epoch")
    clocks = [(n, node) for n, _, node in inputs if node is not None and node.loaded_at_field]
    if len({_clock(node) for _, node in clocks}) > 1:
        for name, node in clocks:
            if name not in declared:
                yield _finding(view, name, f"{node.name} is loaded on a clock of its own", "info")
                return


def _filtering(column: exp.Column) -> bool:
    return column.find_ancestor(exp.Where, exp.Join, exp.Qualify) is not None


def _clock(node: Node) -> str:
    return f"{node.id.rsplit('.', 1)[0]}:{node.loaded_at_field}"


def _finding(view: ModelView, name: str, why: str, severity: str = "warn") -> Said:
    assert view.analysis is not None
    return view.found(
        "EPOCH_UNDECLARED",
        severity,
        f"{why}, and the model does not say which epoch it joins",
        f"declare meta.cdme.temporal.{view.title(name)}.mode as as_of, latest or exact",
        view.analysis.places.get(name),
    )
