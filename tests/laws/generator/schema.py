"""Random tables: few columns, few rows, few values, so that rows meet, repeat and miss."""

from __future__ import annotations

from dataclasses import dataclass

from tests.laws.draw import Draw, chance, pick

VALUES = {
    "int": ["0", "1", "2", "0", "1", "2", "NULL"],
    "text": ["'x'", "'y'", "'x'", "'y'", "''", "NULL"],
    "date": ["DATE '2024-01-01'", "DATE '2024-01-02'", "DATE '2024-01-04'", "NULL"],
    "double": ["0.5", "1.5", "NULL"],
    "list": ["[1, 2]", "[1]", "[]", "[2, NULL]", "NULL"],
}
TYPES = {
    "int": "INTEGER",
    "text": "VARCHAR",
    "date": "DATE",
    "double": "DOUBLE",
    "list": "INTEGER[]",
}


@dataclass(frozen=True)
class Col:
    """A column and its kind of value."""

    name: str
    kind: str


@dataclass(frozen=True)
class Table:
    """A base table; ``key`` names its unique column, if it has one."""

    name: str
    cols: tuple[Col, ...]
    rows: tuple[tuple[str, ...], ...]
    key: tuple[str, ...] | None

    def statements(self) -> list[str]:
        """The SQL that makes it."""
        columns = ", ".join(f"{c.name} {TYPES[c.kind]}" for c in self.cols)
        create = f"CREATE TABLE {self.name} ({columns})"
        if not self.rows:
            return [create]
        rows = ", ".join("(" + ", ".join(row) + ")" for row in self.rows)
        return [create, f"INSERT INTO {self.name} VALUES {rows}"]


def table(draw: Draw, name: str) -> Table:
    """A random table of nought to six rows."""
    cols = [Col("a", "int"), Col("b", "int")]
    if chance(draw, 60):
        cols.append(Col("c", "text"))
    if chance(draw, 50):
        cols.append(Col("d", pick(draw, ["date", "double", "list"])))
    keyed = not chance(draw, 25)
    if keyed:
        cols.insert(0, Col("k", "int"))
    rows = []
    for number in range(pick(draw, [0, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 6, 6, 6])):
        values = [pick(draw, VALUES[c.kind]) for c in cols if c.name != "k"]
        rows.append(tuple([str(number), *values] if keyed else values))
        if not keyed and rows and chance(draw, 25):
            rows.append(rows[0])
    return Table(name, tuple(cols), tuple(rows[:6]), ("k",) if keyed else None)
