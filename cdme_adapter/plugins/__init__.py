"""Extension points (pluggy, group ``cdme``): :mod:`hookspecs` says what a plugin may give.

A plugin is a module or an object with functions marked :data:`hookimpl`, named in its package's
entry points::

    [project.entry-points.cdme]
    my_plugin = "my_package.my_module"
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import pluggy

from cdme_adapter.errors import ConfigError
from cdme_adapter.plugins import hookspecs

GROUP = "cdme"
hookimpl = pluggy.HookimplMarker(GROUP)

__all__ = ["GROUP", "each", "first", "hookimpl", "manager", "names"]


@lru_cache(maxsize=1)
def manager() -> pluggy.PluginManager:
    """The plugins of this process, loaded once; raises ConfigError where one cannot be loaded."""
    found = pluggy.PluginManager(GROUP)
    found.add_hookspecs(hookspecs)
    try:
        found.load_setuptools_entrypoints(GROUP)
    except Exception as error:
        raise ConfigError(
            f"a plugin cannot be loaded: {error}",
            code="PLUGIN_FAILED",
            remedy=f"mend or remove the package that has an entry point in the group {GROUP}",
        ) from error
    found.check_pending()
    return found


def each(hook: str, **given: Any) -> Iterator[Any]:
    """What all plugins answer, one by one: lists are opened, None is left out.

    Raises ConfigError, naming the hook, where a plugin raises.
    """
    for answer in _call(hook, given):
        if isinstance(answer, Iterable) and not isinstance(answer, (str, bytes, dict, tuple)):
            yield from answer
        elif answer is not None:
            yield answer


def first(hook: str, **given: Any) -> Any:
    """The first answer that is not None, of the plugin registered last; None without any."""
    return next(each(hook, **given), None)


def names() -> list[str]:
    """The plugins that are registered, with the versions of their packages."""
    versions = {plugin: dist.version for plugin, dist in manager().list_plugin_distinfo()}
    return sorted(
        f"{name} {versions.get(plugin, '')}".strip() for name, plugin in manager().list_name_plugin()
    )


def _call(hook: str, given: dict[str, Any]) -> list[Any]:
    caller = getattr(manager().hook, hook)
    if not caller.get_hookimpls():
        return []
    try:
        return list(caller(**given))
    except Exception as error:
        if hasattr(error, "code"):  # one of ours: UnsupportedConstruct, ConfigError
            raise
        raise ConfigError(
            f"a plugin's {hook} failed: {type(error).__name__}: {error}",
            code="PLUGIN_FAILED",
            remedy="mend the plugin, or remove its package",
        ) from error
