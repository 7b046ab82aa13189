"""Every error that CDME raises, and the findings that it reports.

The tree::

    CdmeError                       has a stable code, a place, facts and a remedy
    ├── ConfigError                 meta.cdme or vars: cdme: is wrong
    ├── StoreError                  the cdme schema cannot be used
    │   ├── StoreVersionError       it was written by another version of CDME
    │   └── StoreReadOnlyError      it cannot be written or is locked
    ├── CaptureError                a model's lineage cannot be captured
    │   └── UnsupportedConstruct    … because of this piece of its SQL
    ├── GateError                   an account does not hold
    ├── ValidationRefused           findings that refuse a run
    └── QuestionError               a question cannot be answered as asked

A :class:`Finding` is the same information for something that does not stop the work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Place:
    """Where in the user's files something is: the file as dbt names it and a line from 1."""

    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        if not self.file:
            return ""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Finding:
    """One thing worth saying about a model.

    ``severity`` is ``error``, ``warn`` or ``info`` (docs/commands.md, ``validate``).
    """

    code: str
    message: str
    severity: str = "warn"
    model: str | None = None
    place: Place = field(default_factory=Place)
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """The fields of ``findings`` in docs/commands.md."""
        return {
            "code": self.code,
            "severity": self.severity,
            "model": self.model,
            "file": self.place.file,
            "line": self.place.line,
            "message": self.message,
            "remedy": self.remedy,
        }


class CdmeError(Exception):
    """Base of all errors: what was found, what was expected and what to do."""

    code = "CDME"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        model: str | None = None,
        place: Place | None = None,
        remedy: str = "",
    ) -> None:
        self.message = message
        self.code = code or type(self).code
        self.model = model
        self.place = place or Place()
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        head = f"[{self.code}] "
        if self.model:
            head += f"{self.model}: "
        text = head + self.message
        if str(self.place):
            text += f"\n  at {self.place}"
        if self.remedy:
            text += f"\n  what to do: {self.remedy}"
        return text

    def as_finding(self, severity: str = "error") -> Finding:
        """The same information as a finding, for reports that go on."""
        return Finding(self.code, self.message, severity, self.model, self.place, self.remedy)


class ConfigError(CdmeError):
    """meta.cdme or vars: cdme: holds something that CDME cannot follow."""

    code = "CONFIG_INVALID"


class StoreError(CdmeError):
    """The cdme schema of a database cannot be used."""

    code = "STORE_ERROR"


class StoreVersionError(StoreError):
    """The cdme schema was written by a newer CDME than this one, or by one too old to be read."""

    code = "STORE_NEWER"


class StoreReadOnlyError(StoreError):
    """The database cannot be written, or another process holds it."""

    code = "STORE_READ_ONLY"


def unwritable(database: str, error: Exception) -> StoreReadOnlyError:
    """The refusal to write to a database, as an error with a remedy."""
    return StoreReadOnlyError(
        f"the database {database} cannot be written: {str(error).strip()}",
        remedy="attach it without read_only or access_mode: READ_ONLY; CDME keeps its account in "
        "the database that a model lies in",
    )


_HOLDER = re.compile(r"lock is held in (.+?) \(PID (\d+)\)")


def held(path: str, error: Exception) -> StoreReadOnlyError:
    """DuckDB's refusal to share a file with a process that writes it, with who that is."""
    holder = _HOLDER.search(str(error))
    by = f"{holder[1]} (process {holder[2]})" if holder else "another process"
    return StoreReadOnlyError(
        f"{path} is open for writing in {by}: a DuckDB file has one writing process at a time, and no "
        "reader beside it",
        code="STORE_LOCKED",
        remedy="wait until that process has ended, or close its connection (a notebook, a viewer, another "
        "dbt run)",
    )


class CaptureError(CdmeError):
    """The capture of a model failed; the model itself is not at fault."""

    code = "CAPTURE_FAILED"


class UnsupportedConstruct(CaptureError):
    """A piece of SQL whose record lineage the planner does not know (never guessed).

    ``line`` counts from 1 in the text ``origin``: "" is the model's compiled SQL, else the id of a
    view or the name of an ephemeral model.
    """

    code = "CAPTURE_UNSUPPORTED"

    def __init__(self, message: str, *, line: int | None = None, origin: str = "") -> None:
        self.line = line
        self.origin = origin
        super().__init__(message)


class GateError(CdmeError):
    """An account does not hold (REQ-F-ACC-004)."""

    code = "UNBALANCED"


class ValidationRefused(CdmeError):
    """A mapping was refused before it ran (REQ-F-AIA-001)."""

    code = "VALIDATION_REFUSED"


class QuestionError(CdmeError):
    """A question that cannot be answered as asked: exit code 2."""

    code = "QUESTION"
