"""One experiment after the other: break a run, look, run again, look again."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.crash import boundary
from tests.crash.boundary import GO, KILL, Decide, Fate
from tests.crash.consistency import faults
from tests.crash.world import MODELS, World

Sabotage = Callable[[], None]


@dataclass
class Harness:
    """A world, and what was found in it."""

    root: Path
    select: tuple[str, ...] = ()
    models: tuple[str, ...] = MODELS
    found: list[str] = field(default_factory=list)
    broken: int = 0
    """How many runs were really broken: a kill whose boundary was not reached does not count."""

    def __post_init__(self) -> None:
        self.world = World(self.root)
        root = str(self.root)
        where = {"--project-dir": root, "--profiles-dir": root, "--log-path": f"{root}/logs"}
        self.common = ["--quiet", *(part for option in where.items() for part in option)]
        self.manifest = boundary.read_project(self.common)

    def run(self, decide: Decide = lambda number, sql: GO, sabotage: Sabotage | None = None,
            limit: Callable[[], None] | None = None, threads: int = 1,
            seconds: float | None = None) -> Fate:  # fmt: skip
        """One dbt build in the present round; the next round begins after it."""
        chosen = ["--select", *self.select] if self.select else []
        arguments = ["build", *self.common, "--threads", str(threads), *chosen]
        fate = boundary.run(self.manifest, arguments, decide, sabotage, limit, seconds)
        self.world.rounds[fate.run_id] = self.world.number
        self.world.next_round()
        return fate

    def look(self, when: str) -> list[str]:
        """The faults of the database as it is now, which are remembered too."""
        now = boundary.in_child(faults, self.world.project.path, self.world.rounds, self.models)
        self.found += [f"{when}: {fault}" for fault in now]
        return list(now)

    def again(self, when: str) -> None:
        """The next run must succeed with no help, and leave all models in its own round."""
        number = self.world.number
        fate = self.run()
        if not fate.success:
            self.found.append(f"{when}: the next run failed: {fate.message}")
        self.look(f"{when}, after the next run")
        behind = boundary.in_child(_behind, self.world.project.path, number, self.models)
        self.found += [f"{when}: {model} was not built by the next run" for model in behind]

    def start(self) -> list[str]:
        """Build twice, so that every model has an older generation; the second run's statements."""
        first = self.run()
        assert first.success, first.message
        second = self.run()
        assert second.success, second.message
        assert self.look("without a kill") == [], self.found
        return second.statements

    def break_at(
        self, numbers: Iterable[int], do: str = KILL, recover: bool = True,
        sabotage: Sabotage | None = None,
    ) -> None:  # fmt: skip
        """Break a run before each of these statements."""
        for number in numbers:
            fate = self.run(lambda n, sql, at=number: do if n == at else GO, sabotage)  # type: ignore[misc]
            if len(fate.statements) <= number:
                continue
            self.broken += 1
            when = f"{do} before statement {number} ({fate.statements[number][:90]})"
            self.look(when)
            if recover:
                self.again(when)

    def kill_first_runs(self, numbers: Iterable[int]) -> None:
        """Kill the first run of a project, before there is any database."""
        for number in numbers:
            self.forget_everything()
            self.break_at([number])

    def kill_at_random(self, times: int, chance: random.Random, longest: float = 1.5) -> None:
        """Kill runs at any time, also within statements."""
        for _ in range(times):
            fate = self.run(threads=4, seconds=chance.uniform(0.0, longest))
            self.broken += fate.killed
            when = f"kill at random, after {len(fate.statements)} statements"
            self.look(when)
            self.again(when)

    def fill_disk(self, sizes: Iterable[int]) -> None:
        """Let no file of a run grow beyond so many bytes: writes fail as on a full disk."""
        for size in sizes:
            fate = self.run(limit=partial(_no_larger, size))
            self.broken += not fate.success
            when = f"files limited to {size:,} bytes"
            self.look(when)
            self.again(when)

    def read_at(self, numbers: Iterable[int]) -> None:
        """Ask `cdme` while a run is going: it says who holds the file, and a copy answers."""
        for number in numbers:
            said: list[str] = []

            def reader(n: int, sql: str, at: int = number, said: list[str] = said) -> str:
                if n == at:
                    said += boundary.in_child(ask, str(self.root), self.models[-1])
                return GO

            fate = self.run(reader)
            if not fate.success:
                self.found.append(f"a reader at statement {number} broke the run: {fate.message}")
            if said[:1] != ["STORE_LOCKED"] or said[1:] != ["answered"]:
                self.found.append(f"a reader at statement {number} was told {said}")

    def forget_everything(self) -> None:
        """Begin with no database."""
        for name in ("shop.duckdb", "shop.duckdb.wal"):
            (self.root / name).unlink(missing_ok=True)
        shutil.rmtree(self.root / "files")
        (self.root / "files").mkdir()
        self.world.rounds.clear()


def ask(root: str, model: str) -> list[str]:
    """What a question gets while a run holds the file: the error's code, then a copy's answer."""
    from cdme_adapter.errors import CdmeError
    from cdme_adapter.lineage.opening import open_questions

    found = []
    try:
        open_questions(root, root).close()
    except CdmeError as error:
        found.append(error.code)
    copy = Path(root) / "copy" / "shop.duckdb"
    copy.parent.mkdir(exist_ok=True)
    for suffix in ("", ".wal"):
        source = Path(f"{root}/shop.duckdb{suffix}")
        Path(f"{copy}{suffix}").unlink(missing_ok=True)
        if source.exists():
            shutil.copyfile(source, f"{copy}{suffix}")
    questions = open_questions(database=str(copy), manifest=f"{root}/target/manifest.json")
    answer = questions.trace(model, to="parents", limit=1)
    questions.close()
    return [*found, "answered" if answer["model"].endswith(f".{model}") else str(answer)]


def _no_larger(size: int) -> None:
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _behind(path: str, number: int, models: tuple[str, ...]) -> list[str]:
    import duckdb

    with duckdb.connect(path) as con:
        return [
            model for model in models
            if con.execute(f"SELECT max(round) FROM main.{model}").fetchall() != [(number,)]
        ]  # fmt: skip


def spread(count: int, among: int) -> list[int]:
    """So many numbers below ``among``, evenly spread."""
    return [round((n + 0.5) * among / count) for n in range(min(count, among))]


def commits(statements: list[str]) -> list[int]:
    """The statements before and after which a transaction ends."""
    ends = [n for n, sql in enumerate(statements) if sql.upper() == "COMMIT"]
    return sorted({n for end in ends for n in (end, end + 1)})
