"""CDME's own run facet ``cdme_ledger``: the account of a node or of the run, in counts.

Its schema ships as ``schemas/openlineage/CdmeLedgerRunFacet.json`` and never changes under its ``$id``:
a change is a new version with a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cdme_adapter.emit.names import PRODUCER

SCHEMA_URL = "urn:dbt-cdme:facet:CdmeLedgerRunFacet:1-0-0#/$defs/CdmeLedgerRunFacet"
_COUNTS = ("input", "contributed", "filtered", "error", "unaccounted", "consulted")


def ledger_facet(ledger: Mapping[str, Any], edges: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The facet of some edges of a ledger: counts and reasons, never a row's value."""
    weakest = ["exact", "superset", "opaque"]
    exactness = [weakest.index(edge["exactness"]) for edge in edges if edge["role"] == "direct"]
    return {
        "_producer": PRODUCER,
        "_schemaURL": SCHEMA_URL,
        "runId": ledger["run_id"],
        "runStatus": ledger["status"],
        "exactness": weakest[max(exactness)] if exactness else None,
        "ledgerHash": ledger.get("ledger_hash"),
        "ledgerLocation": f"cdme/{ledger['run_id']}/ledger.json" if ledger.get("ledger_hash") else None,
        "edges": [_edge(edge) for edge in edges],
    }


def _edge(edge: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": edge["model"],
        "input": edge["input"],
        "role": edge["role"],
        "exactness": edge["exactness"],
        "status": edge["status"],
        "outputCount": edge["output_count"],
        **{f"{name}Count": edge[f"{name}_count"] for name in _COUNTS},
        "reasons": [
            {
                "id": reason["id"],
                "kind": reason["kind"],
                "verdict": reason["verdict"],
                "count": reason["count"],
                "file": reason.get("file"),
                "line": reason.get("line"),
            }
            for reason in edge["reasons"]
        ],
    }
