"""Events as texts, just as the client's transports print them; what events share is printed once."""

from __future__ import annotations

import json
from typing import Any

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
        self._plain: dict[int, tuple[Any, dict[str, Any]]] = {}
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
            "eventTime": event.eventTime,
            "eventType": event.eventType.value if event.eventType else None,
            "run": {"runId": event.run.runId, "facets": self._facets(run)},
            "job": {"namespace": event.job.namespace, "name": event.job.name, "facets": self._facets(job)},
            "inputs": [self._dataset(one, "inputFacets") for one in event.inputs or ()],
            "outputs": [self._dataset(one, "outputFacets") for one in event.outputs or ()],
            "producer": event.producer,
            "schemaURL": event.schemaURL,
        }
        return json.dumps(found, sort_keys=True)

    def _dataset(self, dataset: Any, own: str) -> dict[str, Any]:
        return {
            "namespace": dataset.namespace,
            "name": dataset.name,
            "facets": self._facets(dataset.facets or {}),
            own: self._facets(getattr(dataset, own) or {}),
        }

    def _facets(self, facets: dict[str, Any]) -> dict[str, Any]:
        return {name: self._of(facet) for name, facet in facets.items()}

    def _of(self, facet: Any) -> dict[str, Any]:
        known = self._plain.get(id(facet))
        if known is None:  # the facet is held, so that no other gets its id
            known = self._plain[id(facet)] = (facet, Serde.to_dict(facet))
        return known[1]
