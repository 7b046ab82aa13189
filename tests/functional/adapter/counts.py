"""The table of docs/conformance.md: ``python -m tests.functional.adapter.counts`` prints it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tests.functional.adapter.test_more import FAILS_ON_BOTH

FOLDER = Path(__file__).parent


def table() -> str:
    """A line for each file of the suite: its classes of dbt-tests-adapter, and their tests."""
    lines = ["| File | What it covers | Classes | Tests |", "|---|---|---|---|"]
    total = [0, 0]
    for path in sorted(FOLDER.glob("test_*.py")):
        module = import_module(f"tests.functional.adapter.{path.stem}")
        found = [
            one for name, one in vars(module).items()
            if name.startswith("Test") and isinstance(one, type) and one.__module__ == module.__name__
        ]  # fmt: skip
        tests = sum(name.startswith("test") for one in found for name in dir(one))
        about = " ".join((module.__doc__ or "").split("\n\n")[0].split()).rstrip(".")
        lines.append(f"| `{path.name}` | {about} | {len(found)} | {tests} |")
        total = [total[0] + len(found), total[1] + tests]
    return "\n".join([*lines, f"| all | | {total[0]} | {total[1]} |"])


def left_out() -> str:
    """What fails on both adapters, with the reason."""
    lines = [f"| `{name}` | {why} |" for name, why in FAILS_ON_BOTH.items()]
    return "\n".join(["| Class | Why |", "|---|---|", *lines])


if __name__ == "__main__":
    print(table(), left_out(), sep="\n\n")
