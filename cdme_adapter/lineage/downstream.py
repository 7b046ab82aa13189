"""What the manifest knows beyond the stored models: views and exposures that read them."""

from __future__ import annotations

from typing import Any

from cdme_adapter.project import Manifest


def _way(manifest: Manifest, starts: list[str], reached: set[str]) -> list[str]:
    """The shortest way from a node's parents up to a reached relation, through views; reversed."""
    ways = [(name, [name]) for name in sorted(starts)]
    seen: set[str] = set()
    for name, way in ways:
        if name in reached:
            return way[::-1]
        node = manifest.nodes.get(name)
        if node is None or node.stored or name in seen:
            continue
        seen.add(name)
        ways += [(parent, [*way, parent]) for parent in sorted(node.parents)]
    return []


def exposures_of(manifest: Manifest, reached: set[str]) -> list[dict[str, Any]]:
    """The exposures that rest on reached relations, each with the way to it."""
    found = []
    for key, raw in sorted(manifest.exposures.items()):
        parents = list((raw.get("depends_on") or {}).get("nodes") or [])
        way = _way(manifest, parents, reached)
        if way:
            found.append(
                {
                    "id": key,
                    "name": raw.get("name"),
                    "type": raw.get("type"),
                    "label": raw.get("label"),
                    "url": raw.get("url"),
                    "owner": raw.get("owner"),
                    "path": [*way, key],
                }
            )
    return found


def views_of(manifest: Manifest, reached: set[str]) -> list[dict[str, Any]]:
    """The views that read reached relations: they show the records without storing any."""
    found = []
    for node in manifest.nodes.values():
        if node.stored or node.materialized == "ephemeral":
            continue
        way = _way(manifest, node.parents, reached)
        if way:
            found.append({"relation": node.id, "path": [*way, node.id]})
    return sorted(found, key=lambda entry: entry["relation"])
