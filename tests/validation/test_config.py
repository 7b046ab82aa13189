"""``meta.cdme`` and ``vars: cdme:``: every option, what is refused, and what hides what."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from cdme_adapter import config as module
from cdme_adapter.config import (
    OPTIONS,
    VARS_ONLY,
    Budget,
    CdmeConfig,
    CircuitBreaker,
    Emit,
    ExpectedLoss,
    Limit,
    Refinement,
    Suppression,
    Temporal,
    parse_config,
)
from cdme_adapter.config_options import PARSERS
from cdme_adapter.errors import ConfigError, Finding, Place
from cdme_adapter.provenance import LineageMode

PLACE = Place("models/m.sql", 3)


def parse(block: Any = None, project_vars: Any = None) -> tuple[CdmeConfig, list[Finding]]:
    return parse_config(block, project_vars, model="model.p.m", place=PLACE)


GOOD = [
    ("key", "id", ("id",)),
    ("key", ["a", "b"], ("a", "b")),
    ("lineage_mode", False, LineageMode.OFF),
    ("lineage_mode", "key_derivable", LineageMode.KEY_DERIVABLE),
    ("cardinality", {"orders": "N:1"}, {"orders": "N:1"}),
    (
        "witnesses",
        {"o": "id", "p": ["a", "b"], "q": {"mine": "its"}},
        {"o": {"id": "id"}, "p": {"a": "a", "b": "b"}, "q": {"mine": "its"}},
    ),
    ("require", "exact", "exact"),
    ("gate", "warn", "warn"),
    ("gate", False, "off"),
    ("validate", "error", "error"),
    (
        "expected_loss",
        [
            {"input": "orders", "kind": "where", "max": "2%", "because": "tests"},
            {
                "input": "orders",
                "reason": "abc",
                "verdict": "null",
                "max": 100,
                "because": "old",
                "approved_by": "Ann",
                "until": "2026-12-31",
            },
        ],
        (
            ExpectedLoss("orders", "tests", Limit(share=0.02), kind="where"),
            ExpectedLoss(
                "orders",
                "old",
                Limit(count=100),
                reason="abc",
                verdict="null",
                approved_by="Ann",
                until=dt.date(2026, 12, 31),
            ),
        ),
    ),
    ("grain", ["day", "shop"], ("day", "shop")),
    ("refine", "tests", (Refinement("tests", tests=True),)),
    (
        "refine",
        ["tests", {"name": "positive", "expression": "amount > 0"}],
        (Refinement("tests", tests=True), Refinement("positive", "amount > 0")),
    ),
    (
        "refine",
        [{"name": "first", "unique": ["id"], "order_by": "at"}],
        (Refinement("first", unique=("id",), order_by="at"),),
    ),
    (
        "refine_inputs",
        {"orders": [{"name": "positive", "expression": "amount > 0"}]},
        (Refinement("positive", "amount > 0", input="orders"),),
    ),
    ("refine_inputs", "tests", (Refinement("tests", tests=True),)),
    ("cast", ["amount"], ("amount",)),
    ("error_threshold", 5, Limit(count=5)),
    ("error_threshold", "5%", Limit(share=0.05)),
    ("circuit_breaker", {"share": "10%", "sample": 1000}, CircuitBreaker(0.1, 1000)),
    ("budget", {"rows": 10}, Budget(rows=10)),
    (
        "temporal",
        {"rates": {"mode": "as_of", "column": "valid_from"}},
        {"rates": Temporal("as_of", "valid_from")},
    ),
    ("roles", ["finance"], ("finance",)),
    ("pii", "email", ("email",)),
    ("control_totals", ["amount"], ("amount",)),
    ("max_change", "5%", 0.05),
    ("max_change", 0.05, 0.05),
    (
        "suppress",
        [{"code": "CROSS_JOIN", "because": "a calendar"}],
        (Suppression("CROSS_JOIN", "a calendar"),),
    ),
    ("as_roles", ["finance"], ("finance",)),
    ("account_views", False, False),
    ("account_views_seconds", 2.5, 2.5),
    ("keep_runs", 30, 30),
    ("emit", {"timeout": 1}, Emit(1)),
]


@pytest.mark.parametrize(("option", "raw", "expected"), GOOD, ids=lambda v: str(v)[:40])
def test_option(option: str, raw: Any, expected: Any) -> None:
    vars_only = option in VARS_ONLY
    config, _ = parse(None, {option: raw}) if vars_only else parse({option: raw})
    assert getattr(config, option) == expected


def test_every_option_has_a_parser_and_a_case() -> None:
    assert set(PARSERS) == OPTIONS == {option for option, *_ in GOOD}


def test_nothing_said_gives_the_defaults() -> None:
    assert parse() == (CdmeConfig(), [])
    assert parse({}, {}) == (CdmeConfig(), [])
    assert parse({"gate": None})[0].gate == "error"


BAD = [
    ("gate", "loud", "one of error, warn, off"),
    ("gate", True, "one of error, warn, off"),
    ("key", [], "a name or a list of names"),
    ("key", {"a": 1}, "a name or a list of names"),
    ("cardinality", {"orders": "2:1"}, "1:1"),
    ("cardinality", "N:1", "a mapping by input"),
    ("witnesses", {"orders": {"id": 3}}, "{output column: input column}"),
    ("lineage_mode", "none", "full"),
    ("error_threshold", 0.05, 'share such as "2%"'),
    ("error_threshold", True, "whole number"),
    ("error_threshold", "500%", "share"),
    ("budget", {"row": 1}, "rows"),
    ("budget", {"rows": -1}, "whole number"),
    ("expected_loss", {"input": "x"}, "a list"),
    ("expected_loss", [{"input": "x", "max": 1, "because": "b"}], "either kind or reason"),
    ("expected_loss", [{"input": "x", "kind": "where", "max": 1}], "because"),
    (
        "expected_loss",
        [{"input": "x", "kind": "where", "max": 1, "because": "b", "until": "soon"}],
        "a date",
    ),
    ("refine", [{"name": "a"}], "either expression or unique"),
    ("refine", [{"name": "a", "expression": "x", "input": "i"}], "refine_inputs"),
    ("temporal", {"rates": {"mode": "asof"}}, "as_of, latest, exact"),
    ("suppress", [{"code": "CROSS_JOIN"}], "because"),
]


@pytest.mark.parametrize(("option", "raw", "expected"), BAD, ids=lambda v: str(v)[:40])
def test_wrong_type_says_what_was_found_and_expected(option: str, raw: Any, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse({option: raw})
    error = caught.value
    assert error.code == "CONFIG_TYPE"
    assert error.model == "model.p.m"
    assert error.place == PLACE
    assert expected in error.message
    assert option in error.message
    assert error.remedy


@pytest.mark.parametrize("block", ["id", ["key"], 3])
def test_a_block_is_a_mapping(block: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(block)
    assert caught.value.code == "CONFIG_TYPE"


def test_unknown_option_names_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"linage_mode": "full"})
    assert caught.value.code == "CONFIG_UNKNOWN_KEY"
    assert "lineage_mode" in caught.value.remedy
    with pytest.raises(ConfigError, match="project"):
        parse({"as_roles": ["x"]})
    with pytest.raises(ConfigError, match="vars"):
        parse(None, {"gaet": "off"})


def test_vars_hold_where_a_model_has_no_block() -> None:
    assert parse(None, {"gate": "off"})[0].gate == "off"


def test_a_block_hides_the_options_of_vars_and_says_so() -> None:
    config, findings = parse({"key": "id"}, {"gate": "off", "account_views": False})
    assert config.gate == "error"
    assert config.account_views is False
    assert [(f.code, f.severity) for f in findings] == [("META_HIDDEN", "warn")]
    assert "gate" in findings[0].message


def test_what_is_not_built_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NOT_IMPLEMENTED", frozenset({"pii", "lineage_mode: summary"}))
    _, findings = parse({"pii": "email", "lineage_mode": "summary", "key": "id"})
    assert [f.code for f in findings] == ["NOT_IMPLEMENTED", "NOT_IMPLEMENTED"]
    assert "lineage_mode: summary" in findings[0].message
    assert parse({"lineage_mode": "full", "key": "id"})[1] == []
