"""The official schemas, and a checker of the life cycle of runs.

The schemas are read from ``$OPENLINEAGE_SPEC`` or from ``shared/openlineage-spec`` beside the
repository; they are not part of it.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

_CORE = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_ENDS = {"COMPLETE", "FAIL", "ABORT"}


def folder() -> Path:
    """Where the schemas are; skips the test where they are not."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "openlineage-spec"
    found = Path(os.environ.get("OPENLINEAGE_SPEC") or beside)
    if not (found / "OpenLineage.json").is_file():
        pytest.skip(f"the OpenLineage schemas are not in {found}, nor does $OPENLINEAGE_SPEC name them")
    return found


@functools.cache
def _registry(root: Path) -> tuple[Registry[Any], dict[str, dict[str, str]]]:
    """The schemas by their ids, and the reference of each facet by kind and key."""
    own = Path(str(files("cdme_adapter"))) / "schemas" / "openlineage"
    paths = [root / "OpenLineage.json", *(root / "facets").glob("*.json"), *own.glob("*/*.json")]
    schemas = [json.loads(path.read_text()) for path in paths]
    facets: dict[str, dict[str, str]] = defaultdict(dict)
    for schema in schemas:
        for key, value in schema.get("properties", {}).items():
            name = value.get("$ref", "").rpartition("/")[2]
            for kind in ("RunFacet", "JobFacet", "InputDatasetFacet", "OutputDatasetFacet", "DatasetFacet"):
                if name.endswith(kind):
                    facets[kind][key] = f"{schema['$id']}{value['$ref']}"
                    break
    resources = [(schema["$id"], Resource.from_contents(schema)) for schema in schemas]
    return Registry().with_resources(resources), facets


def problems_of(event: dict[str, Any]) -> list[str]:
    """Where an event is not what the schemas say; a facet that no schema knows is a problem."""
    registry, facets = _registry(folder())
    found = [f"event: {p}" for p in _check({"$ref": _CORE}, event, registry)]
    places = [("RunFacet", event["run"].get("facets")), ("JobFacet", event["job"].get("facets"))]
    for dataset in event.get("inputs") or ():
        places += [
            ("DatasetFacet", dataset.get("facets")),
            ("InputDatasetFacet", dataset.get("inputFacets")),
        ]
    for dataset in event.get("outputs") or ():
        places += [("DatasetFacet", dataset.get("facets"))]
        places += [("OutputDatasetFacet", dataset.get("outputFacets"))]
    for kind, given in places:
        for key, value in (given or {}).items():
            known = facets[kind] if kind != "InputDatasetFacet" else facets["DatasetFacet"] | facets[kind]
            if key not in known:
                found.append(f"{kind} {key} has no schema")
                continue
            found += [f"{kind} {key}: {p}" for p in _check({"$ref": known[key]}, value, registry)]
    return found


FORMATS = FormatChecker()
"""jsonschema's own, and those for which it would need other packages."""

_URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:(//([\w.~!$&'()*+,;=:-]|%[0-9A-F]{2})*(?=[/?#]|$))?"
    r"([\w.~!$&'()*+,;=:@/-]|%[0-9A-F]{2})*(\?[^#\s]*)?(#([\w.~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*)?",
    re.ASCII,
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@FORMATS.checks("uri")
def _is_uri(value: Any) -> bool:
    """RFC 3986: what follows a colon in an authority is a port."""
    authority = value.partition("://")[2].partition("/")[0] if isinstance(value, str) else ""
    port = authority.partition(":")[2]
    return not isinstance(value, str) or bool(_URI.fullmatch(value) and (not port or port.isdigit()))


@FORMATS.checks("date-time")
def _is_time(value: Any) -> bool:
    """RFC 3339."""
    return not isinstance(value, str) or bool(_TIME.fullmatch(value))


def _check(schema: dict[str, Any], value: Any, registry: Registry[Any]) -> Iterable[str]:
    validator = Draft202012Validator(schema, registry=registry, format_checker=FORMATS)
    for error in validator.iter_errors(value):
        yield f"{'/'.join(str(part) for part in error.absolute_path)}: {error.message}"


def lifecycle_problems(events: list[dict[str, Any]]) -> list[str]:
    """Runs that do not begin with one START and end with one of COMPLETE, FAIL and ABORT, in order."""
    found = []
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        runs[event["run"]["runId"]].append(event)
    for name, story in runs.items():
        kinds = [event["eventType"] for event in story]
        if kinds[:1] != ["START"] or len(kinds) != 2 or kinds[1] not in _ENDS:
            found.append(f"{story[0]['job']['name']} ({name}): {kinds}")
        if len({(e["job"]["namespace"], e["job"]["name"]) for e in story}) != 1:
            found.append(f"{name} is a run of several jobs")
        missing = set(story[0]["run"]["facets"]) - set(story[-1]["run"]["facets"])
        missing |= set(story[0]["job"]["facets"]) - set(story[-1]["job"]["facets"])
        if missing:
            found.append(f"{name}: its end does not repeat {missing}")
    for event in events:
        parent = event["run"]["facets"].get("parent")
        if parent and parent["run"]["runId"] in runs:
            first, *_, last = runs[parent["run"]["runId"]]
            if not events.index(first) < events.index(event) < events.index(last):
                found.append(f"{event['job']['name']}: {event['eventType']} is outside of its parent's run")
    times = [event["eventTime"] for event in events]
    return found + ([] if times == sorted(times) else ["events are not in the order of their times"])
