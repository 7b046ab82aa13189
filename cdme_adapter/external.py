"""Files that an external model writes, as if they were part of its transaction.

A file is not transactional, so it is written beside its place, in ``.cdme/<run>/``. In the model's own
transaction the view is made over that file and the account is committed as ``pending`` with the file's
hash. After the commit the file is linked into its place, and in one more transaction the view is made
over that place and the account is confirmed; last the file beside it goes. Whatever is killed: the view
reads a file that is whole and that the account speaks of, and the next run finishes what is pending
(docs/decisions/0041-external-files.md).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from cdme_adapter.capture.sqltext import quote
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import full_name, literal
from cdme_adapter.store.files import FileRow, hash_of, pending, write_confirmed, write_file

FOLDER = ".cdme"
OVERWRITE = ".cdme-overwrite"
"""Ends the name of an empty file beside a staged folder that is to be all that its place holds."""
_NAME = r'(?:"(?:[^"]|"")*"|[\w$]+)'
_VIEW = re.compile(rf"create\s+or\s+replace\s+view\s+{_NAME}(?:\.{_NAME})*", re.I)


@dataclass
class StagedFile:
    """A file that is written beside its place; ``view`` is the text of the view over its place."""

    location: str
    path: str
    several: bool
    view: str = ""

    def over_staged(self, sql: str) -> str:
        """The statement that makes the view, over the file as it is now; its own text is kept."""
        if _VIEW.search(sql) is None or f"'{self.location}" not in sql:
            return sql
        self.view = sql
        return sql.replace(f"'{self.location}", f"'{self.path}")

    def row(self, execute: Execute, generation: int, model: str, run_id: str,
            parts: tuple[str, str, str]) -> FileRow:  # fmt: skip
        """What is stored of the file before the commit; ``parts`` name the view."""
        digest, size = hash_of(self.path)
        switch = _switch(execute, self.view, parts)
        return FileRow(generation, model, run_id, self.location, self.path, digest, size, "pending", switch)


def stage(location: str, run_id: str, options: str, keep: set[str]) -> StagedFile | None:
    """A place beside ``location`` to write to, or None where the file must be written directly.

    That is so for what lies elsewhere (``s3://…``), where the folder does not exist, and where DuckDB
    refuses to write into a folder that holds files already. ``keep`` are staged files that are pending;
    others that runs which never ended left for this location are removed.
    """
    words = options.lower()
    overwrites = _is_set(words, "overwrite")
    place = Path(location)
    if "://" in location or not place.parent.is_dir():
        return None
    several = "partition_by" in words or "per_thread_output" in words or "file_size_bytes" in words
    full = several and place.is_dir() and any(place.iterdir())
    if full and not (overwrites or _is_set(words, "overwrite_or_ignore") or _is_set(words, "append")):
        return None
    for left in orphans_beside(location, keep):
        remove_staged(left)
    for folder in place.parent.glob(f"{FOLDER}/*"):
        if folder.name != run_id:
            with contextlib.suppress(OSError):  # a killed run had not yet written into it
                folder.rmdir()
    path = place.parent / FOLDER / run_id / place.name
    path.parent.mkdir(parents=True, exist_ok=True)
    if several and overwrites:
        _overwriting(path).touch()
    shown = path.as_posix() if place.is_absolute() or location[:2] != "./" else f"./{path.as_posix()}"
    return StagedFile(location, shown, several)


def _is_set(options: str, name: str) -> bool:
    """Whether an option of COPY is given, and not as false.

    >>> [_is_set(f"partition_by a, overwrite{more}", "overwrite") for more in ("", " 0", "_or_ignore")]
    [True, False, False]
    """
    found = re.search(rf"\b{name}\b\s*=?\s*('?(?:0|false|off|no)\b)?", options)
    return found is not None and found[1] is None


def _overwriting(staged: Path) -> Path:
    return staged.with_name(staged.name + OVERWRITE)


def orphans_beside(location: str, keep: set[str]) -> list[str]:
    """What killed runs left beside a location; ``keep`` are staged files that are pending."""
    place = Path(location)
    if "://" in location:
        return []
    kept = {Path(path).resolve() for path in keep}
    left = sorted(place.parent.glob(f"{FOLDER}/*/{place.name}"))
    return [str(path) for path in left if path.resolve() not in kept]


def remove_staged(path: str) -> None:
    """Remove a staged file, or folder of files, and the folders around it that are empty then."""
    place = Path(path)
    _overwriting(place).unlink(missing_ok=True)
    if place.is_dir():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # another file is being staged there
        place.parent.rmdir()
        place.parent.parent.rmdir()


def settle_in_place(execute: Execute, schema: str, row: FileRow) -> None:
    """After the commit: bring the file to its place, let the view read it there, confirm.

    Raises OSError where the file cannot be brought to its place; it stays pending then.
    """
    if Path(row.staged).exists():
        _link(Path(row.staged), Path(row.location))
        if _overwriting(Path(row.staged)).exists():
            _remove_others(Path(row.staged), Path(row.location))
    elif hash_of(row.location)[0] != row.hash:
        raise OSError(f"{row.staged} is gone, and {row.location} is another file")
    execute(";\n".join(["BEGIN", row.switch, write_confirmed(schema, row.generation), "COMMIT"]))
    remove_staged(row.staged)


def repair(execute: Execute, schema: str) -> list[str]:
    """Finish what a killed run left pending; the models whose files are still not in place."""
    left = []
    for row in pending(execute, schema):
        try:
            settle_in_place(execute, schema, row)
        except Exception:  # the folder is gone, the disk is full: answers say stale meanwhile
            with contextlib.suppress(Exception):
                execute("ROLLBACK")
            left.append(row.model)
    return left


def _link(staged: Path, place: Path) -> None:
    """Put a file, or each file of a folder, into its place: each appears whole or not at all."""
    if staged.is_dir():
        for part in sorted(path for path in staged.rglob("*") if path.is_file()):
            target = place / part.relative_to(staged)
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(part, target)
        return
    beside = place.with_name(f".cdme-{place.name}")
    beside.unlink(missing_ok=True)
    try:
        os.link(staged, beside)
    except OSError:  # a file system without hard links
        shutil.copyfile(staged, beside)
    beside.replace(place)


def _remove_others(staged: Path, place: Path) -> None:
    """Remove every file of a folder that the staged one has not, as OVERWRITE does; folders stay."""
    for file in sorted(path for path in place.rglob("*") if path.is_file() or path.is_symlink()):
        inside = file.relative_to(place)
        if FOLDER not in inside.parts and not (staged / inside).exists():
            file.unlink(missing_ok=True)


def _switch(execute: Execute, view: str, parts: tuple[str, str, str]) -> str:
    """The statements that make the view again over the file's place, with its comments."""
    name = full_name(*parts)
    made = _VIEW.sub(lambda _: f"CREATE OR REPLACE VIEW {name}", view, count=1).strip().rstrip(";")
    where = f"database_name = {literal(parts[0])} AND schema_name = {literal(parts[1])}"
    about = execute(f"SELECT comment FROM duckdb_views() WHERE {where} AND view_name = {literal(parts[2])}")
    columns = execute(
        f"SELECT column_name, comment FROM duckdb_columns() WHERE {where}"
        f" AND table_name = {literal(parts[2])} AND comment IS NOT NULL"
    )
    said = [f"COMMENT ON VIEW {name} IS {literal(row[0])}" for row in about if row[0]]
    said += [f"COMMENT ON COLUMN {name}.{quote(column)} IS {literal(text)}" for column, text in columns]
    return ";\n".join([made, *said])


def write_pending(execute: Execute, schema: str, row: FileRow) -> None:
    """Note the file in the model's own transaction."""
    execute(write_file(schema, row))
