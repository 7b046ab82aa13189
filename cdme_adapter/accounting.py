"""The values of accounting: classes, reasons, ledger entries, and the equation between them.

The equation (REQ-F-ACC-001) for every model, input and direct role, over distinct records::

    |input| = |contributed| + |filtered| + |errors|

``filtered`` is never computed as the rest: each filtered record carries the reason and the verdict
that removed it, and what has no evidence is ``unaccounted``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cdme_adapter.errors import Place
from cdme_adapter.provenance import Exactness, LineageMode, Role


class Kind(str, Enum):
    """The construct that removed a record (docs/concepts.md, picky clause)."""

    WHERE = "where"
    JOIN_NO_MATCH = "join_no_match"
    HAVING = "having"
    QUALIFY = "qualify"
    DISTINCT_ON = "distinct_on"
    LIMIT = "limit"
    EXCEPT = "except"
    INTERSECT = "intersect"
    SEMI_JOIN = "semi_join"
    ANTI_JOIN = "anti_join"
    SAMPLE = "sample"
    UNNEST = "unnest"
    MERGE_SKIPPED = "merge_skipped"


class Verdict(str, Enum):
    """How the clause judged the record; stored as the number of its place here."""

    FALSE = "false"
    NULL = "null"
    NO_MATCH = "no_match"
    RANK = "rank"
    EXCLUDED = "excluded"

    @property
    def number(self) -> int:
        """The small integer under which the store keeps this verdict."""
        return list(Verdict).index(self)


class Status(str, Enum):
    """Whether an edge's account holds."""

    BALANCED = "BALANCED"
    UNBALANCED = "UNBALANCED"
    UNKNOWN = "UNKNOWN"


class RunStatus(str, Enum):
    """The state of a run (docs/commands.md)."""

    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    COMPLETE_WITH_WARNINGS = "COMPLETE_WITH_WARNINGS"
    FAILED = "FAILED"
    INTERRUPTED = "INTERRUPTED"


@dataclass(frozen=True)
class Reason:
    """A picky clause: what removed records, as written and where it stands.

    ``id`` hashes the kind and the normalised clause and survives reformatting.
    """

    id: str
    kind: Kind
    sql: str
    place: Place


@dataclass(frozen=True)
class ReasonCount:
    """How many records of one edge a reason removed with one verdict.

    ``unused``: the records are rows of a lookup that no record asked for (docs/commands.md,
    expected_loss ignores them).
    """

    reason: Reason
    verdict: Verdict
    count: int
    unused: bool = False


@dataclass(frozen=True)
class LedgerEntry:
    """One row of the ledger: the account of one edge in one run."""

    run_id: str
    model: str
    input: str
    role: Role
    exactness: Exactness
    lineage_mode: LineageMode
    cardinality: str | None
    input_count: int | None
    contributed_count: int | None
    filtered_count: int | None
    error_count: int | None
    unaccounted_count: int | None
    consulted_count: int | None
    output_count: int | None
    status: Status
    reasons: tuple[ReasonCount, ...] = ()
    unused_count: int | None = None
    why: str = ""
    seconds: float | None = None
    """How long settling and writing this edge took; None where it was not told apart."""


def judge(
    role: Role,
    exactness: Exactness,
    input_count: int,
    contributed: int,
    filtered: int,
    errors: int,
    unaccounted: int,
) -> Status:
    """Whether the equation holds for an edge; docs/concepts.md, "exactly one class".

    >>> judge(Role.DIRECT, Exactness.EXACT, 10, 7, 3, 0, 0).value
    'BALANCED'
    >>> judge(Role.DIRECT, Exactness.EXACT, 10, 7, 2, 0, 1).value
    'UNBALANCED'
    >>> judge(Role.DIRECT, Exactness.OPAQUE, 10, 0, 0, 0, 0).value
    'UNKNOWN'
    """
    if role is not Role.DIRECT:
        return Status.BALANCED
    if exactness is not Exactness.EXACT:
        return Status.UNKNOWN
    holds = unaccounted == 0 and input_count == contributed + filtered + errors
    return Status.BALANCED if holds else Status.UNBALANCED
