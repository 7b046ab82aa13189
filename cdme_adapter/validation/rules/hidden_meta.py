"""META_HIDDEN: a model's cdme block hides the one that its folder set (docs/commands.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cdme_adapter.validation.view import ModelView, Said

_SECTIONS = {"model": "models", "seed": "seeds", "snapshot": "snapshots", "source": "sources"}


def check(view: ModelView) -> Iterator[Said]:
    """Options of a folder, in dbt_project.yml, that the model's own block leaves out."""
    node = view.node
    folder: Mapping[str, Any] = {}
    level: Any = view.project.yaml.get(_SECTIONS.get(node.resource_type, ""), {})
    for part in ["", *node.fqn[:-1]]:
        level = level.get(part) if part and isinstance(level, Mapping) else level
        if not isinstance(level, Mapping):
            break
        meta = level.get("+meta") or level.get("meta") or {}
        block = meta.get("cdme") if isinstance(meta, Mapping) else None
        folder = block if isinstance(block, Mapping) else folder
    hidden = [option for option in folder if _lost(node.config, option, folder[option])]
    if hidden:
        yield view.found(
            "META_HIDDEN",
            "warn",
            f"the model's cdme block hides {', '.join(sorted(hidden))} of its folder: dbt replaces "
            f"the whole block",
            f"repeat {', '.join(sorted(hidden))} in the model's block",
            1,
        )


def _lost(config: Any, option: str, value: Any) -> bool:
    """Whether the folder's option left no trace: the model has the default instead."""
    from cdme_adapter.config import CdmeConfig

    present = getattr(config, option, None)
    return present == getattr(CdmeConfig(), option, None) and value not in (present, None)
