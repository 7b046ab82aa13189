"""dbt in a process of its own, and what that process took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TIMED, PROFILED = "bench.timed_dbt", "bench.profiled_dbt"


@dataclass(frozen=True)
class Ran:
    """One run of dbt: seconds of the whole process, its peak memory in MiB, and what each model took."""

    wall: float
    cpu: float
    memory: float
    models: dict[str, dict[str, Any]]


def run_dbt(
    project: Path, output: Path, arguments: Sequence[str], given: Mapping[str, str], module: str = TIMED
) -> Ran:
    """``dbt run`` in a project, its target folder in ``output`` and ``given`` in its environment."""
    output.mkdir(exist_ok=True)
    took = output / "took.json"
    env = {**os.environ, **given, "DBT_TARGET_PATH": str(output), "DBT_LOG_PATH": str(output),
           "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "PYTHONPATH": str(ROOT)}  # fmt: skip
    command = [sys.executable, "-m", module, str(took), "--quiet", "run", *arguments]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=project, env=env)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if status:
        raise SystemExit(f"dbt run failed in {project.name}: {' '.join(arguments)}")
    found = json.loads(took.read_text())
    return Ran(wall, usage.ru_utime + usage.ru_stime, found["memory"], found["models"])
