"""What the planner asks of the world: relations and functions, as a protocol."""

from __future__ import annotations

from typing import Protocol

from cdme_adapter.capture.plan import RelationInfo


class Catalog(Protocol):
    """Answers from the warehouse; every engine brings its own (REQ-F-ADJ-001)."""

    def relation(self, database: str, schema: str, name: str) -> RelationInfo | None:
        """The stored relation of that name (parts may be empty), or None if there is none."""

    def is_aggregate(self, function: str) -> bool:
        """Whether the engine's function of that name aggregates rows."""

    def is_volatile(self, function: str) -> bool:
        """Whether two calls of the function in one transaction may differ."""

    def is_macro(self, function: str) -> bool:
        """Whether the function is a macro that a user defined in the database."""

    def keeps_order(self) -> bool:
        """Whether the rows of a scan of files come in the order of the files."""
