"""UNKNOWN_COLUMN, KEY_COLUMN_MISSING, UNKNOWN_RELATION: what meta.cdme names and is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from cdme_adapter.validation.view import CannotTell, ModelView, Said

_OF_SNAPSHOTS = ("dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to", "dbt_is_deleted")
_COLUMNS = ("key", "grain", "cast", "pii", "control_totals")


def check(view: ModelView) -> Iterator[Said]:
    """Columns of the output and inputs that options speak of."""
    yield from _columns(view)
    yield from _inputs(view)


def _columns(view: ModelView) -> Iterator[Said]:
    config = view.node.config
    wanted = [(o, c) for o in _COLUMNS for c in getattr(config, o)]
    if not wanted:
        return
    if not isinstance(view.bound, list):
        yield CannotTell("its columns are not known, so those under meta.cdme are not checked")
        return
    names = {c.name.lower(): c.name for c in view.bound}
    if (
        view.node.resource_type == "snapshot"
    ):  # dbt adds them, under these names or others: the run itself looks for the key
        names |= {name: name for name in _OF_SNAPSHOTS}
        wanted = [(option, column) for option, column in wanted if option != "key"]
    inputs = {c.name.lower() for _, r, _ in view.inputs() for c in r.columns}
    for option, column in wanted:
        if column.lower() in names or (option == "control_totals" and column.lower() in inputs):
            continue
        near = difflib.get_close_matches(column.lower(), list(names), 1, 0.5)
        yield view.found(
            "KEY_COLUMN_MISSING" if option == "key" else "UNKNOWN_COLUMN",
            "error",
            f"meta.cdme.{option} names {column}, which the model does not have",
            f"did you mean {names[near[0]]}?" if near else f"it has {', '.join(names.values())}",
            1,
        )


def _inputs(view: ModelView) -> Iterator[Said]:
    config = view.node.config
    wanted = [("cardinality", name) for name in config.cardinality]
    wanted += [("temporal", name) for name in config.temporal]
    wanted += [("expected_loss", loss.input) for loss in config.expected_loss]
    wanted += [("refine_inputs", r.input) for r in config.refine_inputs if r.input]
    if not wanted:
        return
    if view.analysis is None:
        yield CannotTell("its inputs are not known, so those under meta.cdme are not checked")
        return
    names = [view.title(name) for name, _, _ in view.inputs()]
    for option, name in wanted:
        if view.names(name) or view.beneath(name):
            continue
        near = difflib.get_close_matches(name, names, 1, 0.5)
        yield view.found(
            "UNKNOWN_RELATION",
            "error",
            f"meta.cdme.{option} names {name}, which the model does not read",
            f"did you mean {near[0]}?" if near else f"it reads {', '.join(names) or 'nothing'}",
            1,
        )
