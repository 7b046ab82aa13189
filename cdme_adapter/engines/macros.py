"""What the macros of a database do, read off their definitions."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from cdme_adapter.capture.catalog import Macro
from cdme_adapter.capture.sqltext import functions, parse
from cdme_adapter.errors import UnsupportedConstruct

_MORE_THAN_AN_EXPRESSION = (
    exp.Query, exp.Subquery, exp.Window, exp.Star, exp.Columns, exp.Explode, exp.Unnest,
)  # fmt: skip


class Macros:
    """The user's macros by name; ``is_aggregate`` and ``is_volatile`` know the engine's functions."""

    def __init__(
        self,
        found: dict[str, list[Macro]],
        is_aggregate: Callable[[str], bool],
        is_volatile: Callable[[str], bool],
    ) -> None:
        self.found = found
        self._is_aggregate = is_aggregate
        self._is_volatile = is_volatile
        self._known: dict[str, tuple[bool, bool, bool]] = {}

    def aggregates(self, name: str) -> bool:
        """Whether a call of the macro aggregates rows."""
        return self._look(name)[0]

    def varies(self, name: str) -> bool:
        """Whether two calls of the macro may differ."""
        return self._look(name)[1]

    def is_plain(self, name: str) -> bool:
        """Whether the macro is an expression of its arguments and nothing more."""
        return self._look(name)[2]

    def _look(self, name: str) -> tuple[bool, bool, bool]:
        if name not in self._known:
            self._known[name] = (False, True, False)  # of itself, until it is known
            looks = [self._of(macro) for macro in self.found.get(name, [])]
            self._known[name] = (
                any(look[0] for look in looks),
                any(look[1] for look in looks),
                all(look[2] for look in looks) and not any(m.is_table for m in self.found.get(name, [])),
            )
        return self._known[name]

    def _of(self, macro: Macro) -> tuple[bool, bool, bool]:
        try:
            tree = parse(macro.body if macro.is_table else f"SELECT {macro.body}")
        except UnsupportedConstruct:
            return False, True, False
        if macro.is_table or not isinstance(tree, exp.Select):
            return False, False, False
        body = tree.selects[0]
        called = list(functions(body))
        names = [name for _, name in called]
        aggregate = any(isinstance(f, exp.AggFunc) for f, _ in called)
        hides = body.find(
            exp.Query, exp.Subquery, exp.Window, exp.Star, exp.Columns, exp.Explode, exp.Unnest
        )
        return (
            aggregate or any(self._is_aggregate(name) or self._look(name)[0] for name in names),
            any(self._is_volatile(name) or self._look_volatile(name) for name in names),
            hides is None and all(name not in self.found or self._look(name)[2] for name in names),
        )

    def _look_volatile(self, name: str) -> bool:
        return name in self.found and self._look(name)[1]
