"""The short form of ``make crash``: twelve kills, and three sabotaged builds that must be caught.

Each in a process of its own: the harness forks, which no process may do that has had a database open.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.sabotage import SABOTAGES

ROOT = Path(__file__).resolve().parents[2]


def crash(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.crash", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=380)


def test_whatever_is_killed_is_of_one_run() -> None:
    done = crash("--short")
    assert "12 runs broken, 0 faults" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_sabotaged_build_is_caught(name: str) -> None:
    """The harness's own test: it must see what these builds break."""
    done = crash("--sabotage", name)
    assert done.returncode == 1 and ", 0 faults" not in done.stdout, done.stdout + done.stderr
