"""The values of lineage: which records, in which role, and how exactly known.

Sources: Cui & Widom (lineage), Buneman et al. (why-provenance), docs/concepts.md for the words.
"""

from __future__ import annotations

import hashlib
from enum import Enum


class Role(str, Enum):
    """How an input record takes part, decided by the construct it enters through."""

    DIRECT = "direct"
    INDIRECT = "indirect"
    GUARD = "guard"

    def then(self, other: Role) -> Role:
        """The role along a path: direct ∘ direct is direct, anything else indirect."""
        return Role.DIRECT if self is other is Role.DIRECT else Role.INDIRECT


class Exactness(str, Enum):
    """What is known of an edge's witnesses; never narrower than the truth."""

    EXACT = "exact"
    SUPERSET = "superset"
    OPAQUE = "opaque"

    def meet(self, other: Exactness) -> Exactness:
        """The weaker of two: what a path is worth whose parts are worth these."""
        order = [Exactness.EXACT, Exactness.SUPERSET, Exactness.OPAQUE]
        return max(self, other, key=order.index)


class LineageMode(str, Enum):
    """What is stored of an edge (REQ-DATA-LIN-001..004)."""

    FULL = "full"
    KEY_DERIVABLE = "key_derivable"
    SUMMARY = "summary"
    OFF = "off"


def cardinality(inputs_per_output: int, outputs_per_input: int) -> str:
    """The cardinality of an edge read input : output (REQ-F-LDM-002).

    >>> cardinality(1, 1), cardinality(5, 1), cardinality(1, 5), cardinality(2, 2)
    ('1:1', 'N:1', '1:N', 'N:M')
    """
    many_in, many_out = inputs_per_output > 1, outputs_per_input > 1
    if many_in and many_out:
        return "N:M"
    return f"{'N' if many_in else '1'}:{'N' if many_out else '1'}"


def stable_id(*parts: str) -> int:
    """A positive 62-bit integer that names these parts; the same in every process.

    >>> stable_id("a", "b") == stable_id("a", "b") != stable_id("ab", "")
    True
    """
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2


def external_relation_id(database: str, schema: str, name: str) -> str:
    """The id of a relation that dbt does not know (docs/commands.md)."""
    return f"relation.{database}.{schema}.{name}"
