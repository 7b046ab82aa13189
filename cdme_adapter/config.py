"""What a user may say under ``config.meta.cdme`` and ``vars: cdme:``, as one frozen value.

Free of dbt: both arrive as plain mappings. Precedence (docs/commands.md): vars < folder < model, by
whole block. dbt has already merged folder and model, so a model's block, where there is one, stands
alone: the per-model options under ``vars: cdme:`` speak only for models without a block, and what a
block hides that way is said (META_HIDDEN). Options in ``VARS_ONLY`` always come from vars.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from cdme_adapter.config_options import PARSERS, OptionError, show
from cdme_adapter.config_values import (
    Budget,
    CircuitBreaker,
    Emit,
    ExpectedLoss,
    Limit,
    Refinement,
    Suppression,
    Temporal,
)
from cdme_adapter.errors import ConfigError, Finding, Place
from cdme_adapter.provenance import LineageMode

__all__ = [
    "NOT_IMPLEMENTED",
    "OPTIONS",
    "VARS_ONLY",
    "Budget",
    "CdmeConfig",
    "CircuitBreaker",
    "Emit",
    "ExpectedLoss",
    "Limit",
    "Refinement",
    "Suppression",
    "Temporal",
    "parse_config",
]

VARS_ONLY = frozenset({"as_roles", "account_views", "account_views_seconds", "emit", "keep_runs"})
"""Options of the project as a whole; on a model they are refused."""

NOT_IMPLEMENTED: frozenset[str] = frozenset()
"""Options, or single values of one as ``option: value``, that are understood but not built yet."""


@dataclass(frozen=True)
class CdmeConfig:
    """Every option of one node, with its default."""

    key: tuple[str, ...] = ()
    lineage_mode: LineageMode = LineageMode.FULL
    cardinality: Mapping[str, str] = field(default_factory=dict)
    require: str | None = None
    gate: str = "error"
    validate: str = "warn"
    expected_loss: tuple[ExpectedLoss, ...] = ()
    grain: tuple[str, ...] = ()
    refine: tuple[Refinement, ...] = ()
    refine_inputs: tuple[Refinement, ...] = ()
    cast: tuple[str, ...] = ()
    error_threshold: Limit | None = None
    circuit_breaker: CircuitBreaker | None = None
    budget: Budget | None = None
    temporal: Mapping[str, Temporal] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    pii: tuple[str, ...] = ()
    control_totals: tuple[str, ...] = ()
    max_change: float | None = None
    witnesses: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Per input: output column → input column."""
    suppress: tuple[Suppression, ...] = ()
    as_roles: tuple[str, ...] = ()
    account_views: bool = True
    account_views_seconds: float = 10.0
    keep_runs: int = 1000
    emit: Emit = field(default_factory=Emit)


OPTIONS = frozenset(f.name for f in fields(CdmeConfig))


def parse_config(
    block: Mapping[str, Any] | None,
    project_vars: Mapping[str, Any] | None,
    *,
    model: str,
    place: Place,
) -> tuple[CdmeConfig, list[Finding]]:
    """The configuration of ``model`` and what is to be said about it.

    Raises ConfigError, naming option and remedy, for what cannot be followed.

    >>> parse_config({"key": "id"}, None, model="model.p.m", place=Place("m.sql"))[0].key
    ('id',)
    """
    own = _mapping(block, "meta.cdme", model, place)
    project = _mapping(project_vars, "vars: cdme:", model, place)
    _refuse_unknown(own, OPTIONS - VARS_ONLY, "meta.cdme", model, place)
    _refuse_unknown(project, OPTIONS, "vars: cdme:", model, place)
    findings = _hidden(own, project, model, place)

    chosen = {name: value for name, value in project.items() if name in VARS_ONLY or not own}
    origin = dict.fromkeys(chosen, "vars: cdme:") | dict.fromkeys(own, "meta.cdme")
    values: dict[str, Any] = {}
    for name, raw in {**chosen, **own}.items():
        if raw is None:
            continue
        try:
            values[name] = PARSERS[name](raw)
        except OptionError as wrong:
            raise ConfigError(
                f"{origin[name]} {name}{wrong}",
                code="CONFIG_TYPE",
                model=model,
                place=place,
                remedy=f"write {name}{wrong.where} as {wrong.expected}, or remove it",
            ) from None
    config = replace(CdmeConfig(), **values)
    findings += [_not_built(name, model, place) for name in _unbuilt(config, values)]
    return config, findings


def _mapping(value: object, what: str, model: str, place: Place) -> Mapping[str, Any]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    raise ConfigError(
        f"{what}: found {show(value)}, expected a mapping of options",
        code="CONFIG_TYPE",
        model=model,
        place=place,
        remedy="write options beneath it, such as `key: id`",
    )


def _refuse_unknown(
    block: Mapping[str, Any], known: frozenset[str], where: str, model: str, place: Place
) -> None:
    for name in block:
        if name in known:
            continue
        if name in VARS_ONLY:
            message, remedy = (
                f"{name!r} belongs to the whole project",
                f"move {name} under vars: cdme:",
            )
        else:
            near = difflib.get_close_matches(str(name), sorted(known), 1, 0.5)
            message = f"no option is called {name!r}"
            remedy = f"did you mean {near[0]!r}?" if near else f"options are {', '.join(sorted(known))}"
        raise ConfigError(
            f"{where}: {message}",
            code="CONFIG_UNKNOWN_KEY",
            model=model,
            place=place,
            remedy=remedy,
        )


def _hidden(own: Mapping[str, Any], project: Mapping[str, Any], model: str, place: Place) -> list[Finding]:
    lost = sorted(name for name in project if name not in VARS_ONLY and name not in own)
    if not own or not lost:
        return []
    return [
        Finding(
            "META_HIDDEN",
            f"the model's cdme block hides {', '.join(lost)} of vars: cdme:",
            "warn",
            model,
            place,
            f"repeat {', '.join(lost)} in the model's block if they should hold here too",
        )
    ]


def _unbuilt(config: CdmeConfig, values: Mapping[str, Any]) -> list[str]:
    found = [name for name in values if name in NOT_IMPLEMENTED]
    mode = f"lineage_mode: {config.lineage_mode.value}"
    return sorted(found + ([mode] if mode in NOT_IMPLEMENTED else []))


def _not_built(name: str, model: str, place: Place) -> Finding:
    return Finding(
        "NOT_IMPLEMENTED",
        f"{name} is understood but this version of CDME does not act on it yet",
        "warn",
        model,
        place,
        f"remove {name}, or keep it for a later version",
    )
