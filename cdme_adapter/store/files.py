"""``store_files``: the file behind the rows of an external model, by generation.

``pending``: it is committed and still beside its place. ``confirmed``: it is in its place.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass
from pathlib import Path

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import literal

COLUMNS = (
    "generation BIGINT, model VARCHAR, run_id VARCHAR, location VARCHAR, staged VARCHAR, hash VARCHAR, "
    "bytes BIGINT, state VARCHAR, switch VARCHAR"
)


@dataclass(frozen=True)
class FileRow:
    """One row of ``store_files``; ``switch`` makes the view over ``location``."""

    generation: int
    model: str
    run_id: str
    location: str
    staged: str
    hash: str
    bytes: int
    state: str
    switch: str

    def unchanged(self) -> bool:
        """Whether the file is the one that was accounted for."""
        at = self.staged if self.state == "pending" and Path(self.staged).exists() else self.location
        return hash_of(at) == (self.hash, self.bytes)


def hash_of(path: str) -> tuple[str, int]:
    """The hash of a file, or of all files of a folder with their names, and their bytes.

    >>> hash_of("/nowhere")
    ('', 0)
    """
    place = Path(path)
    if place.is_file():
        return _digest(place), place.stat().st_size
    if not place.is_dir():
        return "", 0
    whole, size = hashlib.sha256(), 0
    for part in sorted(one for one in place.rglob("*") if one.is_file()):
        whole.update(f"{part.relative_to(place).as_posix()}\n{_digest(part)}\n".encode())
        size += part.stat().st_size
    return whole.hexdigest(), size


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            found.update(part)
    return found.hexdigest()


def read_files(execute: Execute, schema: str, where: str = "TRUE") -> list[FileRow]:
    """The files that a schema knows of."""
    there = execute(
        "SELECT 1 FROM duckdb_tables() WHERE table_name = 'store_files' AND schema_name = 'cdme'"
        f" AND database_name = {literal(schema.rpartition('.')[0].strip(chr(34)))}"
    )
    if not there:  # a schema of an earlier version, which is only read
        return []
    return [FileRow(*row) for row in execute(f"SELECT * FROM {schema}.store_files WHERE {where}")]


def pending(execute: Execute, schema: str) -> list[FileRow]:
    """The present files of models that are not in their places yet."""
    now = f"state = 'pending' AND generation IN (SELECT generation FROM {schema}.store_current)"
    return read_files(execute, schema, now)


def write_file(schema: str, row: FileRow) -> str:
    """The statement that notes a file; what was noted of the model before is replaced."""
    values = ", ".join(str(v) if isinstance(v, int) else literal(v) for v in astuple(row))
    return (
        f"DELETE FROM {schema}.store_files WHERE model = {literal(row.model)};\n"
        f"INSERT INTO {schema}.store_files VALUES ({values})"
    )


def write_confirmed(schema: str, generation: int) -> str:
    """The statement that says that a file is in its place."""
    return f"UPDATE {schema}.store_files SET state = 'confirmed' WHERE generation = {generation}"
