"""Parsers of single options: a raw YAML value in, the option's value out, or an OptionError.

``PARSERS`` is the table of docs/commands.md's configuration, one entry a key.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from cdme_adapter.accounting import Kind, Verdict
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
from cdme_adapter.provenance import LineageMode

Parser = Callable[[Any], Any]

CARDINALITIES = ("1:1", "N:1", "1:N", "N:M")


class OptionError(Exception):
    """What was found and what was expected, ``where`` being the path below the option."""

    def __init__(self, found: str, expected: str, where: str = "") -> None:
        self.found, self.expected, self.where = found, expected, where
        super().__init__(f"{where}: found {found}, expected {expected}")


def show(value: object) -> str:
    """A value as an error names it.

    >>> show("2 %"), show(["a"]), show(True)
    ("the text '2 %'", "the list ['a']", 'true')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds = {str: "the text ", list: "the list ", int: "the number ", float: "the number "}
    name = "the mapping " if isinstance(value, Mapping) else kinds.get(type(value), "")
    return f"{name}{value!r}"


def _one_of(*words: str) -> Parser:
    """One of some words; YAML reads a bare ``off`` as false."""

    def parse(raw: Any) -> str:
        if raw is False and "off" in words:
            return "off"
        if isinstance(raw, str) and raw in words:
            return raw
        raise OptionError(show(raw), "one of " + ", ".join(words))

    return parse


def _text(raw: Any) -> str:
    if isinstance(raw, str) and raw.strip():
        return raw
    raise OptionError(show(raw), "text")


def _names(raw: Any) -> tuple[str, ...]:
    """A column or a list of columns (or of roles)."""
    items = [raw] if isinstance(raw, str) else raw
    if isinstance(items, list) and items and all(isinstance(i, str) and i for i in items):
        return tuple(items)
    raise OptionError(show(raw), "a name or a list of names")


def _columns(raw: Any) -> dict[str, str]:
    """A column, a list of them, or ``{output column: input column}``."""
    if isinstance(raw, Mapping) and raw and all(isinstance(n, str) and n for n in (*raw, *raw.values())):
        return dict(raw)
    try:
        return {name: name for name in _names(raw)}
    except OptionError:
        raise OptionError(
            show(raw), "a column, a list of columns or {output column: input column}"
        ) from None


def _number(expected: str, low: float, high: float, whole: bool = False) -> Parser:
    def parse(raw: Any) -> Any:
        kinds = (int,) if whole else (int, float)
        if isinstance(raw, kinds) and not isinstance(raw, bool) and low <= raw <= high:
            return raw
        raise OptionError(show(raw), expected)

    return parse


def _truth(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    raise OptionError(show(raw), "true or false")


def _percent(raw: Any, expected: str) -> float:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", raw) if isinstance(raw, str) else None
    if match and float(match[1]) <= 100:
        return float(match[1]) / 100
    raise OptionError(show(raw), expected)


def _limit(raw: Any) -> Limit:
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
        return Limit(count=raw)
    return Limit(share=_percent(raw, 'a whole number such as 100 or a share such as "2%"'))


def _threshold(raw: Any) -> Limit:
    """A limit, or a mapping that also says what becomes of the good rows."""
    if not isinstance(raw, Mapping):
        return _limit(raw)

    def made(values: dict[str, Any]) -> Limit:
        limit: Limit = values["max"]
        return replace(limit, commits=values.get("on_exceeded") == "commit")

    parse = _record({"max": _limit}, {"on_exceeded": _one_of("rollback", "commit")}, made)
    parsed: Limit = parse(raw)
    return parsed


def _share(raw: Any) -> float:
    """``0.02`` or ``"2%"``."""
    if isinstance(raw, (int, float)) and not isinstance(raw, bool) and 0 <= raw <= 1:
        return float(raw)
    return _percent(raw, 'a share such as "2%" or 0.02')


def _date(raw: Any) -> dt.date:
    if isinstance(raw, dt.datetime):
        return raw.date()
    if isinstance(raw, dt.date):
        return raw
    try:
        return dt.date.fromisoformat(_text(raw))
    except (ValueError, OptionError):
        raise OptionError(show(raw), "a date such as 2026-12-31") from None


def _record(required: Mapping[str, Parser], optional: Mapping[str, Parser], make: Parser) -> Parser:
    """A mapping with these keys; ``make`` gets the parsed values as a dict."""

    def parse(raw: Any) -> Any:
        names = ", ".join([*required, *(f"{name} (optional)" for name in optional)])
        if not isinstance(raw, Mapping):
            raise OptionError(show(raw), f"a mapping with {names}")
        known = {**required, **optional}
        wrong = [name for name in raw if name not in known]
        missing = [name for name in required if raw.get(name) is None]
        if wrong or missing:
            found = f"unknown {wrong[0]!r}" if wrong else f"no {missing[0]!r}"
            raise OptionError(found, f"a mapping with {names}")
        return make({k: _below(f".{k}", known[k], v) for k, v in raw.items() if v is not None})

    return parse


def _below(where: str, parser: Parser, raw: Any) -> Any:
    try:
        return parser(raw)
    except OptionError as wrong:
        raise OptionError(wrong.found, wrong.expected, where + wrong.where) from None


def _list_of(parser: Parser) -> Parser:
    def parse(raw: Any) -> tuple[Any, ...]:
        if not isinstance(raw, list):
            raise OptionError(show(raw), "a list")
        return tuple(_below(f"[{n}]", parser, item) for n, item in enumerate(raw))

    return parse


def _by_input(parser: Parser) -> Parser:
    """A mapping from an input's name to something."""

    def parse(raw: Any) -> dict[str, Any]:
        if not isinstance(raw, Mapping) or not all(isinstance(name, str) for name in raw):
            raise OptionError(show(raw), "a mapping by input")
        return {name: _below(f".{name}", parser, value) for name, value in raw.items()}

    return parse


def _expected_loss(values: dict[str, Any]) -> ExpectedLoss:
    if ("kind" in values) == ("reason" in values):
        raise OptionError("both or neither of kind and reason", "either kind or reason")
    return ExpectedLoss(**values)


def _refinement(values: dict[str, Any]) -> Refinement:
    if ("expression" in values) == ("unique" in values):
        raise OptionError("both or neither of expression and unique", "either expression or unique")
    if "order_by" in values and "unique" not in values:
        raise OptionError("order_by without unique", "order_by beside unique only")
    return Refinement(**values)


_NAMED = _record(
    {"name": _text},
    {"expression": _text, "unique": _names, "order_by": _text, "input": _text},
    _refinement,
)


def _refinements(raw: Any) -> tuple[Refinement, ...]:
    """``tests``, or a list of ``tests`` and named predicates."""
    tests = Refinement("tests", tests=True)
    if raw == "tests":
        return (tests,)
    return tuple(_list_of(lambda item: tests if item == "tests" else _NAMED(item))(raw))


def _refine(raw: Any) -> tuple[Refinement, ...]:
    found = _refinements(raw)
    if any(one.input for one in found):
        raise OptionError("input", "refine to speak of the output; refine_inputs speaks of inputs")
    return found


def _refine_inputs(raw: Any) -> tuple[Refinement, ...]:
    """As ``refine``, for every input, or a mapping from an input to such a list."""
    if not isinstance(raw, Mapping):
        return _refinements(raw)
    return tuple(
        Refinement(one.name, one.expression, one.unique, one.order_by, one.tests, name)
        for name, found in _by_input(_refinements)(raw).items()
        for one in found
    )


_COUNT = _number("a whole number from 0", 0, 2**63, whole=True)
_SECONDS = _number("a number of seconds", 0, 86_400)

PARSERS: Mapping[str, Parser] = {
    "key": _names,
    "lineage_mode": lambda raw: LineageMode(_one_of(*(m.value for m in LineageMode))(raw)),
    "cardinality": _by_input(_one_of(*CARDINALITIES)),
    "witnesses": _by_input(_columns),
    "require": _one_of("exact"),
    "gate": _one_of("error", "warn", "off"),
    "validate": _one_of("warn", "error", "off"),
    "expected_loss": _list_of(
        _record(
            {"input": _text, "max": _limit, "because": _text},
            {
                "kind": _one_of(*(k.value for k in Kind)),
                "reason": _text,
                "verdict": _one_of(*(v.value for v in Verdict)),
                "approved_by": _text,
                "until": _date,
            },
            _expected_loss,
        )
    ),
    "grain": _names,
    "refine": _refine,
    "refine_inputs": _refine_inputs,
    "cast": _names,
    "error_threshold": _threshold,
    "circuit_breaker": _record({"share": _share, "sample": _COUNT}, {}, lambda v: CircuitBreaker(**v)),
    "budget": _record({}, {"rows": _COUNT, "join_depth": _COUNT}, lambda v: Budget(**v)),
    "temporal": _by_input(
        _record(
            {"mode": _one_of("as_of", "latest", "exact")},
            {"column": _text},
            lambda v: Temporal(**v),
        )
    ),
    "roles": _names,
    "pii": _names,
    "control_totals": _names,
    "max_change": _share,
    "suppress": _list_of(_record({"code": _text, "because": _text}, {}, lambda v: Suppression(**v))),
    "as_roles": _names,
    "account_views": _truth,
    "account_views_seconds": _SECONDS,
    "keep_runs": _number("a whole number from 1", 1, 2**63, whole=True),
    "emit": _record({}, {"timeout": _SECONDS, "schemas": _text}, lambda v: Emit(**v)),
}
