"""Views that no stored model reads: their account, as of their creation (docs/concepts.md, Views)."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from cdme_adapter.engines.base import Row
from cdme_adapter.errors import Finding
from cdme_adapter.pipeline import Journey, Target
from cdme_adapter.settle import ROOT_ROWS
from cdme_adapter.store.writer import StoreWriter


def account_view(journey: Journey, connect: Callable[[], Any]) -> None:
    """Evaluate the view once on a connection of its own and account for its inputs.

    Bounded by ``account_views_seconds``; off, over it or in error the edges are UNKNOWN and a
    finding says so.
    """
    config = journey.config
    if not config.account_views:
        return _unknown(journey, "VIEW_NOT_ACCOUNTED", "account_views is off")
    handle = connect()
    timer = threading.Timer(config.account_views_seconds, handle.cursor().interrupt)
    deadline = time.monotonic() + config.account_views_seconds

    def execute(sql: str) -> list[Row]:
        if time.monotonic() > deadline and sql != "ROLLBACK":
            raise TimeoutError(f"it took more than {config.account_views_seconds} seconds")
        return list(handle.cursor().execute(sql).fetchall())

    timer.start()
    try:
        execute("BEGIN")
        journey.make_plan(execute)
        if journey.plan is None:
            raise RuntimeError(journey.why_not)
        journey.stages(execute)
        target = Target("temp", "main", "cdme_view")
        execute(f"CREATE OR REPLACE TEMP TABLE cdme_view AS {journey.root_select()}")
        hidden = ", ".join(("rowid - (SELECT min(rowid) FROM temp.cdme_view) AS o",
                            *journey.plan.root.hidden))  # fmt: skip
        execute(f"CREATE OR REPLACE TEMP TABLE {ROOT_ROWS} AS SELECT {hidden} FROM temp.cdme_view")
        journey.settle(execute, StoreWriter(execute, journey.node.database), target)
        execute("DROP TABLE temp.cdme_view")
        execute("COMMIT")
    except Exception as error:
        _abandon(execute)
        _unknown(journey, "VIEW_NOT_ACCOUNTED", str(error).strip().splitlines()[0])
    finally:
        timer.cancel()
        handle.close()


def _abandon(execute: Callable[[str], list[Row]]) -> None:
    with contextlib.suppress(Exception):
        execute("ROLLBACK")


def _unknown(journey: Journey, code: str, why: str) -> None:
    journey.entries = [
        journey.unknown_entry(parent, why) for parent in journey.nodes.stored_parents(journey.node)
    ]
    journey.findings.append(
        Finding(code, f"the view was not accounted: {why}", "warn", journey.node.id, journey.place)
    )
