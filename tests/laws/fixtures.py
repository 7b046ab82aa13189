"""Read the fixtures of tests/fixtures/capture (the format is told in the README there)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

FOLDER = Path(__file__).parent.parent / "fixtures" / "capture"
ROW = re.compile(r"^\((?P<values>.*)\) <- (?P<witnesses>.*)$")
LOST = re.compile(
    r"^lost (?P<relation>\w+) (?P<ordinals>[\d ]+): (?P<kind>\w+) (?P<verdict>\w+)(?: \[(?P<sql>.*)\])?$"
)

Witnesses = frozenset[tuple[str, str, int]]
"""(relation, role, ordinal)."""


@dataclass(frozen=True)
class Loss:
    """Why a record was filtered."""

    kind: str
    verdict: str
    sql: str | None


@dataclass
class Fixture:
    """One case of a file: tables, a query, and what is to be found."""

    file: str
    name: str
    statements: list[str] = field(default_factory=list)
    rows: list[tuple[str, Witnesses]] = field(default_factory=list)
    lost: dict[tuple[str, int], Loss] = field(default_factory=dict)
    edges: set[tuple[str, str]] = field(default_factory=set)
    """Edges without a witness in any row."""
    exact: bool = False
    """Whether the capture must be exact on every edge."""
    expects: bool = False

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"

    @property
    def query(self) -> str:
        """The statement that is explained."""
        return self.statements[-1]

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A fresh database with the tables of the case."""
        connection = duckdb.connect(config={"threads": 1})
        for statement in self.statements[:-1]:
            connection.execute(statement)
        return connection


def fixtures(folder: Path = FOLDER) -> list[Fixture]:
    """Every case of every file."""
    return [case for path in sorted(folder.rglob("*.sql")) for case in read(path)]


def read(path: Path) -> list[Fixture]:
    """The cases of one file; what stands before the first belongs to all."""
    preamble, *parts = re.split(r"^-- case: ", path.read_text(), flags=re.M)
    shared = _statements(preamble)
    exact = bool(re.search(r"^-- exact$", preamble, flags=re.M))
    return [_case(path.stem, part, shared, exact) for part in parts]


def _statements(text: str) -> list[str]:
    code = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return [statement.strip() for statement in code.split(";") if statement.strip()]


def _case(file: str, part: str, shared: list[str], exact: bool) -> Fixture:
    name, *lines = part.splitlines()
    case = Fixture(file, name.strip(), [*shared, *_statements("\n".join(lines))], exact=exact)
    for line in lines:
        if line.startswith("-- ") and not line.startswith("-- #"):
            _expectation(case, line[3:].strip())
    return case


def _expectation(case: Fixture, line: str) -> None:
    row, lost = ROW.match(line), LOST.match(line)
    if row:
        case.expects = True
        case.rows.append((row["values"], _witnesses(row["witnesses"])))
    elif lost:
        for ordinal in lost["ordinals"].split():
            loss = Loss(lost["kind"], lost["verdict"], lost["sql"])
            case.lost[lost["relation"], int(ordinal)] = loss
    elif line.startswith("edge "):
        _, role, relation = line.split()
        case.edges.add((relation, role))
    elif line == "no rows":
        case.expects = True
    else:
        raise ValueError(f"{case}: cannot read {line!r}")


def _witnesses(text: str) -> Witnesses:
    found: set[tuple[str, str, int]] = set()
    for part in text.split(","):
        relation, *ordinals = part.split()
        if relation == "nothing":
            continue
        role = "indirect" if relation.startswith("~") else "direct"
        found |= {(relation.lstrip("~"), role, int(ordinal)) for ordinal in ordinals}
    return frozenset(found)


def written(values: tuple[Any, ...]) -> str:
    """A row as fixtures write it.

    >>> import datetime
    >>> written((1, None, "x", True, datetime.date(2024, 1, 2), [1, None]))
    "1, NULL, 'x', true, '2024-01-02', [1, NULL]"
    """
    return ", ".join(map(_written, values))


def _written(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{written(tuple(value))}]"
    return f"'{value}'"
