"""The rules, in the order in which they are reported: one rule a file, each ``check(view)``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cdme_adapter.validation.rules import (
    access,
    budget,
    cardinality,
    config_names,
    contract,
    cross_join,
    determinism,
    distinct,
    epochs,
    fanout,
    grain,
    hardcoded,
    hidden_meta,
    left_join,
    lossy,
    monoid,
    names,
    nulls,
    order,
    reconstruct,
    skew,
    target_type,
    total_order,
    types,
    unions,
)
from cdme_adapter.validation.view import ModelView, Said

Rule = Callable[[ModelView], Iterator[Said]]

RULES: tuple[tuple[str, Rule], ...] = (
    ("names", names.check),
    ("access", access.check),
    ("config_names", config_names.check),
    ("types", types.check),
    ("contract", contract.check),
    ("fanout", fanout.check),
    ("grain", grain.check),
    ("cardinality", cardinality.check),
    ("monoid", monoid.check),
    ("empty_sum", monoid.check_empty),
    ("float_sum", monoid.check_floats),
    ("order", order.check),
    ("total_order", total_order.check),
    ("determinism", determinism.check),
    ("nulls", nulls.check),
    ("left_join", left_join.check),
    ("cross_join", cross_join.check),
    ("distinct", distinct.check),
    ("unions", unions.check),
    ("epochs", epochs.check),
    ("hardcoded", hardcoded.check),
    ("hidden_meta", hidden_meta.check),
    ("target_type", target_type.check),
    ("reconstruct", reconstruct.check),
    ("lossy", lossy.check),
    ("skew", skew.check),
    ("budget", budget.check),
)
