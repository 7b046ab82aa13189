"""The long form: ``make crash``. Every boundary of a later run and of a first one, and random times.

Prints what it did and exits 1 if anything was found. ``--short`` is what CI does; ``--sabotage`` breaks
CDME on purpose, and then exit code 1 is the right one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.crash.boundary import GO, INTERRUPT, KILL, RAISE, Decide
from tests.crash.harness import Harness, commits, spread
from tests.crash.sabotage import SABOTAGES
from tests.crash.world import MODELS, MORE

BREAKS = ("kill", "raise", "interrupt", "disk", "read", "lock", "first")
"""The ways in which the runs of one model are broken."""


def main() -> int:
    """Run the experiments; 1 if one of them found a fault."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--short", action="store_true", help="twelve broken runs")
    options.add_argument("--sabotage", choices=sorted(SABOTAGES))
    options.add_argument("--kills", type=int, default=0, help="kills for each model; 0: at every boundary")
    options.add_argument("--models", nargs="*", default=[*MODELS[1:], *MORE], help="instead of all")
    options.add_argument("--breaks", nargs="*", choices=BREAKS, default=[*BREAKS], help="instead of all")
    options.add_argument("--random", type=int, default=50, help="kills at random times, of all models")
    options.add_argument("--outbox", type=int, default=12, help="kills while events are kept and sent")
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crash") as folder:
        root = Path(folder)
        if chosen.sabotage:
            harnesses = [sabotaged(root, chosen.sabotage)]
        elif chosen.short:
            harnesses = [short(root)]
        else:
            harnesses = [long(root, model, chosen) for model in chosen.models]
            harnesses += [everything(root, chosen)] if chosen.random else []
            harnesses += [outbox(root, chosen)] if chosen.outbox else []
    broken, faults = sum(h.broken for h in harnesses), sum(len(h.found) for h in harnesses)
    print(f"{broken} runs broken, {faults} faults, {time.monotonic() - began:.0f} s")
    return 1 if faults else 0


def short(root: Path) -> Harness:
    """Twelve broken runs: around commits, evenly spread, by exceptions and by Ctrl-C."""
    harness = Harness(root / "shop", select=MODELS)
    statements = harness.start()
    ends, many = commits(statements), len(statements)
    at_ends = [ends[n] for n in spread(5, len(ends))]
    tell(harness, "killed at commits", lambda: harness.break_at(at_ends, recover=False))
    tell(harness, "killed", lambda: harness.break_at(spread(4, many)))
    tell(harness, "broken", lambda: harness.break_at([n + 1 for n in spread(2, many)], RAISE))
    tell(harness, "interrupted", lambda: harness.break_at([many // 2 + 1], INTERRUPT))
    return harness


def long(root: Path, model: str, chosen: argparse.Namespace) -> Harness:
    """One materialization beside the seed: kills at its boundaries, exceptions, Ctrl-C, a first run."""
    harness = Harness(root / model, select=("raw", model), models=("raw", model))
    statements = harness.start()
    print(f"{model}: a run has {len(statements)} statements", flush=True)
    every = list(range(len(statements)))
    boundaries = around_commits(statements, chosen.kills) if chosen.kills else every
    ways: dict[str, tuple[str, Callable[[], object]]] = {
        "kill": ("  killed", lambda: harness.break_at(boundaries)),
        "raise": ("  broken by an exception", lambda: harness.break_at(boundaries[::8], RAISE)),
        "interrupt": ("  interrupted (Ctrl-C)", lambda: harness.break_at(boundaries[4::12], INTERRUPT)),
        "disk": ("  its disk full", lambda: harness.fill_disk([2**n for n in (12, 14, 16, 17, 18, 19)])),
        "read": ("  read meanwhile", lambda: harness.read_at(spread(3, len(statements)))),
        "lock": ("  its database locked", lambda: harness.lock(1)),
        "first": (
            "  killed in a first run",
            lambda: harness.kill_first_runs(every[8 :: len(every) // 3]),
        ),
    }
    for name in chosen.breaks:
        tell(harness, *ways[name])
    return harness


def around_commits(statements: list[str], count: int) -> list[int]:
    """So many boundaries: before and after each commit, the others evenly between."""
    ends = commits(statements)[:count]
    others = [n for n in range(len(statements)) if n not in ends]
    return sorted([*ends, *(others[n] for n in spread(count - len(ends), len(others)))])


def everything(root: Path, chosen: argparse.Namespace) -> Harness:
    """All models at once, four threads, killed at any time."""
    harness = Harness(root / "shop", models=(*MODELS, *MORE))
    harness.start()
    chance = random.Random(chosen.seed)
    tell(harness, "killed at random", lambda: harness.kill_at_random(chosen.random, chance, 4.0))
    return harness


def outbox(root: Path, chosen: argparse.Namespace) -> Harness:
    """Events are kept in the database and sent to a file after the run: kills from its end on."""
    os.environ["OPENLINEAGE__TRANSPORT"] = json.dumps(
        {"type": "file", "log_file_path": str(root / "told/events.jsonl"), "append": True}
    )
    harness = Harness(root / "told", select=("raw", "t"), models=("raw", "t"))
    statements = harness.start()
    begin = next(n for n, sql in enumerate(statements) if "store_documents VALUES" in sql)
    boundaries = spread(min(chosen.outbox, len(statements) - begin), len(statements) - begin)
    tell(harness, "killed in the outbox", lambda: harness.break_outbox([begin + n for n in boundaries]))
    return harness


def sabotaged(folder: Path, name: str) -> Harness:
    """Kill a sabotaged build at the ledger of a table, and at and after its commit, until it shows."""
    harness = Harness(folder / "shop", select=("raw", "t"), models=("raw", "t"))
    harness.start()
    for after in (-1, 0, 1, 2, 3):
        if not harness.found:
            fate = harness.run(near_commit("model.shop.t", after), SABOTAGES[name])
            harness.broken += fate.killed
            tell(harness, name, lambda at=after: harness.look(f"killed {at} after the commit"))
    return harness


def near_commit(model: str, after: int) -> Decide:
    """Kill at a model's ledger (-1), at the COMMIT that follows, or so many statements after that."""
    seen: dict[str, int] = {}

    def decide(number: int, sql: str) -> str:
        if "store_ledger VALUES" in sql and model in sql:
            seen["ledger"] = number
        elif "ledger" in seen and "commit" not in seen and sql.upper() == "COMMIT":
            seen["commit"] = number
        at = seen.get("ledger") if after < 0 else seen.get("commit", number) + after
        return KILL if number == at and (after < 0 or "commit" in seen) else GO

    return decide


def tell(harness: Harness, what: str, experiment: Callable[[], object]) -> None:
    """Do one experiment and say what it found."""
    before, broken = len(harness.found), harness.broken
    experiment()
    print(f"{what}: {harness.broken - broken}, faults: {len(harness.found) - before}", flush=True)
    for fault in harness.found[before:]:
        print(f"    {fault}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
