"""What the planner asks of the world: relations and functions, as a protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cdme_adapter.capture.plan import RelationInfo


@dataclass(frozen=True)
class Macro:
    """A macro that a user defined: the names of its parameters and its text, a query or an expression."""

    parameters: tuple[str, ...]
    body: str
    is_table: bool = False


class Catalog(Protocol):
    """Answers from the warehouse; every engine brings its own (REQ-F-ADJ-001)."""

    def relation(self, database: str, schema: str, name: str) -> RelationInfo | None:
        """The stored relation of that name (parts may be empty), or None if there is none."""

    def is_aggregate(self, function: str) -> bool:
        """Whether the engine's function of that name aggregates rows."""

    def is_volatile(self, function: str) -> bool:
        """Whether two calls of the function in one transaction may differ."""

    def is_macro(self, function: str) -> bool:
        """Whether the function is a user's macro that is more than an expression of its arguments."""

    def macros(self, function: str) -> list[Macro]:
        """The forms of a user's macro of that name; none where there is none."""

    def keeps_order(self) -> bool:
        """Whether the rows of a scan of files come in the order of the files."""
