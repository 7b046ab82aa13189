"""DuckDB's files: their fingerprint, and their records by ordinal.

Free of sqlglot, as :mod:`rows` is. A generation of files is known by the path, size and time of each
file (docs/concepts.md, Generation).
"""

from __future__ import annotations

import json
import re

from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.rows import literal

SCAN = "scan"
"""What stands as the schema of a generation whose name is a scan (``read_csv('x.csv')``)."""

SEED = "seed"
"""The same, of the file of a seed: its records are shown with their lines."""

ROW = "row_number"
_SEED = re.compile(r"read_csv\('((?:[^']|'')*)', header = true, delim = '((?:[^']|'')*)'")


def seed_scan(path: str, delimiter: str, columns: dict[str, str], more: str = "") -> str:
    """The scan of a seed's file, with the types (SQL) of its columns in order."""
    types = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in columns.items())
    return (
        f"read_csv({literal(path)}, header = true, delim = {literal(delimiter)}, columns = {{{types}}},"
        f" auto_detect = false{more})"
    )


def seed_file(scan: str) -> tuple[str, str] | None:
    """The path and the delimiter of :func:`seed_scan`.

    >>> seed_file(seed_scan("it's.csv", ";", {"id": "INTEGER"}))
    ("it's.csv", ';')
    """
    found = _SEED.match(scan)
    return (found[1].replace("''", "'"), found[2].replace("''", "'")) if found else None


def file_fingerprint(execute: Execute, paths: str) -> str | None:
    """The fingerprint of files now; ``paths`` is the SQL of one path, a glob or a list of them.

    None where they cannot be listed. ``execute`` may fail: give it a connection that may.
    """
    try:
        rows = execute(
            "SELECT count(*), md5(coalesce(string_agg(concat_ws('|', filename, size, "
            f"epoch_us(last_modified)), chr(10) ORDER BY filename), '')) FROM read_blob({paths})"
        )
    except Exception:
        return None
    count, mark = rows[0]
    return json.dumps({"paths": paths, "files": count, "hash": mark}) if count else None


def paths_of(fingerprint: str | None) -> str | None:
    """The paths that a fingerprint was made of.

    >>> paths_of('{"paths": "\\'x.csv\\'", "files": 1, "hash": "0"}')
    "'x.csv'"
    """
    try:
        found = json.loads(fingerprint or "")["paths"]
    except (ValueError, KeyError, TypeError):
        return None
    return str(found)
