"""The schema of CDME's own facet is immutable, and an event names where it is."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path

import pytest

from cdme_adapter.emit.ledger_facet import VERSION, schema_url
from tests.emit.collector import Collector
from tests.functional.project import Project

PUBLISHED = {"1-0-0": "49962c4ed0e47cb4edcdaf00377c102c2f6a9b8de331ed451a72ae912d8f94f2"}
"""By version, the SHA-256 of the file; a line is added and none is ever changed."""


def test_a_published_schema_never_changes() -> None:
    folder = Path(str(files("cdme_adapter"))) / "schemas" / "openlineage"
    shipped = {path.parent.name: path.read_bytes() for path in folder.glob("*/CdmeLedgerRunFacet.json")}
    hashes = {version: hashlib.sha256(text).hexdigest() for version, text in shipped.items()}
    assert hashes == PUBLISHED, "a change is a new version, and those before it stay"
    found = json.loads(shipped[VERSION])
    name, _, pointer = schema_url().partition("#/")
    assert found["$id"] == name and found["$defs"][pointer.partition("/")[2]]["type"] == "object"
    # The folder as it is can be served: its address and the version are the file's.
    served = schema_url(folder.as_uri()).partition("#")[0]
    assert Path(served.removeprefix("file://")).read_bytes() == shipped[VERSION]


@pytest.mark.parametrize("served", ["", "https://example.org/cdme"])
def test_events_name_it(project: Project, collector: Collector, served: str) -> None:
    options = {"timeout": 30, **({"schemas": served} if served else {})}
    project.configure(vars={"cdme": {"emit": options}})
    project.write({"raw.csv": "id\n1\n"}).dbt("seed")
    ends = [e for e in collector.take() if e["eventType"] == "COMPLETE"]
    urls = {end["run"]["facets"]["cdme_ledger"]["_schemaURL"] for end in ends}
    assert urls == {schema_url(served)} and len(ends) == 2
    assert next(iter(urls)).startswith(served or "urn:dbt-cdme:")
