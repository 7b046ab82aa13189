"""What dbt says of each node while it runs: its status and when it began and ended.

dbt's own events say it of every node, tests and skipped ones too, whether or not the package's
hooks are installed.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from dbt_common.events.event_manager_client import add_callback_to_manager

from cdme_adapter.nodes import Outcome


class Listener:
    """Collects the outcome of every node of one invocation, by unique id."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}

    def begin(self) -> None:
        """Listen until dbt sets up its events for the next invocation."""
        add_callback_to_manager(self.hear)

    def take(self) -> dict[str, Outcome]:
        """The outcomes, once: dbt cleans its connections up more than once."""
        found, self.outcomes = self.outcomes, {}
        return found

    def hear(self, event: Any) -> None:
        """Called by dbt for each of its events, on whatever thread it happens."""
        if event.info.name == "NodeFinished":
            node, result = event.data.node_info, event.data.run_result
            self.outcomes[node.unique_id] = Outcome(
                node.unique_id,
                result.status,
                _time(node.node_started_at),
                _time(node.node_finished_at) or _time(node.node_started_at),
                int(getattr(result, "num_failures", 0) or 0),
                str(getattr(result, "message", "") or ""),
            )


def _time(text: str) -> dt.datetime | None:
    """dbt's times are UTC without a zone."""
    if not text:
        return None
    return dt.datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=dt.timezone.utc)
