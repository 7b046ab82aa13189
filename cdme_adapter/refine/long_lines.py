"""Lines of a seed with too many columns: dbt reads a seed whole, for the types of its columns, before the
database does, and fails on such a line. Where refinements are declared it reads a copy without them; the
database reads the file itself and notes them (``files.py``).
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class ShortenedSeed:
    """A seed's node that names a copy of its file until :meth:`restore`."""

    node: Any
    path: str
    folder: str

    def restore(self) -> None:
        """Give the node its own path again, and remove the copy; a second call does nothing."""
        self.node.original_file_path = self.path
        shutil.rmtree(self.folder, ignore_errors=True)


def shorten(node: Any, root: str) -> ShortenedSeed | None:
    """Let dbt read a copy of a seed's file; None where no line has too many columns, or where the file
    is not where dbt will look for it, or cannot be read: then dbt says so."""
    file = Path(root) / node.original_file_path
    delimiter = str(getattr(node.config, "delimiter", None) or ",")
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.reader(lines, delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error, TypeError):
        return None
    if not rows or all(len(row) <= len(rows[0]) for row in rows):
        return None
    folder = tempfile.mkdtemp(prefix="cdme_seed_")
    copy = Path(folder) / file.name
    with copy.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, delimiter=delimiter).writerows(r for r in rows if len(r) <= len(rows[0]))
    made = ShortenedSeed(node, node.original_file_path, folder)
    node.original_file_path = str(copy)
    return made
