"""NOT_RECONSTRUCTABLE: key_derivable is asked for where witnesses cannot be found again.

REQ-DATA-LIN-002: it is used only where reconstruction is proven, otherwise it falls back to full.
"""

from __future__ import annotations

from collections.abc import Iterator

from cdme_adapter.errors import Finding
from cdme_adapter.provenance import LineageMode
from cdme_adapter.validation.rules import determinism, total_order
from cdme_adapter.validation.view import ModelView, Said


def check(view: ModelView) -> Iterator[Said]:
    """Models in mode key_derivable that are not deterministic or not readable."""
    if view.node.config.lineage_mode is not LineageMode.KEY_DERIVABLE:
        return
    why = ""
    if view.analysis is None:
        why = view.why or "its SQL cannot be read"
    else:
        unstable = [*determinism.check(view), *total_order.check(view)]
        found = [s for s in unstable if isinstance(s, Finding)]
        why = found[0].message if found else ""
    if why:
        yield view.found(
            "NOT_RECONSTRUCTABLE",
            "warn",
            f"its witnesses cannot be found again from keys: {why}",
            "use lineage_mode full, which is what happens now, or make the SQL deterministic",
            1,
        )
