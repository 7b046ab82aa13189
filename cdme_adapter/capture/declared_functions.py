"""What plugins say of functions goes before what the database says of them."""

from __future__ import annotations

from cdme_adapter import plugins
from cdme_adapter.capture.catalog import Catalog, Macro
from cdme_adapter.capture.plan import RelationInfo
from cdme_adapter.errors import ConfigError

KINDS = ("scalar", "volatile", "aggregate")


class DeclaredFunctions:
    """A catalog in front of another; each function is asked for once.

    Raises ConfigError where a plugin calls a function something else than ``KINDS``.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._kinds: dict[str, str | None] = {}

    def relation(self, database: str, schema: str, name: str) -> RelationInfo | None:
        """The database's word."""
        return self._catalog.relation(database, schema, name)

    def is_aggregate(self, function: str) -> bool:
        """Whether the function aggregates rows."""
        kind = self._kind(function)
        return self._catalog.is_aggregate(function) if kind is None else kind == "aggregate"

    def is_volatile(self, function: str) -> bool:
        """Whether two calls of the function may differ."""
        kind = self._kind(function)
        return self._catalog.is_volatile(function) if kind is None else kind == "volatile"

    def is_macro(self, function: str) -> bool:
        """Whether it is a macro that is more than an expression."""
        return self._kind(function) is None and self._catalog.is_macro(function)

    def macros(self, function: str) -> list[Macro]:
        """The forms of a user's macro."""
        return self._catalog.macros(function)

    def keeps_order(self) -> bool:
        """The database's word."""
        return self._catalog.keeps_order()

    def _kind(self, function: str) -> str | None:
        name = function.lower()
        if name not in self._kinds:
            kind = plugins.first("cdme_function", name=name)
            if kind is not None and kind not in KINDS:
                raise ConfigError(
                    f"a plugin's cdme_function calls {name}() {kind!r}",
                    code="PLUGIN_FAILED",
                    remedy=f"let it answer one of {', '.join(KINDS)}, or None",
                )
            self._kinds[name] = kind
        return self._kinds[name]
