"""CDME's own run facet ``cdme_ledger``: the account of a node or of the run, in counts.

Its schema ships as ``schemas/openlineage/1-0-0/CdmeLedgerRunFacet.json`` and never changes under its
``$id``: a change is a new version with a new one in a folder of its own (a test holds each file to its
hash). Where a project serves the folder, ``emit: {schemas: ADDRESS}`` makes ``_schemaURL`` its address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cdme_adapter.emit.names import PRODUCER

VERSION = "1-0-0"
_POINTER = "#/$defs/CdmeLedgerRunFacet"
_COUNTS = ("input", "contributed", "filtered", "error", "unaccounted", "consulted")


def schema_url(base: str = "") -> str:
    """The ``_schemaURL``: a URN that is never another content's, or the file's address under ``base``.

    >>> schema_url("https://example.org/cdme/")
    'https://example.org/cdme/1-0-0/CdmeLedgerRunFacet.json#/$defs/CdmeLedgerRunFacet'
    """
    if base:
        return f"{base.rstrip('/')}/{VERSION}/CdmeLedgerRunFacet.json{_POINTER}"
    return f"urn:dbt-cdme:facet:CdmeLedgerRunFacet:{VERSION}{_POINTER}"


def ledger_facet(
    ledger: Mapping[str, Any], edges: Sequence[Mapping[str, Any]], base: str = ""
) -> dict[str, Any]:
    """The facet of some edges of a ledger: counts and reasons, never a row's value."""
    weakest = ["exact", "superset", "opaque"]
    exactness = [weakest.index(edge["exactness"]) for edge in edges if edge["role"] == "direct"]
    return {
        "_producer": PRODUCER,
        "_schemaURL": schema_url(base),
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
