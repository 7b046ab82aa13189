"""The short form of ``make concurrency``: two runs with each number of threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_number_of_threads_leaves_the_same_account() -> None:
    """In a process of its own: it forks, which no process may do that has had a database open."""
    command = [sys.executable, "-m", "tests.concurrency", "--runs", "6"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=380)
    assert done.returncode == 0 and "6 runs, 0 faults" in done.stdout, done.stdout + done.stderr
