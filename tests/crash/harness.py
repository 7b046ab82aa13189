"""One experiment after the other: break a run, look, run again, look again."""

from __future__ import annotations

import json
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
        left = list((self.root / "files").rglob(".cdme*"))
        self.found += [f"{when}: {path} was left by the next run" for path in left]

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

    def lock(self, times: int) -> None:
        """Run while another process has the file open: the error names it, and nothing is written."""
        for _ in range(times):
            with boundary.holding(self.world.project.path) as holder:
                fate = self.run()
            self.broken += not fate.success
            if "STORE_LOCKED" not in fate.message or f"process {holder}" not in fate.message:
                self.found.append(f"a locked database: the run was told {fate.message!r}")
            self.look("after a locked database")
            self.again("after a locked database")

    def break_outbox(self, numbers: Iterable[int]) -> None:
        """Kill a run while it keeps and sends its events: every run is told to the end, and once."""
        told = self.root / "events.jsonl"
        for number in numbers:
            fate = self.run(lambda n, sql, at=number: KILL if n == at else GO)  # type: ignore[misc]
            if not fate.killed:
                continue
            self.broken += 1
            when = f"killed in the outbox, before statement {number} ({fate.statements[number][:90]})"
            self.look(when)
            self.again(when)
            self.found += [f"{when}: {fault}" for fault in untold(told, self.world.rounds)]
            waiting = boundary.in_child(_waiting, self.world.project.path)
            self.found += [f"{when}: {waiting} events wait after the next run"] if waiting else []

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


def _waiting(path: str) -> int:
    import duckdb

    with duckdb.connect(path) as con:
        found = con.execute("SELECT count(*) FROM cdme.store_outbox WHERE sent_at IS NULL").fetchall()
    return int(found[0][0])


def untold(events: Path, rounds: dict[str, int]) -> list[str]:
    """What a collector misses of the runs, or was told in two ways; the same line twice is allowed."""
    told: dict[tuple[str, str], list[str]] = {}
    for line in sorted(set(events.read_text().splitlines())):
        event = json.loads(line)
        told.setdefault((event["job"]["name"], event["run"]["runId"]), []).append(event["eventType"])
    wrong = [
        f"{job} was told {found}" for (job, _), found in told.items()
        if len(found) != 2 or found.count("START") != 1
    ]  # fmt: skip
    runs = sum(job == "dbt-run-shop" for job, _ in told)
    return wrong + ([] if runs == len(rounds) else [f"{runs} of {len(rounds)} runs were told"])


def spread(count: int, among: int) -> list[int]:
    """So many numbers below ``among``, evenly spread."""
    return [round((n + 0.5) * among / count) for n in range(min(count, among))]


def commits(statements: list[str]) -> list[int]:
    """The statements before and after which a transaction ends."""
    ends = [n for n, sql in enumerate(statements) if sql.upper() == "COMMIT"]
    return sorted({n for end in ends for n in (end, end + 1)})
