"""Runs dbt in a child process that stops before every statement until it is told to go on.

The parent has imported dbt and read the project, and holds no database open: a run is a fork away.
In the child every statement of every connection, dbt's and CDME's own, passes one gate: it writes the
statement to a pipe and waits for one byte. So the parent sees each boundary between statements and can
kill the child there, from outside, with SIGKILL.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

GO, KILL, RAISE, INTERRUPT = "go", "kill", "raise", "interrupt"
Decide = Callable[[int, str], str]
"""What is to happen at a boundary, by its number from 0 and the statement that comes next."""


_COMMENT = re.compile(r"/\*.*?\*/", re.S)


@dataclass
class Fate:
    """How a run ended, and the statements before which it stopped."""

    statements: list[str] = field(default_factory=list)
    run_id: str = ""
    killed: bool = False
    success: bool = False
    message: str = ""


def read_project(arguments: list[str]) -> Any:
    """The manifest, for children to start from. Opens no database."""
    from dbt.cli.main import dbtRunner

    parsed = dbtRunner().invoke(["parse", *arguments])
    assert parsed.success, parsed.exception
    return parsed.result


def run(
    manifest: Any, arguments: list[str], decide: Decide, sabotage: Callable[[], None] | None = None,
    limit: Callable[[], None] | None = None, seconds: float | None = None,
) -> Fate:  # fmt: skip
    """Run dbt in a child; ``sabotage`` and ``limit`` are called in it before dbt starts.

    ``seconds``: kill it that long after its first statement, wherever it is then.
    """
    up_read, up_write = os.pipe()
    down_read, down_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(up_read)
        os.close(down_write)
        _child(manifest, arguments, up_write, down_read, sabotage, limit)
    os.close(up_write)
    os.close(down_read)
    try:
        return _watch(pid, up_read, down_write, decide, seconds)
    finally:
        os.close(up_read)
        os.close(down_write)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _watch(pid: int, up: int, down: int, decide: Decide, seconds: float | None) -> Fate:
    fate = Fate()
    for line in _lines(up, seconds):
        said = json.loads(line) if line else {}
        if "end" in said:
            fate.success, fate.message = said["end"], said["message"]
            break
        do = KILL
        if said:
            fate.run_id = said["run"]
            do = decide(len(fate.statements), said["sql"])
            fate.statements.append(said["sql"])
        if do == KILL:
            fate.killed = True
            os.kill(pid, signal.SIGKILL)
            break
        if do == INTERRUPT:
            os.kill(pid, signal.SIGINT)
        with contextlib.suppress(BrokenPipeError):
            os.write(down, b"x" if do == RAISE else b"g")
    return fate


def _lines(pipe: int, seconds: float | None) -> Iterator[str]:
    """The lines that come through a pipe; an empty one when the time is up."""
    rest, end = b"", None
    while True:
        wait = None if end is None else max(end - time.monotonic(), 0)
        if not select.select([pipe], [], [], wait)[0]:
            yield ""
            return
        more = os.read(pipe, 65536)
        if not more:
            return
        if end is None and seconds is not None:
            end = time.monotonic() + seconds
        *lines, rest = (rest + more).split(b"\n")
        for line in lines:
            yield line.decode()


def in_child(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a child of its own, for what opens a database; its answer must be JSON."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        try:
            answer = json.dumps({"answer": function(*arguments)})
        except BaseException as error:
            answer = json.dumps({"error": f"{type(error).__name__}: {error}"})
        with os.fdopen(write, "w") as out:
            out.write(answer)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    said = json.loads(text)
    if "error" in said:
        raise RuntimeError(said["error"])
    return said["answer"]


@contextlib.contextmanager
def holding(path: str) -> Iterator[int]:
    """Let another process have a database open for writing; its id."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        import duckdb

        con = duckdb.connect(path)
        os.write(write, b"x")
        time.sleep(600)
        con.close()
        os._exit(0)
    try:
        os.read(read, 1)
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(read)
        os.close(write)


def _child(
    manifest: Any, arguments: list[str], up: int, down: int, sabotage: Callable[[], None] | None,
    limit: Callable[[], None] | None,
) -> None:  # fmt: skip
    ended: dict[str, Any] = {"end": False, "message": ""}
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.dup2(null, sys.stderr.fileno())
        if sabotage:
            sabotage()
        _gate(up, down)
        if limit:
            limit()
        from dbt.cli.main import dbtRunner

        done = dbtRunner(manifest=manifest).invoke(arguments)
        results = getattr(done.result, "results", None) or []
        failed = [str(r.message) for r in results if str(r.status) not in ("success", "pass")]
        ended = {"end": done.success, "message": "\n".join([*failed, str(done.exception or "")]).strip()}
    except BaseException as error:
        ended["message"] = f"{type(error).__name__}: {error}"
    finally:
        with contextlib.suppress(BrokenPipeError):
            os.write(up, (json.dumps(ended) + "\n").encode())
        os._exit(0)


def _gate(up: int, down: int) -> None:
    """Stop before every statement of this process."""
    import duckdb
    from dbt.adapters.duckdb.environments.local import DuckDBCursorWrapper
    from dbt_common.invocation import get_invocation_id

    lock = threading.Lock()
    real = DuckDBCursorWrapper.execute

    def execute(self: Any, sql: str, bindings: Any = None) -> Any:
        with lock:
            text = " ".join(_COMMENT.sub("", sql).split())[:300]
            message = {"run": str(get_invocation_id()), "sql": text}
            os.write(up, (json.dumps(message) + "\n").encode())
            answer = os.read(down, 1)
        if answer == b"x":
            raise duckdb.IOException("the harness breaks this statement")
        return real(self, sql, bindings)

    DuckDBCursorWrapper.execute = execute
