"""Events as texts, just as the client's transports print them; what events share is printed once."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

import attr
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.serde import Serde


class Printer:
    """Applies the client's own options (tags, environment, filters) to events and prints them.

    Done before an event is kept, so that a resend is byte-identical. ``Serde.to_json`` walks every part
    of every event: for a thousand nodes that is most of what telling costs, and most parts are the
    facets of datasets that many events name.
    """

    def __init__(self, client: OpenLineageClient) -> None:
        self.client = client
        self._texts: dict[int, tuple[Any, str]] = {}
        probe: Any = RunEvent(
            eventType=RunState.START, eventTime="2020-01-01T00:00:00Z", producer="urn:cdme",
            run=Run("01900000-0000-7000-8000-000000000001"), job=Job("cdme", "cdme"),
        )  # fmt: skip
        probe = client.update_event_tags_facets(client.add_environment_facets(probe))
        self._run_facets = dict(probe.run.facets or {})
        self._job_facets = dict(probe.job.facets or {})

    def text(self, event: RunEvent) -> str | None:
        """The text of an event; None where a filter of the client drops it."""
        job, run = dict(event.job.facets or {}), {**(event.run.facets or {}), **self._run_facets}
        if "tags" in job and self._job_facets:
            self.client.update_event_tags_facets(event)
            job = dict(event.job.facets or {})
        else:
            job |= self._job_facets
        if self.client.filter_event(event) is None:
            return None
        found = {
            "eventTime": _quoted(event.eventTime),
            "eventType": _quoted(event.eventType.value) if event.eventType else None,
            "inputs": self._datasets(event.inputs, "inputFacets"),
            "job": _object(
                {
                    "facets": self._facets(job),
                    "name": _quoted(event.job.name),
                    "namespace": _quoted(event.job.namespace),
                }
            ),
            "outputs": self._datasets(event.outputs, "outputFacets"),
            "producer": _quoted(event.producer),
            "run": _object({"facets": self._facets(run), "runId": _quoted(event.run.runId)}),
            "schemaURL": _quoted(event.schemaURL),
        }
        return _object(found)

    def _datasets(self, datasets: Any, own: str) -> str:
        return f"[{', '.join(self._dataset(one, own) for one in datasets or ())}]"

    def _dataset(self, dataset: Any, own: str) -> str:
        return _object(
            {
                "facets": self._facets(dataset.facets or {}),
                own: self._facets(getattr(dataset, own) or {}),
                "name": _quoted(dataset.name),
                "namespace": _quoted(dataset.namespace),
            }
        )

    def _facets(self, facets: Mapping[str, Any]) -> str:
        return _object({name: self._of(facet) for name, facet in facets.items()})

    def _of(self, facet: Any) -> str:
        known = self._texts.get(id(facet))
        if known is None:  # the facet is held, so that no other gets its id
            plain = _plain(facet if isinstance(facet, dict) else attr.asdict(facet))
            known = self._texts[id(facet)] = (facet, json.dumps(plain, sort_keys=True))
        return known[1]


@functools.lru_cache(maxsize=10_000)
def _quoted(value: str | None) -> str:
    return json.dumps(value)


def _object(parts: Mapping[str, str | None]) -> str:
    """A JSON object of the texts of its values, in the order of their names."""
    known = [f"{_quoted(name)}: {text}" for name, text in sorted(parts.items()) if text is not None]
    return f"{{{', '.join(known)}}}"


def _plain(value: Any) -> Any:
    """What ``Serde.remove_nulls_and_enums`` makes of a value, sooner where it is of a plain type."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or kind is float or value is None:
        return value
    if kind is dict:
        return {key: made for key, one in value.items() if (made := _plain(one)) is not None}
    if kind is list:
        return [made for one in value if (made := _plain(one)) is not None and made != {}]
    return Serde.remove_nulls_and_enums(value)
