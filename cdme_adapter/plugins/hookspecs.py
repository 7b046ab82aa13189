"""What a plugin may give; each function is optional (docs/plugins.md has an example of each).

Types that belong to CDME's modules are named in the text: this module imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pluggy

hookspec = pluggy.HookspecMarker("cdme")


@hookspec
def cdme_capture_rules() -> Sequence[Callable[[Any, Any, Any], Any]]:  # type: ignore[empty-body]
    """Capture rules for a SQL construct, tried before CDME's own.

    A rule takes the ``Planner``, a SELECT (sqlglot, without its WITH clause) and the CTEs in sight. It
    returns a ``Scope``, or None where its construct is not there; ``planner.query`` plans the parts.
    """


@hookspec
def cdme_capture_function(name: str, arguments: Sequence[str]) -> str | None:
    """The query that a call of a table function stands for, or None where the function is not known.

    ``name`` is in lower case, ``arguments`` are SQL. The query takes the place of the call, so it must
    give the same rows; its lineage is the call's.
    """


@hookspec
def cdme_function(name: str) -> str | None:
    """What a scalar or aggregate function is, where the database does not say it, or says it wrongly.

    ``name`` is in lower case, without its schema. ``"scalar"``: the same arguments always give the same
    value; ``"volatile"``: they may not; ``"aggregate"``: its value is made of the rows of a group. None
    where the function is not known: then the database's word counts.
    """


@hookspec
def cdme_witnesses(
    model: str, language: str, inputs: Sequence[str]
) -> Mapping[str, Mapping[str, str]] | None:
    """The witnesses of a model that SQL does not show, as ``meta.cdme.witnesses`` declares them.

    ``model`` and ``inputs`` are unique ids. The answer maps an input to columns, the model's to the
    input's: ``{"seed.shop.orders": {"order_id": "id"}}``. It is checked as a declared one is. A block
    in the model's own meta goes before it.
    """


@hookspec
def cdme_validation_rules() -> Sequence[tuple[str, Callable[[Any], Any]]]:  # type: ignore[empty-body]
    """Validation rules as ``(name, check)``; ``check(view)`` yields ``Finding`` or ``CannotTell``.

    ``view`` is the ``ModelView`` of one model. Change the name when the rule changes: verdicts are kept
    under the names of the rules and the versions of the plugins.
    """


@hookspec
def cdme_ledger_sink(ledger: Mapping[str, Any]) -> None:
    """Called with each run's ledger (``ledger.json``) once it is kept; a fault is a warning."""


@hookspec
def cdme_report_section(ledger: Mapping[str, Any]) -> tuple[str, str] | None:
    """A section ``(title, text)`` for reports of a run: ``cdme ledger`` and the proof show it."""
