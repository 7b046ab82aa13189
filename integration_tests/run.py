"""Run this project as a user would: a fresh environment, CDME from its wheel, dbt's own commands.

Usage: ``python integration_tests/run.py`` with any Python that has pip. Nothing is shared with the
development environment, so that a file missing from the wheel, or a dependency missing from its
metadata, is noticed here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
ROOT = PROJECT.parent

DBT_STEPS = (
    ("deps",),
    ("build",),
    ("build",),  # incremental models and snapshots take another way the second time
    ("test",),
    ("run-operation", "cdme_reconcile"),
)


def run(command: list[str], folder: Path, env: dict[str, str] | None = None) -> None:
    """Run a command, show it, and stop at its exit code if it fails."""
    print("+", *command, flush=True)
    done = subprocess.run(command, cwd=folder, env=env, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def build_wheel(scratch: Path) -> Path:
    """The wheel of this checkout, built from a copy: a build folder left here would leak in."""
    copy = scratch / "source"
    unwanted = shutil.ignore_patterns(
        ".*", "*.egg-info", "build", "dist", "tests", "demo", "integration_tests"
    )
    shutil.copytree(ROOT, copy, ignore=unwanted)
    run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", "dist", "."], copy)
    return next((copy / "dist").glob("*.whl"))


def environment(scratch: Path, wheel: Path) -> Path:
    """A new virtual environment that holds the wheel and what its metadata asks for."""
    folder = scratch / "venv"
    run([sys.executable, "-m", "venv", str(folder)], scratch)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "-c"]
    run([*pip, str(ROOT / "constraints.txt"), str(wheel)], scratch)
    return folder / "bin"


def clean() -> None:
    """Remove what an earlier run left in this folder."""
    for name in ("target", "dbt_packages", "logs"):
        shutil.rmtree(PROJECT / name, ignore_errors=True)
    for file in PROJECT.glob("*.duckdb*"):
        file.unlink()


def main() -> None:
    """Build, install, and run dbt's steps one after the other."""
    with tempfile.TemporaryDirectory(prefix="cdme-consumer-") as name:
        scratch = Path(name)
        binaries = environment(scratch, build_wheel(scratch))
        clean()
        env = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        for step in DBT_STEPS:
            run([str(binaries / "dbt"), *step], PROJECT, env)


if __name__ == "__main__":
    main()
