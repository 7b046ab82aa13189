"""What telling OpenLineage of a run costs: ``python -m bench.emit [--models 1000] [--rounds 3] [--check]``.

One real ``dbt run`` of the many tiny models of ``bench.thousand`` makes the ledger and the manifest. Then
its events are made from them, each time in a process of its own on a copy of the database: ``cold``, where
no column lineage is known, and ``warm``, where all of it is. CPU seconds of each part, the least of the
rounds: a busy machine only adds to them. ``client`` is loading the client, beside a run's first models.
``--check`` exits 1 where making the events takes more than 2 s or 5 ms a node.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import thousand

PARTS = ("client", "facts", "catalog", "lineage", "events", "print", "keep", "made", "send")
MOST, MOST_OF_A_NODE = 2.0, 0.005
COLLECTOR = "http://127.0.0.1:9/unused"


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_measured(Path(options.measure))))
        return 0
    folder = thousand.project(options.models)
    thousand.run(folder, "cdme", [])
    told: dict[str, dict[str, float]] = {}
    for kind in ("cold", "warm"):
        rounds = [_round(folder, kind == "warm") for _ in range(options.rounds)]
        told[kind] = {part: min(one[part] for one in rounds) for part in rounds[0]}
        parts = ", ".join(f"{part} {told[kind][part]:.2f}" for part in PARTS)
        print(f"{kind}: CPU seconds: {parts}; {told[kind]['count']:.0f} events", flush=True)
    worst = max(one["made"] for one in told.values())
    print(f"{1000 * worst / options.models:.2f} ms a node at most")
    return int(options.check and worst > min(MOST, MOST_OF_A_NODE * options.models))


def _round(folder: Path, warm: bool) -> dict[str, float]:
    """One measurement in a process of its own."""
    database = folder / "emit" / "work_cdme.duckdb"  # the compiled SQL names it
    database.parent.mkdir(exist_ok=True)
    shutil.copy(folder / database.name, database)
    command = [sys.executable, "-m", "bench.emit", "--measure", str(folder)]
    env = {**os.environ, "OPENLINEAGE_URL": COLLECTOR}
    for _ in range(2 if warm else 1):
        found = json.loads(subprocess.run(command, env=env, check=True, capture_output=True).stdout)
    return dict(found)


def _measured(folder: Path) -> dict[str, float]:
    """Make the events of the run in ``folder``, and hand them to a transport that takes them at once."""
    import duckdb
    import sqlglot
    from dbt.contracts.graph.manifest import Manifest, WritableManifest

    manifest = Manifest.from_writable_manifest(
        WritableManifest.read_and_check_versions(str(folder / "target_cdme" / "manifest.json"))
    )
    ledger = json.loads((folder / "target_cdme" / "cdme" / "ledger.json").read_text())
    con = duckdb.connect(str(folder / "emit" / "work_cdme.duckdb"))
    con.execute("DELETE FROM cdme.store_outbox")
    sqlglot.parse_one("SELECT 1", dialect="duckdb")  # which a run has loaded for its own sake

    def execute(sql: str, values: Any = None) -> list[Any]:
        return con.execute(sql, values).fetchall()

    spent = dict.fromkeys(PARTS, 0.0)

    @contextmanager
    def timed(part: str) -> Iterator[None]:
        began = time.process_time()
        yield
        spent[part] += time.process_time() - began

    with timed("client"):
        from cdme_adapter.emit import catalog, datasets, events, outbox, publish, remembered, texts
        from cdme_adapter.emit.facts import project_facts

    def watched(owner: Any, name: str, part: str) -> None:
        real = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            with timed(part):
                return real(*args, **kwargs)

        setattr(owner, name, call)

    watched(catalog.Catalog, "read", "catalog")
    watched(datasets.Datasets, "_column_lineage", "lineage")
    watched(events.Story, "events", "events")
    watched(texts.Printer, "text", "print")
    watched(outbox, "put", "keep")
    watched(remembered.Remembered, "read", "keep")
    watched(remembered.Remembered, "write", "keep")
    watched(sys.modules[__name__], "_facts", "facts")
    with timed("made"):
        count = publish.keep_events(
            execute, "work_cdme.cdme", [ledger], lambda: _facts(project_facts, manifest, folder)
        )
    spent["events"] -= spent["lineage"]

    class Taken:
        """A client whose collector takes everything at once."""

        class transport:
            kind = "taken"
            emit = staticmethod(lambda event: None)

        close = staticmethod(lambda timeout: True)

    with timed("send"):
        publish.send_waiting(execute, ["work_cdme.cdme"], None, Taken())
    return {**spent, "count": float(count)}


def _facts(make: Any, manifest: Any, folder: Path) -> Any:
    return make(manifest, str(folder))


if __name__ == "__main__":
    sys.exit(main())
