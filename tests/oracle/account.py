"""What each clause did to each derivation, and the class of a record that follows from it.

Every clause gets its place in the post-order the moment the interpreter first meets it; every
failing derivation leaves tokens of evidence there. Nothing is concluded from absence: a record
without a witness and without evidence is unaccounted.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from tests.oracle.model import Prov, Record

FIXED = {
    "distinct_on": "rank",
    "limit": "rank",
    "except": "excluded",
    "intersect": "excluded",
    "unnest": "no_match",
}


@dataclass(frozen=True)
class Clause:
    """One place in the post-order: the kind, the text as written, the number."""

    kind: str
    sql: str
    position: int


@dataclass
class Account:
    """Collects the evidence of one evaluation."""

    clauses: dict[Hashable, Clause] = field(default_factory=dict)
    evidence: dict[Record, dict[int, set[str]]] = field(default_factory=dict)

    def clause(self, key: Hashable, kind: str, sql: str) -> Clause:
        """The clause of this key, numbered when first met."""
        if key not in self.clauses:
            self.clauses[key] = Clause(kind, sql, len(self.clauses))
        return self.clauses[key]

    def fail(self, clause: Clause, prov: Prov, tokens: Iterable[str]) -> None:
        """A derivation reached ``clause`` and did not pass it."""
        for record in prov.direct:
            self.evidence.setdefault(record, {}).setdefault(clause.position, set()).update(tokens)

    def reason(self, record: Record) -> tuple[Clause, str] | None:
        """The picky clause of a record and its verdict, or None where nothing was seen."""
        seen = self.evidence.get(record)
        if not seen:
            return None
        position = max(seen)
        clause = next(c for c in self.clauses.values() if c.position == position)
        return clause, verdict(clause.kind, seen[position])


def verdict(kind: str, tokens: set[str]) -> str:
    """The verdict that the evidence of all derivations at one clause amounts to.

    >>> verdict("where", {"false", "null"}), verdict("where", {"null"})
    ('false', 'null')
    >>> verdict("join_no_match", {"candidate:null"})
    'null'
    >>> verdict("join_no_match", {"candidate:false", "own:null"})
    'null'
    >>> verdict("join_no_match", {"candidate:false"}), verdict("anti_join", {"false"})
    ('no_match', 'excluded')
    """
    if kind in FIXED:
        return FIXED[kind]
    if kind in ("where", "having", "qualify"):
        return "false" if "false" in tokens else "null"
    if kind == "anti_join":
        return "null" if tokens == {"null"} else "excluded"
    if kind == "semi_join" and tokens & {"false", "null"}:
        return "null" if tokens == {"null"} else "no_match"
    candidates = {token for token in tokens if token.startswith("candidate:")}
    if candidates == {"candidate:null"}:
        return "null"
    if "own:false" in tokens:
        return "false"
    return "null" if "own:null" in tokens else "no_match"
