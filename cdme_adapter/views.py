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


def account_view(
    journey: Journey, connect: Callable[[], Any], write: Callable[[StoreWriter], None]
) -> None:
    """Evaluate the view once on a connection of its own and account for its inputs.

    Lineage and ledger (``write``) are one transaction. Bounded by ``account_views_seconds``; off, over
    it or in error the edges are opaque, their status UNKNOWN, and a finding says so.
    """
    config = journey.config
    handle = connect()
    timer = threading.Timer(config.account_views_seconds, handle.cursor().interrupt)
    deadline = time.monotonic() + config.account_views_seconds

    def plain(sql: str) -> list[Row]:
        return list(handle.cursor().execute(sql).fetchall())

    def execute(sql: str) -> list[Row]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"it took more than {config.account_views_seconds} seconds")
        return plain(sql)

    timer.start()
    try:
        if not config.account_views:
            raise RuntimeError("account_views is off")
        execute("BEGIN")
        _evaluate(journey, execute)
        write(StoreWriter(execute, journey.node.database))
        execute("COMMIT")
    except Exception as error:
        timer.cancel()
        with contextlib.suppress(Exception):
            plain("ROLLBACK")
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        _unknown(journey, journey.redacted(first), plain, write)
    finally:
        timer.cancel()
        handle.close()


def _evaluate(journey: Journey, execute: Callable[[str], list[Row]]) -> None:
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


def _unknown(
    journey: Journey, why: str, execute: Callable[[str], list[Row]], write: Callable[[StoreWriter], None]
) -> None:
    """What an earlier run accounted is of an earlier run: the view's present edges are opaque."""
    node = journey.node
    journey.why_not, journey.output_count = why, None
    journey.findings.append(
        Finding("VIEW_NOT_ACCOUNTED", f"the view was not accounted: {why}", "warn", node.id, journey.place)
    )
    store = StoreWriter(execute, node.database)
    execute("BEGIN")
    journey.write_coarse(execute, store, Target(node.database, node.schema, node.identifier))
    write(store)
    execute("COMMIT")
