"""dbt in one process that notes what each node took: wall seconds, and CPU seconds of all its threads.

Usage: ``python -m bench.timed_dbt TOOK.json run --target …``: everything after the file is dbt's own
command line. CPU time tells what a statement costs also where other work has the machine busy. Nodes
must run one after another (one thread of dbt): the CPU time is that of the whole process. The file also
has the process's peak memory in MiB, which its parent cannot know: what ``wait4`` says of a child begins
with the parent's own peak.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner


class Clock:
    """A callback of dbt's events: the seconds between a node's start and its end."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}
        self._begun: tuple[float, float] = (0.0, 0.0)

    def __call__(self, event: Any) -> None:
        """Read the clocks where a node starts or ends."""
        if event.info.name == "NodeStart":
            self._begun = (time.perf_counter(), time.process_time())
        elif event.info.name == "NodeFinished":
            wall, cpu = time.perf_counter() - self._begun[0], time.process_time() - self._begun[1]
            self.finished(event.data.node_info.unique_id.rpartition(".")[2], wall, cpu)

    def finished(self, name: str, wall: float, cpu: float) -> None:
        """Note what a node took."""
        self.found[name] = {"wall": wall, "cpu": cpu}


def peak() -> float:
    """The most memory that this process has held, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        held = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if held:
            return int(held[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(clock: Clock, arguments: list[str]) -> int:
    """Run dbt and write what its nodes took."""
    result = dbtRunner(callbacks=[clock]).invoke(arguments[1:])
    Path(arguments[0]).write_text(json.dumps({"models": clock.found, "memory": peak()}, indent=1))
    if result.exception is not None:
        print(result.exception, file=sys.stderr)
    return 0 if result.success else 1


if __name__ == "__main__":
    sys.exit(run(Clock(), sys.argv[1:]))
