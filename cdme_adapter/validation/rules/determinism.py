"""NON_DETERMINISTIC: the same inputs may give another output (REQ-F-TRV-005)."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdme_adapter.validation.predicates import walk
from cdme_adapter.validation.types import short
from cdme_adapter.validation.view import ModelView, Said

_RANDOM = (exp.Rand, exp.Randn, exp.Uuid)
_CLOCK = (exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp, exp.CurrentDatetime)
_LOOKED_AT = (*_RANDOM, *_CLOCK, exp.Anonymous, exp.TableSample)
_RANDOM_NAMES = frozenset(
    {
        "random",
        "uuid",
        "gen_random_uuid",
        "uuidv4",
        "uuidv7",
        "setseed",
        "nextval",
        "currval",
        "txid_current",
    }
)
_CLOCK_NAMES = frozenset(
    {
        "now",
        "today",
        "get_current_timestamp",
        "get_current_time",
        "transaction_timestamp",
        "current_localtime",
        "current_localtimestamp",
        "clock_timestamp",
        "statement_timestamp",
    }
)


def check(view: ModelView) -> Iterator[Said]:
    """Random functions and samples warn; the clock is information."""
    if view.analysis is None:
        return
    for node in walk(view.analysis.tree, *_LOOKED_AT, into=True):
        name = node.name.lower() if isinstance(node, exp.Anonymous) else ""
        if isinstance(node, _RANDOM) or name in _RANDOM_NAMES:
            yield _finding(view, node, "warn", "derive it from a key, such as md5(key)")
        elif isinstance(node, exp.TableSample) and node.args.get("seed") is None:
            yield _finding(view, node, "warn", "add REPEATABLE (seed), or filter on a hash of a key")
        elif isinstance(node, _CLOCK) or name in _CLOCK_NAMES:
            yield _finding(view, node, "info", "pass the moment in as a var of the run")


def _finding(view: ModelView, node: exp.Expr, severity: str, remedy: str) -> Said:
    return view.found(
        "NON_DETERMINISTIC",
        severity,
        f"{short(node).strip()} gives another value in another run",
        remedy,
        node,
    )
