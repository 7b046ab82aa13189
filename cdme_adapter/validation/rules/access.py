"""ACCESS_DENIED: an edge that does not exist for this principal (REQ-F-LDM-006).

It is worded exactly as a relation that is missing, by the name that the model asked for it; only the
code tells them apart. Nothing else is said that rests on it: it was not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from cdme_adapter.validation.permission import asked
from cdme_adapter.validation.rules.names import missing_relation
from cdme_adapter.validation.view import ModelView, Said


def check(view: ModelView) -> Iterator[Said]:
    """Each input that the model may not build on."""
    for node in view.denied:
        name = asked(view.project, view.node, node)
        yield missing_relation(view, name, "ACCESS_DENIED", node.relation)
