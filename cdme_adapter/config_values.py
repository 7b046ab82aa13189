"""The values that options of :mod:`cdme_adapter.config` take, each frozen."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """A count or a share, whichever was given: ``100`` or ``"2%"``; exceeded means more than.

    >>> Limit(share=0.02).exceeded(3, 100), Limit(count=3).exceeded(3, 100)
    (True, False)
    """

    count: int | None = None
    share: float | None = None
    commits: bool = False
    """Of ``error_threshold``: what was good stays committed though the model fails."""

    def __str__(self) -> str:
        """As it was written."""
        return f"{self.count:,}" if self.count is not None else f"{100 * (self.share or 0):g}%"

    def exceeded(self, part: int, whole: int) -> bool:
        """Whether ``part`` of ``whole`` is more than this allows."""
        if self.count is not None:
            return part > self.count
        return self.share is not None and part > self.share * whole


@dataclass(frozen=True)
class ExpectedLoss:
    """Records of an input whose loss was foreseen, by kind of clause or by reason id."""

    input: str
    because: str
    max: Limit
    kind: str | None = None
    reason: str | None = None
    verdict: str | None = None
    approved_by: str | None = None
    until: dt.date | None = None


@dataclass(frozen=True)
class Refinement:
    """A predicate that each record must fulfil; exactly one of the three ways to say it.

    ``tests`` stands for the relation's own dbt tests; ``unique`` keeps the first by ``order_by``.
    ``input`` is set under ``refine_inputs`` only, None there meaning every input.
    """

    name: str
    expression: str | None = None
    unique: tuple[str, ...] = ()
    order_by: str | None = None
    tests: bool = False
    input: str | None = None


@dataclass(frozen=True)
class CircuitBreaker:
    """Stop early when more than ``share`` of the first ``sample`` records are rejected."""

    share: float
    sample: int


@dataclass(frozen=True)
class Budget:
    """How large a model may be expected to get (REQ-F-TRV-006)."""

    rows: int | None = None
    join_depth: int | None = None


@dataclass(frozen=True)
class Temporal:
    """How an input of another epoch is read (REQ-F-TRV-003)."""

    mode: str
    column: str | None = None


@dataclass(frozen=True)
class Suppression:
    """A finding that the owner of the model has looked at and accepts."""

    code: str
    because: str


@dataclass(frozen=True)
class Emit:
    """How long a run may wait for an OpenLineage collector, in seconds (REQ-NFR-OBS-001).

    ``schemas`` is the address below which the schemas of CDME's own facets are served.
    """

    timeout: float = 2.0
    schemas: str = ""
